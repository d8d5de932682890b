//! Upload sessions, and the bytes that are about to become blobs.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::gate::Who;
use crate::oci::{Algorithm, RepositoryName};

/// An upload session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its identifier.
    pub id: Uuid,
    /// Where it began; it can be finished nowhere else.
    pub repository: RepositoryName,
    /// Who began it; nobody else may go on with it.
    pub who: Who,
    /// Whether it began under `sign` alone, and so is capped.
    pub sign_only: bool,
    /// Whether it is whole or nothing: nobody was told its name, and it does not outlive the process.
    pub whole: bool,
    /// How many bytes are in.
    pub offset: u64,
    /// The algorithm of the running hash.
    pub algorithm: Algorithm,
    /// The state of the running hash at `offset`, by [`crate::oci::Hasher::save`].
    pub hash: Vec<u8>,
    /// When it was last written to.
    pub at: Timestamp,
}

/// The answer to [`reserve`](super::Metadata::reserve).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The content is stored already, under this key.
    Live(String),
    /// It is not; a generation that was never used before.
    Fresh(u64),
}

/// Bytes that were about to be sealed under a key, and that no commit has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The key.
    pub key: String,
    /// The upload that was to become it.
    pub upload: Uuid,
}
