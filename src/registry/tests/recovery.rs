//! What a crash leaves between the seal and the commit, and content whose file was lost.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{House, repository, tag, who};
use crate::metadata::Metadata as _;
use crate::oci::{Algorithm, Digest, RepositoryName};
use crate::registry::{Error, UploadWriter};
use crate::store::Store as _;

const CONTENT: &[u8] = b"content";

fn digest() -> Digest {
    Digest::sha256(CONTENT)
}

fn elsewhere() -> RepositoryName {
    "prod/other".parse().unwrap()
}

/// A session of which all bytes are noted.
async fn paused(house: &House) -> uuid::Uuid {
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    let mut writer = house.registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap();
    writer.write(Bytes::from_static(CONTENT)).await.unwrap();
    let id = writer.id();
    writer.pause().await.unwrap();
    id
}

async fn resumed(house: &House, id: uuid::Uuid) -> UploadWriter {
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    house.registry.resume_upload(&allowed, id, None).await.unwrap()
}

/// What a process leaves that dies after the seal of `upload` and before the commit.
async fn sealed_and_died(house: &House, upload: uuid::Uuid) {
    let generation = house.metadata.fresh_generation().await.unwrap();
    let key = house.store.key(upload, &digest(), generation);
    house.metadata.intend(key.0.clone(), upload).await.unwrap();
    house.store.seal(upload, 7, &digest(), generation).await.unwrap();
    assert_eq!(house.files_of(digest()).len(), 1);
}

#[tokio::test]
async fn a_session_that_was_sealed_and_never_committed_is_gone_on_with() {
    let house = House::new().await;
    let id = paused(&house).await;
    sealed_and_died(&house, id).await;
    house.registry.recover().await.unwrap();
    assert!(house.files_of(digest()).is_empty());
    let writer = resumed(&house, id).await;
    assert_eq!(writer.offset(), 7);
    writer.finish(&digest()).await.unwrap();
    assert_eq!(house.pull_blob("ci", digest()).await.unwrap(), 7);
    assert!(house.metadata.intents(10).await.unwrap().is_empty());
}

fn spoil(house: &House, id: uuid::Uuid, content: &[u8]) {
    let path = house.folder.path().join("_uploads").join(id.to_string());
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), content).unwrap();
}

#[tokio::test]
async fn a_session_is_gone_on_with_by_the_next_process() {
    let house = House::new().await;
    let id = paused(&house).await;
    let house = house.reopened().await;
    let mut writer = resumed(&house, id).await;
    assert_eq!(writer.offset(), 7);
    writer.write(Bytes::from_static(b" and more")).await.unwrap();
    writer.finish(&Digest::sha256(b"content and more")).await.unwrap();
    assert_eq!(house.pull_blob("ci", Digest::sha256(b"content and more")).await.unwrap(), 16);
}

#[tokio::test]
async fn a_session_whose_bytes_a_power_cut_took_or_changed_is_unknown() {
    for torn in [&b"con"[..], b"", b"c\0ntent"] {
        let house = House::new().await;
        let id = paused(&house).await;
        let house = house.reopened().await;
        spoil(&house, id, torn);
        let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
        let status = house.registry.upload_status(&allowed, id).await;
        assert!(matches!(status, Err(Error::UploadUnknown)), "{torn:?}: {status:?}");
        let resumed = house.registry.resume_upload(&allowed, id, None).await;
        assert!(matches!(resumed, Err(Error::UploadUnknown)), "{torn:?}");
    }
}

#[tokio::test]
async fn bytes_that_were_sealed_without_a_session_and_never_committed_are_removed() {
    let house = House::new().await;
    let id = paused(&house).await;
    sealed_and_died(&house, id).await;
    house.metadata.cancel_upload(id).await.unwrap();
    house.registry.recover().await.unwrap();
    assert!(house.files_of(digest()).is_empty() && house.store.uploads().await.unwrap().is_empty());
    assert!(house.metadata.intents(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_in_one_piece_leaves_neither_row_nor_file_to_the_next_process() {
    for name in ["ci", "signer"] {
        let house = House::new().await;
        let allowed = house.registry.allow_sign(&who(name), &repository()).unwrap();
        let mut writer = house.registry.begin_whole_upload(&allowed, Algorithm::Sha256).await.unwrap();
        writer.write(vec![0; 2 << 20].into()).await.unwrap();
        assert_eq!(house.store.uploads().await.unwrap().len(), 1);
        // The process dies: nobody settles what the writer leaves.
        std::mem::forget(writer);
        house.registry.recover().await.unwrap();
        assert!(house.store.uploads().await.unwrap().is_empty(), "{name}");
        assert_eq!(house.registry.totals().await.unwrap().uploads, 0, "{name}");
    }
}

#[tokio::test]
async fn an_upload_in_one_piece_can_not_be_resumed() {
    let house = House::new().await;
    let allowed = house.registry.allow_sign(&who("signer"), &repository()).unwrap();
    let writer = house.registry.begin_whole_upload(&allowed, Algorithm::Sha256).await.unwrap();
    let status = house.registry.upload_status(&allowed, writer.id()).await;
    assert!(matches!(status, Err(Error::UploadUnknown)), "{status:?}");
}

#[tokio::test]
async fn bytes_whose_commit_failed_become_their_session_again_at_the_next_sweep() {
    let house = House::new().await;
    let id = paused(&house).await;
    let writer = resumed(&house, id).await;
    house.metadata.fail_commits(true);
    assert!(matches!(writer.finish(&digest()).await, Err(Error::Unavailable(_))));
    house.metadata.fail_commits(false);
    assert_eq!(house.files_of(digest()).len(), 1);
    house.registry.sweep().await.unwrap();
    assert!(house.files_of(digest()).is_empty());
    resumed(&house, id).await.finish(&digest()).await.unwrap();
    assert_eq!(house.pull_blob("ci", digest()).await.unwrap(), 7);
}

#[tokio::test]
async fn a_sweep_leaves_bytes_alone_that_someone_is_about_to_commit() {
    let house = House::new().await;
    let id = paused(&house).await;
    sealed_and_died(&house, id).await;
    house.registry.sweep().await.unwrap();
    assert_eq!(house.files_of(digest()).len(), 1);
}

fn unlink(files: &[impl AsRef<Path>]) {
    for file in files {
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn content_whose_file_was_lost_is_absent_until_it_is_pushed_again() {
    let house = House::new().await;
    house.upload("ci", CONTENT).await.unwrap();
    unlink(&house.files_of(digest()));
    let absent = house.pull_blob("ci", digest()).await;
    assert!(matches!(absent, Err(Error::BlobUnknown(_))), "{absent:?}");
    house.upload("ci", CONTENT).await.unwrap();
    assert_eq!(house.pull_blob("ci", digest()).await.unwrap(), 7);
    house.registry.sweep().await.unwrap();
    assert_eq!(house.files_of(digest()).len(), 1);
}

#[tokio::test]
async fn content_whose_file_was_cut_is_absent_until_it_is_pushed_again() {
    let house = House::new().await;
    house.upload("ci", CONTENT).await.unwrap();
    house.lose(digest());
    let absent = house.pull_blob("ci", digest()).await;
    assert!(matches!(absent, Err(Error::BlobUnknown(_))), "{absent:?}");
    house.upload("ci", CONTENT).await.unwrap();
    assert_eq!(house.pull_blob("ci", digest()).await.unwrap(), 7);
    house.registry.sweep().await.unwrap();
    assert_eq!(house.files_of(digest()).len(), 1);
}

#[tokio::test]
async fn content_whose_file_was_lost_heals_in_every_layout() {
    let house = House::new().await;
    house.upload("ci", CONTENT).await.unwrap();
    house.push_image("ci", "content", Some("v1")).await.unwrap();
    house.registry.flush_views().await.unwrap();
    let shown = house.folder.path().join("prod/app/blobs/sha256").join(digest().hex());
    house.lose(digest());
    house.upload("ci", CONTENT).await.unwrap();
    house.registry.flush_views().await.unwrap();
    assert_eq!(std::fs::read(shown).unwrap(), CONTENT);
    assert!(house.pull("ci", &tag("v1")).await.is_ok());
}

#[tokio::test]
async fn content_whose_file_was_lost_is_not_mounted() {
    let house = House::new().await;
    house.upload("ci", CONTENT).await.unwrap();
    let allowed = house.registry.allow_sign(&who("ci"), &elsewhere()).unwrap();
    unlink(&house.files_of(digest()));
    assert!(!house.registry.mount(&allowed, &digest(), Some(&repository())).await.unwrap());
    assert!(house.metadata.blob(&elsewhere(), &digest()).await.unwrap().is_none());
}

#[tokio::test]
async fn many_who_heal_at_once_leave_one_file() {
    let house = Arc::new(House::new().await);
    house.upload("ci", CONTENT).await.unwrap();
    unlink(&house.files_of(digest()));
    let mut pushes = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let house = Arc::clone(&house);
        pushes.spawn(async move { house.upload("ci", CONTENT).await.unwrap() });
    }
    pushes.join_all().await;
    assert_eq!(house.pull_blob("ci", digest()).await.unwrap(), 7);
    assert_eq!(house.files_of(digest()).len(), 1);
}
