//! A tree of layouts becomes repositories, while nothing is served, and is served then.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value as Column;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{REQUIREMENTS, files, image, index, key, load};
use crate::authz::Pull;
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::config::{Config, Flags};
use crate::metadata::FILE;
use crate::oci::{Digest, RepositoryName, media_type};
use crate::registry::{Allowed, Error, Parts, Registry, Taken, import};

const POLICY: &str = "\
p, anonymous, **, push, unverified, allow
p, anonymous, **, pull, unverified, allow
p, user:deploy, **, pull, signed-release, allow
";

/// A layout that is written by hand.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    entries: Vec<Value>,
}

impl Folder {
    pub(super) fn at(path: PathBuf) -> Self {
        fs::create_dir_all(path.join("blobs/sha256")).unwrap();
        fs::create_dir_all(path.join("blobs/sha512")).unwrap();
        let folder = Self { path, entries: Vec::new() };
        folder.file("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#);
        folder
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        use std::io::Write as _;
        fs::File::create(self.path.join(name)).unwrap().write_all(bytes).unwrap();
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    pub(super) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.file(&format!("blobs/sha256/{}", digest.hex()), bytes);
        digest
    }

    fn json(&self, document: &Value) -> Digest {
        self.blob(&serde_json::to_vec(document).unwrap())
    }

    pub(super) fn image(&self, content: &str) -> Digest {
        self.json(&image(self.blob(b"{}"), self.blob(content.as_bytes())))
    }

    pub(super) fn name(&mut self, digest: Digest, kind: &str, name: Option<&str>) {
        self.add(digest, kind, name);
        self.write();
    }

    /// Adds an entry to `index.json`, which is not written yet.
    pub(super) fn add(&mut self, digest: Digest, kind: &str, name: Option<&str>) {
        let mut entry = json!({"mediaType": kind, "digest": digest, "size": 1});
        if let Some(name) = name {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        self.entries.push(entry);
    }

    /// Writes `index.json`.
    pub(super) fn write(&self) {
        self.file("index.json", &serde_json::to_vec(&json!({"schemaVersion": 2, "manifests": self.entries})).unwrap());
    }

    pub(super) fn tagged(&mut self, content: &str, name: &str) -> Digest {
        let image = self.image(content);
        self.name(image, media_type::OCI_MANIFEST, Some(name));
        image
    }
}

/// A root, a folder beside it, and a clock.
pub(super) struct Place {
    pub(super) folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Place {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_780_000_000_000_000)));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::<ManualClock>::clone(&self.clock)
    }

    pub(super) fn config(&self) -> Config {
        config(&self.path("data"))
    }

    fn parts(&self) -> Parts {
        Parts::offline(&self.config(), self.clock(), "import").unwrap()
    }

    pub(super) async fn imports(&self, folder: &str, into: Option<&str>) -> Result<Taken, Error> {
        let into: Option<RepositoryName> = into.map(|name| name.parse().unwrap());
        import(&self.parts(), &self.path(folder), into.as_ref()).await
    }

    /// A registry over the root, as `serve` makes one.
    pub(super) async fn serves(&self) -> Arc<Registry> {
        serve(self.parts()).await
    }
}

pub(super) fn config(root: &Path) -> Config {
    let none = root.join("none.toml");
    fs::create_dir_all(root).unwrap();
    fs::File::create(&none).unwrap();
    let config = Config::load(Some(&none), &Flags { root: Some(root.to_owned()), ..Flags::default() }).unwrap();
    fs::remove_file(none).unwrap();
    config
}

pub(super) async fn serve(parts: Parts) -> Arc<Registry> {
    let keys = super::Keys { release: key(), second: key(), stranger: key() };
    Registry::open(parts, load(files(&keys, &["release", "second"], POLICY, REQUIREMENTS)).await).await.unwrap()
}

pub(super) fn pulls(registry: &Arc<Registry>, repository: &str) -> Allowed<Pull> {
    registry.allow_pull(&crate::gate::Who::Anonymous, &repository.parse().unwrap()).unwrap()
}

pub(super) async fn pulled(registry: &Arc<Registry>, repository: &str, reference: &str) -> Result<Digest, Error> {
    let allowed = pulls(registry, repository);
    Ok(registry.manifest(&allowed, &reference.parse().unwrap()).await?.digest)
}

pub(super) fn refusals(taken: &Taken) -> Vec<String> {
    taken.refused.iter().map(|it| format!("{}: {}", it.what, it.why)).collect()
}

#[tokio::test]
async fn a_tree_of_layouts_becomes_repositories() {
    let place = Place::new();
    let one = Folder::at(place.path("zot/a")).tagged("one", "v1");
    let two = Folder::at(place.path("zot/b/c")).tagged("two", "v2");
    let taken = place.imports("zot", None).await.unwrap();
    assert_eq!(refusals(&taken), [""; 0]);
    assert_eq!((taken.repositories, taken.manifests, taken.tags, taken.unheld), (2, 2, 2, 0));
    let registry = place.serves().await;
    assert_eq!(pulled(&registry, "a", "v1").await.unwrap(), one);
    assert_eq!(pulled(&registry, "b/c", "v2").await.unwrap(), two);
    let layer = registry.blob(&pulls(&registry, "a"), &Digest::sha256(b"one")).await.unwrap();
    assert_eq!(layer.object.read(0, 10).await.unwrap(), "one");
}

#[tokio::test]
async fn one_layout_becomes_the_repository_that_is_named() {
    let place = Place::new();
    let digest = Folder::at(place.path("oci")).tagged("one", "v1");
    let taken = place.imports("oci", None).await.unwrap();
    assert!(refusals(&taken)[0].contains("expected --into"), "{taken:?}");
    place.imports("oci", Some("prod/app")).await.unwrap();
    assert_eq!(pulled(&place.serves().await, "prod/app", "v1").await.unwrap(), digest);
}

#[tokio::test]
async fn blobs_are_linked_and_not_copied() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    folder.tagged("one", "v1");
    let taken = place.imports("zot", None).await.unwrap();
    assert_eq!((taken.blobs, taken.linked, taken.copied), (2, 2, 0));
    let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
    let layer = Digest::sha256(b"one");
    let ours = place.path("data/a/blobs/sha256").join(layer.hex());
    assert_eq!(inode(ours), inode(folder.blob_path(&layer)));
}

#[tokio::test]
async fn importing_twice_is_importing_once() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    let child = folder.image("one");
    let parent = folder.json(&index(&[child]));
    folder.name(parent, media_type::OCI_INDEX, Some("v1"));
    place.imports("zot", None).await.unwrap();
    let before = dump(&place.path("data").join(FILE));
    let again = place.imports("zot", None).await.unwrap();
    assert_eq!(again, Taken { repositories: 1, ..Taken::default() });
    let mut after = dump(&place.path("data").join(FILE));
    after.insert("counters", before["counters"].clone());
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_tag_that_moved_on_since_is_not_taken_back() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    let old = folder.tagged("old", "v1");
    place.imports("zot", None).await.unwrap();
    let mut newer = Folder::at(place.path("newer/a"));
    let new = newer.tagged("new", "v1");
    assert_ne!(old, new);
    place.imports("newer", None).await.unwrap();
    let taken = place.imports("zot", None).await.unwrap();
    assert!(refusals(&taken)[0].contains("found a newer push"), "{taken:?}");
    assert_eq!(pulled(&place.serves().await, "a", "v1").await.unwrap(), new);
}

#[tokio::test]
async fn a_blob_that_does_not_hash_to_its_name_is_told_and_the_rest_goes_on() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    let bad = folder.tagged("rotten", "bad");
    let good = folder.tagged("sound", "good");
    folder.file(&format!("blobs/sha256/{}", Digest::sha256(b"rotten").hex()), b"ROTTEN");
    let taken = place.imports("zot", None).await.unwrap();
    let told = refusals(&taken);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains(&Digest::sha256(b"rotten").to_string()) && told[0].contains("hash to its name"));
    assert!(told[1].starts_with(&format!("a:bad@{bad}")), "{told:?}");
    let registry = place.serves().await;
    assert_eq!(pulled(&registry, "a", "good").await.unwrap(), good);
    assert!(matches!(pulled(&registry, "a", "bad").await, Err(Error::ManifestUnknown(_))));
    assert_eq!(objects(&place.path("data")), 2, "the config and the sound layer");
}

#[tokio::test]
async fn a_manifest_that_does_not_parse_is_told_and_an_index_without_it_is_sparse() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    let bad = folder.blob(b"{\"schemaVersion\": 2");
    let parent = folder.json(&index(&[bad, Digest::sha256(b"absent")]));
    folder.name(parent, media_type::OCI_INDEX, Some("v1"));
    let taken = place.imports("zot", None).await.unwrap();
    let told = refusals(&taken);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(&format!("a@{bad}")), "{told:?}");
    assert_eq!(pulled(&place.serves().await, "a", "v1").await.unwrap(), parent);
}

#[tokio::test]
async fn a_manifest_without_its_layer_is_told() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    folder.tagged("one", "v1");
    fs::remove_file(folder.blob_path(&Digest::sha256(b"one"))).unwrap();
    let taken = place.imports("zot", None).await.unwrap();
    assert_eq!((taken.manifests, taken.refused.len()), (0, 1));
    assert!(refusals(&taken)[0].contains(&format!("found no {}", Digest::sha256(b"one"))), "{taken:?}");
}

#[tokio::test]
async fn what_index_json_names_and_is_not_there_is_told() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    folder.name(Digest::sha256(b"absent"), media_type::OCI_MANIFEST, Some("v1"));
    let taken = place.imports("zot", None).await.unwrap();
    assert!(refusals(&taken)[0].contains("found none"), "{taken:?}");
}

#[tokio::test]
async fn blobs_that_nothing_holds_are_left_out_and_counted() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    folder.tagged("one", "v1");
    folder.blob(b"of nobody");
    let taken = place.imports("zot", None).await.unwrap();
    assert_eq!((taken.unheld, taken.blobs), (1, 2));
    assert_eq!(objects(&place.path("data")), 2);
}

#[tokio::test]
async fn a_link_that_leads_out_of_the_layout_is_refused() {
    let place = Place::new();
    let mut folder = Folder::at(place.path("zot/a"));
    folder.tagged("secret", "v1");
    let blob = folder.blob_path(&Digest::sha256(b"secret"));
    fs::remove_file(&blob).unwrap();
    fs::File::create(place.path("outside")).unwrap();
    symlink(place.path("outside"), &blob).unwrap();
    let taken = place.imports("zot", None).await.unwrap();
    assert!(refusals(&taken)[0].contains("a link that leads out of the layout"), "{taken:?}");
    assert_eq!(taken.manifests, 0);
}

#[tokio::test]
async fn what_cannot_be_a_repository_or_a_tag_is_told_by_name() {
    let place = Place::new();
    Folder::at(place.path("zot/Upper")).tagged("one", "v1");
    let mut folder = Folder::at(place.path("zot/a"));
    folder.tagged("two", "docker.io/library/two:v1");
    let ambiguous = ["three", "four"].map(|content| folder.tagged(content, "same"));
    let taken = place.imports("zot", None).await.unwrap();
    let told = refusals(&taken).join("\n");
    for word in ["Upper", "docker.io/library/two:v1", "a:same: expected one manifest of that name, found 2"] {
        assert!(told.contains(word), "{told}");
    }
    assert_eq!((taken.manifests, taken.tags), (3, 0));
    assert_eq!(pulled(&place.serves().await, "a", &ambiguous[0].to_string()).await.unwrap(), ambiguous[0]);
}

#[tokio::test]
async fn a_root_that_is_served_is_not_imported_into() {
    let place = Place::new();
    Folder::at(place.path("zot/a")).tagged("one", "v1");
    let _served = place.serves().await;
    let refused = Parts::offline(&place.config(), place.clock(), "import").err().unwrap().to_string();
    assert!(refused.contains("found its lock taken by `hallmark import` (process "), "{refused}");
}

#[test]
fn who_owns_a_root_offline_says_by_which_command() {
    let place = Place::new();
    for command in ["import", "promote"] {
        let owned = Parts::offline(&place.config(), place.clock(), command).unwrap();
        let refused = Parts::offline(&place.config(), place.clock(), "import").err().unwrap().to_string();
        assert!(refused.contains(&format!("found its lock taken by `hallmark {command}` (process ")), "{refused}");
        drop(owned);
    }
}

#[tokio::test]
async fn a_folder_without_layouts_is_refused() {
    let place = Place::new();
    fs::create_dir_all(place.path("zot/a")).unwrap();
    let refused = place.imports("zot", None).await.unwrap_err().to_string();
    assert!(refused.contains("found none"), "{refused}");
}

/// How many objects lie in the store.
fn objects(root: &Path) -> usize {
    let mut count = 0;
    for shard in fs::read_dir(root.join("_cas/sha256")).unwrap() {
        count += fs::read_dir(shard.unwrap().path()).unwrap().count();
    }
    count
}

/// Every row of every table.
fn dump(database: &Path) -> BTreeMap<&'static str, Vec<Vec<Column>>> {
    let tables =
        ["counters", "repositories", "contents", "trash", "blobs", "uploaders", "manifests", "links", "tags", "pushes"];
    tables.into_iter().map(|table| (table, rows(database, &format!("SELECT * FROM {table}")))).collect()
}

pub(super) fn rows(database: &Path, sql: &str) -> Vec<Vec<Column>> {
    let connection = Connection::open(database).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

/// A place whose store holds a secret of one repository, and a tree that names it in another, with `bytes` under its name.
async fn with_secret(bytes: Option<&[u8]>) -> (Place, Digest) {
    let place = Place::new();
    Folder::at(place.path("ours/secret/a")).tagged("the secret", "v1");
    place.imports("ours", None).await.unwrap();
    let secret = Digest::sha256(b"the secret");
    let mut folder = Folder::at(place.path("theirs"));
    folder.tagged("the secret", "v1");
    fs::remove_file(folder.blob_path(&secret)).unwrap();
    if let Some(bytes) = bytes {
        folder.file(&format!("blobs/sha256/{}", secret.hex()), bytes);
    }
    (place, secret)
}

#[tokio::test]
async fn a_layout_that_merely_names_the_blob_of_another_repository_is_not_given_it() {
    for bytes in [Some(&b"THE SECRET"[..]), Some(b""), None] {
        let (place, secret) = with_secret(bytes).await;
        let taken = place.imports("theirs", Some("open/b")).await.unwrap();
        let told = refusals(&taken).join("\n");
        assert_eq!(told.contains(&format!("open/b@{secret}: ")) && told.contains("hash to its name"), bytes.is_some());
        assert!(told.contains(&format!("found no {secret}")) && taken.manifests == 0, "{told}");
        let registry = place.serves().await;
        assert!(matches!(registry.blob(&pulls(&registry, "open/b"), &secret).await, Err(Error::BlobUnknown(_))));
        let ours = registry.blob(&pulls(&registry, "secret/a"), &secret).await.unwrap();
        assert_eq!(ours.object.read(0, 10).await.unwrap(), "the secret");
    }
}

#[tokio::test]
async fn a_layout_that_has_the_blob_of_another_repository_shares_its_object() {
    let (place, secret) = with_secret(Some(b"the secret")).await;
    let taken = place.imports("theirs", Some("open/b")).await.unwrap();
    assert_eq!((refusals(&taken).len(), taken.manifests, taken.linked, objects(&place.path("data"))), (0, 1, 0, 2));
    let registry = place.serves().await;
    registry.blob(&pulls(&registry, "open/b"), &secret).await.unwrap();
}

/// The object of a blob.
fn object(root: &Path, blob: &Digest) -> PathBuf {
    let shard = root.join("_cas/sha256").join(blob.hex().get(..2).unwrap());
    let of = |path: &PathBuf| path.file_stem().unwrap().to_str() == Some(&blob.hex());
    fs::read_dir(shard).unwrap().map(|entry| entry.unwrap().path()).find(of).unwrap()
}

#[tokio::test]
async fn an_object_that_is_lost_or_cut_short_is_brought_back_by_a_layout_that_has_its_bytes() {
    for (cut, into) in [(false, "open/b"), (true, "open/b"), (false, "secret/a"), (true, "secret/a")] {
        let (place, secret) = with_secret(Some(b"the secret")).await;
        let lost = object(&place.path("data"), &secret);
        fs::remove_file(&lost).unwrap();
        if cut {
            fs::File::create(&lost).unwrap().set_len(3).unwrap();
        }
        let taken = place.imports("theirs", Some(into)).await.unwrap();
        assert_eq!((refusals(&taken).len(), taken.linked), (0, 1), "{cut} {into}: {taken:?}");
        let registry = place.serves().await;
        for repository in ["secret/a", into] {
            let blob = registry.blob(&pulls(&registry, repository), &secret).await.unwrap();
            assert_eq!(blob.object.read(0, 20).await.unwrap(), "the secret", "{cut} {repository}");
        }
    }
}

#[tokio::test]
async fn an_object_that_is_lost_is_not_brought_back_by_other_bytes() {
    let (place, secret) = with_secret(Some(b"THE SECRET")).await;
    fs::remove_file(object(&place.path("data"), &secret)).unwrap();
    let taken = place.imports("theirs", Some("open/b")).await.unwrap();
    assert!(refusals(&taken)[0].contains("hash to its name"), "{taken:?}");
    assert_eq!(taken.manifests, 0);
}

#[tokio::test]
async fn a_layout_that_can_not_be_written_is_told_and_everything_is_taken_in() {
    let place = Place::new();
    let one = Folder::at(place.path("zot/a")).tagged("one", "v1");
    Folder::at(place.path("zot/b")).tagged("two", "v1");
    drop(place.parts());
    fs::File::create(place.path("data/a")).unwrap();
    let taken = place.imports("zot", None).await.unwrap();
    let told = refusals(&taken);
    assert!(told.len() == 1 && told[0].starts_with("a: expected to write its layout, "), "{told:?}");
    assert_eq!((taken.manifests, taken.tags), (2, 2));
    assert!(place.path("data/b/index.json").exists());
    assert!(!place.path("data").join(format!("{FILE}-wal")).exists(), "it was closed");
    assert_eq!(pulled(&place.serves().await, "a", "v1").await.unwrap(), one);
}
