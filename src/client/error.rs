//! Why nothing can be told of a registry.

use crate::oci::Digest;

/// Why a registry could not be asked, or its answer is none: nobody can tell from it what is there.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file or a URL that the client was given.
    #[error("{0}")]
    Setup(String),
    /// Docker's configuration or one of its helpers: a client with the wrong credentials sees something else.
    #[error("expected the credentials of {registry} from docker's configuration: {cause}")]
    Credentials {
        /// The registry.
        registry: String,
        /// What went wrong.
        cause: String,
    },
    /// No answer, or one that broke off.
    #[error("expected an answer of {url}: {cause}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// An answer with another status.
    #[error("expected {url} to answer, found {status}{message}")]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// What the registry says, after a colon.
        message: String,
    },
    /// More than anyone should read.
    #[error("expected at most {limit} {unit} of {url}, found more")]
    TooMuch {
        /// What was asked.
        url: String,
        /// The limit.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Bytes that are not what their name says.
    #[error("expected {url} to hash to {expected}, found {found}")]
    Digest {
        /// What was asked.
        url: String,
        /// Its name.
        expected: Digest,
        /// What the bytes hash to.
        found: Digest,
    },
    /// An answer that means nothing.
    #[error("expected {expected} of {url}, found {found}")]
    Meaning {
        /// What was asked.
        url: String,
        /// What would have been understood.
        expected: &'static str,
        /// What came.
        found: String,
    },
}

/// The most characters of what a stranger wrote that are told.
const TOLD: usize = 200;

/// The beginning of a stranger's text, without anything that a terminal would obey.
pub(super) fn told(text: &str) -> String {
    let mut plain: String = text.chars().take(TOLD).flat_map(char::escape_debug).collect();
    if text.chars().nth(TOLD).is_some() {
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_commands_no_terminal() {
        assert_eq!(told("\u{1b}[2Jx"), "\\u{1b}[2Jx");
        assert_eq!(told(&"a".repeat(TOLD + 1)).chars().count(), TOLD + 1);
    }
}
