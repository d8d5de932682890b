//! What the layouts on disk do not show yet, noted in the transactions that change the repositories.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::repositories::{self, RepositoryId};
use super::values::{self, Count};
use super::{counters, manifests};
use crate::metadata::{DirtyView, ViewChange, ViewEntry};
use crate::oci::{Digest, RepositoryName};

/// Stands for `index.json` where a digest stands else.
const INDEX: &[u8] = &[];

/// Notes that a digest came or went.
pub(super) fn mark(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    mark_row(connection, repository, digest.as_bytes())
}

/// Notes that the bytes of a digest moved, in every repository that has it.
pub(super) fn mark_everywhere(connection: &Connection, digest: &Digest) -> rusqlite::Result<()> {
    let sequence = counters::change(connection)?;
    connection
        .prepare_cached(
            "INSERT INTO pending (repository, digest, sequence) SELECT repository, digest, ?2 FROM blobs WHERE digest = ?1
             ON CONFLICT DO UPDATE SET sequence = excluded.sequence",
        )?
        .execute(params![digest, sequence])
        .map(drop)
}

/// Notes that a tag moved or went.
pub(super) fn mark_index(connection: &Connection, repository: RepositoryId) -> rusqlite::Result<()> {
    mark_row(connection, repository, INDEX)
}

fn mark_row(connection: &Connection, repository: RepositoryId, digest: &[u8]) -> rusqlite::Result<()> {
    let sequence = counters::change(connection)?;
    connection
        .prepare_cached(
            "INSERT INTO pending (repository, digest, sequence) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET sequence = excluded.sequence",
        )?
        .execute(params![repository, digest, sequence])
        .map(drop)
}

/// Notes that a layout shows neither these digests nor its index.
pub(super) fn show_again(
    connection: &Connection,
    repository: &RepositoryName,
    digests: &[Digest],
) -> rusqlite::Result<()> {
    let Some(repository) = repositories::find(connection, repository)? else { return Ok(()) };
    digests.iter().try_for_each(|digest| mark(connection, repository, digest))?;
    mark_index(connection, repository)
}

/// Notes that no layout shows anything yet.
pub(super) fn mark_all(connection: &Connection) -> rusqlite::Result<()> {
    let change = counters::change(connection)?;
    connection.execute(
        "INSERT INTO pending (repository, digest, sequence)
         SELECT repository, digest, ?1 + row_number() OVER (ORDER BY repository, digest) FROM (
           SELECT repository, digest FROM blobs UNION SELECT repository, digest FROM manifests)",
        [change],
    )?;
    let raise = "UPDATE counters SET value = max(value, (SELECT coalesce(max(sequence), 0) FROM pending))
                 WHERE name = 'change'";
    connection.execute(raise, []).map(drop)
}

/// The repositories of which anything is pending, the longest waiting first.
pub(super) fn all_dirty(connection: &Connection) -> rusqlite::Result<Vec<RepositoryName>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.name FROM (SELECT repository, min(sequence) AS oldest FROM pending GROUP BY repository) p
         CROSS JOIN repositories r ON r.id = p.repository ORDER BY p.oldest",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

pub(super) fn dirty(connection: &Connection, name: &RepositoryName) -> rusqlite::Result<Option<DirtyView>> {
    let Some(repository) = repositories::find(connection, name)? else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT digest, sequence FROM pending WHERE repository = ?1 ORDER BY sequence")?;
    let mut rows = statement.query([repository])?;
    let mut last = None;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        last = Some(row.get::<_, Count>(1)?.0);
        if row.get_ref(0)?.as_blob()? != INDEX {
            changes.push(resolve(connection, repository, row.get(0)?)?);
        }
    }
    let Some(sequence) = last else { return Ok(None) };
    let entries = entries(connection, repository)?;
    Ok(Some(DirtyView { repository: name.clone(), sequence, changes, entries }))
}

/// What a pending digest is now.
fn resolve(connection: &Connection, repository: RepositoryId, digest: Digest) -> rusqlite::Result<ViewChange> {
    let mut blob = connection.prepare_cached(
        "SELECT c.key, EXISTS (SELECT 1 FROM quarantine q WHERE q.repository = 0 AND q.digest = b.digest)
         FROM blobs b JOIN contents c ON c.digest = b.digest WHERE b.repository = ?1 AND b.digest = ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    if let Some((key, quarantined)) = blob.query_row(params![repository, digest], read).optional()? {
        return Ok(if quarantined { ViewChange::Unlink(digest) } else { ViewChange::Link(digest, key) });
    }
    let stored = manifests::row_of(connection, repository, &digest)?.is_some();
    Ok(if stored { ViewChange::Write(digest) } else { ViewChange::Unlink(digest) })
}

/// Tags by name, then what no tag and no other manifest leads to.
fn entries(connection: &Connection, repository: RepositoryId) -> rusqlite::Result<Vec<ViewEntry>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.media_type, m.digest, length(m.bytes), t.name FROM tags t
         JOIN pushes p ON p.repository = t.repository AND p.tag = t.name AND p.sequence = t.newest
         JOIN manifests m ON m.repository = p.repository AND m.digest = p.digest
         WHERE t.repository = ?1 ORDER BY t.name",
    )?;
    let mut media_type: Arc<str> = Arc::from("");
    let mut entry = |row: &rusqlite::Row<'_>| {
        // Nearly all are of one type: a text for each would be most of what a large view takes.
        let of = row.get_ref(0)?.as_str()?;
        if *media_type != *of {
            media_type = Arc::from(of);
        }
        let (digest, Count(size), tag) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(ViewEntry { media_type: Arc::clone(&media_type), digest, size, tag })
    };
    let mut entries = statement.query_map([repository], &mut entry)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT m.media_type, m.digest, length(m.bytes), NULL FROM manifests m
         WHERE m.repository = ?1
           AND NOT EXISTS (
             SELECT 1 FROM pushes p JOIN tags t ON t.repository = p.repository AND t.name = p.tag
             WHERE p.repository = m.repository AND p.digest = m.digest AND t.newest = p.sequence)
           AND NOT EXISTS (
             SELECT 1 FROM links l
             WHERE l.repository = m.repository AND l.child = m.digest AND l.rank IN (0, 1) AND l.via = 0)
         ORDER BY m.id",
    )?;
    for row in statement.query_map([repository], &mut entry)? {
        entries.push(row?);
    }
    Ok(entries)
}

pub(super) fn clean(connection: &Connection, repository: &RepositoryName, sequence: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM pending
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND sequence <= ?2",
    )?;
    statement.execute(params![repository, values::integer(sequence)]).map(drop)
}
