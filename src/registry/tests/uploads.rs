//! Uploads that do not end as they began.

use bytes::Bytes;

use super::{House, repository, tag, who};
use crate::oci::{Algorithm, Digest};
use crate::registry::{Error, UploadWriter};
use crate::store::Store as _;

/// More than is gathered in memory.
fn large() -> Bytes {
    vec![0; 2 << 20].into()
}

async fn begun(house: &House) -> UploadWriter {
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    house.registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap()
}

async fn begun_whole(house: &House) -> UploadWriter {
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    house.registry.begin_whole_upload(&allowed, Algorithm::Sha256).await.unwrap()
}

async fn left(house: &House) -> (u64, usize) {
    (house.registry.totals().await.unwrap().uploads, house.store.uploads().await.unwrap().len())
}

#[tokio::test]
async fn a_full_disk_refuses_the_upload_gives_its_bytes_back_and_serves_on() {
    let house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    for named in [true, false] {
        let mut upload = if named { begun(&house).await } else { begun_whole(&house).await };
        upload.write(large()).await.unwrap();
        house.store.fill(true);
        let refused = upload.write(large()).await;
        assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
        upload.leave().await;
        assert_eq!(left(&house).await, (0, 0));
        assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), image);
        assert_eq!(house.pull_blob("ci", Digest::sha256(b"one")).await.unwrap(), 3);
        house.store.fill(false);
    }
    house.push_image("ci", "two", Some("v2")).await.unwrap();
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_end_of_an_upload_keeps_nothing_of_it() {
    let house = House::new().await;
    let mut upload = begun(&house).await;
    upload.write(large()).await.unwrap();
    house.store.fill(true);
    let refused = upload.finish(&Digest::sha256(&large())).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert_eq!(left(&house).await, (0, 0));
}

#[tokio::test]
async fn what_a_client_that_left_had_sent_is_where_it_may_go_on() {
    let house = House::new().await;
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    let mut upload = begun(&house).await;
    let id = upload.id();
    upload.write(Bytes::from_static(b"hello, ")).await.unwrap();
    drop(upload);
    let mut upload = loop {
        match house.registry.resume_upload(&allowed, id, None).await {
            Ok(upload) => break upload,
            Err(Error::UploadBusy) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!(upload.offset(), 7);
    upload.write(Bytes::from_static(b"world")).await.unwrap();
    upload.finish(&Digest::sha256(b"hello, world")).await.unwrap();
    assert_eq!(left(&house).await, (0, 0));
}

#[tokio::test]
async fn the_bytes_of_a_forgotten_upload_go_even_while_the_metadata_can_not_change() {
    let house = House::new().await;
    let mut upload = begun_whole(&house).await;
    upload.write(large()).await.unwrap();
    house.metadata.fail(true);
    upload.leave().await;
    assert!(house.store.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_that_the_metadata_could_not_note_leaves_no_file() {
    let house = House::new().await;
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    house.metadata.fail(true);
    assert!(house.registry.begin_upload(&allowed, Algorithm::Sha256).await.is_err());
    assert!(house.store.uploads().await.unwrap().is_empty());
}
