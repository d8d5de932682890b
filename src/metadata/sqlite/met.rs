//! What was met and what verified; and under which tags it may resolve.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::repositories::{self, RepositoryId};
use super::{links, tags, values};
use crate::clock::Timestamp;
use crate::gate::RequirementName;
use crate::oci::{Digest, RepositoryName, Tag};

/// Notes requirements that a digest met. Nothing is kept of one that is not stored (any more); but evidence and data about
/// it resolve all the same, so their tags are listed.
pub(super) fn record_met(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
    requirements: &[RequirementName],
    at: Timestamp,
) -> rusqlite::Result<()> {
    let Some(repository) = repositories::find(connection, repository)? else { return Ok(()) };
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO met (repository, digest, requirement, at)
         SELECT repository, digest, ?3, ?4 FROM manifests WHERE repository = ?1 AND digest = ?2",
    )?;
    let mut noted = 0;
    for requirement in requirements {
        noted += statement.execute(params![repository, digest, requirement, at])?;
        list_tags_about(connection, repository, digest, requirement)?;
    }
    if noted == 0 {
        return Ok(());
    }
    links::met(connection, repository, digest)?;
    tags::settle(connection, repository, digest)
}

/// The requirements that a digest ever met, by name.
pub(super) fn of(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
) -> rusqlite::Result<Vec<RequirementName>> {
    let mut statement = connection.prepare_cached(
        "SELECT requirement FROM met
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 ORDER BY requirement",
    )?;
    let rows = statement.query_map(params![repository, digest], |row| row.get(0))?;
    rows.collect()
}

/// Whether [`record_verified`] has anything to note.
pub(super) fn is_unverified(
    connection: &Connection,
    repository: &RepositoryName,
    evidence: &Digest,
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM manifests
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND verified = 0",
    )?;
    statement.exists(params![repository, evidence])
}

pub(super) fn record_verified(
    connection: &Connection,
    repository: &RepositoryName,
    evidence: &Digest,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE manifests SET verified = 1
         WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2 AND verified = 0",
    )?;
    statement.execute(params![repository, evidence]).map(drop)
}

/// Forgets what a manifest met that goes. Tags stay listed until they go: each is looked at when it is listed.
pub(super) fn forget(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM met WHERE repository = ?1 AND digest = ?2")?
        .execute(params![repository, digest])
        .map(drop)
}

/// Lists a tag, of which a digest was pushed, under all that this digest met, or what it is evidence or data about.
pub(super) fn list_tag(
    connection: &Connection,
    repository: RepositoryId,
    tag: &Tag,
    digest: &Digest,
) -> rusqlite::Result<()> {
    let mut list = connection.prepare_cached(
        "INSERT OR IGNORE INTO met_tags (repository, name, requirement)
         SELECT repository, ?3, requirement FROM met WHERE repository = ?1 AND digest = ?2",
    )?;
    for judged in about(connection, repository, digest)? {
        list.execute(params![repository, judged, tag])?;
    }
    Ok(())
}

/// Lists the tags of evidence and data about a manifest, and its own, under all that it met, or what it is about: to be
/// called when it comes to be about something.
pub(super) fn list_tags_below(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> rusqlite::Result<()> {
    let mut met = connection.prepare_cached("SELECT requirement FROM met WHERE repository = ?1 AND digest = ?2")?;
    for judged in about(connection, repository, digest)? {
        let requirements = met.query_map(params![repository, judged], |row| row.get(0))?;
        for requirement in requirements.collect::<rusqlite::Result<Vec<RequirementName>>>()? {
            list_tags_about(connection, repository, digest, &requirement)?;
        }
    }
    Ok(())
}

/// Lists each tag that remembers a digest, or evidence or data about it, under a requirement.
fn list_tags_about(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
    requirement: &RequirementName,
) -> rusqlite::Result<()> {
    let mut list = connection.prepare_cached(
        "INSERT OR IGNORE INTO met_tags (repository, name, requirement)
         WITH RECURSIVE about (digest) AS (
           SELECT ?2
           UNION SELECT m.digest FROM about CROSS JOIN manifests m
             WHERE m.repository = ?1 AND m.subject = about.digest AND m.kind <> 'object')
         SELECT p.repository, p.tag, ?3 FROM about CROSS JOIN pushes p
         WHERE p.repository = ?1 AND p.digest = about.digest",
    )?;
    list.execute(params![repository, digest, requirement]).map(drop)
}

/// A digest, then what it is evidence or data about, then what that is about, and so on.
fn about(connection: &Connection, repository: RepositoryId, digest: &Digest) -> rusqlite::Result<Vec<Digest>> {
    let mut subject = connection.prepare_cached(
        "SELECT subject FROM manifests
         WHERE repository = ?1 AND digest = ?2 AND kind <> 'object' AND subject IS NOT NULL",
    )?;
    let (mut chain, mut seen) = (vec![*digest], HashSet::from([*digest]));
    while let Some(last) = chain.last() {
        let next: Option<Digest> = subject.query_row(params![repository, last], |row| row.get(0)).optional()?;
        match next.filter(|next| seen.insert(*next)) {
            Some(next) => chain.push(next),
            None => break,
        }
    }
    Ok(chain)
}

/// A tag that is gone is listed under nothing.
pub(super) fn unlist_tag(connection: &Connection, repository: RepositoryId, tag: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM met_tags WHERE repository = ?1 AND name = ?2")?
        .execute(params![repository, tag])
        .map(drop)
}

/// The tags that are listed under a requirement, each with its newest push, in the order of all tags.
pub(super) fn tags(
    connection: &Connection,
    repository: &RepositoryName,
    requirement: &RequirementName,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<(Tag, Digest)>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.name, p.digest FROM met_tags e
         JOIN tags t ON t.repository = e.repository AND t.name = e.name
         JOIN pushes p ON p.repository = t.repository AND p.tag = t.name AND p.sequence = t.newest
         WHERE e.repository = (SELECT id FROM repositories WHERE name = ?1) AND e.requirement = ?2
           AND e.name COLLATE NOCASE >= ?3 AND (e.name COLLATE NOCASE > ?3 OR e.name > ?3)
         ORDER BY e.name COLLATE NOCASE, e.name LIMIT ?4",
    )?;
    let page = params![repository, requirement, after.unwrap_or_default(), values::limit(limit)];
    statement.query_map(page, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::super::Sqlite;
    use super::*;
    use crate::gate::{Shape, Who};
    use crate::metadata::{By, DeleteTag, Kind, Metadata as _, PutManifest};
    use crate::oci::Precondition;
    use crate::seeded::Seeded;

    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    const TAGS: [&str; 4] = ["v1", "v2", "v3", "v4"];

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn put(chosen: &mut Seeded) -> PutManifest {
        let kinds = [Kind::Object, Kind::Data, Kind::Evidence(Shape::SigstoreBundle)];
        let kind = chosen.of(&kinds);
        let (name, subject) = (chosen.of(&NAMES), chosen.of(&NAMES));
        PutManifest {
            repository: "r".parse().unwrap(),
            digest: digest(name),
            bytes: Bytes::from_static(b"{}"),
            media_type: String::new(),
            artifact_type: None,
            annotations: BTreeMap::new(),
            kind,
            subject: (kind != Kind::Object).then(|| digest(subject)),
            is_referrer: false,
            links: Vec::new(),
            tags: vec![chosen.of(&TAGS).parse().unwrap()],
            only_if: None,
            tag_history: 3,
            evidence_cap: None,
            orphan_lease: Timestamp::from_micros(1),
            who: Who::Operator,
            at: Timestamp::from_micros(0),
        }
    }

    fn deletion(tag: &str, by: By) -> DeleteTag {
        let (repository, tag) = ("r".parse().unwrap(), tag.parse().unwrap());
        DeleteTag { repository, tag, precondition: Precondition::default(), by }
    }

    #[tokio::test]
    async fn whatever_happens_every_tag_is_listed_that_may_resolve() {
        let folder = tempfile::tempdir().unwrap();
        let metadata = Sqlite::open_in_bulk(&folder.path().join("metadata")).unwrap();
        let (repository, now) = ("r".parse().unwrap(), Timestamp::from_micros(0));
        let by = By { who: Who::Operator, at: now };
        let requirements = ["one", "two"].map(|name| name.parse::<RequirementName>().unwrap());
        let mut chosen = Seeded::new(1);
        let mut listed = 0;
        for step in 0..3000 {
            let name = digest(chosen.of(&NAMES));
            match chosen.of(&[0, 0, 0, 1, 1, 2, 3]) {
                0 => drop(metadata.put_manifest(put(&mut chosen)).await.unwrap()),
                1 => {
                    let met = [requirements[chosen.below(2)].clone()];
                    metadata.record_met(&repository, &name, &met, now).await.unwrap();
                }
                2 => drop(metadata.delete_manifest(&repository, &name, &by).await.unwrap()),
                _ => {
                    metadata.delete_tag(deletion(chosen.of(&TAGS), by.clone())).await.unwrap();
                }
            }
            assert_eq!(metadata.broken().unwrap(), [""; 0], "after step {step}");
            listed += metadata.tags_once_met(&repository, &requirements[0], None, 10).await.unwrap().len();
        }
        assert!(listed > 1000, "{listed}");
    }
}
