//! Manifests as they are read: by digest, and by what they are about.

use std::collections::BTreeMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, Rows, params};

use super::page::page;
use super::repositories::RepositoryId;
use super::values;
use crate::metadata::{Kind, MANIFESTS_BYTES, REFERRERS_BYTES, Referrer, StoredManifest};
use crate::oci::{Digest, RepositoryName};

/// The columns that [`read`] reads.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT digest, bytes, media_type, artifact_type, annotations, kind, subject, at FROM manifests ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredManifest> {
    Ok(StoredManifest {
        digest: row.get(0)?,
        bytes: Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?),
        media_type: row.get(2)?,
        artifact_type: row.get(3)?,
        annotations: annotations(row.get_ref(4)?.as_str()?)?,
        kind: row.get(5)?,
        subject: row.get(6)?,
        at: row.get(7)?,
    })
}

/// The columns that [`read_referrer`] reads.
macro_rules! select_referrers {
    ($rest:literal) => {
        concat!("SELECT digest, length(bytes), media_type, artifact_type, annotations, kind FROM manifests ", $rest)
    };
}

fn read_referrer(row: &Row<'_>) -> rusqlite::Result<Referrer> {
    Ok(Referrer {
        digest: row.get(0)?,
        size: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        media_type: row.get(2)?,
        artifact_type: row.get(3)?,
        annotations: row.get(4)?,
        kind: row.get(5)?,
    })
}

fn annotations(json: &str) -> rusqlite::Result<BTreeMap<String, String>> {
    if json == "{}" {
        return Ok(BTreeMap::new());
    }
    Ok(serde_json::from_str(json).map_err(|error| values::unreadable("annotations", error))?)
}

pub(super) fn find(
    connection: &Connection,
    repository: &RepositoryName,
    digest: &Digest,
) -> rusqlite::Result<Option<StoredManifest>> {
    let mut statement = connection
        .prepare_cached(select!("WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND digest = ?2"))?;
    statement.query_row(params![repository, digest], read).optional()
}

/// What a manifest is, if it is there.
pub(super) fn kind(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> rusqlite::Result<Option<Kind>> {
    let mut statement =
        connection.prepare_cached("SELECT kind FROM manifests WHERE repository = ?1 AND digest = ?2")?;
    statement.query_row(params![repository, digest], |row| row.get(0)).optional()
}

pub(super) fn row_of(
    connection: &Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM manifests WHERE repository = ?1 AND digest = ?2")?;
    statement.query_row(params![repository, digest], |row| row.get(0)).optional()
}

/// Where a page begins. A cursor that was deleted meanwhile begins again: what is listed twice does no harm, what is left
/// out would.
fn place_after(connection: &Connection, repository: RepositoryId, cursor: Option<&Digest>) -> rusqlite::Result<i64> {
    let place = match cursor {
        None => None,
        Some(digest) => row_of(connection, repository, digest)?,
    };
    Ok(place.unwrap_or_default())
}

/// Manifests with this `subject` of their own, in the order in which they came.
pub(super) fn referrers(
    connection: &Connection,
    repository: RepositoryId,
    subject: &Digest,
    after: Option<&Digest>,
    limit: usize,
) -> rusqlite::Result<Vec<Referrer>> {
    let after = place_after(connection, repository, after)?;
    let mut statement = connection.prepare_cached(select_referrers!(
        "WHERE repository = ?1 AND subject = ?2 AND is_referrer = 1 AND id > ?3 ORDER BY id LIMIT ?4"
    ))?;
    referrers_page(statement.query(params![repository, subject, after, values::limit(limit)])?)
}

/// As [`referrers`], those of one artifact type.
pub(super) fn referrers_of_type(
    connection: &Connection,
    repository: RepositoryId,
    subject: &Digest,
    artifact_type: &str,
    after: Option<&Digest>,
    limit: usize,
) -> rusqlite::Result<Vec<Referrer>> {
    let after = place_after(connection, repository, after)?;
    let mut statement = connection.prepare_cached(select_referrers!(
        "WHERE repository = ?1 AND subject = ?2 AND artifact_type = ?3 AND is_referrer = 1 AND id > ?4
         ORDER BY id LIMIT ?5"
    ))?;
    referrers_page(statement.query(params![repository, subject, artifact_type, after, values::limit(limit)])?)
}

fn referrers_page(rows: Rows<'_>) -> rusqlite::Result<Vec<Referrer>> {
    page(rows, REFERRERS_BYTES, read_referrer, |referrer| referrer.annotations.len())
}

/// Manifests by digest.
pub(super) fn list(
    connection: &Connection,
    repository: RepositoryId,
    after: Option<&Digest>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredManifest>> {
    let mut statement =
        connection.prepare_cached(select!("WHERE repository = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3"))?;
    let after = after.map_or(&[][..], Digest::as_bytes);
    let rows = statement.query(params![repository, after, values::limit(limit)])?;
    page(rows, MANIFESTS_BYTES, read, |stored| stored.bytes.len())
}

/// What is of this kind about `subject`, by another name than its own field.
pub(super) fn no_referrers_of_kind(
    connection: &Connection,
    repository: RepositoryId,
    subject: &Digest,
    kind: Kind,
) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest FROM manifests WHERE repository = ?1 AND subject = ?2 AND kind = ?3 AND is_referrer = 0",
    )?;
    let rows = statement.query_map(params![repository, subject, kind], |row| row.get(0))?;
    rows.collect()
}

/// Digests about which evidence is stored, in their order.
pub(super) fn subjects_of_evidence(
    connection: &Connection,
    repository: RepositoryId,
    after: Option<&Digest>,
    limit: usize,
) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT subject FROM manifests
         WHERE repository = ?1 AND subject > ?2 AND kind NOT IN ('object', 'data', 'referrers-list')
         ORDER BY subject LIMIT ?3",
    )?;
    let after = after.map(Digest::as_bytes).unwrap_or_default();
    let rows = statement.query_map(params![repository, after, values::limit(limit)], |row| row.get(0))?;
    rows.collect()
}

/// In turns of those who pushed it, so that the junk of one pusher crowds out nobody else's evidence.
pub(super) fn evidence(
    connection: &Connection,
    repository: &RepositoryName,
    subject: &Digest,
    limit: usize,
) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest FROM manifests JOIN (
           SELECT id AS ranked, row_number() OVER (PARTITION BY verified, who ORDER BY id DESC) AS turn FROM manifests
           WHERE repository = (SELECT id FROM repositories WHERE name = ?1) AND subject = ?2
             AND kind NOT IN ('object', 'data', 'referrers-list')
         ) ON id = ranked
         ORDER BY verified DESC, turn, id DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![repository, subject, values::limit(limit)], |row| row.get(0))?;
    rows.collect()
}
