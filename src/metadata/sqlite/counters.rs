//! Numbers that the database keeps: the change counter, the epoch, and what `/metrics` shows.

use rusqlite::Connection;

use super::values::Count;
use crate::metadata::Totals;

/// The next change: greater than every one before it.
pub(super) fn change(connection: &Connection) -> rusqlite::Result<i64> {
    next(connection, "change")
}

/// The next epoch: one for each time the database was opened.
pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<i64> {
    next(connection, "epoch")
}

/// Makes the next epoch one after `least` at the least.
pub(super) fn raise_epoch(connection: &Connection, least: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE counters SET value = max(value, ?1) WHERE name = 'epoch'")?
        .execute([super::values::integer(least)])
        .map(drop)
}

/// Counts tags that went. No trigger does: one runs for each row, and a deletion may take thousands while others wait.
pub(super) fn tags_went(connection: &Connection, count: usize) -> rusqlite::Result<()> {
    if count == 0 {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE counters SET value = value - ?1 WHERE name = 'tags'")?
        .execute([super::values::limit(count)])
        .map(drop)
}

fn next(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut statement =
        connection.prepare_cached("UPDATE counters SET value = value + 1 WHERE name = ?1 RETURNING value")?;
    statement.query_row([name], |row| row.get(0))
}

pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    let mut totals = Totals::default();
    let mut statement = connection.prepare_cached("SELECT name, value FROM counters")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let counted = match row.get_ref(0)?.as_str()? {
            "repositories" => &mut totals.repositories,
            "manifests" => &mut totals.manifests,
            "tags" => &mut totals.tags,
            "blobs" => &mut totals.blobs,
            "blob_bytes" => &mut totals.blob_bytes,
            "uploads" => &mut totals.uploads,
            _ => continue,
        };
        *counted = row.get::<_, Count>(1)?.0;
    }
    Ok(totals)
}
