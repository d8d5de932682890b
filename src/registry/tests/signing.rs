//! What someone who may only `sign` can do, and what they can't.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;

use super::{House, POLICY, REQUIREMENTS, bare, digest_of, image, repository, sig_tag, tag, who};
use crate::clock::Timestamp;
use crate::config::Limits;
use crate::gate::Shape;
use crate::interruption::{Fault, Interruption};
use crate::metadata::{Failing, Kind, Metadata as _, PutManifest, Sqlite};
use crate::oci::{Digest, EMPTY_CONFIG, Precondition, Reference, media_type};
use crate::registry::Error;

#[tokio::test]
async fn an_image_is_no_evidence_whatever_it_claims() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    for config in
        ["application/vnd.oci.image.config.v1+json", "application/octet-stream", "application/json", "text/html", ""]
    {
        let layer = house.upload("signer", format!("a layer under {config}").as_bytes()).await.unwrap();
        let mut hidden = image(layer, layer);
        hidden["config"]["mediaType"] = json!(config);
        hidden["subject"] = json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1});
        let reference = Reference::Digest(digest_of(&hidden));
        let put = house.put("signer", &reference, media_type::OCI_MANIFEST, &hidden).await;
        assert!(matches!(put, Err(Error::Denied(_))), "{config}: {put:?}");
        assert!(matches!(house.pull("ci", &reference).await, Err(Error::ManifestUnknown(_))), "{config}");
    }
}

#[tokio::test]
async fn a_signer_sets_no_tag_but_those_kept_for_evidence() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let release = house.keys.release.clone();
    let (signature, _) = house.signature("signer", &release, subject).await.unwrap();
    for name in ["v1", "latest"] {
        let put = house.put("signer", &tag(name), media_type::OCI_MANIFEST, &signature).await;
        assert!(matches!(put, Err(Error::Denied(_))), "{put:?}");
        // Nor does someone who may push: nothing but the tags kept for evidence resolves to evidence.
        house.signature("ci", &release, subject).await.unwrap();
        let put = house.put("ci", &tag(name), media_type::OCI_MANIFEST, &signature).await;
        assert!(matches!(put, Err(Error::ManifestInvalid(_))), "{put:?}");
    }
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), subject);
}

#[tokio::test]
async fn data_that_names_a_hidden_layer_is_an_object() {
    let house = House::new().await;
    let subject = house.push_image("ci", "{}", Some("v1")).await.unwrap();
    house.upload("signer", b"{}").await.unwrap();
    let layer = house.upload("ci", b"{\"hidden\": 1}").await.unwrap();
    house.put("ci", &tag("v2"), media_type::OCI_MANIFEST, &image(layer, layer)).await.unwrap();
    let data = json!({
        "schemaVersion": 2,
        "artifactType": "application/spdx+json",
        "config": {"mediaType": media_type::OCI_EMPTY, "digest": EMPTY_CONFIG, "size": 2},
        "layers": [{"mediaType": "application/spdx+json", "digest": layer, "size": 13}],
        "subject": {"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1}
    });
    let put = house.put("signer", &Reference::Digest(digest_of(&data)), media_type::OCI_MANIFEST, &data).await;
    assert!(matches!(put, Err(Error::Denied(_))), "{put:?}");
    assert!(matches!(house.pull_blob("signer", layer).await, Err(Error::BlobUnknown(_))));
}

#[tokio::test]
async fn evidence_names_only_blobs_that_its_pusher_uploaded_or_may_pull() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let release = house.keys.release.clone();
    // ci's blobs, which signer never uploaded.
    let (signature, layer) = house.signature("ci", &release, subject).await.unwrap();
    let put = house.put("signer", &sig_tag(subject), media_type::OCI_MANIFEST, &signature).await;
    assert!(matches!(&put, Err(Error::ContentAbsent(absent)) if absent.contains(&layer)), "{put:?}");
}

#[tokio::test]
async fn a_sig_that_drops_the_release_withdraws_nothing() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(subject).await;
    let stranger = house.keys.stranger.clone();
    let stored = house.sign("signer", &stranger, subject).await.unwrap();
    assert_eq!(stored.warnings.len(), 1);
    assert_eq!(house.pull("signer", &sig_tag(subject)).await.unwrap(), stored.digest);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), subject);
}

#[tokio::test]
async fn deleting_the_tag_of_the_evidence_withdraws_it_with_what_it_had_replaced() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(subject).await;
    let stranger = house.keys.stranger.clone();
    house.sign("signer", &stranger, subject).await.unwrap();
    let ci = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    let Reference::Tag(tag) = sig_tag(subject) else { unreachable!() };
    house.registry.delete_tag(&ci, &tag, &Precondition::default()).await.unwrap();
    assert!(super::reason(house.pull("deploy", &super::tag("v1")).await).contains("no signature was found"));
}

/// Pushes this once, just before a tag is deleted.
struct Between {
    metadata: Arc<Failing<Sqlite>>,
    put: Mutex<Option<PutManifest>>,
}

#[async_trait]
impl Interruption for Between {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        if call != "delete_tag" {
            return None;
        }
        let put = self.put.lock().unwrap().take();
        if let Some(put) = put {
            self.metadata.inner().put_manifest(put).await.unwrap();
        }
        None
    }

    async fn after(&self, _: &'static str) {}
}

#[tokio::test]
async fn evidence_that_comes_while_its_tag_is_deleted_is_not_left_without_a_tag() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(subject).await;
    let Reference::Tag(tag) = sig_tag(subject) else { unreachable!() };
    let put = PutManifest {
        kind: Kind::Evidence(Shape::CosignSignature),
        subject: Some(subject),
        tags: vec![tag.clone()],
        tag_history: 10,
        who: who("signer"),
        ..bare("another signature", Timestamp::from_micros(0))
    };
    let between = Between { metadata: Arc::clone(&house.metadata), put: Mutex::new(Some(put)) };
    house.metadata.interruptions().set(Some(Arc::new(between)));
    let ci = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_tag(&ci, &tag, &Precondition::default()).await.unwrap();
    assert!(house.pull("ci", &sig_tag(subject)).await.is_err());
    assert_eq!(house.metadata.evidence(&repository(), &subject, 10).await.unwrap(), []);
}

#[tokio::test]
async fn junk_is_capped_and_what_counted_counts() {
    let limits = Limits { evidence_per_pusher: 5, evidence_considered: 3, ..Limits::default() };
    let house = House::with(POLICY, REQUIREMENTS, limits).await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(subject).await;
    let mut capped = 0;
    for _ in 0..9 {
        let stranger = super::key();
        match house.sign("signer", &stranger, subject).await {
            Ok(_) => {}
            Err(Error::Capped(_)) => capped += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(capped, 5);
    house.distrust_second().await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), subject);
}

#[tokio::test]
async fn evidence_may_come_before_its_subject() {
    let house = House::new().await;
    let config = b"{\"config of\": \"one\"}";
    let subject = digest_of(&image(Digest::sha256(config), Digest::sha256(b"one")));
    house.sign_release(subject).await;
    assert_eq!(house.push_image("ci", "one", Some("v1")).await.unwrap(), subject);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), subject);
}

#[tokio::test]
async fn a_signature_of_another_digest_under_this_tag_is_refused() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let second = house.push_image("ci", "two", Some("v2")).await.unwrap();
    let release = house.keys.release.clone();
    let (signature, _) = house.signature("signer", &release, first).await.unwrap();
    let put = house.put("signer", &sig_tag(second), media_type::OCI_MANIFEST, &signature).await;
    assert!(matches!(put, Err(Error::ManifestInvalid(_))), "{put:?}");
    assert!(matches!(house.pull("ci", &sig_tag(second)).await, Err(Error::ManifestUnknown(_))));
}

#[tokio::test]
async fn uploads_under_sign_alone_are_capped() {
    let limits = Limits { sign_uploads: 2, sign_blob_bytes: 10, sign_unheld_blobs: 2, ..Limits::default() };
    let house = House::with(POLICY, REQUIREMENTS, limits).await;
    assert!(matches!(house.upload("signer", &[0; 11]).await, Err(Error::BlobTooLarge { limit: 10 })));
    house.upload("ci", &[0; 11]).await.unwrap();
    for byte in 1..=2 {
        house.upload("signer", &[byte]).await.unwrap();
    }
    assert!(matches!(house.upload("signer", &[3]).await, Err(Error::Capped(_))));
}

#[tokio::test]
async fn evidence_is_small_in_all_its_layers_together() {
    let limits = Limits { evidence_blob_bytes: 2000, ..Limits::default() };
    let house = House::with(POLICY, REQUIREMENTS, limits).await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let release = house.keys.release.clone();
    let (mut signature, _) = house.signature("signer", &release, subject).await.unwrap();
    let layer = signature["layers"][0].clone();
    signature["layers"] = json!(vec![layer; 120]);
    let put =
        house.put("signer", &Reference::Digest(digest_of(&signature)), media_type::OCI_MANIFEST, &signature).await;
    assert!(matches!(&put, Err(Error::Denied(why)) if why.contains("larger")), "{put:?}");
    house.sign_release(subject).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), subject);
}

#[tokio::test]
async fn the_manifest_of_evidence_is_small_too() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let release = house.keys.release.clone();
    let (mut signature, _) = house.signature("signer", &release, subject).await.unwrap();
    signature["annotations"] = json!({"junk": "x".repeat(1 << 20)});
    let put = house.put("signer", &sig_tag(subject), media_type::OCI_MANIFEST, &signature).await;
    assert!(matches!(put, Err(Error::ManifestTooLarge { .. })), "{put:?}");
    assert!(matches!(house.pull("ci", &sig_tag(subject)).await, Err(Error::ManifestUnknown(_))));
}

#[tokio::test]
async fn an_upload_over_the_cap_leaves_neither_bytes_nor_a_session() {
    let limits = Limits { sign_unheld_blobs: 1, ..Limits::default() };
    let house = House::with(POLICY, REQUIREMENTS, limits).await;
    house.upload("signer", b"one").await.unwrap();
    assert_eq!(house.files_of(Digest::sha256(b"one")).len(), 1);
    assert!(matches!(house.upload("signer", b"two").await, Err(Error::Capped(_))));
    assert!(house.files_of(Digest::sha256(b"two")).is_empty());
    assert_eq!(house.registry.totals().await.unwrap().uploads, 0);
}

#[tokio::test]
async fn an_empty_index_is_a_list_about_nothing() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let reference = tag(&format!("sha256-{}", subject.hex()));
    let put = house.put("signer", &reference, media_type::OCI_INDEX, &super::index(&[])).await;
    assert!(matches!(put, Err(Error::Denied(_))), "{put:?}");
    assert!(matches!(house.pull("ci", &reference).await, Err(Error::ManifestUnknown(_))));
}

#[tokio::test]
async fn evidence_with_a_layer_over_the_limit_is_an_object() {
    let limits = Limits { evidence_blob_bytes: 100, ..Limits::default() };
    let house = House::with(POLICY, REQUIREMENTS, limits).await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let release = house.keys.release.clone();
    let (signature, _) = house.signature("signer", &release, subject).await.unwrap();
    let reference = Reference::Digest(digest_of(&signature));
    let put = house.put("signer", &reference, media_type::OCI_MANIFEST, &signature).await;
    assert!(matches!(put, Err(Error::Denied(_))), "{put:?}");
    assert!(matches!(house.pull("ci", &reference).await, Err(Error::ManifestUnknown(_))));
}

#[tokio::test]
async fn evidence_whose_subject_never_comes_expires() {
    let house = House::new().await;
    let subject = digest_of(&image(Digest::sha256(b"{\"config of\": \"one\"}"), Digest::sha256(b"one")));
    house.sign_release(subject).await;
    house.clock.advance(Limits::default().orphan_evidence + std::time::Duration::from_secs(1));
    house.registry.sweep().await.unwrap();
    assert!(matches!(house.pull("ci", &sig_tag(subject)).await, Err(Error::ManifestUnknown(_))));
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    assert!(super::reason(house.pull("deploy", &tag("v1")).await).contains("no signature was found"));
}
