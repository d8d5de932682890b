//! Backups beside a registry that goes on: each opens, and all that it names is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::rebuild::{Ruin, facts, furnished};
use super::scrub::flip;
use super::{House, repository, tag};
use crate::clock::{Clock as _, Timestamp};
use crate::metadata::{FILE, Metadata as _, Sqlite};
use crate::oci::{Digest, Manifest, Precondition};
use crate::registry::backup::Gathering;
use crate::registry::{BackedUp, Error, backup, view};
use crate::store::{Filesystem, ObjectKey, Store as _};

impl House {
    async fn backs_up(&self, to: &Path) -> Result<BackedUp, Error> {
        backup(self.folder.path(), to, false, &*self.clock).await
    }

    async fn backs_up_what_is_there(&self, to: &Path) -> BackedUp {
        backup(self.folder.path(), to, true, &*self.clock).await.unwrap()
    }

    /// Stops this one, and serves the backup in its place.
    async fn is_restored_from(self, root: &Path) -> Self {
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
async fn is_whole(root: &Path) -> BTreeMap<String, Digest> {
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

fn files(folder: &Path) -> usize {
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
    let house = house.is_restored_from(&root).await;
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

/// What a refusal says, a line each, after which nothing is left of the backup.
async fn refusal(house: &House) -> Vec<String> {
    let to = tempfile::tempdir().unwrap();
    let refused = house.backs_up(&to.path().join("backup")).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    refused.to_string().lines().map(str::to_owned).collect()
}

/// A house of three images: one whose layer rotted and is quarantined, one whose layer is lost, and one that is whole.
async fn worn() -> (House, Digest, Digest) {
    let house = House::new().await;
    for name in ["rotten", "lost", "whole"] {
        house.push_image("ci", name, Some(name)).await.unwrap();
    }
    let [rotten, lost] = [Digest::sha256(b"rotten"), Digest::sha256(b"lost")];
    flip(&house.files_of(rotten)[0]);
    house.scrub().await;
    fs::remove_file(&house.files_of(lost)[0]).unwrap();
    (house, rotten, lost)
}

#[tokio::test]
async fn all_that_is_quarantined_and_all_that_is_lost_is_named_by_a_backup_that_leaves_nothing() {
    let (house, rotten, lost) = worn().await;
    let lines = refusal(&house).await;
    assert!(lines[0].contains("found 2 that is not") && lines[0].contains("--partial"), "{lines:?}");
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with(&format!("{rotten} in prod/app: expected bytes that hash to their name")), "{lines:?}");
    assert_eq!(lines[2], format!("{lost} in prod/app: expected a file, found none"));
    assert_eq!(house.metadata.quarantined_count().await.unwrap(), 1, "nothing is changed here");
}

#[tokio::test]
async fn a_refusal_names_the_first_that_are_missing_and_counts_the_others() {
    let house = House::new().await;
    for number in 0..23 {
        let blob = house.upload("ci", format!("blob {number}").as_bytes()).await.unwrap();
        fs::remove_file(&house.files_of(blob)[0]).unwrap();
    }
    let lines = refusal(&house).await;
    assert!(lines[0].contains("found 23 that is not"), "{lines:?}");
    assert_eq!((lines.len(), lines[21].as_str()), (22, "and 3 more"));
}

#[tokio::test]
async fn a_partial_backup_lists_what_is_missing_serves_the_rest_and_is_healed_by_a_push() {
    let (house, rotten, lost) = worn().await;
    let whole = house.pull("ci", &tag("whole")).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    let done = house.backs_up_what_is_there(&root).await;
    let missing: Vec<_> = done.missing.iter().map(|it| (it.digest, it.repositories.join(","), it.more)).collect();
    assert_eq!(missing, [(rotten, "prod/app".to_owned(), false), (lost, "prod/app".to_owned(), false)]);
    assert_eq!((done.manifests, done.tags, done.blobs, done.linked + done.copied), (3, 3, 4, 4));
    assert_eq!(done.blob_bytes, house.metadata.totals().await.unwrap().blob_bytes - 6 - 4);
    assert_eq!(files(&root.join("_cas")), 4);
    let house = house.is_restored_from(&root).await;
    assert_eq!(house.pull("ci", &tag("whole")).await.unwrap(), whole);
    assert_eq!(house.pull_blob("ci", Digest::sha256(b"whole")).await.unwrap(), 5);
    house.scrub().await;
    for (name, blob) in [("rotten", rotten), ("lost", lost)] {
        assert!(matches!(house.pull_blob("ci", blob).await, Err(Error::Quarantined(_))), "{name}");
        house.push_image("ci", name, Some(name)).await.unwrap();
        assert!(house.pull_blob("ci", blob).await.is_ok(), "{name}");
    }
    assert_eq!(house.metadata.quarantined_count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_partial_backup_of_what_is_whole_misses_nothing() {
    let (house, ..) = furnished().await;
    let to = tempfile::tempdir().unwrap();
    let done = house.backs_up_what_is_there(&to.path().join("backup")).await;
    assert_eq!((done.missing.len(), done.linked + done.copied), (0, done.blobs));
    is_whole(&to.path().join("backup")).await;
}

#[tokio::test]
async fn an_object_that_was_cut_short_is_missing() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"a release");
    fs::File::options().write(true).open(&house.files_of(layer)[0]).unwrap().set_len(3).unwrap();
    assert_eq!(refusal(&house).await[1], format!("{layer} in prod/app: expected 9 bytes, found 3"));
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    assert_eq!(house.backs_up_what_is_there(&root).await.missing[0].digest, layer);
    assert_eq!(files(&root.join("_cas")), 1);
}

#[tokio::test]
async fn an_object_that_rotted_unnoticed_is_missing_from_a_backup_on_another_disk() {
    use std::os::unix::fs::MetadataExt as _;
    let house = House::in_memory(crate::config::Limits::default()).await;
    let to = tempfile::tempdir().unwrap();
    let device = |folder: &Path| fs::metadata(folder).unwrap().dev();
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"a release");
    flip(&house.files_of(layer)[0]);
    let root = to.path().join("backup");
    let done = house.backs_up_what_is_there(&root).await;
    if device(house.folder.path()) == device(to.path()) {
        // Only who copies looks at every byte.
        assert_eq!((done.linked, done.missing.len()), (2, 0));
        return;
    }
    assert_eq!((done.copied, done.missing[0].digest), (1, layer));
    assert!(done.missing[0].why.contains("found others"), "{done:?}");
    assert_eq!(files(&root.join("_cas")), 1);
    let house = house.is_restored_from(&root).await;
    assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::Quarantined(_))));
}

#[tokio::test]
async fn a_manifest_that_is_quarantined_is_missing_and_stays_quarantined() {
    let (house, ..) = worn().await;
    let whole = house.pull("ci", &tag("whole")).await.unwrap();
    let stored = house.metadata.manifest(&repository(), &whole).await.unwrap().unwrap();
    let at = Timestamp::from_micros(0);
    house.metadata.quarantine_manifest(&repository(), &whole, &stored.bytes, "it rotted", at).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    let done = house.backs_up_what_is_there(&root).await;
    assert_eq!((done.missing.len(), done.missing[0].digest, done.missing[0].why.as_str()), (3, whole, "it rotted"));
    let copy = Sqlite::open(&root.join(FILE)).unwrap();
    assert_eq!(copy.quarantined(9).await.unwrap()[0].digest, whole);
}

#[tokio::test]
async fn what_is_lost_is_noted_in_a_partial_backup_when_it_is_made() {
    let (house, _, lost) = worn().await;
    house.clock.advance(Duration::from_hours(1));
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    house.backs_up_what_is_there(&root).await;
    let noted = Sqlite::open(&root.join(FILE)).unwrap().quarantined(9).await.unwrap();
    assert_eq!((noted[1].digest, noted[1].at), (lost, house.clock.now()));
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
