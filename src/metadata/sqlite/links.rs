//! What manifests hold, read in both directions, and the generations that follow it.

use std::collections::{HashSet, VecDeque};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::repositories::RepositoryId;
use super::values::{self, Count};
use crate::clock::Timestamp;
use crate::metadata::{Holder, Kind, PutLink};
use crate::oci::Digest;

/// Whether a manifest of the repository holds the digest, through any field.
pub(super) fn is_held(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM links WHERE repository = ?1 AND child = ?2")?
        .exists(params![repository, digest])
}

/// Notes what a new manifest holds; blobs that it holds need no lease any more.
pub(super) fn add(
    connection: &Connection,
    repository: RepositoryId,
    parent: i64,
    kind: Kind,
    links: &[PutLink],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO links (repository, child, rank, via, parent) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut hold = connection
        .prepare_cached("UPDATE blobs SET lease = NULL WHERE repository = ?1 AND digest = ?2 AND lease IS NOT NULL")?;
    for link in links {
        insert.execute(params![repository, link.digest, values::rank(kind), values::via(link.kind), parent])?;
        hold.execute(params![repository, link.digest])?;
    }
    Ok(())
}

/// Forgets what a manifest held, and returns it. Blobs that nothing else holds stay until `grace`.
pub(super) fn remove(
    connection: &Connection,
    repository: RepositoryId,
    parent: i64,
    grace: Timestamp,
) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT child FROM links WHERE parent = ?1")?;
    let held = statement.query_map([parent], |row| row.get(0))?.collect::<rusqlite::Result<Vec<Digest>>>()?;
    connection.prepare_cached("DELETE FROM links WHERE parent = ?1")?.execute([parent])?;
    let mut release = connection
        .prepare_cached("UPDATE blobs SET lease = ?3 WHERE repository = ?1 AND digest = ?2 AND lease IS NULL")?;
    for child in &held {
        if !is_held(connection, repository, child)? {
            release.execute(params![repository, child, grace])?;
        }
    }
    Ok(held)
}

/// Notes that a manifest met a requirement.
pub(super) fn met(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE links SET met = 1
         WHERE parent = (SELECT id FROM manifests WHERE repository = ?1 AND digest = ?2) AND met = 0",
    )?;
    statement.execute(params![repository, digest]).map(drop)
}

/// Moves what a manifest holds to where objects' links are.
pub(super) fn promote(connection: &Connection, parent: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE links SET rank = 0 WHERE parent = ?1 AND rank <> 0")?.execute([parent]).map(drop)
}

pub(super) fn holders(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    limit: usize,
) -> rusqlite::Result<Vec<Holder>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.digest, m.kind, m.subject FROM links l JOIN manifests m ON m.id = l.parent
         WHERE l.repository = ?1 AND l.child = ?2 ORDER BY l.rank, l.via, l.parent",
    )?;
    let mut rows = statement.query(params![repository, digest])?;
    let mut seen = HashSet::new();
    let mut holders = Vec::new();
    while holders.len() < limit {
        let Some(row) = rows.next()? else { break };
        let holder = Holder { digest: row.get(0)?, kind: row.get(1)?, subject: row.get(2)? };
        if seen.insert(holder.digest) {
            holders.push(holder);
        }
    }
    Ok(holders)
}

pub(super) fn holders_once_met(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    limit: usize,
) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.digest FROM links l JOIN manifests m ON m.id = l.parent
         WHERE l.repository = ?1 AND l.child = ?2 AND l.rank = 0 AND l.met = 1
         ORDER BY l.via DESC, l.parent DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![repository, digest, values::limit(limit)], |row| row.get(0))?;
    rows.collect()
}

pub(super) fn children(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    limit: usize,
) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached(
        "SELECT l.child FROM manifests p
         JOIN links l ON l.parent = p.id AND l.via = 0
         JOIN manifests m ON m.repository = p.repository AND m.digest = l.child
         WHERE p.repository = ?1 AND p.digest = ?2 ORDER BY l.child LIMIT ?3",
    )?;
    let rows = statement.query_map(params![repository, digest, values::limit(limit)], |row| row.get(0))?;
    rows.collect()
}

/// The object indexes above a digest, the nearest first; among equals the oldest first, so that what came later can't
/// crowd out what was there.
pub(super) fn ancestors(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    depth: usize,
    limit: usize,
) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.digest FROM links l JOIN manifests m ON m.id = l.parent
         WHERE l.repository = ?1 AND l.child = ?2 AND l.rank = 0 AND l.via = 0 ORDER BY l.parent",
    )?;
    let mut seen = HashSet::from([*digest]);
    let mut waiting = VecDeque::from([(*digest, 0_usize)]);
    let mut found = Vec::new();
    while let Some((child, steps)) = waiting.pop_front() {
        if steps >= depth {
            break;
        }
        let mut rows = statement.query(params![repository, child])?;
        while let Some(row) = rows.next()? {
            if found.len() >= limit {
                return Ok(found);
            }
            let parent: Digest = row.get(0)?;
            if seen.insert(parent) {
                found.push(parent);
                waiting.push_back((parent, steps.saturating_add(1)));
            }
        }
    }
    Ok(found)
}

/// Notes that something that concerns a digest changed.
pub(super) fn bump(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    change: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO generations (repository, digest, change) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET change = excluded.change",
        )?
        .execute(params![repository, digest, change])
        .map(drop)
}

/// The newest change that concerns a digest or one of its ancestors.
pub(super) fn generation(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    depth: usize,
    limit: usize,
) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT change FROM generations WHERE repository = ?1 AND digest = ?2")?;
    let mut newest = 0;
    let above = ancestors(connection, repository, digest, depth, limit)?;
    for concerned in std::iter::once(digest).chain(&above) {
        let change = statement.query_row(params![repository, concerned], |row| row.get(0)).optional()?;
        newest = newest.max(change.map_or(0, |Count(change)| change));
    }
    Ok(newest)
}
