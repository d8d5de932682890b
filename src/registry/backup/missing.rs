//! What a backup has not: named, so that it can be healed, or gone on without.

use std::fmt;

use serde::Serialize;

use crate::metadata::{Content, Metadata, Quarantined, Sqlite};
use crate::oci::Digest;

use super::super::Error;
use super::super::housekeeping::having;

/// How many a refusal names.
const NAMED: usize = 20;

/// Content, or a manifest, that a backup has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotBackedUp {
    /// Its digest.
    pub digest: Digest,
    /// Repositories that have it, at most 16.
    pub repositories: Vec<String>,
    /// Whether more repositories have it.
    pub more: bool,
    /// What was expected and what was found.
    pub why: String,
}

/// A content that is not what the metadata says, and not quarantined.
pub(in super::super) struct Broken {
    pub(super) content: Content,
    pub(super) why: String,
}

/// All that is quarantined.
pub(super) async fn all(metadata: &Sqlite) -> Result<Vec<NotBackedUp>, Error> {
    let mut missing = Vec::new();
    for Quarantined { repository, digest, why, .. } in metadata.quarantined(usize::MAX).await? {
        let (repositories, more) = match repository {
            Some(repository) => (vec![repository.to_string()], false),
            None => having(metadata, &digest).await?,
        };
        missing.push(NotBackedUp { digest, repositories, more, why });
    }
    Ok(missing)
}

impl fmt::Display for NotBackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, repositories, more, why } = self;
        let others = if *more { " and others" } else { "" };
        write!(f, "{digest} in {}{others}: {why}", repositories.join(", "))
    }
}

/// Why there is no backup, a line for each of the first that are missing.
pub(super) fn refusal(missing: &[NotBackedUp]) -> Error {
    let count = missing.len();
    let mut lines = vec![format!(
        "expected all that is stored to be what its name says, found {count} that is not, named below: push it again or \
         delete what holds it, or let --partial back up the rest"
    )];
    lines.extend(missing.iter().take(NAMED).map(NotBackedUp::to_string));
    if let Some(more) = count.checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    Error::Conflict(lines.join("\n"))
}
