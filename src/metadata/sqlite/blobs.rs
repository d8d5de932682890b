//! Blobs of repositories, the contents behind them, and the trash.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::audit::{self, Entry};
use super::repositories::{self, RepositoryId};
use super::values::{self, Count};
use super::{intents, links, quarantine, uploads, view};
use crate::clock::Timestamp;
use crate::gate::Who;
use crate::metadata::{Blob, BlobDeleted, By, CommitBlob, Committed, Event};
use crate::oci::{Digest, RepositoryName};

/// The live key of a content.
pub(super) fn live_key(connection: &Connection, digest: &Digest) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT key FROM contents WHERE digest = ?1")?;
    statement.query_row([digest], |row| row.get(0)).optional()
}

/// The live key of a content that is not quarantined.
pub(super) fn sound_key(connection: &Connection, digest: &Digest) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM contents
         WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM quarantine WHERE repository = 0 AND digest = ?1)",
    )?;
    statement.query_row([digest], |row| row.get(0)).optional()
}

pub(super) fn find(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
) -> rusqlite::Result<Option<Blob>> {
    let mut statement = connection.prepare_cached(
        "SELECT c.key, c.size, EXISTS (SELECT 1 FROM quarantine q WHERE q.repository = 0 AND q.digest = b.digest)
         FROM blobs b JOIN contents c ON c.digest = b.digest
         WHERE b.repository = (SELECT id FROM repositories WHERE name = ?1) AND b.digest = ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Blob { key: row.get(0)?, size: row.get::<_, Count>(1)?.0, quarantined: row.get(2)? })
    };
    statement.query_row(params![repository, digest], read).optional()
}

pub(super) fn is_present(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM blobs WHERE repository = ?1 AND digest = ?2")?;
    statement.exists(params![repository, digest])
}

/// Whether the blob is in the repository, and its content not known to be anything else.
pub(super) fn is_sound(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM blobs WHERE repository = ?1 AND digest = ?2
           AND NOT EXISTS (SELECT 1 FROM quarantine WHERE repository = 0 AND digest = ?2)",
    )?;
    statement.exists(params![repository, digest])
}

pub(super) fn uploaded_by(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    who: &Who,
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM uploaders
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND who = ?3",
    )?;
    statement.exists(params![repository, digest, who])
}

/// The state in which [`commit`] finds the key that it is given.
enum Given {
    /// Nobody has the content: the key was sealed just now.
    Fresh,
    /// It is the live key of the content.
    Live,
    /// It takes the place of the live key, whose bytes are lost.
    Instead(String),
    /// Another key is.
    Surplus,
    /// The live content is quarantined: the key takes its place.
    Healing,
    /// It was live once, as far as is known, or what is under it was found not to be the content.
    Gone,
}

fn given(connection: &Connection, blob: &CommitBlob) -> rusqlite::Result<Given> {
    let live = live_key(connection, &blob.digest)?;
    if let Some(live) = &live
        && !quarantine::is_content(connection, &blob.digest)?
    {
        return Ok(match &blob.lost {
            _ if *live == blob.key => Given::Live,
            Some(lost) if lost == live => Given::Instead(live.clone()),
            _ => Given::Surplus,
        });
    }
    let trashed = connection.prepare_cached("SELECT 1 FROM trash WHERE key = ?1")?.exists([&blob.key])?;
    Ok(match live {
        _ if trashed || !blob.sealed => Given::Gone,
        None => Given::Fresh,
        Some(live) if live == blob.key => Given::Gone,
        Some(_) => Given::Healing,
    })
}

pub(super) fn commit(connection: &Connection, blob: &CommitBlob) -> rusqlite::Result<Committed> {
    let given = given(connection, blob)?;
    if matches!(given, Given::Gone) {
        return Ok(Committed::Gone);
    }
    if is_capped(connection, blob)? {
        return Ok(Committed::Capped);
    }
    match &given {
        Given::Fresh => name(connection, &blob.digest, &blob.key, blob.size)?,
        Given::Healing => quarantine::replace(connection, &blob.digest, &blob.key, blob.size)?,
        Given::Instead(lost) => {
            unname(connection, &blob.digest, lost)?;
            name(connection, &blob.digest, &blob.key, blob.size)?;
            view::mark_everywhere(connection, &blob.digest)?;
        }
        // The caller removes the bytes; should it die before, the sweep does.
        Given::Surplus => trash(connection, &blob.key)?,
        Given::Live | Given::Gone => {}
    }
    let repository = repositories::make(connection, &blob.repository)?;
    let placed = place(connection, repository, &blob.digest, blob.lease)?;
    note(connection, blob, &given, placed)?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO uploaders (repository, digest, who) VALUES (?1, ?2, ?3)")?
        .execute(params![repository, blob.digest, blob.who])?;
    intents::forget(connection, &blob.key)?;
    if let Some(upload) = blob.upload {
        uploads::end(connection, upload)?;
    }
    Ok(if matches!(given, Given::Surplus) { Committed::Surplus } else { Committed::Stored })
}

/// Notes what a commit changed.
fn note(connection: &Connection, blob: &CommitBlob, given: &Given, placed: bool) -> rusqlite::Result<()> {
    let entry =
        |event| Entry::asked(event, (audit::BLOB, &blob.digest), (&blob.who, blob.at)).in_repository(&blob.repository);
    if matches!(given, Given::Healing | Given::Instead(_)) {
        entry(Event::Repair).because("it was pushed again").note(connection)?;
    }
    if placed { entry(Event::Push).note(connection) } else { Ok(()) }
}

/// Makes a key the live one of a content.
pub(super) fn name(connection: &Connection, digest: &Digest, key: &str, size: u64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT INTO contents (digest, key, size) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![digest, key, values::integer(size)]).map(drop)
}

/// Takes the live key of a content to the trash.
fn unname(connection: &Connection, digest: &Digest, key: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM contents WHERE digest = ?1")?.execute([digest])?;
    quarantine::forget_content(connection, digest)?;
    trash(connection, key)
}

/// Whether one more blob that nothing holds is too many for this person here.
fn is_capped(connection: &Connection, blob: &CommitBlob) -> rusqlite::Result<bool> {
    let Some(cap) = blob.unheld_cap else { return Ok(false) };
    let Some(repository) = repositories::find(connection, &blob.repository)? else { return Ok(cap == 0) };
    if links::is_held(connection, repository, &blob.digest)? {
        return Ok(false);
    }
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM blobs b JOIN uploaders u ON u.repository = b.repository AND u.digest = b.digest
         WHERE b.repository = ?1 AND b.lease IS NOT NULL AND u.who = ?2 AND b.digest <> ?3",
    )?;
    let Count(unheld) = statement.query_row(params![repository, blob.who, blob.digest], |row| row.get(0))?;
    Ok(unheld >= cap)
}

/// Makes the blob part of the repository, or extends its lease if it is already and says false.
fn place(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    lease: Timestamp,
) -> rusqlite::Result<bool> {
    if is_present(connection, repository, digest)? {
        let mut statement = connection.prepare_cached(
            "UPDATE blobs SET lease = max(lease, ?3) WHERE repository = ?1 AND digest = ?2 AND lease IS NOT NULL",
        )?;
        return statement.execute(params![repository, digest, lease]).map(|_| false);
    }
    let lease = if links::is_held(connection, repository, digest)? { None } else { Some(lease) };
    connection
        .prepare_cached("INSERT INTO blobs (repository, digest, lease) VALUES (?1, ?2, ?3)")?
        .execute(params![repository, digest, lease])?;
    view::mark(connection, repository, digest)?;
    Ok(true)
}

/// The lease of a blob that nothing holds.
pub(super) fn lease(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached(
        "SELECT lease FROM blobs
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND lease IS NOT NULL",
    )?;
    statement.query_row(params![repository, digest], |row| row.get(0)).optional()
}

/// Extends the lease of a blob that nothing holds.
pub(super) fn extend(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    lease: Timestamp,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE blobs SET lease = max(lease, ?3)
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND lease IS NOT NULL",
    )?;
    statement.execute(params![repository, digest, lease]).map(drop)
}

pub(super) fn delete(
    connection: &Connection,
    name: &RepositoryName,
    digest: &Digest,
    by: &By,
) -> rusqlite::Result<BlobDeleted> {
    let Some(repository) = repositories::find(connection, name)? else { return Ok(BlobDeleted::Absent) };
    if !is_present(connection, repository, digest)? {
        return Ok(BlobDeleted::Absent);
    }
    if links::is_held(connection, repository, digest)? {
        return Ok(BlobDeleted::Held);
    }
    remove(connection, repository, digest)?;
    Entry::deleted((audit::BLOB, digest), by).in_repository(name).note(connection)?;
    Ok(BlobDeleted::Deleted)
}

/// Takes a blob that nothing holds out of a repository; the last one takes its content to the trash.
pub(super) fn remove(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM blobs WHERE repository = ?1 AND digest = ?2",
        "DELETE FROM uploaders WHERE repository = ?1 AND digest = ?2",
    ] {
        connection.prepare_cached(sql)?.execute(params![repository, digest])?;
    }
    view::mark(connection, repository, digest)?;
    if connection.prepare_cached("SELECT 1 FROM blobs WHERE digest = ?1")?.exists([digest])? {
        return Ok(());
    }
    match live_key(connection, digest)? {
        Some(key) => unname(connection, digest, &key),
        None => Ok(()),
    }
}

pub(super) fn trash(connection: &Connection, key: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT OR IGNORE INTO trash (key) VALUES (?1)")?.execute([key]).map(drop)
}
