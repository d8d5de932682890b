//! Fail closed, stay up: what can't be told is refused as such, never as "unsigned" and never as "allowed".

use std::future::Future as _;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use super::{House, reason, repository, sig_tag, tag, who};
use crate::clock::Clock as _;
use crate::metadata::Metadata as _;
use crate::oci::{Algorithm, Digest, Precondition, media_type};
use crate::registry::Error;
use crate::registry::judge::TRIED_AGAIN;

#[tokio::test]
async fn when_the_metadata_can_not_answer_nothing_is_told_and_nothing_is_served_that_was_not_judged() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.push_image("ci", "two", Some("v2")).await.unwrap();
    house.sign_release(first).await;
    house.metadata.fail(true);
    for (name, reference) in [("deploy", "v1"), ("deploy", "v2"), ("ci", "v1")] {
        let pulled = house.pull(name, &tag(reference)).await;
        assert!(matches!(pulled, Err(Error::Unavailable(_))), "{name} {reference}: {pulled:?}");
    }
    assert!(matches!(house.push_image("ci", "three", Some("v3")).await, Err(Error::Unavailable(_))));
    house.metadata.fail(false);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
    assert!(matches!(house.pull("ci", &tag("v3")).await, Err(Error::ManifestUnknown(_))));
}

#[tokio::test]
async fn an_answer_that_stands_is_given_while_the_metadata_can_not_answer() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
    house.metadata.fail(true);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
}

#[tokio::test]
async fn a_change_whose_client_went_away_ends_what_was_answered_before_it() {
    let house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let release = house.keys.release.clone();
    let signature = house.sign("signer", &release, image).await.unwrap().digest;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), image);
    let ci = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    let always = Precondition::default();
    let mut deletion = Box::pin(house.registry.delete_manifest(&ci, &signature, &always));
    // Once, and no time-out: under load the answer could come before it.
    let waits = std::future::poll_fn(|context| Poll::Ready(deletion.as_mut().poll(context).is_pending())).await;
    assert!(waits, "expected the client to leave early");
    drop(deletion);
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if house.pull("deploy", &tag("v1")).await.is_err() {
            return;
        }
    }
    assert!(house.metadata.manifest(&repository(), &signature).await.unwrap().is_none());
    panic!("expected the signature that is gone to count for nothing");
}

#[tokio::test]
async fn a_key_is_taken_away_though_some_evidence_can_not_be_read() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_second(first).await;
    let other = house.push_image("ci", "two", Some("v2")).await.unwrap();
    let release = house.keys.release.clone();
    let (signature, layer) = house.signature("signer", &release, other).await.unwrap();
    house.put("signer", &sig_tag(other), media_type::OCI_MANIFEST, &signature).await.unwrap();
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
    house.lose(layer);
    house.distrust_second().await;
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("signed by"));
    assert!(matches!(house.pull("deploy", &tag("v2")).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn what_can_not_be_judged_holds_up_nothing_else_that_waits() {
    let house = House::new().await;
    let lost = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let release = house.keys.release.clone();
    let (signature, layer) = house.signature("signer", &release, lost).await.unwrap();
    house.put("signer", &sig_tag(lost), media_type::OCI_MANIFEST, &signature).await.unwrap();
    house.push_image("ci", "two", Some("v2")).await.unwrap();
    house.lose(layer);
    house.distrust_second().await;
    assert!(matches!(house.registry.judge_queue().await, Err(Error::Unavailable(_))));
    let again = house.clock.now().plus(TRIED_AGAIN);
    let waiting: Vec<_> = house.metadata.to_judge(again, 10).await.unwrap().into_iter().map(|one| one.digest).collect();
    assert_eq!(waiting, [lost]);
    assert_eq!(house.metadata.next_to_judge().await.unwrap(), Some(again));
}

#[tokio::test]
async fn an_upload_whose_client_went_away_at_the_end_is_a_blob_all_the_same() {
    let house = House::new().await;
    let allowed = house.registry.allow_sign(&who("signer"), &repository()).unwrap();
    let mut writer = house.registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap();
    let id = writer.id();
    writer.write(Bytes::from_static(b"sealed")).await.unwrap();
    let digest = Digest::sha256(b"sealed");
    let finish = writer.finish(&digest);
    assert!(tokio::time::timeout(Duration::ZERO, finish).await.is_err(), "expected the client to leave early");
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if house.metadata.blob(&repository(), &digest).await.unwrap().is_some() {
            assert!(house.metadata.upload(id).await.unwrap().is_none());
            return;
        }
    }
    panic!("expected the blob to be committed");
}

#[tokio::test]
async fn a_medium_that_fails_is_told_as_such_and_what_needs_no_bytes_is_served() {
    let house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.store.fail(true);
    let pushed = house.push_image("ci", "two", Some("v2")).await;
    assert!(matches!(pushed, Err(Error::Unavailable(_))), "{pushed:?}");
    let layer = house.pull_blob("ci", Digest::sha256(b"one")).await;
    assert!(matches!(layer, Err(Error::Unavailable(_))), "{layer:?}");
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), image);
    house.store.fail(false);
    assert_eq!(house.pull_blob("ci", Digest::sha256(b"one")).await.unwrap(), 3);
    house.push_image("ci", "two", Some("v2")).await.unwrap();
}

#[tokio::test]
async fn a_push_of_what_is_stored_is_not_told_stored_while_the_medium_can_not_say_so() {
    let house = House::new().await;
    house.upload("ci", b"content").await.unwrap();
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    let mut writer = house.registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap();
    writer.write(Bytes::from_static(b"content")).await.unwrap();
    let id = writer.id();
    writer.pause().await.unwrap();
    let writer = house.registry.resume_upload(&allowed, id, None).await.unwrap();
    house.store.fail(true);
    let finished = writer.finish(&Digest::sha256(b"content")).await;
    assert!(matches!(finished, Err(Error::Unavailable(_))), "{finished:?}");
    house.store.fail(false);
    let writer = house.registry.resume_upload(&allowed, id, None).await.unwrap();
    writer.finish(&Digest::sha256(b"content")).await.unwrap();
}
