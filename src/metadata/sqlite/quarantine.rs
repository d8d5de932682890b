//! What was found not to be what its name says, and how it is healed.

use std::collections::{HashSet, VecDeque};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::audit::{self, Entry};
use super::repositories::{self, RepositoryId};
use super::values::{self, Count};
use super::{blobs, links, manifests, view};
use crate::clock::Timestamp;
use crate::metadata::{Event, Quarantined};
use crate::oci::{Digest, RepositoryName};

/// Stands where the repository of a manifest stands else.
const CONTENT: RepositoryId = 0;

fn note(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    key: Option<&str>,
    (why, at): (&str, Timestamp),
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO quarantine (repository, digest, key, why, at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    Ok(statement.execute(params![repository, digest, key, why, at])? > 0)
}

pub(super) fn forget(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("DELETE FROM quarantine WHERE repository = ?1 AND digest = ?2")?;
    Ok(statement.execute(params![repository, digest])? > 0)
}

pub(super) fn forget_content(connection: &Connection, digest: &Digest) -> rusqlite::Result<()> {
    forget(connection, CONTENT, digest).map(drop)
}

pub(super) fn is_content(connection: &Connection, digest: &Digest) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM quarantine WHERE repository = ?1 AND digest = ?2")?
        .exists(params![CONTENT, digest])
}

pub(super) fn content(
    connection: &Connection,
    digest: &Digest,
    key: &str,
    why: &str,
    at: Timestamp,
) -> rusqlite::Result<Option<Vec<RepositoryName>>> {
    if blobs::live_key(connection, digest)?.as_deref() != Some(key)
        || !note(connection, CONTENT, digest, Some(key), (why, at))?
    {
        return Ok(None);
    }
    Entry::of_itself(Event::Quarantine, (audit::BLOB, digest), at).because(why).note(connection)?;
    repositories::with_blob(connection, digest, usize::MAX).map(Some)
}

/// Puts sound bytes in the place of a content that is quarantined. Nothing gives back another key's file after that.
pub(super) fn replace(connection: &Connection, digest: &Digest, key: &str, size: u64) -> rusqlite::Result<()> {
    if let Some(rotten) = blobs::live_key(connection, digest)?.filter(|rotten| rotten != key) {
        blobs::trash(connection, &rotten)?;
    }
    connection.prepare_cached("DELETE FROM contents WHERE digest = ?1")?.execute([digest])?;
    blobs::name(connection, digest, key, size)?;
    forget_content(connection, digest)?;
    view::mark_everywhere(connection, digest)
}

pub(super) fn replace_if_held(
    connection: &Connection,
    digest: &Digest,
    (rotten, key): (&str, &str),
    (from, at): (&str, Timestamp),
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT c.size FROM contents c JOIN quarantine q ON q.repository = 0 AND q.digest = c.digest
         WHERE c.digest = ?1 AND c.key = ?2",
    )?;
    let size = statement.query_row(params![digest, rotten], |row| row.get::<_, Count>(0)).optional()?;
    let Some(Count(size)) = size else { return Ok(false) };
    replace(connection, digest, key, size)?;
    let why = format!("sound bytes were found in {from}");
    Entry::of_itself(Event::Repair, (audit::BLOB, digest), at).because(&why).note(connection)?;
    Ok(true)
}

pub(super) fn manifest(
    connection: &Connection,
    (name, digest): (&RepositoryName, &Digest),
    found: &[u8],
    (why, at): (&str, Timestamp),
) -> rusqlite::Result<bool> {
    let Some(repository) = repositories::find(connection, name)? else { return Ok(false) };
    let mut still =
        connection.prepare_cached("SELECT kind FROM manifests WHERE repository = ?1 AND digest = ?2 AND bytes = ?3")?;
    let kind = still.query_row(params![repository, digest, found], |row| row.get::<_, String>(0)).optional()?;
    let Some(kind) = kind else { return Ok(false) };
    if !note(connection, repository, digest, None, (why, at))? {
        return Ok(false);
    }
    let entry = Entry::of_itself(Event::Quarantine, (&kind, digest), at).in_repository(name);
    entry.because(why).note(connection)?;
    Ok(true)
}

pub(super) fn replace_manifest(
    connection: &Connection,
    name: &RepositoryName,
    digest: &Digest,
    bytes: &[u8],
    (from, at): (&str, Timestamp),
) -> rusqlite::Result<bool> {
    let Some(repository) = repositories::find(connection, name)? else { return Ok(false) };
    let mut held = connection.prepare_cached("SELECT 1 FROM quarantine WHERE repository = ?1 AND digest = ?2")?;
    if !held.exists(params![repository, digest])? {
        return Ok(false);
    }
    heal(connection, repository, digest, bytes)?;
    let Some(kind) = manifests::kind(connection, repository, digest)? else { return Ok(true) };
    let why = format!("sound bytes were found in {from}");
    let entry = Entry::of_itself(Event::Repair, (values::kind(kind), digest), at).in_repository(name);
    entry.because(&why).note(connection)?;
    Ok(true)
}

/// Puts `bytes`, which hash to `digest`, in the place of those of a manifest where they differ, and says whether it was
/// quarantined or they did.
pub(super) fn heal(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    bytes: &[u8],
) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("UPDATE manifests SET bytes = ?3 WHERE repository = ?1 AND digest = ?2 AND bytes <> ?3")?;
    let healed = statement.execute(params![repository, digest, bytes])? > 0;
    let healed = forget(connection, repository, digest)? || healed;
    if healed {
        view::mark(connection, repository, digest)?;
    }
    Ok(healed)
}

pub(super) fn manifest_copies(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    limit: usize,
) -> rusqlite::Result<Vec<RepositoryName>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.name FROM repositories r CROSS JOIN manifests m ON m.repository = r.id AND m.digest = ?2
         WHERE r.name <> ?1 LIMIT ?3",
    )?;
    let rows = statement.query_map(params![repository, digest, values::limit(limit)], |row| row.get(0))?;
    rows.collect()
}

pub(super) fn list(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Quarantined>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.name, q.digest, q.key, q.why, q.at FROM quarantine q LEFT JOIN repositories r ON r.id = q.repository
         ORDER BY q.at, q.digest LIMIT ?1",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Quarantined {
            repository: row.get(0)?,
            digest: row.get(1)?,
            key: row.get(2)?,
            why: row.get(3)?,
            at: row.get(4)?,
        })
    };
    statement.query_map([values::limit(limit)], read)?.collect()
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM quarantine")?;
    statement.query_row([], |row| row.get::<_, Count>(0)).map(|count| count.0)
}

/// Whether a manifest, or one below it, the nearest first, holds what is quarantined.
pub(super) fn is_held_by(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    depth: usize,
    limit: usize,
) -> rusqlite::Result<bool> {
    let mut holds = connection.prepare_cached(
        "SELECT 1 FROM links l
         CROSS JOIN quarantine q ON q.repository = CASE l.via WHEN 0 THEN ?1 ELSE 0 END AND q.digest = l.child
         WHERE l.parent = (SELECT id FROM manifests WHERE repository = ?1 AND digest = ?2)",
    )?;
    let mut seen = HashSet::from([*digest]);
    let mut waiting = VecDeque::from([(*digest, 0_usize)]);
    while let Some((holder, steps)) = waiting.pop_front() {
        if holds.exists(params![repository, holder])? {
            return Ok(true);
        }
        if steps >= depth {
            continue;
        }
        for child in links::children(connection, repository, &holder, limit)? {
            if seen.len() < limit && seen.insert(child) {
                waiting.push_back((child, steps.saturating_add(1)));
            }
        }
    }
    Ok(false)
}
