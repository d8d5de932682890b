//! Keys that bytes are about to be sealed under.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{uploads, values};
use crate::metadata::Intent;

pub(super) fn intend(connection: &Connection, key: &str, upload: Uuid) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO intents (key, upload) VALUES (?1, ?2)")?;
    statement.execute(params![key, upload.as_bytes()]).map(drop)
}

/// A commit deletes the intent of its key; that live keys are left out guards their bytes once more.
pub(super) fn waiting(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Intent>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, upload FROM intents
         WHERE NOT EXISTS (SELECT 1 FROM contents c WHERE c.key = intents.key) ORDER BY key LIMIT ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok(Intent { key: row.get(0)?, upload: uploads::identifier(row, 1)? });
    statement.query_map([values::limit(limit)], read)?.collect()
}

pub(super) fn forget(connection: &Connection, key: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM intents WHERE key = ?1")?.execute([key]).map(drop)
}
