//! How a manifest is stored.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::audit::Entry;
use super::repositories::{self, RepositoryId};
use super::tags::{self, Pushed};
use super::values::{self, Count};
use super::{blobs, counters, judgements, links, manifests, met, quarantine, view};
use crate::metadata::{Event, Kind, OnlyIf, Put, PutLink, PutManifest};
use crate::oci::{Digest, LinkKind, Reference, Tag};

/// How many times the cap of one subject all orphans of one person may be.
const ORPHANS_FOR_ONE: u64 = 10;

/// What is stored of a manifest that is pushed again.
struct Known {
    row: i64,
    kind: Kind,
    subject: Option<Digest>,
}

pub(super) fn put(connection: &Connection, manifest: &PutManifest) -> rusqlite::Result<Put> {
    let found = repositories::find(connection, &manifest.repository)?;
    let known = match found {
        None => None,
        Some(repository) => known(connection, repository, &manifest.digest)?,
    };
    if let Some(OnlyIf { reference, precondition }) = &manifest.only_if {
        let current = current(connection, found, reference)?;
        if !precondition.holds(current.as_ref()) {
            return Ok(Put::Unlike(current));
        }
    }
    let absent = absent(connection, found, &manifest.links)?;
    if !absent.is_empty() {
        return Ok(Put::Absent(absent));
    }
    if known.is_none() && is_capped(connection, found, manifest)? {
        return Ok(Put::Capped);
    }

    let repository = repositories::make(connection, &manifest.repository)?;
    let change = counters::change(connection)?;
    let mut noted = match &known {
        None => {
            insert(connection, repository, manifest, change)?;
            false
        }
        Some(known) => {
            heal(connection, repository, manifest)?;
            !put_again(connection, repository, manifest, known, change)?
        }
    };
    enqueue(connection, repository, manifest, change)?;
    let pushed = Pushed {
        digest: &manifest.digest,
        who: &manifest.who,
        at: manifest.at,
        sequence: change,
        history: manifest.tag_history,
    };
    for tag in &manifest.tags {
        if tags::set(connection, repository, tag, &pushed)? {
            note(connection, manifest, Some(tag))?;
            noted = true;
        }
    }
    if !noted {
        note(connection, manifest, None)?;
    }
    Ok(Put::Stored { existed: known.is_some() })
}

/// What is there now: the newest push of a tag, or the manifest itself.
fn current(
    connection: &Connection,
    repository: Option<RepositoryId>,
    reference: &Reference,
) -> rusqlite::Result<Option<Digest>> {
    let Some(repository) = repository else { return Ok(None) };
    match reference {
        Reference::Tag(tag) => tags::newest(connection, repository, tag),
        Reference::Digest(digest) => {
            Ok(manifests::row_of(connection, repository, digest)?.is_some().then_some(*digest))
        }
    }
}

/// Notes that the manifest is there, or that a tag names it.
fn note(connection: &Connection, manifest: &PutManifest, tag: Option<&Tag>) -> rusqlite::Result<()> {
    let event = if manifest.kind == Kind::Object { Event::Push } else { Event::Sign };
    entry(event, manifest).under(tag).about(manifest.subject.as_ref()).note(connection)
}

fn entry(event: Event, manifest: &PutManifest) -> Entry<'_> {
    let what = (values::kind(manifest.kind), &manifest.digest);
    Entry::asked(event, what, (&manifest.who, manifest.at)).in_repository(&manifest.repository)
}

fn heal(connection: &Connection, repository: RepositoryId, manifest: &PutManifest) -> rusqlite::Result<()> {
    if quarantine::heal(connection, repository, &manifest.digest, &manifest.bytes)? {
        entry(Event::Repair, manifest).because("it was pushed again").note(connection)?;
    }
    Ok(())
}

fn known(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<Option<Known>> {
    let mut statement =
        connection.prepare_cached("SELECT id, kind, subject FROM manifests WHERE repository = ?1 AND digest = ?2")?;
    let read = |row: &rusqlite::Row<'_>| Ok(Known { row: row.get(0)?, kind: row.get(1)?, subject: row.get(2)? });
    statement.query_row(params![repository, digest], read).optional()
}

/// Required content that the repository has not, or that is quarantined, each once.
fn absent(
    connection: &Connection,
    repository: Option<RepositoryId>,
    links: &[PutLink],
) -> rusqlite::Result<Vec<Digest>> {
    let mut absent = Vec::new();
    for link in links.iter().filter(|link| link.required) {
        if !is_present(connection, repository, link)? && !absent.contains(&link.digest) {
            absent.push(link.digest);
        }
    }
    Ok(absent)
}

fn is_present(connection: &Connection, repository: Option<RepositoryId>, link: &PutLink) -> rusqlite::Result<bool> {
    let Some(repository) = repository else { return Ok(false) };
    if blobs::is_sound(connection, repository, &link.digest)? {
        return Ok(true);
    }
    Ok(link.kind == LinkKind::Manifest && manifests::row_of(connection, repository, &link.digest)?.is_some())
}

/// Whether this person has as much evidence and data about this subject as is allowed.
fn is_capped(
    connection: &Connection,
    repository: Option<RepositoryId>,
    manifest: &PutManifest,
) -> rusqlite::Result<bool> {
    let (Some(cap), Some(subject)) = (manifest.evidence_cap, &manifest.subject) else { return Ok(false) };
    if manifest.kind == Kind::Object {
        return Ok(false);
    }
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM manifests INDEXED BY manifests_pusher
         WHERE repository = ?1 AND subject = ?2 AND who = ?3 AND kind <> 'object'",
    )?;
    let Count(count) = match repository {
        None => Count(0),
        Some(repository) => statement.query_row(params![repository, subject, manifest.who], |row| row.get(0))?,
    };
    Ok(count >= cap || orphans_are_capped(connection, repository, manifest, subject, cap)?)
}

/// Whether this person has as much evidence and data as is allowed about subjects that are not there: there is no end
/// of digests that it may be about.
fn orphans_are_capped(
    connection: &Connection,
    repository: Option<RepositoryId>,
    manifest: &PutManifest,
    subject: &Digest,
    cap: u64,
) -> rusqlite::Result<bool> {
    let Some(repository) = repository else { return Ok(false) };
    if manifests::row_of(connection, repository, subject)?.is_some() {
        return Ok(false);
    }
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM manifests WHERE repository = ?1 AND who = ?2 AND orphan_lease IS NOT NULL",
    )?;
    let Count(count) = statement.query_row(params![repository, manifest.who], |row| row.get(0))?;
    Ok(count >= cap.saturating_mul(ORPHANS_FOR_ONE))
}

fn insert(
    connection: &Connection,
    repository: RepositoryId,
    manifest: &PutManifest,
    change: i64,
) -> rusqlite::Result<()> {
    let annotations = serde_json::to_string(&manifest.annotations)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO manifests (repository, digest, media_type, artifact_type, annotations, kind, subject, is_referrer,
           orphan_lease, who, at, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let row = insert.insert(params![
        repository,
        manifest.digest,
        manifest.media_type,
        manifest.artifact_type,
        annotations,
        manifest.kind,
        manifest.subject,
        manifest.is_referrer,
        orphan_lease(connection, repository, manifest)?,
        manifest.who,
        manifest.at,
        &manifest.bytes[..],
    ])?;
    links::add(connection, repository, row, manifest.kind, &manifest.links)?;
    adopt(connection, repository, &manifest.digest)?;
    links::bump(connection, repository, &manifest.digest, change)?;
    if let (Some(subject), true) = (&manifest.subject, manifest.kind != Kind::Object) {
        links::bump(connection, repository, subject, change)?;
        met::list_tags_below(connection, repository, &manifest.digest)?;
    }
    view::mark(connection, repository, &manifest.digest)
}

/// When the manifest expires: only evidence and data do, and only while what they are about is not there.
fn orphan_lease(
    connection: &Connection,
    repository: RepositoryId,
    manifest: &PutManifest,
) -> rusqlite::Result<Option<crate::clock::Timestamp>> {
    let (Some(subject), true) = (&manifest.subject, manifest.kind != Kind::Object) else { return Ok(None) };
    let came = manifests::row_of(connection, repository, subject)?.is_some();
    Ok(if came { None } else { Some(manifest.orphan_lease) })
}

/// Evidence that waited for this manifest expires no more.
fn adopt(connection: &Connection, repository: RepositoryId, subject: &Digest) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE manifests SET orphan_lease = NULL
         WHERE repository = ?1 AND subject = ?2 AND orphan_lease IS NOT NULL",
    )?;
    statement.execute(params![repository, subject]).map(drop)
}

/// A manifest that is there already stays as it is, unless it is pushed as something else, and this says so; what was an
/// object once is judged as one for ever.
fn put_again(
    connection: &Connection,
    repository: RepositoryId,
    manifest: &PutManifest,
    known: &Known,
    change: i64,
) -> rusqlite::Result<bool> {
    let lease = orphan_lease(connection, repository, manifest)?;
    if known.kind == Kind::Object || known.kind == manifest.kind {
        let mut extend = connection.prepare_cached(
            "UPDATE manifests SET orphan_lease = max(orphan_lease, ?2) WHERE id = ?1 AND orphan_lease IS NOT NULL",
        )?;
        return extend.execute(params![known.row, lease.unwrap_or(manifest.orphan_lease)]).map(|_| false);
    }
    let mut reclassify = connection.prepare_cached(
        "UPDATE manifests SET kind = ?2, subject = ?3, is_referrer = ?4, orphan_lease = ?5 WHERE id = ?1",
    )?;
    reclassify.execute(params![known.row, manifest.kind, manifest.subject, manifest.is_referrer, lease])?;
    if manifest.kind == Kind::Object {
        links::promote(connection, known.row)?;
    }
    tags::settle(connection, repository, &manifest.digest)?;
    met::list_tags_below(connection, repository, &manifest.digest)?;
    let concerned = [Some(manifest.digest), known.subject, manifest.subject];
    for digest in concerned.iter().flatten() {
        links::bump(connection, repository, digest, change)?;
    }
    Ok(true)
}

/// Notes what is to be judged because of this push.
fn enqueue(
    connection: &Connection,
    repository: RepositoryId,
    manifest: &PutManifest,
    ticket: i64,
) -> rusqlite::Result<()> {
    let judged = if manifest.kind == Kind::Object { Some(&manifest.digest) } else { manifest.subject.as_ref() };
    match judged {
        Some(digest) => judgements::enqueue(connection, repository, digest, ticket),
        None => Ok(()),
    }
}
