//! What is still to be judged.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::counters;
use super::repositories::{self, RepositoryId};
use super::values::{self, Count};
use crate::clock::Timestamp;
use crate::metadata::ToJudge;
use crate::oci::{Digest, RepositoryName};

/// Notes that a digest is to be judged now; a ticket that was given out before is void.
pub(super) fn enqueue(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    ticket: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO judgements (repository, digest, ticket, due) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT DO UPDATE SET ticket = excluded.ticket, due = 0",
        )?
        .execute(params![repository, digest, ticket])
        .map(drop)
}

/// Notes that a digest is to be judged at a moment, unless that is noted for an earlier one.
pub(super) fn again(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let Some(repository) = repositories::find(connection, repository)? else { return Ok(()) };
    let ticket = counters::change(connection)?;
    connection
        .prepare_cached(
            "INSERT INTO judgements (repository, digest, ticket, due) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET due = min(due, excluded.due)",
        )?
        .execute(params![repository, digest, ticket, at])
        .map(drop)
}

/// What is to be judged now, in the order in which it came.
pub(super) fn waiting(connection: &Connection, at: Timestamp, limit: usize) -> rusqlite::Result<Vec<ToJudge>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.name, j.digest, j.ticket FROM judgements j JOIN repositories r ON r.id = j.repository
         WHERE j.due <= ?1 ORDER BY j.due, j.ticket LIMIT ?2",
    )?;
    statement.query_map(params![at, values::limit(limit)], to_judge)?.collect()
}

/// The same of one repository.
pub(super) fn waiting_in(
    connection: &Connection,
    repository: &RepositoryName,
    at: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<ToJudge>> {
    let mut statement = connection.prepare_cached(
        "SELECT ?1, digest, ticket FROM judgements
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND due <= ?2 LIMIT ?3",
    )?;
    statement.query_map(params![repository, at, values::limit(limit)], to_judge)?.collect()
}

fn to_judge(row: &Row<'_>) -> rusqlite::Result<ToJudge> {
    Ok(ToJudge { repository: row.get(0)?, digest: row.get(1)?, ticket: row.get::<_, Count>(2)?.0 })
}

/// When the next is to be judged.
pub(super) fn next(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached("SELECT due FROM judgements ORDER BY due LIMIT 1")?;
    statement.query_row([], |row| row.get(0)).optional()
}

/// Notes that something was judged, until a moment if there is one.
pub(super) fn judged(connection: &Connection, judged: &ToJudge, again: Option<Timestamp>) -> rusqlite::Result<()> {
    let ToJudge { repository, digest, ticket } = judged;
    let ticket = values::integer(*ticket);
    if let Some(at) = again {
        let mut postpone = connection.prepare_cached(
            "UPDATE judgements SET due = ?4
             WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND ticket = ?3",
        )?;
        return postpone.execute(params![repository, digest, ticket, at]).map(drop);
    }
    let mut statement = connection.prepare_cached(
        "DELETE FROM judgements
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND ticket = ?3",
    )?;
    statement.execute(params![repository, digest, ticket]).map(drop)
}

/// Nothing is to be judged about a manifest that goes.
pub(super) fn forget(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM judgements WHERE repository = ?1 AND digest = ?2")?
        .execute(params![repository, digest])
        .map(drop)
}
