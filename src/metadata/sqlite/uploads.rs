//! Upload sessions.

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::values::{self, Count};
use crate::clock::Timestamp;
use crate::metadata::Upload;

pub(super) fn begin(connection: &Connection, upload: &Upload, cap: Option<u64>) -> rusqlite::Result<bool> {
    if let Some(cap) = cap {
        let mut statement =
            connection.prepare_cached("SELECT count(*) FROM uploads WHERE who = ?1 AND sign_only = 1")?;
        let Count(open) = statement.query_row([&upload.who], |row| row.get(0))?;
        if open >= cap {
            return Ok(false);
        }
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO uploads (id, repository, who, sign_only, whole, offset, algorithm, hash, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        upload.id.as_bytes(),
        upload.repository,
        upload.who,
        upload.sign_only,
        upload.whole,
        values::integer(upload.offset),
        upload.algorithm.as_str(),
        upload.hash,
        upload.at,
    ])?;
    Ok(true)
}

pub(super) fn find(connection: &Connection, id: Uuid) -> rusqlite::Result<Option<Upload>> {
    let mut statement = connection.prepare_cached(
        "SELECT repository, who, sign_only, whole, offset, algorithm, hash, at FROM uploads WHERE id = ?1",
    )?;
    statement.query_row([id.as_bytes()], |row| read(id, row)).optional()
}

fn read(id: Uuid, row: &Row<'_>) -> rusqlite::Result<Upload> {
    let algorithm = row.get_ref(5)?.as_str()?;
    let unreadable = || -> FromSqlError { values::unreadable("an algorithm", algorithm) };
    Ok(Upload {
        id,
        repository: row.get(0)?,
        who: row.get(1)?,
        sign_only: row.get(2)?,
        whole: row.get(3)?,
        offset: row.get::<_, Count>(4)?.0,
        algorithm: algorithm.parse().map_err(|_unknown| unreadable())?,
        hash: row.get(6)?,
        at: row.get(7)?,
    })
}

pub(super) fn progress(
    connection: &Connection,
    id: Uuid,
    offset: u64,
    hash: &[u8],
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare_cached("UPDATE uploads SET offset = ?2, hash = ?3, at = ?4 WHERE id = ?1")?;
    Ok(statement.execute(params![id.as_bytes(), values::integer(offset), hash, at])? > 0)
}

pub(super) fn end(connection: &Connection, id: Uuid) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached("DELETE FROM uploads WHERE id = ?1")?.execute([id.as_bytes()])? > 0)
}

pub(super) fn end_whole(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM uploads WHERE whole = 1")?.execute([]).map(drop)
}

/// The identifier of an upload.
pub(super) fn identifier(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let id = row.get_ref(column)?.as_blob()?;
    Ok(Uuid::from_slice(id).map_err(|_length| values::unreadable("16 bytes of an upload", id.len()))?)
}

/// Ends sessions that were last written before `before`, the oldest first.
pub(super) fn expire(connection: &Connection, before: Timestamp, limit: usize) -> rusqlite::Result<Vec<Uuid>> {
    let mut statement = connection.prepare_cached("SELECT id FROM uploads WHERE at < ?1 ORDER BY at LIMIT ?2")?;
    let rows = statement.query_map(params![before, values::limit(limit)], |row| identifier(row, 0))?;
    let expired = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    for id in &expired {
        end(connection, *id)?;
    }
    Ok(expired)
}
