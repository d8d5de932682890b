//! How a manifest or a tag is deleted, and what it takes with it.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::audit::{self, Entry};
use super::repositories::{self, RepositoryId};
use super::{counters, judgements, links, manifests, met, quarantine, tags, values, view};
use crate::clock::Timestamp;
use crate::gate::Shape;
use crate::metadata::{By, DeleteTag, Kind, TagDeleted};
use crate::oci::{Digest, EvidenceTag, RepositoryName, Tag};

/// A manifest that is gone.
pub(super) struct Removed {
    kind: Kind,
    subject: Option<Digest>,
}

impl Removed {
    /// The word for what it was.
    pub(super) const fn what(&self) -> &'static str {
        values::kind(self.kind)
    }

    /// What it was about.
    pub(super) const fn subject(&self) -> Option<&Digest> {
        self.subject.as_ref()
    }
}

pub(super) fn delete(
    connection: &Connection,
    name: &RepositoryName,
    digest: &Digest,
    blobs_until: Timestamp,
    by: &By,
) -> rusqlite::Result<bool> {
    let Some(repository) = repositories::find(connection, name)? else { return Ok(false) };
    let Some(removed) = remove(connection, repository, digest, blobs_until)? else { return Ok(false) };
    note(connection, (name, digest), &removed, by)?;
    Ok(true)
}

fn note(
    connection: &Connection,
    (repository, digest): (&RepositoryName, &Digest),
    removed: &Removed,
    by: &By,
) -> rusqlite::Result<()> {
    let entry = Entry::deleted((removed.what(), digest), by).in_repository(repository);
    entry.about(removed.subject()).note(connection)
}

/// Deletes a tag, and the evidence that goes with it.
pub(super) fn untag(
    connection: &Connection,
    deletion: &DeleteTag,
    blobs_until: Timestamp,
) -> rusqlite::Result<TagDeleted> {
    let DeleteTag { repository: name, tag, precondition, by } = deletion;
    let Some(repository) = repositories::find(connection, name)? else { return Ok(TagDeleted::Absent) };
    let newest = tags::newest(connection, repository, tag)?;
    let doomed = match tag.evidence() {
        Some(kept) => tagged_evidence(connection, (name, repository), tag, &kept)?,
        None => Vec::new(),
    };
    if newest.is_none() && doomed.is_empty() {
        return Ok(TagDeleted::Absent);
    }
    if !precondition.holds(newest.as_ref()) {
        return Ok(TagDeleted::Unlike(newest));
    }
    for digest in &doomed {
        if let Some(removed) = remove(connection, repository, digest, blobs_until)? {
            note(connection, (name, digest), &removed, by)?;
        }
    }
    if let Some(named) = newest {
        tags::delete(connection, repository, tag)?;
        Entry::deleted((audit::TAG, &named), by).in_repository(name).under(Some(tag)).note(connection)?;
    }
    Ok(TagDeleted::Deleted)
}

/// What a tag kept for evidence is the one handle of: what was pushed under it, and what is of its shape and no referrer.
fn tagged_evidence(
    connection: &Connection,
    (name, repository): (&RepositoryName, RepositoryId),
    tag: &Tag,
    kept: &EvidenceTag,
) -> rusqlite::Result<Vec<Digest>> {
    let mut tagged = Vec::new();
    for push in tags::pushes(connection, name, tag)? {
        // An object may be under such a tag too, and stays.
        let kind = manifests::kind(connection, repository, &push.digest)?;
        if kind.is_some_and(|kind| kind != Kind::Object) {
            tagged.push(push.digest);
        }
    }
    let shape = match kept {
        EvidenceTag::Signature(_) => Shape::CosignSignature,
        EvidenceTag::Attestation(_) => Shape::CosignAttestation,
        EvidenceTag::Referrers(_) | EvidenceTag::Sbom(_) => return Ok(tagged),
    };
    tagged.extend(manifests::no_referrers_of_kind(connection, repository, &kept.subject(), Kind::Evidence(shape))?);
    Ok(tagged)
}

/// Blobs that nothing holds then stay until `blobs_until`. None if there is no such manifest.
pub(super) fn remove(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    blobs_until: Timestamp,
) -> rusqlite::Result<Option<Removed>> {
    let mut find =
        connection.prepare_cached("SELECT id, kind, subject FROM manifests WHERE repository = ?1 AND digest = ?2")?;
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, Removed { kind: row.get(1)?, subject: row.get(2)? }));
    let found = find.query_row(params![repository, digest], read).optional()?;
    let Some((row, removed)) = found else { return Ok(None) };

    tags::forget(connection, repository, digest)?;
    judgements::forget(connection, repository, digest)?;
    met::forget(connection, repository, digest)?;
    quarantine::forget(connection, repository, digest)?;
    let held = links::remove(connection, repository, row, blobs_until)?;
    connection.prepare_cached("DELETE FROM manifests WHERE id = ?1")?.execute([row])?;

    let change = counters::change(connection)?;
    for concerned in std::iter::once(digest).chain(&removed.subject).chain(&held) {
        links::bump(connection, repository, concerned, change)?;
    }
    view::mark(connection, repository, digest)?;
    Ok(Some(removed))
}
