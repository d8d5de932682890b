//! What someone may do in a repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An action of the authorisation table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Reading manifests, blobs, tags and referrers.
    Pull,
    /// Uploads, objects and tags; includes [`Action::Sign`].
    Push,
    /// Adding evidence and data, with their blobs.
    Sign,
    /// Deleting manifests, tags and blobs.
    Delete,
    /// Copying an object with all its evidence within the registry.
    Promote,
    /// Collection, audit, reload, other people's explanations.
    Admin,
}

impl Action {
    /// Every action, in the order of the documentation.
    pub const ALL: [Self; 6] = [Self::Pull, Self::Push, Self::Sign, Self::Delete, Self::Promote, Self::Admin];

    /// The word in a policy line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Sign => "sign",
            Self::Delete => "delete",
            Self::Promote => "promote",
            Self::Admin => "admin",
        }
    }

    /// Whether a requirement other than `unverified` can be judged for it.
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::Pull | Self::Push | Self::Promote)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|action| action.as_str() == word).ok_or(())
    }
}
