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

#[cfg(test)]
mod tests {
    use super::super::{Sqlite, plans};
    use crate::clock::Timestamp;
    use crate::gate::Who;
    use crate::metadata::{By, Kind, Metadata as _, PutManifest};
    use crate::oci::{Digest, Tag};

    /// Statements that a connection keeps for the time of a test: more than there are.
    const KEPT: usize = 1024;

    async fn opened() -> (tempfile::TempDir, Sqlite) {
        let folder = tempfile::tempdir().unwrap();
        let metadata = Sqlite::open_in_bulk(&folder.path().join("metadata")).unwrap();
        let keep = |connection: &rusqlite::Connection| {
            connection.set_prepared_statement_cache_capacity(KEPT);
            Ok(())
        };
        metadata.write(keep).await.unwrap();
        (folder, metadata)
    }

    async fn ran(metadata: &Sqlite) -> i32 {
        metadata.write(|connection| Ok(plans::runs(connection))).await.unwrap()
    }

    async fn push(metadata: &Sqlite, name: &str, tags: usize) -> Digest {
        push_about(metadata, name, None, tags).await
    }

    async fn push_about(metadata: &Sqlite, name: &str, subject: Option<Digest>, tags: usize) -> Digest {
        let digest = Digest::sha256(name.as_bytes());
        let manifest = PutManifest {
            repository: "r".parse().unwrap(),
            digest,
            bytes: bytes::Bytes::from_static(b"{}"),
            media_type: String::new(),
            artifact_type: None,
            annotations: std::collections::BTreeMap::new(),
            kind: if subject.is_some() { Kind::Data } else { Kind::Object },
            subject,
            is_referrer: false,
            links: Vec::new(),
            tags: (0..tags).map(|number| format!("v{number}").parse::<Tag>().unwrap()).collect(),
            only_if: None,
            tag_history: 20,
            evidence_cap: None,
            orphan_lease: Timestamp::from_micros(1),
            who: Who::Operator,
            at: Timestamp::from_micros(0),
        };
        metadata.put_manifest(manifest).await.unwrap();
        digest
    }

    /// Statements that a requirement met takes, then a deletion, of what some tags name beside or after another push.
    async fn statements(tags: usize) -> (i32, i32) {
        let (_folder, metadata) = opened().await;
        let repository = "r".parse().unwrap();
        push(&metadata, "before", tags / 2).await;
        let doomed = push(&metadata, "doomed", tags).await;
        let begun = ran(&metadata).await;
        let at = Timestamp::from_micros(0);
        metadata.record_met(&repository, &doomed, &["one".parse().unwrap()], at).await.unwrap();
        let met = ran(&metadata).await;
        let by = By { who: Who::Operator, at };
        assert!(metadata.delete_manifest(&repository, &doomed, &by).await.unwrap());
        let deleted = ran(&metadata).await;
        assert_eq!(metadata.tags(&repository, None, 1000).await.unwrap().len(), tags / 2);
        assert_eq!(metadata.broken().unwrap(), [""; 0]);
        (met - begun, deleted - met)
    }

    #[tokio::test]
    async fn as_many_statements_run_however_many_tags_name_a_digest() {
        let few = statements(2).await;
        assert!(few.0 > 3 && few.1 > 10, "{few:?}");
        assert_eq!(statements(200).await, few);
    }

    #[tokio::test]
    async fn data_about_data_costs_no_more_the_longer_the_line_is() {
        let (_folder, metadata) = opened().await;
        let mut last = push(&metadata, "object", 0).await;
        let mut costs = Vec::new();
        for number in 0..100 {
            let before = ran(&metadata).await;
            last = push_about(&metadata, &format!("data {number}"), Some(last), 1).await;
            costs.push(ran(&metadata).await - before);
        }
        assert!(costs[20] > costs[10], "{costs:?}");
        assert_eq!(costs[70..].iter().max(), costs[70..].iter().min(), "{costs:?}");
    }
}
