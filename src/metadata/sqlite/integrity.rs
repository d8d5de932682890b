//! What must hold between the tables after each transaction, asked in one look. For tests.

use rusqlite::Connection;

use super::Sqlite;
use crate::metadata::Unavailable;
use crate::oci::{Digest, RepositoryName};

/// Each with a query that finds nothing while it holds.
const FACTS: &[(&str, &str)] = &[
    (
        "a lease is null exactly while a manifest of the repository holds the blob",
        "SELECT 1 FROM blobs b WHERE (b.lease IS NULL) <> EXISTS (
           SELECT 1 FROM links l WHERE l.repository = b.repository AND l.child = b.digest)",
    ),
    (
        "each blob has its content",
        "SELECT 1 FROM blobs b WHERE NOT EXISTS (SELECT 1 FROM contents c WHERE c.digest = b.digest)",
    ),
    (
        "each content is a blob somewhere",
        "SELECT 1 FROM contents c WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = c.digest)",
    ),
    ("no live key is in the trash", "SELECT 1 FROM contents c JOIN trash t ON t.key = c.key"),
    (
        "what is quarantined is live, under the key that was noted",
        "SELECT 1 FROM quarantine q WHERE q.repository = 0 AND NOT EXISTS (
           SELECT 1 FROM contents c WHERE c.digest = q.digest AND c.key = q.key)",
    ),
    (
        "each link has its manifest, in its repository",
        "SELECT 1 FROM links l WHERE NOT EXISTS (
           SELECT 1 FROM manifests m WHERE m.id = l.parent AND m.repository = l.repository)",
    ),
    (
        "each push names a manifest that is there",
        "SELECT 1 FROM pushes p WHERE NOT EXISTS (
           SELECT 1 FROM manifests m WHERE m.repository = p.repository AND m.digest = p.digest)",
    ),
    (
        "each tag's newest push is the newest that is there",
        "SELECT 1 FROM tags t WHERE t.newest IS NOT (
           SELECT max(p.sequence) FROM pushes p WHERE p.repository = t.repository AND p.tag = t.name)",
    ),
    (
        "each push has its tag",
        "SELECT 1 FROM pushes p WHERE NOT EXISTS (
           SELECT 1 FROM tags t WHERE t.repository = p.repository AND t.name = p.tag)",
    ),
    (
        "uploaders are of blobs that are there",
        "SELECT 1 FROM uploaders u WHERE NOT EXISTS (
           SELECT 1 FROM blobs b WHERE b.repository = u.repository AND b.digest = u.digest)",
    ),
    (
        "what was met is of manifests that are there",
        "SELECT 1 FROM met e WHERE NOT EXISTS (
           SELECT 1 FROM manifests m WHERE m.repository = e.repository AND m.digest = e.digest)",
    ),
    (
        "a tag is listed under what each of its pushes met, or what that is about, at any remove",
        "WITH RECURSIVE judged (repository, tag, digest) AS (
           SELECT repository, tag, digest FROM pushes
           UNION SELECT j.repository, j.tag, m.subject FROM judged j
             JOIN manifests m ON m.repository = j.repository AND m.digest = j.digest
             WHERE m.kind <> 'object' AND m.subject IS NOT NULL)
         SELECT 1 FROM judged j JOIN met e ON e.repository = j.repository AND e.digest = j.digest
         WHERE NOT EXISTS (SELECT 1 FROM met_tags l
           WHERE l.repository = j.repository AND l.name = j.tag AND l.requirement = e.requirement)",
    ),
    (
        "tags are listed that are there",
        "SELECT 1 FROM met_tags l WHERE NOT EXISTS (
           SELECT 1 FROM tags t WHERE t.repository = l.repository AND t.name = l.name)",
    ),
    (
        "a push waits since it was made, while it is of an object that never met anything",
        "SELECT 1 FROM tags t JOIN pushes p
           ON p.repository = t.repository AND p.tag = t.name AND p.sequence = t.newest
         JOIN manifests m ON m.repository = p.repository AND m.digest = p.digest
         WHERE t.waits IS NOT CASE WHEN m.kind = 'object' AND NOT EXISTS (
           SELECT 1 FROM met e WHERE e.repository = p.repository AND e.digest = p.digest) THEN p.at END",
    ),
    (
        "evidence expires exactly while its subject never came",
        "SELECT 1 FROM manifests e JOIN manifests s ON s.repository = e.repository AND s.digest = e.subject
         WHERE e.orphan_lease IS NOT NULL",
    ),
    (
        "the counters count",
        "SELECT 1 FROM counters WHERE value <> CASE name
           WHEN 'repositories' THEN (SELECT count(*) FROM repositories)
           WHEN 'manifests' THEN (SELECT count(*) FROM manifests)
           WHEN 'tags' THEN (SELECT count(*) FROM tags)
           WHEN 'blobs' THEN (SELECT count(*) FROM contents)
           WHEN 'blob_bytes' THEN (SELECT coalesce(sum(size), 0) FROM contents)
           WHEN 'uploads' THEN (SELECT count(*) FROM uploads)
           ELSE value END",
    ),
    (
        "numbers of the audit trail have no gaps",
        "SELECT 1 FROM (SELECT max(id) - min(id) + 1 AS span, count(*) AS entries FROM audit) WHERE span <> entries",
    ),
];

/// The keys of the store that the metadata names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Of content that is live.
    pub(crate) live: Vec<String>,
    /// Of content whose bytes are to be removed.
    pub(crate) trash: Vec<String>,
    /// Those of live content that is quarantined.
    pub(crate) quarantined: Vec<String>,
}

impl Sqlite {
    /// The facts that do not hold.
    pub(crate) fn broken(&self) -> Result<Vec<&'static str>, Unavailable> {
        self.readers.snapshot(|connection| {
            let mut broken = Vec::new();
            for (fact, counterexample) in FACTS {
                if connection.prepare_cached(counterexample)?.exists([])? {
                    broken.push(*fact);
                }
            }
            Ok(broken)
        })
    }

    /// Every manifest of every repository.
    pub(crate) fn all_manifests(&self) -> Result<Vec<(RepositoryName, Digest)>, Unavailable> {
        self.everywhere("SELECT r.name, m.digest FROM manifests m JOIN repositories r ON r.id = m.repository")
    }

    /// Every blob of every repository.
    pub(crate) fn all_blobs(&self) -> Result<Vec<(RepositoryName, Digest)>, Unavailable> {
        self.everywhere("SELECT r.name, b.digest FROM blobs b JOIN repositories r ON r.id = b.repository")
    }

    fn everywhere(&self, sql: &str) -> Result<Vec<(RepositoryName, Digest)>, Unavailable> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// Every key, in order.
    pub(crate) fn keys(&self) -> Result<Keys, Unavailable> {
        self.readers.snapshot(|connection| {
            Ok(Keys {
                live: column(connection, "SELECT key FROM contents ORDER BY key")?,
                trash: column(connection, "SELECT key FROM trash WHERE removed IS NULL ORDER BY key")?,
                quarantined: column(
                    connection,
                    "SELECT c.key FROM contents c JOIN quarantine q ON q.repository = 0 AND q.digest = c.digest
                     ORDER BY c.key",
                )?,
            })
        })
    }
}

fn column(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect()
}
