//! Who asks. The kind is part of the name, so nobody can pose as a role or as another kind.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Someone who asks: the subject of the authorisation table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Nobody showed a credential.
    Anonymous,
    /// A user of the htpasswd file; displayed as `user:<name>`.
    User(Arc<str>),
    /// Whoever owns the disk and works on it while nothing is served; nobody can log in as that, and no text names it.
    Operator,
}

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `anonymous` or `user:<name>`, found {0:?}")]
pub struct WhoError(pub String);

impl Who {
    /// The user `name`. Refused: empty, over 128 bytes, white space, control characters, `:`, `,`, `"` and `#`.
    pub fn user(name: &str) -> Result<Self, WhoError> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !":,\"#".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(plain) {
            return Err(WhoError(name.to_owned()));
        }
        Ok(Self::User(name.into()))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(name) => write!(f, "user:{name}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

impl FromStr for Who {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        match text.split_once(':') {
            None if text == "anonymous" => Ok(Self::Anonymous),
            Some(("user", name)) => Self::user(name),
            _ => Err(WhoError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_pose_as_the_operator() {
        assert!(Who::Operator.to_string().parse::<Who>().is_err());
        assert_ne!(Who::user("operator").unwrap().to_string(), Who::Operator.to_string());
    }
}
