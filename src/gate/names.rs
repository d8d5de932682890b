//! Names of requirements and of signers: `[a-z0-9]` and then `[a-z0-9._-]`, at most 64 bytes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a name is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of [a-z0-9] then [a-z0-9._-], at most 64 bytes, found {0:?}")]
pub struct NameError(pub String);

fn parse(text: &str) -> Result<Arc<str>, NameError> {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if first && rest && text.len() <= 64 { Ok(text.into()) } else { Err(NameError(text.to_owned())) }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a requirement: the fourth column of the authorisation table.
    RequirementName
);
name!(
    /// The name of a signer in `trust/signers.toml`.
    SignerName
);

impl RequirementName {
    /// The word for the requirement that everything meets; no file may define it.
    pub const UNVERIFIED: &'static str = "unverified";

    /// The requirement that everything meets.
    pub fn unverified() -> Self {
        Self(Self::UNVERIFIED.into())
    }

    /// Whether this is the requirement that everything meets.
    pub fn is_unverified(&self) -> bool {
        &*self.0 == Self::UNVERIFIED
    }
}
