//! The last good revision of policy and trust.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::metadata::StoredRevision;

pub(super) fn accept(connection: &Connection, revision: &StoredRevision) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM revision_files", [])?;
    let mut insert = connection.prepare_cached("INSERT INTO revision_files (name, content) VALUES (?1, ?2)")?;
    for (name, content) in &revision.files {
        insert.execute(params![name, content])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO revision (id, at) VALUES (1, ?1) ON CONFLICT DO UPDATE SET at = excluded.at, judged = 0",
        )?
        .execute([revision.at])
        .map(drop)
}

/// Notes that all was judged under the revision that is kept.
pub(super) fn note_judged(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE revision SET judged = 1 WHERE id = 1", []).map(drop)
}

/// Whether [`note_judged`] was called for the revision that is kept.
pub(super) fn is_judged(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM revision WHERE id = 1 AND judged = 1")?.exists([])
}

pub(super) fn accepted(connection: &Connection) -> rusqlite::Result<Option<StoredRevision>> {
    let at = connection.query_row("SELECT at FROM revision", [], |row| row.get(0)).optional()?;
    let Some(at) = at else { return Ok(None) };
    let mut statement = connection.prepare_cached("SELECT name, content FROM revision_files")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let files = rows.collect::<rusqlite::Result<BTreeMap<String, Vec<u8>>>>()?;
    Ok(Some(StoredRevision { files, at }))
}
