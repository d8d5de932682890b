//! What the metadata says, read beside the program in one snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hallmark::oci::Digest;
use rusqlite::{Connection, OpenFlags};

/// Truth.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) manifests: BTreeMap<String, BTreeSet<Digest>>,
    pub(crate) blobs: BTreeMap<String, BTreeSet<Digest>>,
    tags: BTreeMap<(String, String), Vec<Digest>>,
    /// Entries that `index.json` must have.
    pub(crate) entries: BTreeMap<String, BTreeSet<(Digest, Option<String>)>>,
    /// Size and digest by key.
    pub(crate) contents: BTreeMap<String, (u64, Digest)>,
    pub(crate) trash: BTreeSet<String>,
    pub(crate) uploads: BTreeSet<String>,
    pub(crate) intents: BTreeSet<String>,
    /// What contradicts itself.
    pub(crate) contradictions: Vec<String>,
}

/// What must find nothing.
const CONTRADICTIONS: &[(&str, &str)] = &[
    ("a blob without content", "SELECT hex(digest) FROM blobs b WHERE digest NOT IN (SELECT digest FROM contents)"),
    ("content without a blob", "SELECT hex(digest) FROM contents WHERE digest NOT IN (SELECT digest FROM blobs)"),
    ("a live key in the trash", "SELECT key FROM contents WHERE key IN (SELECT key FROM trash)"),
    ("a link without a manifest", "SELECT hex(child) FROM links WHERE parent NOT IN (SELECT id FROM manifests)"),
    (
        "a manifest without its content",
        "SELECT hex(child) FROM links l WHERE via IN (1, 2)
         AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.repository = l.repository AND b.digest = l.child)",
    ),
    (
        "a held blob with a lease, or the reverse",
        "SELECT hex(digest) FROM blobs b WHERE (lease IS NULL) <> EXISTS
         (SELECT 1 FROM links l WHERE l.repository = b.repository AND l.child = b.digest)",
    ),
    (
        "a push of a manifest that is not there",
        "SELECT hex(digest) FROM pushes p WHERE NOT EXISTS
         (SELECT 1 FROM manifests m WHERE m.repository = p.repository AND m.digest = p.digest)",
    ),
    (
        "a tag whose newest push is another",
        "SELECT name FROM tags t WHERE newest IS NOT (SELECT max(sequence) FROM pushes p
         WHERE p.repository = t.repository AND p.tag = t.name)",
    ),
    (
        "a count that is wrong",
        "SELECT name || value FROM counters c WHERE value <> CASE name
           WHEN 'repositories' THEN (SELECT count(*) FROM repositories)
           WHEN 'manifests' THEN (SELECT count(*) FROM manifests)
           WHEN 'tags' THEN (SELECT count(*) FROM tags)
           WHEN 'blobs' THEN (SELECT count(*) FROM contents)
           WHEN 'blob_bytes' THEN (SELECT coalesce(sum(size), 0) FROM contents)
           WHEN 'uploads' THEN (SELECT count(*) FROM uploads)
           ELSE value END",
    ),
];

impl Facts {
    pub(crate) fn read(root: &Path) -> Self {
        let connection = Connection::open_with_flags(
            root.join("_metadata.sqlite"),
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        connection.execute_batch("BEGIN").unwrap();
        let mut facts = Self::default();
        let sql = "SELECT r.name, m.digest FROM manifests m JOIN repositories r ON r.id = m.repository";
        for (repository, digest) in named(&connection, sql) {
            facts.manifests.entry(repository).or_default().insert(digest);
        }
        let sql = "SELECT r.name, b.digest FROM blobs b JOIN repositories r ON r.id = b.repository";
        for (repository, digest) in named(&connection, sql) {
            facts.blobs.entry(repository).or_default().insert(digest);
        }
        facts.read_tags(&connection);
        facts.read_untagged(&connection);
        facts.read_keys(&connection);
        for (what, sql) in CONTRADICTIONS {
            facts.contradictions.extend(texts(&connection, sql).into_iter().map(|found| format!("{what}: {found}")));
        }
        facts
    }

    fn read_tags(&mut self, connection: &Connection) {
        let mut statement = connection
            .prepare(
                "SELECT r.name, p.tag, p.digest FROM pushes p JOIN repositories r ON r.id = p.repository
                 ORDER BY r.name, p.tag, p.sequence DESC",
            )
            .unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let name: (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            self.tags.entry(name).or_default().push(digest(row, 2));
        }
        for ((repository, tag), pushes) in &self.tags {
            let entries = self.entries.entry(repository.clone()).or_default();
            entries.insert((pushes[0], Some(tag.clone())));
        }
    }

    fn read_untagged(&mut self, connection: &Connection) {
        let sql = "SELECT r.name, m.digest FROM manifests m JOIN repositories r ON r.id = m.repository
                   WHERE NOT EXISTS (SELECT 1 FROM links l
                     WHERE l.repository = m.repository AND l.child = m.digest AND l.via = 0)";
        for (repository, digest) in named(connection, sql) {
            let entries = self.entries.entry(repository).or_default();
            if !entries.iter().any(|(tagged, _)| *tagged == digest) {
                entries.insert((digest, None));
            }
        }
    }

    fn read_keys(&mut self, connection: &Connection) {
        let mut statement = connection.prepare("SELECT key, size, digest FROM contents").unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let size = u64::try_from(row.get::<_, i64>(1).unwrap()).unwrap();
            self.contents.insert(row.get(0).unwrap(), (size, digest(row, 2)));
        }
        self.trash = texts(connection, "SELECT key FROM trash WHERE removed IS NULL").into_iter().collect();
        self.intents = texts(connection, "SELECT key FROM intents").into_iter().collect();
        let uploads = texts(connection, "SELECT hex(id) FROM uploads");
        self.uploads = uploads.iter().map(|id| uuid::Uuid::parse_str(id).unwrap().to_string()).collect();
    }

    pub(crate) fn has_manifest(&self, repository: &str, digest: &Digest) -> bool {
        self.manifests.get(repository).is_some_and(|manifests| manifests.contains(digest))
    }

    pub(crate) fn has_blob(&self, repository: &str, digest: &Digest) -> bool {
        self.blobs.get(repository).is_some_and(|blobs| blobs.contains(digest))
    }

    /// The pushes of a tag, newest first.
    pub(crate) fn pushes(&self, repository: &str, tag: &str) -> Vec<Digest> {
        self.tags.get(&(repository.to_owned(), tag.to_owned())).cloned().unwrap_or_default()
    }
}

fn digest(row: &rusqlite::Row<'_>, column: usize) -> Digest {
    Digest::from_bytes(row.get_ref(column).unwrap().as_blob().unwrap()).unwrap()
}

fn named(connection: &Connection, sql: &str) -> Vec<(String, Digest)> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, digest(row, 1)))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
