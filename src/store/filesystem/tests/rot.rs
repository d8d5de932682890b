//! Quarantine, repair and the reserve, as they lie on a disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::empty;
use crate::clock::Timestamp;
use crate::oci::{Digest, RepositoryName};
use crate::store::contract::{read, stored};
use crate::store::{LayoutChange, LayoutView as _, Mended, ObjectKey, Store as _};

const CONTENT: &[u8] = b"content";

fn repository() -> RepositoryName {
    "prod/app".parse().unwrap()
}

/// Another file in the place of a layout's link, with these bytes.
fn plant(folder: &std::path::Path, digest: &Digest, bytes: &[u8]) {
    let blobs = folder.join("prod/app/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let path = blobs.join(digest.hex());
    drop(fs::remove_file(&path));
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes).unwrap();
}

#[tokio::test]
async fn the_bytes_of_a_quarantined_object_are_kept_under_their_name_and_generation() {
    let (store, folder) = empty();
    let key = stored(&store, CONTENT, 7).await;
    store.quarantine(&key).await.unwrap();
    let kept = folder.path().join("_quarantine").join(format!("{}.7", Digest::sha256(CONTENT).hex()));
    assert_eq!(fs::read(kept).unwrap(), CONTENT);
}

#[tokio::test]
async fn a_sound_copy_in_a_layout_becomes_an_object() {
    let (store, folder) = empty();
    let (rotten, digest) = (stored(&store, CONTENT, 1).await, Digest::sha256(CONTENT));
    store.quarantine(&rotten).await.unwrap();
    plant(folder.path(), &digest, CONTENT);
    let key = store.salvage(&digest, 7, &rotten, 2, vec![repository()]).await.unwrap().unwrap();
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, CONTENT);
    assert!(store.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_copy_that_rotted_too_is_not_taken() {
    let (store, folder) = empty();
    let (rotten, digest) = (stored(&store, CONTENT, 1).await, Digest::sha256(CONTENT));
    for bytes in [b"CONTENT".as_slice(), b"conten"] {
        plant(folder.path(), &digest, bytes);
        assert_eq!(store.salvage(&digest, 7, &rotten, 2, vec![repository()]).await.unwrap(), None);
    }
    assert!(store.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_link_to_the_rotten_file_is_no_copy() {
    let (store, _folder) = empty();
    let (rotten, digest) = (stored(&store, CONTENT, 1).await, Digest::sha256(CONTENT));
    store.apply(&repository(), vec![LayoutChange::Link(digest, rotten.clone())], Vec::new()).await.unwrap();
    // It is sound here, so that nothing but its inode tells it apart.
    store.quarantine(&rotten).await.unwrap();
    assert_eq!(store.salvage(&digest, 7, &rotten, 2, vec![repository()]).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_of_a_layout_that_is_no_manifest_any_more_is_replaced_and_no_other() {
    let (store, folder) = empty();
    let (digest, bytes) = (Digest::sha256(CONTENT), bytes::Bytes::from_static(CONTENT));
    let mends = async || store.mend_manifest(&repository(), &digest, bytes.clone()).await.unwrap();
    let path = folder.path().join("prod/app/blobs/sha256").join(digest.hex());
    assert!(mends().await == Mended::Absent && !path.exists());
    for rotten in [b"CONTENT".as_slice(), b"conten", b"content and more", b""] {
        plant(folder.path(), &digest, rotten);
        assert_eq!((mends().await, mends().await), (Mended::Replaced, Mended::Sound));
        assert_eq!(fs::read(&path).unwrap(), CONTENT);
    }
    fs::remove_file(&path).unwrap();
    assert!(mends().await == Mended::Absent && !path.exists(), "the view makes what is absent");
    let elsewhere = folder.path().join("elsewhere");
    std::io::Write::write_all(&mut fs::File::create(&elsewhere).unwrap(), b"elsewhere").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(mends().await == Mended::Replaced && fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read(elsewhere).unwrap(), b"elsewhere");
}

#[tokio::test]
async fn a_manifest_in_a_layout_is_a_copy_if_it_hashes_to_its_name() {
    let (store, folder) = empty();
    let digest = Digest::sha256(CONTENT);
    assert_eq!(store.manifest_copy(&repository(), &digest, 100).await.unwrap(), None);
    plant(folder.path(), &digest, b"rot");
    assert_eq!(store.manifest_copy(&repository(), &digest, 100).await.unwrap(), None);
    plant(folder.path(), &digest, CONTENT);
    assert_eq!(store.manifest_copy(&repository(), &digest, 6).await.unwrap(), None);
    assert_eq!(store.manifest_copy(&repository(), &digest, 7).await.unwrap().unwrap(), CONTENT);
}

#[tokio::test]
async fn an_object_is_as_old_as_its_name_and_not_as_its_bytes() {
    let (store, folder) = empty();
    let key = stored(&store, CONTENT, 1).await;
    let path = folder.path().join("_cas").join(&key.0);
    let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    fs::File::options().write(true).open(&path).unwrap().set_times(long_ago).unwrap();
    let listed = store.objects(None).await.unwrap();
    let changed = Timestamp::from_micros(fs::metadata(&path).unwrap().ctime() * 1_000_000);
    assert_eq!(listed[0].key, key);
    assert!(listed[0].at >= changed, "{} before {changed}", listed[0].at);
}

#[tokio::test]
async fn files_that_are_no_objects_are_not_listed() {
    let (store, folder) = empty();
    let key = stored(&store, CONTENT, 1).await;
    let path = folder.path().join("_cas").join(&key.0);
    for name in ["notes", "0.1", &format!("{}.01", Digest::sha256(CONTENT).hex())] {
        fs::File::create(path.with_file_name(name)).unwrap();
    }
    let keys: Vec<ObjectKey> = store.objects(None).await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, [key]);
}

#[tokio::test]
async fn a_reserve_takes_its_room_on_the_disk() {
    let (store, folder) = empty();
    assert!(store.keep_reserve(1 << 20).await.unwrap());
    let file = fs::metadata(folder.path().join("_reserve")).unwrap();
    assert!(file.len() == 1 << 20 && file.blocks() * 512 >= 1 << 20, "{} blocks", file.blocks());
}

#[tokio::test]
async fn a_reserve_larger_than_the_disk_is_not_kept() {
    let (store, folder) = empty();
    assert!(!store.keep_reserve(1 << 50).await.unwrap_or(false));
    assert!(!folder.path().join("_reserve").exists());
}

#[tokio::test]
async fn an_object_whose_size_changes_while_it_is_kept_open_is_opened_anew() {
    let (store, folder) = empty();
    let key = stored(&store, CONTENT, 1).await;
    let file = fs::File::options().write(true).open(folder.path().join("_cas").join(&key.0)).unwrap();
    for size in [7, 3, 0, 9, 9] {
        file.set_len(size).unwrap();
        assert_eq!(store.open(&key).await.unwrap().size(), size);
    }
}
