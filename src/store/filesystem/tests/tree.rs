//! What lies where, who owns it, and what is done about strangers in it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::empty;
use crate::oci::{Algorithm, Digest, Hasher};
use crate::store::contract::{is_absent, read, stored, uploaded};
use crate::store::filesystem::Filesystem;
use crate::store::{Failing, Store, StoreError};

#[tokio::test]
async fn an_object_lies_under_its_digest_and_generation() {
    let (store, folder) = empty();
    stored(&store, b"content", 7).await;
    let hex = Digest::sha256(b"content").hex();
    let path = folder.path().join("_cas/sha256").join(hex.get(..2).unwrap()).join(format!("{hex}.7"));
    assert_eq!(fs::read(path).unwrap(), b"content");
}

#[tokio::test]
async fn sealing_leaves_no_upload_behind() {
    let (store, folder) = empty();
    stored(&store, b"content", 1).await;
    assert_eq!(fs::read_dir(folder.path().join("_uploads")).unwrap().count(), 0);
}

#[test]
fn a_tree_has_one_owner() {
    let (_owner, folder) = empty();
    let Err(StoreError::Io(refused)) = Filesystem::open(folder.path()) else { panic!("expected a refusal") };
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    assert!(refused.to_string().contains("found its lock taken"), "{refused}");
}

#[tokio::test]
async fn a_tree_let_go_of_is_opened_again_with_all_in_it() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    let upload = uploaded(&store, b"con").await;
    drop(store);
    let store = Filesystem::open(folder.path()).unwrap();
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
    let hasher = store.append(upload, 3, Bytes::from_static(b"tent"), Hasher::new(Algorithm::Sha256)).await.unwrap();
    drop(hasher);
    let key = store.seal(upload, 7, &Digest::sha256(b"content"), 2).await.unwrap();
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
}

#[tokio::test]
async fn a_link_in_the_place_of_an_object_is_not_followed() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    let path = folder.path().join("_cas").join(&key.0);
    let secret = folder.path().join("secret");
    fs::remove_file(&path).unwrap();
    fs::File::create(&secret).unwrap();
    symlink(&secret, &path).unwrap();
    assert!(matches!(store.open(&key).await, Err(StoreError::Absent(_))));
}

#[tokio::test]
async fn a_link_in_the_place_of_an_upload_is_not_followed() {
    let (store, folder) = empty();
    let upload = Uuid::new_v4();
    let victim = folder.path().join("victim");
    fs::File::create(&victim).unwrap();
    symlink(&victim, folder.path().join("_uploads").join(upload.to_string())).unwrap();
    let refused = store.append(upload, 0, Bytes::from_static(b"x"), Hasher::new(Algorithm::Sha256)).await;
    assert!(matches!(refused, Err(StoreError::Io(_))));
    assert_eq!(fs::read(&victim).unwrap(), b"");
}

#[tokio::test]
async fn files_that_are_no_uploads_are_not_listed() {
    let (store, folder) = empty();
    let uploads = folder.path().join("_uploads");
    fs::File::create(uploads.join("notes")).unwrap();
    fs::File::create(uploads.join(Uuid::new_v4().simple().to_string())).unwrap();
    assert!(store.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_object_cut_short_on_disk_is_an_error_and_not_short_bytes() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    let object = store.open(&key).await.unwrap();
    let path = folder.path().join("_cas").join(&key.0);
    fs::File::options().write(true).open(path).unwrap().set_len(3).unwrap();
    assert!(matches!(object.read(0, 7).await, Err(StoreError::Io(_))));
}

#[tokio::test]
async fn more_uploads_than_stay_open_go_on() {
    let (store, _folder) = empty();
    let mut uploads = Vec::new();
    for _ in 0..70 {
        uploads.push(uploaded(&store, b"con").await);
    }
    for (upload, generation) in uploads.into_iter().zip(0..) {
        store.append(upload, 3, Bytes::from_static(b"tent"), Hasher::new(Algorithm::Sha256)).await.unwrap();
        let key = store.seal(upload, 7, &Digest::sha256(b"content"), generation).await.unwrap();
        assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
    }
}

#[test]
fn a_full_medium_is_told_apart() {
    for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
        assert!(matches!(StoreError::from(io::Error::from(errno)), StoreError::Full));
    }
    assert!(matches!(StoreError::from(io::Error::from(rustix::io::Errno::IO)), StoreError::Io(_)));
}

#[tokio::test]
async fn free_space_is_told() {
    let (store, _folder) = empty();
    assert!(store.free_bytes().await.unwrap().unwrap() > 0);
}

#[test]
fn a_root_that_is_absent_is_made() {
    let folder = TempDir::new().unwrap();
    Filesystem::open(&folder.path().join("a/b")).unwrap();
    assert!(folder.path().join("a/b/_cas/sha512").is_dir());
}

#[tokio::test]
async fn a_store_told_to_fail_fails_and_then_works_again() {
    let (store, _folder) = empty();
    let store = Failing::new(store);
    let key = stored(&store, b"content", 1).await;
    let object = store.open(&key).await.unwrap();
    store.fail(true);
    assert!(matches!(store.open(&key).await, Err(StoreError::Io(_))));
    assert!(matches!(object.read(0, 1).await, Err(StoreError::Io(_))));
    assert!(matches!(store.uploads().await, Err(StoreError::Io(_))));
    let applied = store.layout().unwrap().apply(&"a".parse().unwrap(), vec![], vec![]).await;
    assert!(matches!(applied, Err(StoreError::Io(_))));
    store.fail(false);
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
    assert!(!is_absent(&store.open(&key).await));
}
