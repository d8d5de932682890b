//! How a manifest is deleted, and what it takes with it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::repositories::{self, RepositoryId};
use super::{counters, judgements, links, met, quarantine, tags, view};
use crate::clock::Timestamp;
use crate::oci::{Digest, RepositoryName};

pub(super) fn delete(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    blobs_until: Timestamp,
) -> rusqlite::Result<bool> {
    match repositories::find(connection, repository)? {
        Some(repository) => remove(connection, repository, digest, blobs_until),
        None => Ok(false),
    }
}

/// Blobs that nothing holds then stay until `blobs_until`.
pub(super) fn remove(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    blobs_until: Timestamp,
) -> rusqlite::Result<bool> {
    let mut find =
        connection.prepare_cached("SELECT id, subject FROM manifests WHERE repository = ?1 AND digest = ?2")?;
    let found: Option<(i64, Option<Digest>)> =
        find.query_row(params![repository, digest], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((row, subject)) = found else { return Ok(false) };

    tags::forget(connection, repository, digest)?;
    judgements::forget(connection, repository, digest)?;
    met::forget(connection, repository, digest)?;
    quarantine::forget(connection, repository, digest)?;
    let held = links::remove(connection, repository, row, blobs_until)?;
    connection.prepare_cached("DELETE FROM manifests WHERE id = ?1")?.execute([row])?;

    let change = counters::change(connection)?;
    for concerned in std::iter::once(digest).chain(&subject).chain(&held) {
        links::bump(connection, repository, concerned, change)?;
    }
    view::mark(connection, repository, digest)?;
    Ok(true)
}
