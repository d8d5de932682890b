//! The audit trail: what changed of what is stored and by whom, and what was refused admission.
//!
//! Changes are noted in the transaction that makes them. Refusals are noted later, many as one, and in a trail of their
//! own: however many there are, they crowd out no change.

use crate::clock::Timestamp;
use crate::gate::Who;
use crate::oci::{Digest, RepositoryName, Tag};

/// Who asks for a change, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub who: Who,
    /// When.
    pub at: Timestamp,
}

/// Which entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trail {
    /// Of what changed.
    Changes,
    /// Of what was refused.
    Refusals,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A blob or an object became part of a repository, or a tag was set on an object.
    Push,
    /// Evidence or data became part of a repository, or a tag kept for it was set.
    Sign,
    /// Someone took it out of a repository.
    Delete,
    /// Nobody wanted it any more.
    Collect,
    /// It was found not to be what its name says.
    Quarantine,
    /// It is what its name says again.
    Repair,
    /// A pull did not meet what it needs.
    PullRefused,
    /// A tag was not set, for what it would name did not meet what that needs.
    PushRefused,
}

impl Event {
    const ALL: [Self; 8] = [
        Self::Push,
        Self::Sign,
        Self::Delete,
        Self::Collect,
        Self::Quarantine,
        Self::Repair,
        Self::PullRefused,
        Self::PushRefused,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Sign => "sign",
            Self::Delete => "delete",
            Self::Collect => "collect",
            Self::Quarantine => "quarantine",
            Self::Repair => "repair",
            Self::PullRefused => "pull-refused",
            Self::PushRefused => "push-refused",
        }
    }

    /// The event that [`Event::as_str`] wrote.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }
}

/// One entry of a trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Greater than that of every entry of its trail that was noted before.
    pub id: u64,
    /// When; of a refusal, when it happened first.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// To what: `blob`, `tag`, `object`, `data`, or a shape of evidence. None for a refusal.
    pub what: Option<String>,
    /// By whom, as [`Who`] is displayed; none is nobody but Hallmark.
    pub who: Option<String>,
    /// In which repository; none for the bytes of a blob, which all repositories share.
    pub repository: Option<RepositoryName>,
    /// The digest; for a tag, what it names, or named.
    pub digest: Option<Digest>,
    /// The tag that was set, deleted, or asked for.
    pub tag: Option<Tag>,
    /// What evidence or data is about.
    pub subject: Option<Digest>,
    /// One clause.
    pub why: Option<String>,
    /// How often it was refused; none for a change.
    pub times: Option<u64>,
}

/// A refusal to be noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When it happened first.
    pub at: Timestamp,
    /// [`Event::PullRefused`] or [`Event::PushRefused`].
    pub event: Event,
    /// Whom.
    pub who: Who,
    /// Where.
    pub repository: RepositoryName,
    /// What was judged, if it is known.
    pub digest: Option<Digest>,
    /// The tag that was asked for.
    pub tag: Option<Tag>,
    /// One clause.
    pub why: String,
    /// How often.
    pub times: u64,
}
