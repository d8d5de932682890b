//! What a sweep would take, listed by the same conditions.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::values::{self, Count};
use crate::clock::Timestamp;
use crate::metadata::{Garbage, GarbageBlob, Graced, Leased};

pub(super) fn list(
    connection: &Connection,
    at: Timestamp,
    uploads_before: Timestamp,
    limit: usize,
) -> rusqlite::Result<Garbage> {
    let limit = values::limit(limit);
    let mut garbage = Garbage::default();
    let mut uploads =
        connection.prepare_cached("SELECT id, repository, offset FROM uploads WHERE at < ?1 ORDER BY at LIMIT ?2")?;
    for row in uploads.query_map(params![uploads_before, limit], upload)? {
        garbage.uploads.push(row?);
    }
    let mut orphans = connection.prepare_cached(
        "SELECT r.name, m.digest FROM manifests m JOIN repositories r ON r.id = m.repository
         WHERE m.orphan_lease IS NOT NULL AND m.orphan_lease <= ?1 ORDER BY m.orphan_lease LIMIT ?2",
    )?;
    for row in orphans.query_map(params![at, limit], |row| Ok((row.get(0)?, row.get(1)?)))? {
        garbage.orphans.push(row?);
    }
    // Content goes when each repository that has it gives it up.
    let mut blobs = connection.prepare_cached(
        "SELECT r.name, b.digest, c.size,
           NOT EXISTS (
             SELECT 1 FROM blobs o WHERE o.digest = b.digest
               AND (o.lease IS NULL OR o.lease > ?1
                 OR EXISTS (SELECT 1 FROM links l WHERE l.repository = o.repository AND l.child = o.digest)))
         FROM blobs b JOIN repositories r ON r.id = b.repository JOIN contents c ON c.digest = b.digest
         WHERE b.lease IS NOT NULL AND b.lease <= ?1
           AND NOT EXISTS (SELECT 1 FROM links l WHERE l.repository = b.repository AND l.child = b.digest)
         ORDER BY b.lease LIMIT ?2",
    )?;
    for row in blobs.query_map(params![at, limit], blob)? {
        garbage.blobs.push(row?);
    }
    let mut trash = connection.prepare_cached("SELECT key FROM trash WHERE removed IS NULL ORDER BY key LIMIT ?1")?;
    for row in trash.query_map([limit], |row| row.get(0))? {
        garbage.trash.push(row?);
    }
    Ok(garbage)
}

/// What nothing holds anywhere, apart by whether every lease of it ends by `until`.
pub(super) fn graced(connection: &Connection, at: Timestamp, until: Timestamp) -> rusqlite::Result<Graced> {
    let ever = Timestamp::from_micros(i64::MAX);
    Ok(Graced { graced: leased(connection, at, until)?, leased: leased(connection, until, ever)? })
}

/// What nothing holds anywhere, and what every lease of ends by `until`, but not all by `at`.
fn leased(connection: &Connection, at: Timestamp, until: Timestamp) -> rusqlite::Result<Leased> {
    let mut leased = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(c.size), 0),
           max((SELECT max(o.lease) FROM blobs o WHERE o.digest = b.digest))
         FROM blobs b JOIN contents c ON c.digest = b.digest
         WHERE b.lease > ?1 AND b.lease <= ?2
           AND NOT EXISTS (
             SELECT 1 FROM blobs o WHERE o.digest = b.digest
               AND (o.lease IS NULL OR o.lease > ?2 OR (o.lease > ?1 AND o.repository < b.repository)))",
    )?;
    leased.query_row(params![at, until], |row| {
        let (blobs, bytes) = (row.get::<_, Count>(0)?.0, row.get::<_, Count>(1)?.0);
        Ok(Leased { blobs, bytes, until: row.get(2)? })
    })
}

pub(super) fn end_grace(
    connection: &Connection,
    at: Timestamp,
    until: Timestamp,
    limit: usize,
) -> rusqlite::Result<u64> {
    let mut end = connection.prepare_cached(
        "UPDATE blobs SET lease = ?1 WHERE (repository, digest) IN (
           SELECT repository, digest FROM blobs WHERE lease > ?1 AND lease <= ?2 ORDER BY lease LIMIT ?3)",
    )?;
    let ended = end.execute(params![at, until, values::limit(limit)])?;
    Ok(u64::try_from(ended).unwrap_or(u64::MAX))
}

fn upload(row: &Row<'_>) -> rusqlite::Result<(Uuid, crate::oci::RepositoryName, u64)> {
    let id = row.get_ref(0)?.as_blob()?;
    let id = Uuid::from_slice(id).map_err(|_length| values::unreadable("16 bytes of an upload", id.len()))?;
    Ok((id, row.get(1)?, row.get::<_, Count>(2)?.0))
}

fn blob(row: &Row<'_>) -> rusqlite::Result<GarbageBlob> {
    Ok(GarbageBlob { repository: row.get(0)?, digest: row.get(1)?, size: row.get::<_, Count>(2)?.0, last: row.get(3)? })
}
