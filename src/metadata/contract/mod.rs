//! The contract, fact by fact, over every engine: a test gets the metadata that it asks from [`each`] or [`each_opened`],
//! and so can leave none out. What only one of them shows is in `files` and `failing`.

mod audit;
mod blobs;
mod conditions;
mod durability;
mod failing;
mod files;
mod garbage;
mod generations;
mod intents;
mod judgements;
mod manifests;
mod once_met;
mod quarantine;
mod scrub;
mod sweep;
mod tags;
mod uploads;
mod view;
mod waiting;
mod whole;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::{
    By, CommitBlob, Committed, DeleteTag, DirtyView, Failing, Kind, Metadata, Put, PutLink, PutManifest, Sqlite,
    TagDeleted,
};
use crate::clock::Timestamp;
use crate::gate::{Shape, Who};
use crate::oci::{Digest, LinkKind, Precondition, RepositoryName, Tag, media_type};

/// Opens what an engine has at a path, or makes it.
type Open = fn(&Path) -> Box<dyn Metadata>;

/// Every engine. `tests/floors.rs` looks for the names of all that there are.
const ENGINES: [(&str, Open); 2] = [
    ("Sqlite", |path| Box::new(Sqlite::open(path).unwrap())),
    ("Failing", |path| Box::new(Failing::new(Sqlite::open(path).unwrap()))),
];

/// Says at the end of a fact that does not hold over which engine.
struct Over(&'static str);

impl Drop for Over {
    #[expect(clippy::print_stderr, reason = "a panic says where, and not over which engine")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("over {}", self.0);
        }
    }
}

/// Holds `fact` against an empty database of each engine.
async fn each(fact: impl AsyncFn(&dyn Metadata)) {
    each_opened(async |open| fact(&*open()).await).await;
}

/// Holds `fact` against each engine, of which it opens the same database as often as it likes.
async fn each_opened(fact: impl AsyncFn(&dyn Fn() -> Box<dyn Metadata>)) {
    for (name, open) in ENGINES {
        let _over = Over(name);
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("metadata");
        fact(&|| open(&path)).await;
    }
}

/// A moment, some seconds after the beginning.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(0).plus(Duration::from_secs(seconds))
}

/// When blobs here expire that nothing holds.
const LEASE: u64 = 1000;

/// When evidence here expires whose subject never comes.
const ORPHAN_LEASE: u64 = 5000;

fn repo(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn who(name: &str) -> Who {
    Who::user(name).unwrap()
}

/// Someone who deletes, some seconds after the beginning.
fn by(seconds: u64) -> By {
    By { who: who("ci"), at: at(seconds) }
}

/// The deletion of a tag of the repository `r`.
fn deletion(name: &str) -> DeleteTag {
    DeleteTag { repository: repo("r"), tag: tag(name), precondition: Precondition::default(), by: by(0) }
}

/// The digest of what is called `name` here.
fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

/// The blob `name` in the repository `r`, sealed under the key `key/<name>`, by `ci`.
fn blob(name: &str) -> CommitBlob {
    CommitBlob {
        repository: repo("r"),
        digest: digest(name),
        size: 10,
        key: format!("key/{name}"),
        sealed: true,
        lost: None,
        who: who("ci"),
        upload: None,
        lease: at(LEASE),
        unheld_cap: None,
        at: at(0),
    }
}

async fn store_blob(m: &dyn Metadata, name: &str) {
    assert_eq!(m.commit_blob(blob(name)).await.unwrap(), Committed::Stored);
}

/// The manifest `name` in the repository `r`: an object that holds nothing, by `ci`.
fn object(name: &str) -> PutManifest {
    let bytes = Bytes::copy_from_slice(name.as_bytes());
    PutManifest { tag_history: 20, orphan_lease: at(ORPHAN_LEASE), ..bare(repo("r"), bytes, at(0)) }
}

/// A manifest of these bytes with nothing in it, for what is not parsed: an object by `ci`.
pub(crate) fn bare(repository: RepositoryName, bytes: Bytes, at: Timestamp) -> PutManifest {
    PutManifest {
        repository,
        digest: Digest::sha256(&bytes),
        bytes,
        media_type: media_type::OCI_MANIFEST.to_owned(),
        artifact_type: None,
        annotations: BTreeMap::new(),
        kind: Kind::Object,
        subject: None,
        is_referrer: false,
        links: Vec::new(),
        tags: Vec::new(),
        only_if: None,
        tag_history: 1,
        evidence_cap: None,
        orphan_lease: at,
        who: who("ci"),
        at,
    }
}

/// An object that holds these through `manifests`, present or not.
fn index(name: &str, children: &[&str]) -> PutManifest {
    let links = children.iter().map(|child| link(LinkKind::Manifest, child, false)).collect();
    PutManifest { links, ..object(name) }
}

/// An object that holds these layers, which must be present.
fn image(name: &str, layers: &[&str]) -> PutManifest {
    let links = layers.iter().map(|layer| link(LinkKind::Layer, layer, true)).collect();
    PutManifest { links, ..object(name) }
}

/// A bundle about `subject`, as a referrer.
fn bundle(name: &str, subject: &str) -> PutManifest {
    let kind = Kind::Evidence(Shape::SigstoreBundle);
    PutManifest { kind, subject: Some(digest(subject)), is_referrer: true, ..object(name) }
}

/// Data about `subject`, as a referrer.
fn data(name: &str, subject: &str) -> PutManifest {
    PutManifest { kind: Kind::Data, ..bundle(name, subject) }
}

/// An object under a tag.
fn tagged(name: &str, tags: &[&str]) -> PutManifest {
    PutManifest { tags: tags.iter().map(|name| tag(name)).collect(), ..object(name) }
}

fn link(kind: LinkKind, name: &str, required: bool) -> PutLink {
    PutLink { kind, digest: digest(name), required }
}

/// The view that waits longest.
async fn first_dirty(m: &dyn Metadata) -> Option<DirtyView> {
    let repository = m.dirty_views().await.unwrap().into_iter().next()?;
    m.dirty_view(&repository).await.unwrap()
}

async fn store(m: &dyn Metadata, manifest: PutManifest) {
    assert_eq!(m.put_manifest(manifest).await.unwrap(), Put::Stored { existed: false });
}

async fn delete(m: &dyn Metadata, name: &str) {
    assert!(m.delete_manifest(&repo("r"), &digest(name), &by(0)).await.unwrap());
}

/// Names of what the digests are of, in order.
fn digests(names: &[&str]) -> Vec<Digest> {
    names.iter().map(|name| digest(name)).collect()
}
