//! Tags and the pushes that they remember.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::repositories::RepositoryId;
use super::values;
use super::{counters, met, view};
use crate::clock::Timestamp;
use crate::gate::Who;
use crate::metadata::Push;
use crate::oci::{Digest, RepositoryName, Tag};

/// One push of a tag, to be noted.
pub(super) struct Pushed<'p> {
    pub(super) digest: &'p Digest,
    pub(super) who: &'p Who,
    pub(super) at: Timestamp,
    /// The change that it is part of: pushes are ordered by it.
    pub(super) sequence: i64,
    /// How many pushes the tag keeps.
    pub(super) history: usize,
}

/// Sets a tag, unless its newest push is that digest already, and says whether it did.
pub(super) fn set(
    connection: &Connection,
    repository: RepositoryId,
    tag: &Tag,
    pushed: &Pushed<'_>,
) -> rusqlite::Result<bool> {
    if newest(connection, repository, tag)?.as_ref() == Some(pushed.digest) {
        return Ok(false);
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO pushes (repository, tag, sequence, digest, who, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute(params![repository, tag, pushed.sequence, pushed.digest, pushed.who, pushed.at])?;
    point(connection, repository, tag)?;
    met::list_tag(connection, repository, tag, pushed.digest)?;
    let mut prune = connection.prepare_cached(
        "DELETE FROM pushes WHERE repository = ?1 AND tag = ?2 AND sequence <= (
           SELECT sequence FROM pushes WHERE repository = ?1 AND tag = ?2 ORDER BY sequence DESC LIMIT 1 OFFSET ?3)",
    )?;
    prune.execute(params![repository, tag, values::limit(pushed.history.max(1))])?;
    view::mark_index(connection, repository)?;
    Ok(true)
}

/// The newest push of a tag.
pub(super) fn newest(connection: &Connection, repository: RepositoryId, tag: &Tag) -> rusqlite::Result<Option<Digest>> {
    let mut newest = connection.prepare_cached(
        "SELECT digest FROM pushes WHERE repository = ?1 AND tag = ?2 ORDER BY sequence DESC LIMIT 1",
    )?;
    newest.query_row(params![repository, tag], |row| row.get(0)).optional()
}

/// Points a tag to the newest push that is left, and notes whether that waits; a tag without pushes is gone.
fn point(connection: &Connection, repository: RepositoryId, tag: &Tag) -> rusqlite::Result<()> {
    let mut point = connection.prepare_cached(
        "INSERT INTO tags (repository, name, newest, waits)
         SELECT repository, tag, sequence, waits FROM waiting_pushes
         WHERE repository = ?1 AND tag = ?2 ORDER BY sequence DESC LIMIT 1
         ON CONFLICT DO UPDATE SET newest = excluded.newest, waits = excluded.waits",
    )?;
    if point.execute(params![repository, tag])? > 0 {
        return Ok(());
    }
    let mut delete = connection.prepare_cached("DELETE FROM tags WHERE repository = ?1 AND name = ?2")?;
    counters::tags_went(connection, delete.execute(params![repository, tag])?)?;
    met::unlist_tag(connection, repository, tag)
}

/// Notes anew whether the tags wait whose newest push is this digest.
pub(super) fn settle(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    let mut settle = connection.prepare_cached(
        "UPDATE tags SET waits = (
           SELECT p.waits FROM waiting_pushes p
           WHERE p.repository = ?1 AND p.tag = tags.name AND p.sequence = tags.newest)
         WHERE repository = ?1 AND (name, newest) IN (
           SELECT tag, sequence FROM pushes WHERE repository = ?1 AND digest = ?2)",
    )?;
    settle.execute(params![repository, digest]).map(drop)
}

/// Takes a digest out of every tag's history: by as many statements, however many tags name it, for all other changes
/// wait meanwhile.
pub(super) fn forget(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    point_elsewhere(connection, repository, digest)?;
    // What still points to the digest has no other push.
    let mut delete_tags = connection.prepare_cached(
        "DELETE FROM tags WHERE repository = ?1
           AND name IN (SELECT tag FROM pushes WHERE repository = ?1 AND digest = ?2)
           AND EXISTS (SELECT 1 FROM pushes p
             WHERE p.repository = ?1 AND p.tag = tags.name AND p.sequence = tags.newest AND p.digest = ?2)",
    )?;
    counters::tags_went(connection, delete_tags.execute(params![repository, digest])?)?;
    met::unlist_gone(connection, repository, digest)?;
    let mut delete_pushes = connection.prepare_cached("DELETE FROM pushes WHERE repository = ?1 AND digest = ?2")?;
    delete_pushes.execute(params![repository, digest]).map(drop)
}

/// Points the tags whose newest push is a digest to the newest one of another, if they have any.
fn point_elsewhere(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    let mut point = connection.prepare_cached(
        "UPDATE tags SET (newest, waits) = (
           SELECT p.sequence, p.waits FROM waiting_pushes p
           WHERE p.repository = ?1 AND p.tag = tags.name AND p.digest <> ?2 ORDER BY p.sequence DESC LIMIT 1)
         WHERE repository = ?1 AND name IN (
           SELECT d.tag FROM pushes d WHERE d.repository = ?1 AND d.digest = ?2
             AND EXISTS (SELECT 1 FROM pushes o WHERE o.repository = ?1 AND o.tag = d.tag AND o.digest <> ?2))",
    )?;
    point.execute(params![repository, digest]).map(drop)
}

/// Tags with this digest anywhere in their history.
pub(super) fn naming(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<Vec<Tag>> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT tag FROM pushes WHERE repository = ?1 AND digest = ?2 ORDER BY tag")?;
    let rows = statement.query_map(params![repository, digest], |row| row.get(0))?;
    rows.collect()
}

/// Deletes a tag with its history.
pub(super) fn delete(connection: &Connection, repository: RepositoryId, tag: &Tag) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM pushes WHERE repository = ?1 AND tag = ?2")?;
    statement.execute(params![repository, tag])?;
    point(connection, repository, tag)?;
    view::mark_index(connection, repository)
}

pub(super) fn pushes(connection: &Connection, repository: &RepositoryName, tag: &Tag) -> rusqlite::Result<Vec<Push>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, who, at FROM pushes
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND tag = ?2 ORDER BY sequence DESC",
    )?;
    let rows = statement.query_map(params![repository, tag], |row| push(row, 0))?;
    rows.collect()
}

/// A push, whose columns begin at `first`.
pub(super) fn push(row: &Row<'_>, first: usize) -> rusqlite::Result<Push> {
    let [who, at] = [first.saturating_add(1), first.saturating_add(2)];
    Ok(Push { digest: row.get(first)?, who: row.get(who)?, at: row.get(at)? })
}

pub(super) fn list(
    connection: &Connection,
    repository: &RepositoryName,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<(Tag, Digest)>> {
    let mut statement = connection.prepare_cached(
        "SELECT t.name, p.digest FROM tags t
         JOIN pushes p ON p.repository = t.repository AND p.tag = t.name AND p.sequence = t.newest
         WHERE t.repository = (SELECT id FROM repositories WHERE name = ?1)
           AND t.name COLLATE NOCASE >= ?2 AND (t.name COLLATE NOCASE > ?2 OR t.name > ?2)
         ORDER BY t.name COLLATE NOCASE, t.name LIMIT ?3",
    )?;
    let rows = statement.query_map(params![repository, after.unwrap_or_default(), values::limit(limit)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    rows.collect()
}
