//! In which order an import makes things durable: no row names what a power cut would take away.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;

use super::import::{Folder, config};
use crate::clock::{ManualClock, Timestamp};
use crate::interruption::{Fault, Interruption};
use crate::metadata::{FILE, Failing, Metadata as _, Sqlite};
use crate::oci::{Digest, RepositoryName, media_type};
use crate::registry::{Error, Parts, Taken, import};
use crate::store::{self, Filesystem, Step, steps, unsynced};

/// Looks at what is durable before blobs are committed.
struct Watch {
    root: PathBuf,
    /// Of so many one.
    each: usize,
    commits: AtomicUsize,
    unsynced: Mutex<Vec<String>>,
}

#[async_trait]
impl Interruption for Watch {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        if call == "commit_blob" {
            let number = self.commits.fetch_add(1, Ordering::SeqCst);
            if number.is_multiple_of(self.each) {
                self.unsynced.lock().unwrap().extend(unsynced(&self.root));
            }
        }
        None
    }

    async fn after(&self, _: &'static str) {}
}

/// Lets the calls of one name fail.
struct Refuse(&'static str);

#[async_trait]
impl Interruption for Refuse {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        (call == self.0).then_some(Fault::Refused)
    }

    async fn after(&self, _: &'static str) {}
}

/// A root, a layout of many images beside it, and what an import works on.
struct Place {
    folder: TempDir,
    metadata: Arc<Failing<Sqlite>>,
    store: Arc<store::Failing<Filesystem>>,
    parts: Parts,
}

impl Place {
    /// With `images` images of one layer each, and the one configuration that they share.
    fn new(images: usize) -> Self {
        // In memory, where the machine has a folder for that: it syncs often.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let mut layout = Folder::at(folder.path().join("layout"));
        for number in 0..images {
            let image = layout.image(&format!("layer {number}"));
            layout.add(image, media_type::OCI_MANIFEST, Some(&format!("v{number}")));
        }
        layout.write();
        let root = folder.path().join("data");
        std::fs::create_dir(&root).unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_780_000_000_000_000)));
        let store = Arc::new(store::Failing::new(Filesystem::open(&root).unwrap()));
        let metadata = Arc::new(Failing::new(Sqlite::open_in_bulk(&root.join(FILE)).unwrap()));
        let (to, facts) = (Arc::<store::Failing<Filesystem>>::clone(&store), Arc::<Failing<Sqlite>>::clone(&metadata));
        let parts = Parts::over(to, facts, &config(&root), clock);
        Self { folder, metadata, store, parts }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("data")
    }

    fn objects(&self) -> PathBuf {
        self.root().join("_cas")
    }

    async fn imports(&self) -> Result<Taken, Error> {
        let name: RepositoryName = "a".parse().unwrap();
        import(&self.parts, &self.folder.path().join("layout"), Some(&name)).await
    }

    fn watched(&self, each: usize) -> Arc<Watch> {
        let (root, commits) = (self.root(), AtomicUsize::default());
        let watch = Arc::new(Watch { root, each, commits, unsynced: Mutex::default() });
        self.metadata.interruptions().set(Some(Arc::<Watch>::clone(&watch)));
        watch
    }
}

/// How many files lie below a folder.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test]
async fn no_blob_is_committed_before_its_bytes_and_its_name_would_survive_a_power_cut() {
    let place = Place::new(40);
    let watch = place.watched(1);
    let taken = place.imports().await.unwrap();
    assert_eq!((taken.blobs, taken.linked, taken.manifests), (41, 41, 40), "{taken:?}");
    assert_eq!(watch.commits.load(Ordering::SeqCst), 41);
    assert_eq!(*watch.unsynced.lock().unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_large_import_settles_by_the_thousand_and_syncs_each_blob_once() {
    let place = Place::new(1100);
    let watch = place.watched(64);
    let taken = place.imports().await.unwrap();
    assert_eq!((taken.linked, taken.manifests, taken.tags), (1101, 1100, 1100));
    assert_eq!(*watch.unsynced.lock().unwrap(), [""; 0]);
    let objects = place.objects();
    assert_eq!(steps(&objects, Step::BytesSynced), 1101);
    // Each shard once for each thousand; and once, when it is made, the folder that it lies in.
    let (names, shards) = (steps(&objects, Step::NamesSynced), steps(&objects, Step::Made));
    assert!(names <= 3 * shards, "{names} syncs of {shards} folders");
}

#[tokio::test]
async fn an_import_that_broke_off_before_it_settled_names_nothing_and_goes_on_when_it_is_done_again() {
    let place = Place::new(3);
    place.store.interruptions().set(Some(Arc::new(Refuse("settle"))));
    assert!(matches!(place.imports().await, Err(Error::Unavailable(_))));
    assert_eq!(place.metadata.totals().await.unwrap(), crate::metadata::Totals::default());
    // What was linked lies there until the scrub takes it for what nothing names.
    assert_eq!(files(&place.objects()), 4);
    place.store.interruptions().set(None);
    let taken = place.imports().await.unwrap();
    assert_eq!((taken.blobs, taken.manifests, taken.refused.len()), (4, 3, 0));
    let blob = place.metadata.blob(&"a".parse().unwrap(), &Digest::sha256(b"layer 1")).await.unwrap().unwrap();
    assert!(place.objects().join(blob.key).is_file());
}

#[tokio::test]
async fn an_import_that_broke_off_between_two_commits_goes_on_when_it_is_done_again() {
    let place = Place::new(3);
    place.metadata.interruptions().set(Some(Arc::new(Refuse("put_manifest"))));
    assert!(matches!(place.imports().await, Err(Error::Unavailable(_))));
    assert_eq!(place.metadata.totals().await.unwrap().blobs, 4);
    place.metadata.interruptions().set(None);
    let taken = place.imports().await.unwrap();
    assert_eq!((taken.blobs, taken.linked, taken.manifests), (0, 0, 3));
    assert_eq!(files(&place.objects()), 4);
}
