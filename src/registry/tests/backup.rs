//! Backups beside a registry that goes on: each opens, and all that it names is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::rebuild::{Ruin, facts, furnished};
use super::{House, repository, tag};
use crate::metadata::{FILE, Metadata as _, Sqlite};
use crate::oci::{Digest, Manifest, Precondition};
use crate::registry::backup::Gathering;
use crate::registry::{BackedUp, Error, backup, view};
use crate::store::{Filesystem, ObjectKey, Store as _};

impl House {
    pub(super) async fn backs_up(&self, to: &Path) -> Result<BackedUp, Error> {
        backup(self.folder.path(), to, false, &*self.clock).await
    }

    pub(super) async fn backs_up_what_is_there(&self, to: &Path) -> BackedUp {
        backup(self.folder.path(), to, true, &*self.clock).await.unwrap()
    }

    /// Stops this one, and serves the backup in its place.
    pub(super) async fn restored_from(self, root: &Path) -> Self {
        let mut ruin = Ruin::of(self).await;
        let restored = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
        fs::remove_dir(restored.path()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a restore moves a folder")]
        fs::rename(root, restored.path()).unwrap();
        ruin.folder = restored;
        ruin.serves().await
    }
}

/// Opens a root and hashes all that its metadata names; gives its tags.
pub(super) async fn is_whole(root: &Path) -> BTreeMap<String, Digest> {
    let store = Filesystem::open(root).unwrap();
    let metadata = Sqlite::open(&root.join(FILE)).unwrap();
    let contents = metadata.contents(None, usize::MAX).await.unwrap();
    for content in &contents {
        let object = store.open(&ObjectKey(content.key.clone())).await.unwrap();
        assert_eq!(object.size(), content.size);
        let bytes = object.read(0, usize::try_from(content.size).unwrap()).await.unwrap();
        assert_eq!(Digest::of(content.digest.algorithm(), &bytes), content.digest);
    }
    let manifests = metadata.manifests(&repository(), None, usize::MAX).await.unwrap();
    for stored in &manifests {
        assert_eq!(Digest::of(stored.digest.algorithm(), &stored.bytes), stored.digest);
        let manifest = Manifest::parse(&stored.bytes, &stored.media_type, 100).unwrap();
        for descriptor in manifest.config.iter().chain(&manifest.layers) {
            assert!(metadata.blob(&repository(), &descriptor.digest).await.unwrap().is_some(), "{descriptor:?}");
        }
    }
    let known: BTreeSet<Digest> = manifests.iter().map(|stored| stored.digest).collect();
    let tags = metadata.tags(&repository(), None, usize::MAX).await.unwrap();
    assert!(tags.iter().all(|(_, digest)| known.contains(digest)));
    assert_eq!(files(&root.join("_cas")), contents.len(), "no object that nothing names");
    tags.into_iter().map(|(tag, digest)| (tag.to_string(), digest)).collect()
}

pub(super) fn files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let count = |entry: fs::DirEntry| if entry.path().is_dir() { files(&entry.path()) } else { 1 };
    entries.map(|entry| count(entry.unwrap())).sum()
}

#[tokio::test]
async fn a_backup_holds_the_same_facts_and_serves_the_same() {
    let (house, signed, _) = furnished().await;
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    let done = house.backs_up(&root).await.unwrap();
    assert_eq!(done.linked + done.copied, done.blobs);
    assert_eq!(facts(&root.join(FILE)), facts(&house.folder.path().join(FILE)));
    is_whole(&root).await;
    let house = house.restored_from(&root).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), signed);
    assert_eq!(house.pull_blob("deploy", Digest::sha256(b"a release")).await.unwrap(), 9);
}

#[tokio::test]
async fn the_layouts_of_a_backup_are_written_when_it_is_served() {
    let (house, signed, _) = furnished().await;
    house.registry.flush_views().await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    house.backs_up(&root).await.unwrap();
    let (store, metadata) = (Filesystem::open(&root).unwrap(), Sqlite::open(&root.join(FILE)).unwrap());
    view::flush(&store, &metadata).await.unwrap();
    let index = |root: &Path| fs::read(root.join("prod/app/index.json")).unwrap();
    assert_eq!(index(&root), index(house.folder.path()));
    assert!(root.join("prod/app/blobs/sha256").join(signed.hex()).is_file());
    assert_eq!(files(&root.join("prod/app/blobs")), files(&house.folder.path().join("prod/app/blobs")));
}

#[tokio::test]
async fn a_backup_has_no_upload_sessions() {
    let house = House::new().await;
    let allowed = house.registry.allow_sign(&super::who("ci"), &repository()).unwrap();
    let upload = house.registry.begin_upload(&allowed, crate::oci::Algorithm::Sha256).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    house.backs_up(&to.path().join("backup")).await.unwrap();
    drop(upload);
    let metadata = Sqlite::open(&to.path().join("backup").join(FILE)).unwrap();
    assert_eq!(metadata.totals().await.unwrap().uploads, 0);
    assert_eq!(house.registry.totals().await.unwrap().uploads, 1);
}

#[tokio::test]
async fn a_folder_that_is_there_is_not_backed_up_to() {
    let house = House::new().await;
    let to = tempfile::tempdir().unwrap();
    let refused = house.backs_up(to.path()).await.unwrap_err().to_string();
    assert!(refused.contains("not to exist"), "{refused}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
}

/// Pushes, deletes and collects until it is told to stop; tells the highest number whose tag is acknowledged.
async fn bustle(house: Arc<House>, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicU32>) {
    let mut number = 0_u32;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        // One that stays, and one that goes with its blobs.
        house.push_image("ci", &format!("kept {number}"), Some(&format!("kept-{number}"))).await.unwrap();
        acknowledged.store(number, Ordering::SeqCst);
        let gone = house.push_image("ci", &format!("gone {number}"), Some("gone")).await.unwrap();
        let delete = house.registry.allow_delete(&super::who("ci"), &repository()).unwrap();
        house.registry.delete_manifest(&delete, &gone, &Precondition::default()).await.unwrap();
        house.clock.advance(Duration::from_hours(2));
        house.registry.sweep().await.unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn backups_beside_pushes_deletes_and_collection_are_each_whole() {
    let house = Arc::new(House::new().await);
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let busy = tokio::spawn(bustle(Arc::clone(&house), Arc::clone(&stop), Arc::clone(&acknowledged)));
    let to = tempfile::tempdir().unwrap();
    for round in 0..12 {
        let wanted = acknowledged.load(Ordering::SeqCst) + 3;
        while acknowledged.load(Ordering::SeqCst) < wanted && !busy.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let before = acknowledged.load(Ordering::SeqCst);
        let root = to.path().join(format!("backup-{round}"));
        house.backs_up(&root).await.unwrap();
        let tags = is_whole(&root).await;
        for number in 1..=before {
            assert!(tags.contains_key(&format!("kept-{number}")), "kept-{number} of {before} in {round}");
        }
    }
    stop.store(true, Ordering::SeqCst);
    busy.await.unwrap();
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 12, "no draft is left");
}

#[tokio::test]
async fn an_object_that_is_collected_before_it_is_reached_is_met_by_another_moment() {
    let house = House::new().await;
    house.push_image("ci", "kept", Some("v1")).await.unwrap();
    let gone = house.upload("ci", b"gone").await.unwrap();
    let (tree, to) = (crate::store::Beside::open(house.folder.path()).unwrap(), tempfile::tempdir().unwrap());
    let draft = crate::store::Draft::begin(&to.path().join("backup")).unwrap();
    let mut gathering = Gathering::new(&tree, &draft, false);
    let mut moments = 0;
    let from = house.folder.path().join(FILE);
    let whole = loop {
        moments += 1;
        let copy = draft.folder().join(FILE);
        draft.remove(FILE).unwrap();
        Sqlite::snapshot(&from, &copy, false).unwrap();
        if moments == 1 {
            house.clock.advance(Duration::from_hours(25));
            house.registry.sweep().await.unwrap();
            assert_eq!(house.files_of(gone).len(), 0);
        }
        let metadata = Sqlite::open(&copy).unwrap();
        if let Some(broken) = gathering.moment(&metadata).await.unwrap() {
            assert_eq!(broken.len(), 0);
            break metadata.contents(None, 10).await.unwrap();
        }
    };
    assert_eq!((moments, whole.len()), (2, 2));
}
