//! Content that rotted, in export, backup, import and rebuild: named, never taken for whole.

use std::fs;

use super::rebuild::Ruin;
use super::scrub::{flip, with_layer};
use super::{House, image, tag, who};
use crate::clock::Clock as _;
use crate::metadata::{FILE, Metadata as _};
use crate::oci::{Digest, RepositoryName, media_type};
use crate::registry::{Error, ManifestPut, Rebuild, Rebuilt, export};

/// A house whose layer is quarantined, and the layer.
async fn with_rotten_layer() -> (House, Digest) {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer).remove(0));
    house.scrub().await;
    (house, layer)
}

#[tokio::test]
async fn a_blob_that_was_cut_short_after_it_was_pulled_is_quarantined_at_the_next_pull() {
    let (house, layer) = with_layer().await;
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    fs::File::options().write(true).open(&house.files_of(layer)[0]).unwrap().set_len(20).unwrap();
    for _ in 0..2 {
        assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::Quarantined(digest)) if digest == layer));
    }
    let noted = house.metadata.quarantined(9).await.unwrap();
    assert_eq!((noted.len(), noted[0].digest), (1, layer));
    assert_eq!(noted[0].why, "expected 21 bytes, found 20");
}

#[tokio::test]
async fn quarantined_content_is_named_by_an_export_that_leaves_nothing() {
    let (house, layer) = with_rotten_layer().await;
    let to = tempfile::tempdir().unwrap();
    let refused = export(house.folder.path(), &super::repository(), None, &to.path().join("out")).await;
    assert!(matches!(refused, Err(Error::Quarantined(digest)) if digest == layer), "{refused:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn quarantined_content_is_not_taken_by_a_rebuild() {
    let (house, layer) = with_rotten_layer().await;
    let rebuilt = Ruin::of(house).await.rebuilds(false).await.unwrap();
    assert!(!rebuilt.in_place);
    assert!(rebuilt.taken.refused.iter().any(|refused| refused.why.contains(&layer.hex())), "{rebuilt:?}");
}

#[tokio::test]
async fn content_that_was_noted_as_rotten_and_not_moved_is_not_taken_by_a_rebuild() {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer).remove(0));
    let key = house.metadata.contents(None, 10).await.unwrap().into_iter().find(|it| it.digest == layer).unwrap().key;
    house.metadata.quarantine_content(&layer, &key, "rotten", house.clock.now()).await.unwrap().unwrap();
    let rebuilt = Ruin::of(house).await.rebuilds(false).await.unwrap();
    assert!(!rebuilt.in_place, "{rebuilt:?}");
}

/// After a clean stop, with a flipped bit in the layer that nothing has noticed.
async fn with_unnoticed_rot() -> (Ruin, Digest) {
    let (house, layer) = with_layer().await;
    let object = house.files_of(layer).remove(0);
    let ruin = Ruin::of(house).await;
    flip(&object);
    (ruin, layer)
}

fn rotten(rebuilt: &Rebuilt) -> Vec<Digest> {
    rebuilt.rotten.iter().map(|object| object.digest).collect()
}

#[tokio::test]
async fn a_rebuild_hashes_every_object_and_counts_them() {
    let (house, _) = with_layer().await;
    house.upload("ci", b"a blob that nothing holds").await.unwrap();
    let ruin = Ruin::of(house).await;
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    // The configuration, the layer, and what nothing holds.
    let bytes = 15 + 21 + 25;
    assert_eq!((rebuilt.hashed.objects, rebuilt.hashed.bytes, rebuilt.rotten.len()), (3, bytes, 0), "{rebuilt:?}");
}

#[tokio::test]
async fn an_object_that_rotted_is_not_taken_though_the_old_metadata_holds_it_as_sound() {
    let (ruin, layer) = with_unnoticed_rot().await;
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert!(!rebuilt.in_place && rotten(&rebuilt) == [layer], "{rebuilt:?}");
    assert!(rebuilt.rotten[0].why.contains("expected bytes that hash to their name, found"), "{rebuilt:?}");
    assert!(rebuilt.taken.refused.iter().any(|refused| refused.why.contains(&layer.hex())), "{rebuilt:?}");
    assert!(ruin.folder.path().join("_cas").join(&rebuilt.rotten[0].object).exists(), "nothing was put in place");
}

#[tokio::test]
async fn an_object_that_rotted_is_quarantined_by_a_rebuild_that_goes_on_without_it_and_healed_by_a_push() {
    let (ruin, layer) = with_unnoticed_rot().await;
    fs::remove_file(ruin.folder.path().join(FILE)).unwrap();
    let rebuilt = ruin.rebuilds(true).await.unwrap();
    assert!(rebuilt.in_place && rotten(&rebuilt) == [layer] && rebuilt.surplus == 0, "{rebuilt:?}");
    let house = ruin.serves().await;
    assert_eq!(fs::read_dir(house.folder.path().join("_quarantine")).unwrap().count(), 1);
    heals(&house, layer).await;
}

/// What holds the rotten layer is there, the layer is not, and a push of the layer alone brings it back.
pub(super) async fn heals(house: &House, layer: Digest) {
    assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::Quarantined(_))));
    let image = house.pull("ci", &tag("v1")).await.unwrap();
    house.registry.flush_views().await.unwrap();
    let index = fs::read_to_string(house.folder.path().join("prod/app/index.json")).unwrap();
    assert!(index.contains(&image.to_string()), "{index}");
    house.upload("ci", b"a layer of some bytes").await.unwrap();
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    assert_eq!(house.metadata.quarantined_count().await.unwrap(), 0);
}

#[tokio::test]
async fn an_image_whose_layer_lies_in_quarantine_is_kept_by_a_rebuild_and_healed_by_a_push() {
    let (house, layer) = with_rotten_layer().await;
    let ruin = Ruin::of(house).await;
    fs::remove_file(ruin.folder.path().join(FILE)).unwrap();
    let rebuilt = ruin.rebuilds(true).await.unwrap();
    assert!(rebuilt.in_place && rebuilt.taken.refused.iter().any(|it| it.why.contains("quarantined")), "{rebuilt:?}");
    assert_eq!((rebuilt.taken.manifests, rebuilt.surplus), (1, 0), "{rebuilt:?}");
    heals(&ruin.serves().await, layer).await;
}

#[tokio::test]
async fn an_image_of_two_repositories_whose_layer_rotted_is_kept_in_both() {
    let (house, layer) = with_layer().await;
    mounts_into_later(&house, layer).await;
    let object = house.files_of(layer).remove(0);
    let ruin = Ruin::of(house).await;
    flip(&object);
    let rebuilt = ruin.rebuilds(true).await.unwrap();
    assert_eq!((rebuilt.taken.repositories, rebuilt.taken.manifests), (2, 2), "{rebuilt:?}");
    heals(&ruin.serves().await, layer).await;
}

#[tokio::test]
async fn evidence_whose_payload_rotted_is_not_taken_for_an_object() {
    let house = House::new().await;
    let digest = house.push_image("ci", "signed", Some("v1")).await.unwrap();
    let (manifest, _) = house.signature("signer", &house.keys.release, digest).await.unwrap();
    house.sign("signer", &house.keys.release, digest).await.unwrap();
    let payload: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    let object = house.files_of(payload).remove(0);
    let ruin = Ruin::of(house).await;
    flip(&object);
    let rebuilt = ruin.rebuilds(true).await.unwrap();
    assert!(rebuilt.in_place && rebuilt.taken.manifests == 1, "{rebuilt:?}");
    assert!(rebuilt.taken.refused.iter().any(|it| it.why.contains("found no sha256:")), "{rebuilt:?}");
}

#[tokio::test]
async fn a_layouts_own_copy_takes_the_place_of_an_object_that_rotted() {
    let (ruin, layer) = with_unnoticed_rot().await;
    own_file(&ruin.folder.path().join("prod/app/blobs/sha256").join(layer.hex()), b"a layer of some bytes");
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert!(rebuilt.in_place && rotten(&rebuilt) == [layer], "{rebuilt:?}");
    assert_eq!(rebuilt.taken.linked, 1);
    let house = ruin.serves().await;
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    house.scrub().await;
    assert_eq!(house.metadata.quarantined_count().await.unwrap(), 0);
}

#[tokio::test]
async fn another_repositorys_copy_takes_the_place_of_an_object_that_rotted() {
    let (house, layer) = with_layer().await;
    mounts_into_later(&house, layer).await;
    let object = house.files_of(layer).remove(0);
    let ruin = Ruin::of(house).await;
    flip(&object);
    own_file(&ruin.folder.path().join("prod/later/blobs/sha256").join(layer.hex()), b"a layer of some bytes");
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert!(rebuilt.in_place && rotten(&rebuilt) == [layer], "{rebuilt:?}");
    assert_eq!((rebuilt.taken.repositories, rebuilt.taken.manifests, rebuilt.taken.blobs), (2, 2, 4), "{rebuilt:?}");
    let house = ruin.serves().await;
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    house.registry.flush_views().await.unwrap();
    let shown = house.folder.path().join("prod/app/blobs/sha256").join(layer.hex());
    assert_eq!(fs::read(shown).unwrap(), b"a layer of some bytes");
}

/// Pushes the image into a repository that comes after the other in the order of names.
pub(super) async fn mounts_into_later(house: &House, layer: Digest) {
    let config = Digest::sha256(b"{\"a\": \"config\"}");
    let later: RepositoryName = "prod/later".parse().unwrap();
    let there = house.registry.allow_sign(&who("ci"), &later).unwrap();
    for blob in [config, layer] {
        assert!(house.registry.mount(&there, &blob, None).await.unwrap());
    }
    let put = ManifestPut {
        reference: tag("v1"),
        tags: Vec::new(),
        precondition: crate::oci::Precondition::default(),
        content_type: media_type::OCI_MANIFEST.to_owned(),
        bytes: serde_json::to_vec(&image(config, layer)).unwrap().into(),
    };
    house.registry.put_manifest(&there, put).await.unwrap();
}

#[tokio::test]
async fn an_older_object_takes_the_place_of_one_that_rotted() {
    let (house, layer) = with_layer().await;
    let object = house.files_of(layer).remove(0);
    let ruin = Ruin::of(house).await;
    own_file(&object.with_file_name(format!("{}.1", layer.hex())), b"a layer of some bytes");
    flip(&object);
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert!(rebuilt.in_place && rotten(&rebuilt) == [layer] && rebuilt.taken.linked == 0, "{rebuilt:?}");
    assert_eq!(ruin.serves().await.pull_blob("ci", layer).await.unwrap(), 21);
}

#[tokio::test]
async fn unhashed_objects_are_taken_for_what_their_names_say_and_the_scrub_finds_what_is_not() {
    let (ruin, layer) = with_unnoticed_rot().await;
    let rebuilt = ruin.rebuilds_as(Rebuild { unhashed: true, ..Rebuild::default() }).await.unwrap();
    assert!(rebuilt.in_place && rebuilt.hashed.objects == 0 && rebuilt.rotten.is_empty(), "{rebuilt:?}");
    let house = ruin.serves().await;
    house.scrub().await;
    assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::Quarantined(_))));
}

/// A file in the place of a link.
pub(super) fn own_file(path: &std::path::Path, bytes: &[u8]) {
    use std::io::Write as _;
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
    fs::File::create_new(path).unwrap().write_all(bytes).unwrap();
}
