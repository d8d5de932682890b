//! What a pass of the scrub goes through, and how far it is.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::blobs;
use super::page::page;
use super::values::{self, Count, integer};
use crate::metadata::{Content, MANIFESTS_BYTES, PlacedManifest, ScrubPass};
use crate::oci::Digest;

pub(super) fn contents(
    connection: &Connection,
    after: Option<&Digest>,
    limit: usize,
) -> rusqlite::Result<Vec<Content>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, key, size, EXISTS (SELECT 1 FROM quarantine q WHERE q.repository = 0 AND q.digest = c.digest)
         FROM contents c WHERE digest > ?1 ORDER BY digest LIMIT ?2",
    )?;
    let after = after.map_or(&[][..], Digest::as_bytes);
    let read = |row: &Row<'_>| {
        Ok(Content { digest: row.get(0)?, key: row.get(1)?, size: row.get::<_, Count>(2)?.0, quarantined: row.get(3)? })
    };
    statement.query_map(params![after, values::limit(limit)], read)?.collect()
}

pub(super) fn manifests(connection: &Connection, after: u64, limit: usize) -> rusqlite::Result<Vec<PlacedManifest>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.id, r.name, m.digest, m.bytes,
           EXISTS (SELECT 1 FROM quarantine q WHERE q.repository = m.repository AND q.digest = m.digest)
         FROM manifests m JOIN repositories r ON r.id = m.repository WHERE m.id > ?1 ORDER BY m.id LIMIT ?2",
    )?;
    let read = |row: &Row<'_>| {
        Ok(PlacedManifest {
            place: row.get::<_, Count>(0)?.0,
            repository: row.get(1)?,
            digest: row.get(2)?,
            bytes: Bytes::copy_from_slice(row.get_ref(3)?.as_blob()?),
            quarantined: row.get(4)?,
        })
    };
    let rows = statement.query(params![integer(after), values::limit(limit)])?;
    page(rows, MANIFESTS_BYTES, read, |manifest| manifest.bytes.len())
}

pub(super) fn trash_unnamed(connection: &Connection, keys: &[String]) -> rusqlite::Result<u64> {
    let mut named = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM contents WHERE key = ?1) OR EXISTS (SELECT 1 FROM trash WHERE key = ?1)
           OR EXISTS (SELECT 1 FROM intents WHERE key = ?1)",
    )?;
    let mut trashed = 0_u64;
    for key in keys {
        if !named.query_row([key], |row| row.get::<_, bool>(0))? {
            blobs::trash(connection, key)?;
            trashed = trashed.saturating_add(1);
        }
    }
    Ok(trashed)
}

pub(super) fn pass(connection: &Connection) -> rusqlite::Result<Option<ScrubPass>> {
    let mut statement = connection.prepare_cached(
        "SELECT began, ended, content, manifest, objects, bytes, quarantined, repaired, unnamed, unchecked FROM scrub",
    )?;
    let count = |row: &Row<'_>, column: usize| row.get::<_, Count>(column).map(|count| count.0);
    let read = |row: &Row<'_>| {
        Ok(ScrubPass {
            began: row.get(0)?,
            ended: row.get(1)?,
            content: row.get(2)?,
            manifest: count(row, 3)?,
            objects: count(row, 4)?,
            bytes: count(row, 5)?,
            quarantined: count(row, 6)?,
            repaired: count(row, 7)?,
            unnamed: count(row, 8)?,
            unchecked: count(row, 9)?,
        })
    };
    statement.query_row([], read).optional()
}

pub(super) fn note(connection: &Connection, pass: &ScrubPass) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO scrub
           (id, began, ended, content, manifest, objects, bytes, quarantined, repaired, unnamed, unchecked)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let found = [pass.quarantined, pass.repaired, pass.unnamed, pass.unchecked].map(integer);
    let [quarantined, repaired, unnamed, unchecked] = found;
    let [manifest, objects, bytes] = [pass.manifest, pass.objects, pass.bytes].map(integer);
    statement
        .execute(params![
            pass.began,
            pass.ended,
            pass.content,
            manifest,
            objects,
            bytes,
            quarantined,
            repaired,
            unnamed,
            unchecked
        ])
        .map(drop)
}
