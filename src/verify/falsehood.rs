//! What no trust store and no date could make true.

use std::fmt;

/// What is false under any trust and at any time: refused at push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Falsehood {
    /// What would have been true.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Falsehood {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for Falsehood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Falsehood {}
