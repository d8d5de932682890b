//! What nobody wants any more, taken out in one transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, Params, params};

use super::audit::{self, Entry};
use super::repositories::{self, RepositoryId};
use super::{blobs, removal, uploads, values};
use crate::clock::Timestamp;
use crate::metadata::{Event, Swept};
use crate::oci::Digest;

/// How long a key is remembered after its bytes were removed: longer than any commit that still holds it takes.
const REMEMBERED: Duration = Duration::from_hours(24);

pub(super) fn sweep(
    connection: &Connection,
    at: Timestamp,
    uploads_before: Timestamp,
    blobs_until: Timestamp,
    limit: usize,
) -> rusqlite::Result<Swept> {
    let mut swept = Swept { uploads: uploads::expire(connection, uploads_before, limit)?, ..Swept::default() };
    let mut changed = BTreeSet::new();

    let orphans = "SELECT repository, digest FROM manifests
                   WHERE orphan_lease IS NOT NULL AND orphan_lease <= ?1 ORDER BY orphan_lease LIMIT ?2";
    for (repository, digest) in expired(connection, orphans, at, limit)? {
        let Some(removed) = removal::remove(connection, repository, &digest, blobs_until)? else { continue };
        let name = repositories::name(connection, repository)?;
        let entry = Entry::of_itself(Event::Collect, (removed.what(), &digest), at).in_repository(&name);
        entry.about(removed.subject()).because("what it is about never came").note(connection)?;
        swept.orphans.push((name, digest));
        changed.insert(repository);
    }
    // A blob with a lease is held by nothing; that it is asked again costs one look-up and guards the bytes.
    let unheld = "SELECT repository, digest FROM blobs b
                  WHERE lease IS NOT NULL AND lease <= ?1
                    AND NOT EXISTS (SELECT 1 FROM links l WHERE l.repository = b.repository AND l.child = b.digest)
                  ORDER BY lease LIMIT ?2";
    for (repository, digest) in expired(connection, unheld, at, limit)? {
        blobs::remove(connection, repository, &digest)?;
        let name = repositories::name(connection, repository)?;
        let entry = Entry::of_itself(Event::Collect, (audit::BLOB, &digest), at).in_repository(&name);
        entry.because("no manifest holds it and its lease ended").note(connection)?;
        changed.insert(repository);
    }

    forget_removed(connection, at)?;
    let waiting = "SELECT key FROM trash WHERE removed IS NULL ORDER BY key LIMIT ?1";
    swept.trash = collect(connection, waiting, [values::limit(limit)], |row| row.get(0))?;
    for repository in changed {
        swept.repositories.push(repositories::name(connection, repository)?);
    }
    Ok(swept)
}

fn expired(
    connection: &Connection,
    sql: &str,
    at: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<(RepositoryId, Digest)>> {
    collect(connection, sql, params![at, values::limit(limit)], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?;
    rows.collect()
}

/// Notes that the bytes of these keys are gone. The keys are remembered for a while, so that a commit which was told
/// of one while it was live is refused.
pub(super) fn forget(connection: &Connection, keys: &[String]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE trash SET removed = 0 WHERE key = ?1 AND removed IS NULL")?;
    for key in keys {
        statement.execute([key])?;
    }
    Ok(())
}

fn forget_removed(connection: &Connection, at: Timestamp) -> rusqlite::Result<()> {
    let mut forget =
        connection.prepare_cached("DELETE FROM trash WHERE removed IS NOT NULL AND removed <> 0 AND removed <= ?1")?;
    forget.execute([at.minus(REMEMBERED)])?;
    let mut stamp = connection.prepare_cached("UPDATE trash SET removed = ?1 WHERE removed = 0")?;
    stamp.execute([at]).map(drop)
}
