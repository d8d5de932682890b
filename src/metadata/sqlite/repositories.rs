//! Repositories: made by the first thing that is stored in them, and never unmade.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::values;
use crate::oci::{Digest, RepositoryName};

/// The number of a repository in the other tables.
pub(super) type RepositoryId = i64;

pub(super) fn find(connection: &Connection, name: &RepositoryName) -> rusqlite::Result<Option<RepositoryId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM repositories WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

pub(super) fn make(connection: &Connection, name: &RepositoryName) -> rusqlite::Result<RepositoryId> {
    if let Some(id) = find(connection, name)? {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO repositories (name) VALUES (?1)")?.execute([name])?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn name(connection: &Connection, id: RepositoryId) -> rusqlite::Result<RepositoryName> {
    connection.prepare_cached("SELECT name FROM repositories WHERE id = ?1")?.query_row([id], |row| row.get(0))
}

pub(super) fn list(
    connection: &Connection,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<RepositoryName>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM repositories WHERE name > ?1 ORDER BY name LIMIT ?2")?;
    let rows = statement.query_map(params![after.unwrap_or_default(), values::limit(limit)], |row| row.get(0))?;
    rows.collect()
}

pub(super) fn with_blob(
    connection: &Connection,
    digest: &Digest,
    limit: usize,
) -> rusqlite::Result<Vec<RepositoryName>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.name FROM blobs b JOIN repositories r ON r.id = b.repository
         WHERE b.digest = ?1 ORDER BY b.repository LIMIT ?2",
    )?;
    let rows = statement.query_map(params![digest, values::limit(limit)], |row| row.get(0))?;
    rows.collect()
}
