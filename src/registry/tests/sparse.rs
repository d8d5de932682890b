//! Images that came without one of their layers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::import::{config, refusals};
use super::rebuild::Ruin;
use super::{House, digest_of, image, repository, tag};
use crate::config::Limits;
use crate::metadata::Metadata as _;
use crate::oci::{Digest, Precondition, Reference, media_type};
use crate::registry::{Error, rebuild};

const LAYER: &[u8] = b"the layer that was never pushed";

/// Pushes an image without its layer.
async fn push(house: &House, at: Option<&str>) -> Result<Digest, Error> {
    let config = house.upload("ci", b"{\"a config\": 1}").await?;
    let image = image(config, Digest::sha256(LAYER));
    let digest = digest_of(&image);
    let reference = at.map_or(Reference::Digest(digest), tag);
    house.put("ci", &reference, media_type::OCI_MANIFEST, &image).await?;
    Ok(digest)
}

fn is_absent<T: std::fmt::Debug>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::BlobUnknown(_)))
}

#[tokio::test]
async fn a_registry_that_does_not_allow_them_refuses_them_and_stores_nothing() {
    let house = House::new().await;
    let refused = push(&house, Some("v1")).await;
    assert!(matches!(&refused, Err(Error::ContentAbsent(absent)) if *absent == [Digest::sha256(LAYER)]), "{refused:?}");
    assert!(house.pull("ci", &tag("v1")).await.is_err());
}

#[tokio::test]
async fn the_absent_layer_is_unknown_until_it_is_pushed_and_then_the_image_is_whole() {
    let house = House::sparse().await;
    let image = push(&house, Some("v1")).await.unwrap();
    let layer = Digest::sha256(LAYER);
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), image);
    assert!(is_absent(&house.pull_blob("ci", layer).await));
    house.upload("ci", LAYER).await.unwrap();
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 31);
}

#[tokio::test]
async fn the_layer_that_comes_later_is_judged_through_its_image() {
    let house = House::sparse().await;
    let image = push(&house, None).await.unwrap();
    let layer = Digest::sha256(LAYER);
    house.sign_release(image).await;
    assert_eq!(house.pull("deploy", &Reference::Digest(image)).await.unwrap(), image);
    assert!(is_absent(&house.pull_blob("deploy", layer).await), "what is absent is absent, signed or not");
    house.upload("ci", LAYER).await.unwrap();
    assert_eq!(house.pull_blob("deploy", layer).await.unwrap(), 31);
}

#[tokio::test]
async fn the_layer_of_an_unsigned_image_stays_withheld_when_it_comes() {
    let house = House::sparse().await;
    push(&house, None).await.unwrap();
    house.upload("ci", LAYER).await.unwrap();
    assert!(is_absent(&house.pull_blob("deploy", Digest::sha256(LAYER)).await));
}

#[tokio::test]
async fn the_layer_that_comes_later_is_held_at_once_and_released_with_the_image() {
    let house = House::sparse().await;
    let image = push(&house, None).await.unwrap();
    let layer = house.upload("ci", LAYER).await.unwrap();
    house.clock.advance(Limits::default().blob_lease + Duration::from_secs(1));
    house.registry.sweep().await.unwrap();
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 31);

    let allowed = house.registry.allow_delete(&super::who("ci"), &repository()).unwrap();
    house.registry.delete_manifest(&allowed, &image, &Precondition::default()).await.unwrap();
    house.clock.advance(Duration::from_hours(2));
    house.registry.sweep().await.unwrap();
    assert!(is_absent(&house.pull_blob("ci", layer).await));
}

#[tokio::test]
async fn the_layer_that_comes_later_is_linked_into_the_layout() {
    let house = House::sparse().await;
    let image = push(&house, Some("v1")).await.unwrap();
    house.registry.flush_views().await.unwrap();
    let blobs = house.folder.path().join("prod/app/blobs/sha256");
    let layer = Digest::sha256(LAYER);
    assert!(blobs.join(image.hex()).is_file() && !blobs.join(layer.hex()).exists());
    house.upload("ci", LAYER).await.unwrap();
    house.registry.flush_views().await.unwrap();
    assert!(blobs.join(layer.hex()).is_file());
}

#[tokio::test]
async fn a_config_is_required_all_the_same() {
    let house = House::sparse().await;
    house.upload("ci", LAYER).await.unwrap();
    let absent = Digest::sha256(b"a config that was never pushed");
    let manifest = image(absent, Digest::sha256(LAYER));
    let refused = house.put("ci", &tag("v1"), media_type::OCI_MANIFEST, &manifest).await;
    assert!(matches!(&refused, Err(Error::ContentAbsent(digests)) if *digests == [absent]), "{refused:?}");
}

#[tokio::test]
async fn evidence_and_data_are_whole_all_the_same() {
    let house = House::sparse().await;
    let subject = house.push_image("ci", "one", None).await.unwrap();
    let config = house.upload("ci", b"{}").await.unwrap();
    let absent = Digest::sha256(LAYER);
    let about = json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1});
    for (artifact_type, layer) in [
        ("application/spdx+json", "application/spdx+json"),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle.v0.3+json"),
        ("application/vnd.cncf.notary.signature", "application/jose+json"),
    ] {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": layer, "digest": absent, "size": 31}],
            "subject": about,
        });
        let reference = Reference::Digest(digest_of(&manifest));
        let refused = house.put("ci", &reference, media_type::OCI_MANIFEST, &manifest).await;
        assert!(matches!(&refused, Err(Error::ContentAbsent(_))), "{artifact_type}: {refused:?}");
        assert!(house.metadata.manifest(&repository(), &digest_of(&manifest)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_rebuild_brings_the_image_back_where_it_is_allowed_and_names_what_is_absent_where_not() {
    let house = House::sparse().await;
    let image = push(&house, Some("v1")).await.unwrap();
    let ruin = Ruin::of(house).await;
    let refused = ruin.rebuilds(false).await.unwrap();
    assert!(!refused.in_place, "{refused:?}");
    assert!(refusals(&refused.taken).iter().any(|why| why.contains(&Digest::sha256(LAYER).to_string())), "{refused:?}");
    rebuild_sparse(&ruin).await;
    let house = ruin.serves().await;
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), image);
    house.upload("ci", LAYER).await.unwrap();
    assert_eq!(house.pull_blob("ci", Digest::sha256(LAYER)).await.unwrap(), 31);
}

/// Rebuilds as one that takes images without their layers: its one manifest.
async fn rebuild_sparse(ruin: &Ruin) {
    let mut config = config(ruin.folder.path());
    config.sparse_images = true;
    let rebuilt = rebuild(&config, Arc::clone(&ruin.clock), crate::registry::Rebuild::default()).await.unwrap();
    assert_eq!((refusals(&rebuilt.taken), rebuilt.taken.manifests), (vec![], 1), "{rebuilt:?}");
}

#[tokio::test]
async fn a_rebuild_gives_no_layer_to_a_repository_that_only_names_it() {
    let house = House::sparse().await;
    let image = push(&house, Some("v1")).await.unwrap();
    // Another repository has it, and nobody showed this one that they have it too.
    let there = house.registry.allow_sign(&super::who("ci"), &"prod/other".parse().unwrap()).unwrap();
    let mut writer = house.registry.begin_upload(&there, crate::oci::Algorithm::Sha256).await.unwrap();
    writer.write(bytes::Bytes::from_static(LAYER)).await.unwrap();
    writer.finish(&Digest::sha256(LAYER)).await.unwrap();
    let ruin = Ruin::of(house).await;
    rebuild_sparse(&ruin).await;
    let house = ruin.serves().await;
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), image);
    assert!(is_absent(&house.pull_blob("ci", Digest::sha256(LAYER)).await));
    let with = house.metadata.repositories_with(&Digest::sha256(LAYER), 9).await.unwrap();
    assert_eq!(with, ["prod/other".parse().unwrap()]);
}
