//! Blobs through the objects that hold them, evidence with its subject, nothing for those without a grant.

use super::{House, POLICY, REQUIREMENTS, digest_of, image, reason, repository, tag, who};
use crate::config::Limits;
use crate::gate::Who;
use crate::oci::{Digest, Precondition, Reference, media_type};
use crate::registry::{Begin, Error};

fn is_unknown<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::BlobUnknown(_)))
}

#[tokio::test]
async fn a_blob_is_as_visible_as_an_object_that_holds_it() {
    let house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"one");
    assert!(is_unknown(&house.pull_blob("deploy", layer).await));
    assert!(is_unknown(&house.pull_blob("signer", layer).await));
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 3);
    house.sign_release(image).await;
    assert_eq!(house.pull_blob("deploy", layer).await.unwrap(), 3);
    assert!(is_unknown(&house.pull_blob("signer", layer).await));
}

#[tokio::test]
async fn evidence_is_as_visible_as_its_subject() {
    let house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let stranger = house.keys.stranger.clone();
    let stored = house.sign("signer", &stranger, image).await.unwrap();
    let reference = Reference::Digest(stored.digest);
    assert!(reason(house.pull("deploy", &reference).await).contains("signed by"));
    assert_eq!(house.pull("signer", &reference).await.unwrap(), stored.digest);
    house.sign_release(image).await;
    assert_eq!(house.pull("deploy", &reference).await.unwrap(), stored.digest);
}

#[tokio::test]
async fn evidence_about_evidence_is_as_visible_as_what_that_is_about() {
    let house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let stranger = house.keys.stranger.clone();
    let about_image = house.sign("signer", &stranger, image).await.unwrap();
    let about_evidence = house.sign("signer", &stranger, about_image.digest).await.unwrap();
    let reference = Reference::Digest(about_evidence.digest);
    assert!(reason(house.pull("deploy", &reference).await).contains("signed by"));
    house.sign_release(image).await;
    assert_eq!(house.pull("deploy", &reference).await.unwrap(), about_evidence.digest);
}

#[tokio::test]
async fn without_a_grant_a_repository_does_not_exist() {
    let house = House::new().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    assert!(matches!(house.registry.allow_pull(&who("nobody"), &repository()), Err(Error::NameUnknown)));
    assert!(matches!(house.registry.allow_pull(&Who::Anonymous, &repository()), Err(Error::Unauthorized)));
    assert!(matches!(house.registry.allow_sign(&who("deploy"), &repository()), Err(Error::Denied(_))));
    let catalog = house.registry.catalog(&who("nobody"), Begin::default(), 10).await.unwrap();
    assert!(catalog.entries.is_empty());
}

#[tokio::test]
async fn a_blob_is_mounted_only_by_those_who_may_pull_it_there() {
    let house = House::new().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"one");
    let other = "prod/other".parse().unwrap();
    let into = |name: &str| house.registry.allow_sign(&who(name), &other).unwrap();
    for from in [None, Some(&repository())] {
        assert!(!house.registry.mount(&into("signer"), &layer, from).await.unwrap());
        assert!(!house.registry.mount(&into("tagger"), &layer, from).await.unwrap());
    }
    assert!(house.registry.mount(&into("ci"), &layer, None).await.unwrap());
}

#[tokio::test]
async fn a_tag_that_is_gone_is_unknown_and_not_withheld() {
    let house = House::new().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let ci = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_tag(&ci, &"v1".parse().unwrap(), &Precondition::default()).await.unwrap();
    assert!(matches!(house.pull("deploy", &tag("v1")).await, Err(Error::ManifestUnknown(_))));
    assert!(matches!(
        house.registry.delete_tag(&ci, &"v1".parse().unwrap(), &Precondition::default()).await,
        Err(Error::ManifestUnknown(_))
    ));
}

#[tokio::test]
async fn a_shared_layer_is_pulled_through_the_one_signed_image_among_many_that_hold_it() {
    let limits = Limits { reach_objects: 3, ..Limits::default() };
    let house = House::with(POLICY, REQUIREMENTS, limits).await;
    let layer = house.upload("ci", b"a base").await.unwrap();
    let mut images = Vec::new();
    for n in 0..9 {
        let config = house.upload("ci", format!("config {n}").as_bytes()).await.unwrap();
        let image = image(config, layer);
        let reference = Reference::Digest(digest_of(&image));
        images.push(house.put("ci", &reference, media_type::OCI_MANIFEST, &image).await.unwrap().digest);
    }
    assert!(is_unknown(&house.pull_blob("deploy", layer).await));
    house.sign_release(images[6]).await;
    assert_eq!(house.pull_blob("deploy", layer).await.unwrap(), 6);
}
