//! How a manifest is deleted, and what it takes with it.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::repositories::{self, RepositoryId};
use super::{counters, judgements, links, quarantine, tags, view};
use crate::clock::Timestamp;
use crate::oci::{Digest, RepositoryName};

/// How long blobs stay after the last manifest that held them went: a push under way may count on them.
const GRACE: Duration = Duration::from_hours(1);

pub(super) fn delete(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    match repositories::find(connection, repository)? {
        Some(repository) => remove(connection, repository, digest, at),
        None => Ok(false),
    }
}

pub(super) fn remove(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let mut find =
        connection.prepare_cached("SELECT id, subject FROM manifests WHERE repository = ?1 AND digest = ?2")?;
    let found: Option<(i64, Option<Digest>)> =
        find.query_row(params![repository, digest], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((row, subject)) = found else { return Ok(false) };

    tags::forget(connection, repository, digest)?;
    judgements::forget(connection, repository, digest)?;
    quarantine::forget(connection, repository, digest)?;
    let held = links::remove(connection, repository, row, at.plus(GRACE))?;
    connection.prepare_cached("DELETE FROM manifests WHERE id = ?1")?.execute([row])?;

    let change = counters::change(connection)?;
    for concerned in std::iter::once(digest).chain(&subject).chain(&held) {
        links::bump(connection, repository, concerned, change)?;
    }
    view::mark(connection, repository, digest)?;
    Ok(true)
}
