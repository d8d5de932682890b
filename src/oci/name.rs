//! Repository names, by the [distribution specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// `<name>`: components of `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, joined by `/`, at most 255 bytes in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

/// Why a text is not a repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than 255 bytes, the limit that clients share.
    #[error("expected a repository name of at most 255 bytes, found {0}")]
    TooLong(usize),
    /// Not of the grammar.
    #[error("expected components of [a-z0-9] joined by `.`, `_`, `__` or `-`, separated by `/`")]
    Grammar,
}

impl RepositoryName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, in order.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

fn is_component(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(alphanumeric) || !bytes.last().is_some_and(alphanumeric) {
        return false;
    }
    bytes.split(alphanumeric).all(|separator| match separator {
        [] | b"." | b"_" | b"__" => true,
        dashes => dashes.iter().all(|b| *b == b'-'),
    })
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong(text.len()));
        }
        if text.split('/').all(is_component) { Ok(Self(text.into())) } else { Err(NameError::Grammar) }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_names() {
        for name in ["a", "prod/app", "a.b/c_d/e__f/g---h", "blobs/index.json", &"a".repeat(255)] {
            assert!(name.parse::<RepositoryName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "/", "a/", "/a", "a//b", "A", "a___b", "a..b", "-a", "a-", "_a", "a/../b", "a%2fb", "a b", "é"]
        {
            assert_eq!(name.parse::<RepositoryName>(), Err(NameError::Grammar), "{name}");
        }
        assert_eq!("a".repeat(256).parse::<RepositoryName>(), Err(NameError::TooLong(256)));
    }
}
