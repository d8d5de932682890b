//! Collection on demand: what it tells is what it takes, and a dry run takes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{House, image, repository, tag, who};
use crate::clock::Clock as _;
use crate::metadata::Metadata as _;
use crate::oci::{Digest, Precondition, Reference, media_type};
use crate::registry::{Error, Unheld, Waiting};

/// Every file below a folder with its size, without the database's own.
fn tree(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if !path.file_name().unwrap().to_string_lossy().starts_with("_metadata") {
                let size = std::fs::metadata(&path).unwrap().len();
                found.insert(path, size);
            }
        }
    }
    found
}

/// A house with a blob that nobody wants any more.
async fn with_garbage() -> House {
    let house = House::new().await;
    house.push_image("ci", "wanted", Some("v1")).await.unwrap();
    house.upload("ci", b"nobody wants this").await.unwrap();
    house.registry.flush_views().await.unwrap();
    house.clock.advance(Duration::from_hours(48));
    house
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_taken_and_changes_nothing() {
    let house = with_garbage().await;
    let database = rusqlite::Connection::open(house.folder.path().join("_metadata.sqlite")).unwrap();
    let version = || database.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let (before, files) = (version(), tree(house.folder.path()));
    let told = house.registry.housekeeping().collect(true).await.unwrap();
    assert_eq!((told.dry_run, told.blobs.len(), told.bytes), (true, 1, 17));
    assert!(told.blobs[0].why.contains("lease ended"), "{:?}", told.blobs);
    assert_eq!((version(), tree(house.folder.path())), (before, files));
}

#[tokio::test]
async fn a_collection_takes_what_the_dry_run_told() {
    let house = with_garbage().await;
    let told = house.registry.housekeeping().collect(true).await.unwrap();
    let taken = house.registry.housekeeping().collect(false).await.unwrap();
    assert_eq!((&taken.blobs, taken.bytes, taken.more), (&told.blobs, told.bytes, false));
    assert!(house.files_of(taken.blobs[0].digest).is_empty());
    let left = house.registry.housekeeping().collect(true).await.unwrap();
    assert!(left.blobs.is_empty() && left.trash.is_empty() && left.bytes == 0);
}

#[tokio::test]
async fn a_collection_takes_more_than_one_batch() {
    let house = House::new().await;
    for name in 0..520 {
        house.upload("ci", format!("blob {name}").as_bytes()).await.unwrap();
    }
    house.clock.advance(Duration::from_hours(48));
    house.registry.housekeeping().collect(false).await.unwrap();
    assert_eq!(house.metadata.totals().await.unwrap().blobs, 0);
}

#[tokio::test]
async fn what_was_deleted_waits_for_its_grace_and_is_told_unless_the_wait_is_ended() {
    let house = House::new().await;
    let digest = house.push_image("ci", "deleted", None).await.unwrap();
    house.upload("ci", b"a push under way").await.unwrap();
    let now = house.clock.now();
    let allowed = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_manifest(&allowed, &digest, &Precondition::default()).await.unwrap();
    let housekeeping = house.registry.housekeeping();
    let taken = housekeeping.collect(false).await.unwrap();
    let layer = Digest::sha256(b"deleted");
    assert!(taken.blobs.is_empty() && !house.files_of(layer).is_empty());
    let bytes = u64::try_from("{\"config of\": \"deleted\"}deleted".len()).unwrap();
    let unheld = Unheld { blobs: 1, bytes: 16, until: Some(now.plus(Duration::from_hours(24))) };
    let waiting = Waiting { blobs: 2, bytes, until: Some(now.plus(Duration::from_hours(1))), unheld };
    assert_eq!(taken.waiting, waiting);
    housekeeping.end_grace().await.unwrap();
    let taken = housekeeping.collect(false).await.unwrap();
    assert_eq!((taken.blobs.len(), taken.bytes, taken.waiting), (2, bytes, Waiting { unheld, ..Waiting::default() }));
    house.registry.flush_views().await.unwrap();
    assert!(house.files_of(layer).is_empty());
    assert!(!house.files_of(Digest::sha256(b"a push under way")).is_empty());
}

#[tokio::test]
async fn what_a_push_that_broke_off_left_is_told_and_goes_at_once_when_it_is_deleted_by_its_digest() {
    let house = House::new().await;
    let layer = house.upload("ci", b"a push that broke off").await.unwrap();
    let housekeeping = house.registry.housekeeping();
    let until = Some(house.clock.now().plus(Duration::from_hours(24)));
    let waiting = Waiting { unheld: Unheld { blobs: 1, bytes: 21, until }, ..Waiting::default() };
    for dry_run in [true, false] {
        assert_eq!(housekeeping.collect(dry_run).await.unwrap().waiting, waiting);
    }
    housekeeping.end_grace().await.unwrap();
    housekeeping.collect(false).await.unwrap();
    assert!(!house.files_of(layer).is_empty());
    let allowed = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_blob(&allowed, &layer, &Precondition::default()).await.unwrap();
    let taken = housekeeping.collect(false).await.unwrap();
    assert_eq!((taken.trash.len(), taken.bytes, taken.waiting), (1, 21, Waiting::default()));
    assert!(house.files_of(layer).is_empty());
}

#[tokio::test]
async fn a_manifest_that_counts_on_what_was_collected_without_a_wait_is_refused_and_taken_after_a_fresh_push() {
    let house = House::new().await;
    let digest = house.push_image("ci", "hasty", Some("v1")).await.unwrap();
    let blobs = ["{\"config of\": \"hasty\"}", "hasty"].map(|content| Digest::sha256(content.as_bytes()));
    let [config, layer] = blobs;
    let allowed = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_manifest(&allowed, &digest, &Precondition::default()).await.unwrap();
    // A push under way was told that both are there, and has only its manifest to send.
    assert!(blobs.iter().all(|blob| !house.files_of(*blob).is_empty()));
    let put = async || house.put("ci", &tag("v2"), media_type::OCI_MANIFEST, &image(config, layer)).await;
    let housekeeping = house.registry.housekeeping();
    housekeeping.end_grace().await.unwrap();
    assert_eq!(housekeeping.collect(false).await.unwrap().blobs.len(), 2);
    let Err(Error::ContentAbsent(mut absent)) = put().await else { panic!("expected both blobs to be absent") };
    let mut both = blobs.to_vec();
    absent.sort_unstable();
    both.sort_unstable();
    assert_eq!(absent, both);
    assert!(matches!(house.pull("ci", &tag("v2")).await, Err(Error::ManifestUnknown(_))));
    assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::BlobUnknown(_))));
    assert_eq!(house.push_image("ci", "hasty", Some("v2")).await.unwrap(), digest);
    assert_eq!(house.pull("ci", &tag("v2")).await.unwrap(), digest);
    housekeeping.end_grace().await.unwrap();
    housekeeping.collect(false).await.unwrap();
    house.serves_layer("hasty").await;
}

#[tokio::test]
async fn an_untagged_manifest_stays_with_its_blobs() {
    let house = House::new().await;
    let digest = house.push_image("ci", "untagged", None).await.unwrap();
    house.clock.advance(Duration::from_hours(24 * 365));
    let taken = house.registry.housekeeping().collect(false).await.unwrap();
    assert!(taken.blobs.is_empty());
    assert_eq!(house.pull("ci", &Reference::Digest(digest)).await.unwrap(), digest);
    house.serves_layer("untagged").await;
}

#[tokio::test]
async fn what_a_tag_showed_before_stays() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    house.clock.advance(Duration::from_hours(24 * 365));
    house.registry.housekeeping().collect(false).await.unwrap();
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), second);
    assert_eq!(house.pull("ci", &Reference::Digest(first)).await.unwrap(), first);
}

impl House {
    async fn serves_layer(&self, content: &str) {
        let layer = Digest::sha256(content.as_bytes());
        assert_eq!(self.pull_blob("ci", layer).await.unwrap(), u64::try_from(content.len()).unwrap());
    }
}
