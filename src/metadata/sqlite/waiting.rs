//! Pushes that wait for evidence.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::repositories::{self, RepositoryId};
use super::tags;
use super::values::{self, Count};
use crate::clock::Timestamp;
use crate::metadata::{WaitingIn, WaitingPush};
use crate::oci::{RepositoryName, Tag};

/// Repositories with pushes that wait, in the order in which they were made.
pub(super) fn repositories(
    connection: &Connection,
    after: Option<&RepositoryName>,
    from: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<WaitingIn>> {
    let mut last = match after {
        None => 0,
        Some(name) => repositories::find(connection, name)?.unwrap_or_default(),
    };
    // From one repository to the next, past all that wait in it.
    let mut oldest = connection.prepare_cached(
        "SELECT repository, waits FROM tags WHERE waits IS NOT NULL AND repository > ?1
         ORDER BY repository, waits LIMIT 1",
    )?;
    let mut next = connection.prepare_cached(
        "SELECT waits FROM tags WHERE repository = ?1 AND waits IS NOT NULL AND waits >= ?2 ORDER BY waits LIMIT 1",
    )?;
    let mut count =
        connection.prepare_cached("SELECT count(*) FROM tags WHERE repository = ?1 AND waits IS NOT NULL")?;
    let mut found = Vec::new();
    while found.len() < limit {
        let first = oldest.query_row([last], |row| Ok((row.get::<_, RepositoryId>(0)?, row.get(1)?))).optional()?;
        let Some((repository, oldest)) = first else { break };
        let Count(pushes) = count.query_row([repository], |row| row.get(0))?;
        let next = next.query_row(params![repository, from], |row| row.get(0)).optional()?;
        found.push(WaitingIn { repository: repositories::name(connection, repository)?, pushes, oldest, next });
        last = repository;
    }
    Ok(found)
}

/// Pushes of a repository that wait, oldest first.
pub(super) fn pushes(
    connection: &Connection,
    repository: RepositoryId,
    from: Timestamp,
    after: Option<&Tag>,
    limit: usize,
) -> rusqlite::Result<Vec<WaitingPush>> {
    let mut statement = connection.prepare_cached(
        "SELECT t.name, p.digest, p.who, p.at FROM tags t
         JOIN pushes p ON p.repository = t.repository AND p.tag = t.name AND p.sequence = t.newest
         WHERE t.repository = ?1 AND t.waits IS NOT NULL AND (t.waits, t.name) > (?2, ?3)
         ORDER BY t.waits, t.name LIMIT ?4",
    )?;
    let after = after.map_or("", Tag::as_str);
    let rows = statement.query_map(params![repository, from, after, values::limit(limit)], |row| {
        Ok(WaitingPush { tag: row.get(0)?, push: tags::push(row, 1)? })
    })?;
    rows.collect()
}
