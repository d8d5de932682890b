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
        Self { expected: brief(expected.into()), found: brief(found.into()) }
    }
}

/// The most characters of what is told: some of it is text that a client wrote.
const TOLD: usize = 300;

/// The beginning of `text`, if it is long: it is told at every refusal.
pub(super) fn brief(text: String) -> String {
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

impl fmt::Display for Falsehood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Falsehood {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_wrote_is_told_in_brief() {
        let falsehood = Falsehood::new("a", "é".repeat(1_000_000));
        assert_eq!(falsehood.found.chars().count(), TOLD + 1);
        assert_eq!(brief("é".repeat(TOLD)), "é".repeat(TOLD));
    }
}
