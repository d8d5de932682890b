//! What was met, what verified, and what is still to be judged.

use rusqlite::{Connection, params};

use super::repositories::{self, RepositoryId};
use super::values::{self, Count};
use super::{links, tags};
use crate::clock::Timestamp;
use crate::gate::RequirementName;
use crate::oci::{Digest, RepositoryName};

/// Notes that a digest is to be judged; a ticket that was given out before is void.
pub(super) fn enqueue(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    ticket: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO judgements (repository, digest, ticket) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET ticket = excluded.ticket",
        )?
        .execute(params![repository, digest, ticket])
        .map(drop)
}

pub(super) fn waiting(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<(RepositoryName, Digest, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.name, j.digest, j.ticket FROM judgements j JOIN repositories r ON r.id = j.repository
         ORDER BY j.ticket LIMIT ?1",
    )?;
    let rows =
        statement.query_map([values::limit(limit)], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Count>(2)?.0)))?;
    rows.collect()
}

pub(super) fn judged(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    ticket: u64,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM judgements
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND ticket = ?3",
    )?;
    statement.execute(params![repository, digest, values::integer(ticket)]).map(drop)
}

/// Notes requirements that a manifest met; one that was deleted meanwhile met nothing.
pub(super) fn record_met(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    requirements: &[RequirementName],
    at: Timestamp,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO met (repository, digest, requirement, at)
         SELECT repository, digest, ?3, ?4 FROM manifests
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2",
    )?;
    let mut noted = 0;
    for requirement in requirements {
        noted += statement.execute(params![repository, digest, requirement, at])?;
    }
    match repositories::find(connection, repository)? {
        Some(repository) if noted > 0 => {
            links::met(connection, repository, digest)?;
            tags::settle(connection, repository, digest)
        }
        _ => Ok(()),
    }
}

pub(super) fn met(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
) -> rusqlite::Result<Vec<RequirementName>> {
    let mut statement = connection.prepare_cached(
        "SELECT requirement FROM met
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 ORDER BY requirement",
    )?;
    let rows = statement.query_map(params![repository, digest], |row| row.get(0))?;
    rows.collect()
}

/// Whether [`record_verified`] has anything to note.
pub(super) fn is_unverified(
    connection: &Connection,
    repository: &RepositoryName,
    evidence: &Digest,
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM manifests
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND verified = 0",
    )?;
    statement.exists(params![repository, evidence])
}

pub(super) fn record_verified(
    connection: &Connection,
    repository: &RepositoryName,
    evidence: &Digest,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE manifests SET verified = 1
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND verified = 0",
    )?;
    statement.execute(params![repository, evidence]).map(drop)
}

/// Forgets all that was noted about a manifest.
pub(super) fn forget(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM met WHERE repository = ?1 AND digest = ?2",
        "DELETE FROM judgements WHERE repository = ?1 AND digest = ?2",
    ] {
        connection.prepare_cached(sql)?.execute(params![repository, digest])?;
    }
    Ok(())
}
