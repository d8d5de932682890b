//! A mistake in a file that a user owns: where it is, and what is wrong.

use std::fmt;

use serde::Serialize;

/// One mistake, at a file and a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file as the user would name it, for example `policies/policy.csv`.
    pub file: String,
    /// The line, counted from 1; 0 when the mistake is the file as a whole.
    pub line: usize,
    /// What was expected and what was found, as one lower-case clause.
    pub message: String,
}

impl Mistake {
    /// A mistake at `line` of `file`.
    pub fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, message: message.into() }
    }

    /// The line (from 1) in which byte `offset` of `text` lies.
    pub fn line_of(text: &str, offset: usize) -> usize {
        text.bytes().take(offset).filter(|b| *b == b'\n').count().saturating_add(1)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)
        } else {
            write!(f, "{}:{}: {}", self.file, self.line, self.message)
        }
    }
}
