//! Content that is quarantined or lost, where all that is stored is to be taken along: named, and gone on without if that
//! may be.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::backup::{files, is_whole};
use super::rebuild::{Ruin, furnished};
use super::rot::{heals, mounts_into_later, own_file};
use super::scrub::{flip, with_layer};
use super::{House, image, repository, tag};
use crate::clock::{Clock as _, Timestamp};
use crate::metadata::{FILE, Metadata as _, Sqlite};
use crate::oci::{Digest, media_type};
use crate::registry::Error;

/// What a refusal says, a line each, after which nothing is left of the backup.
async fn refusal(house: &House) -> Vec<String> {
    let to = tempfile::tempdir().unwrap();
    let refused = house.backs_up(&to.path().join("backup")).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    refused.to_string().lines().map(str::to_owned).collect()
}

/// A house of three images: one whose layer rotted and is quarantined, one whose layer is lost, and one that is whole.
async fn worn() -> (House, Digest, Digest) {
    let house = House::new().await;
    for name in ["rotten", "lost", "whole"] {
        house.push_image("ci", name, Some(name)).await.unwrap();
    }
    let [rotten, lost] = [Digest::sha256(b"rotten"), Digest::sha256(b"lost")];
    flip(&house.files_of(rotten)[0]);
    house.scrub().await;
    house.clock.advance(Duration::from_secs(1));
    fs::remove_file(&house.files_of(lost)[0]).unwrap();
    (house, rotten, lost)
}

#[tokio::test]
async fn all_that_is_quarantined_and_all_that_is_lost_is_named_by_a_backup_that_leaves_nothing() {
    let (house, rotten, lost) = worn().await;
    let lines = refusal(&house).await;
    assert!(lines[0].contains("found 2 that is not") && lines[0].contains("--partial"), "{lines:?}");
    assert_eq!(lines.len(), 3);
    assert!(
        lines[1].starts_with(&format!("{rotten} in prod/app: expected bytes that hash to their name")),
        "{lines:?}"
    );
    assert_eq!(lines[2], format!("{lost} in prod/app: expected a file, found none"));
    assert_eq!(house.metadata.quarantined_count().await.unwrap(), 1, "nothing is changed here");
}

#[tokio::test]
async fn a_refusal_names_the_first_that_are_missing_and_counts_the_others() {
    let house = House::new().await;
    for number in 0..23 {
        let blob = house.upload("ci", format!("blob {number}").as_bytes()).await.unwrap();
        fs::remove_file(&house.files_of(blob)[0]).unwrap();
    }
    let lines = refusal(&house).await;
    assert!(lines[0].contains("found 23 that is not"), "{lines:?}");
    assert_eq!((lines.len(), lines[21].as_str()), (22, "and 3 more"));
}

#[tokio::test]
async fn a_partial_backup_lists_what_is_missing_serves_the_rest_and_is_healed_by_a_push() {
    let (house, rotten, lost) = worn().await;
    let whole = house.pull("ci", &tag("whole")).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    let done = house.backs_up_what_is_there(&root).await;
    let missing: Vec<_> = done.missing.iter().map(|it| (it.digest, it.repositories.join(","), it.more)).collect();
    assert_eq!(missing, [(rotten, "prod/app".to_owned(), false), (lost, "prod/app".to_owned(), false)]);
    assert_eq!((done.manifests, done.tags, done.blobs, done.linked + done.copied), (3, 3, 4, 4));
    assert_eq!(done.blob_bytes, house.metadata.totals().await.unwrap().blob_bytes - 6 - 4);
    assert_eq!(files(&root.join("_cas")), 4);
    let house = house.restored_from(&root).await;
    assert_eq!(house.pull("ci", &tag("whole")).await.unwrap(), whole);
    assert_eq!(house.pull_blob("ci", Digest::sha256(b"whole")).await.unwrap(), 5);
    house.scrub().await;
    for (name, blob) in [("rotten", rotten), ("lost", lost)] {
        assert!(matches!(house.pull_blob("ci", blob).await, Err(Error::Quarantined(_))), "{name}");
        house.push_image("ci", name, Some(name)).await.unwrap();
        assert!(house.pull_blob("ci", blob).await.is_ok(), "{name}");
    }
    assert_eq!(house.metadata.quarantined_count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_partial_backup_of_what_is_whole_misses_nothing() {
    let (house, ..) = furnished().await;
    let to = tempfile::tempdir().unwrap();
    let done = house.backs_up_what_is_there(&to.path().join("backup")).await;
    assert_eq!((done.missing.len(), done.linked + done.copied), (0, done.blobs));
    is_whole(&to.path().join("backup")).await;
}

#[tokio::test]
async fn an_object_that_was_cut_short_is_missing() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"a release");
    fs::File::options().write(true).open(&house.files_of(layer)[0]).unwrap().set_len(3).unwrap();
    assert_eq!(refusal(&house).await[1], format!("{layer} in prod/app: expected 9 bytes, found 3"));
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    assert_eq!(house.backs_up_what_is_there(&root).await.missing[0].digest, layer);
    assert_eq!(files(&root.join("_cas")), 1);
}

#[tokio::test]
async fn an_object_that_rotted_unnoticed_is_missing_from_a_backup_on_another_disk() {
    use std::os::unix::fs::MetadataExt as _;
    let house = House::in_memory(crate::config::Limits::default()).await;
    let to = tempfile::tempdir().unwrap();
    let device = |folder: &Path| fs::metadata(folder).unwrap().dev();
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"a release");
    flip(&house.files_of(layer)[0]);
    let root = to.path().join("backup");
    let done = house.backs_up_what_is_there(&root).await;
    if device(house.folder.path()) == device(to.path()) {
        // Only who copies looks at every byte.
        assert_eq!((done.linked, done.missing.len()), (2, 0));
        return;
    }
    assert_eq!((done.copied, done.missing[0].digest), (1, layer));
    assert!(done.missing[0].why.contains("found others"), "{done:?}");
    assert_eq!(files(&root.join("_cas")), 1);
    let house = house.restored_from(&root).await;
    assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::Quarantined(_))));
}

#[tokio::test]
async fn a_manifest_that_is_quarantined_is_missing_and_stays_quarantined() {
    let (house, ..) = worn().await;
    let whole = house.pull("ci", &tag("whole")).await.unwrap();
    let stored = house.metadata.manifest(&repository(), &whole).await.unwrap().unwrap();
    let at = Timestamp::from_micros(0);
    house.metadata.quarantine_manifest(&repository(), &whole, &stored.bytes, "it rotted", at).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    let done = house.backs_up_what_is_there(&root).await;
    assert_eq!((done.missing.len(), done.missing[0].digest, done.missing[0].why.as_str()), (3, whole, "it rotted"));
    let copy = Sqlite::open(&root.join(FILE)).unwrap();
    assert_eq!(copy.quarantined(9).await.unwrap()[0].digest, whole);
}

#[tokio::test]
async fn what_is_lost_is_noted_in_a_partial_backup_when_it_is_made() {
    let (house, _, lost) = worn().await;
    house.clock.advance(Duration::from_hours(1));
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    house.backs_up_what_is_there(&root).await;
    let noted = Sqlite::open(&root.join(FILE)).unwrap().quarantined(9).await.unwrap();
    assert_eq!((noted[1].digest, noted[1].at), (lost, house.clock.now()));
}

/// Removes every file of a blob: the object, and the layouts' links to it.
fn lose_every_file(house: &House, blob: Digest) {
    for object in house.files_of(blob) {
        fs::remove_file(object).unwrap();
    }
    for repository in ["prod/app", "prod/later"] {
        drop(fs::remove_file(house.folder.path().join(repository).join("blobs/sha256").join(blob.hex())));
    }
}

/// After a clean stop, with nothing left of the layer of an image that two repositories have, and of the database; beside
/// it, an image that is whole.
async fn with_lost_layer() -> (Ruin, Digest) {
    let (house, layer) = with_layer().await;
    mounts_into_later(&house, layer).await;
    house.push_image("ci", "whole", Some("whole")).await.unwrap();
    house.registry.flush_views().await.unwrap();
    house.registry.close().await.unwrap();
    lose_every_file(&house, layer);
    let ruin = Ruin::of_crash(house);
    fs::remove_file(ruin.folder.path().join(FILE)).unwrap();
    (ruin, layer)
}

#[tokio::test]
async fn an_image_with_a_layer_of_which_nothing_is_left_is_kept_by_a_rebuild_that_may_and_healed_by_a_push() {
    let (ruin, layer) = with_lost_layer().await;
    let refused = ruin.rebuilds(false).await.unwrap();
    assert!(!refused.in_place, "{refused:?}");
    let rebuilt = ruin.rebuilds(true).await.unwrap();
    let named = |repository: &str| {
        let what = format!("{repository}@{layer}");
        let of = rebuilt.taken.refused.iter().filter(|it| it.what == what);
        of.map(|it| it.why.as_str()).collect::<Vec<_>>()
    };
    for repository in ["prod/app", "prod/later"] {
        assert_eq!(named(repository), ["expected sound bytes, found none: it is quarantined until it is pushed again"]);
    }
    assert_eq!((rebuilt.taken.manifests, rebuilt.taken.tags, rebuilt.surplus), (3, 3, 0), "{rebuilt:?}");
    assert_eq!((rebuilt.taken.refused.len(), rebuilt.rotten.len()), (2, 0), "{rebuilt:?}");
    assert_eq!(Sqlite::open(&ruin.folder.path().join(FILE)).unwrap().broken().unwrap(), [""; 0]);
    let house = ruin.serves().await;
    house.pull("ci", &tag("whole")).await.unwrap();
    assert_eq!(house.pull_blob("ci", Digest::sha256(b"whole")).await.unwrap(), 5);
    house.scrub().await;
    let quarantined = house.metadata.quarantined(9).await.unwrap();
    assert_eq!(quarantined.len(), 1);
    assert!(quarantined[0].why.contains("found none when the metadata was made afresh"), "{quarantined:?}");
    heals(&house, layer).await;
}

#[tokio::test]
async fn a_layer_of_which_nothing_was_left_is_found_again_by_a_scrub_when_a_layout_has_it_again() {
    let (ruin, layer) = with_lost_layer().await;
    ruin.rebuilds(true).await.unwrap();
    let connection = rusqlite::Connection::open(ruin.folder.path().join(FILE)).unwrap();
    // The test's own image lies about the size of its layer, and a copy is known by it.
    assert_eq!(connection.execute("UPDATE contents SET size = 21 WHERE size = 1", []).unwrap(), 1);
    drop(connection);
    let house = ruin.serves().await;
    house.registry.flush_views().await.unwrap();
    own_file(&house.folder.path().join("prod/later/blobs/sha256").join(layer.hex()), b"a layer of some bytes");
    house.scrub().await;
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
}

#[tokio::test]
async fn an_image_with_nothing_left_of_its_configuration_or_of_layers_of_incredible_sizes_is_kept_as_well() {
    let house = House::new().await;
    let blobs = [&b"{}"[..], b"one layer", b"another layer"];
    for blob in blobs {
        house.upload("ci", blob).await.unwrap();
    }
    let [config, one, another] = blobs.map(Digest::sha256);
    let mut vast = image(config, one);
    vast["layers"][0]["size"] = i64::MAX.into();
    let mut second = vast["layers"][0].clone();
    second["digest"] = another.to_string().into();
    vast["layers"].as_array_mut().unwrap().push(second);
    let stored = house.put("ci", &tag("v1"), media_type::OCI_MANIFEST, &vast).await.unwrap();
    house.registry.flush_views().await.unwrap();
    house.registry.close().await.unwrap();
    for blob in [config, one, another] {
        lose_every_file(&house, blob);
    }
    let ruin = Ruin::of_crash(house);
    fs::remove_file(ruin.folder.path().join(FILE)).unwrap();
    let rebuilt = ruin.rebuilds(true).await.unwrap();
    assert_eq!((rebuilt.taken.manifests, rebuilt.taken.refused.len()), (1, 3), "{rebuilt:?}");
    let house = ruin.serves().await;
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), stored.digest);
    for blob in [config, one, another] {
        assert!(matches!(house.pull_blob("ci", blob).await, Err(Error::Quarantined(_))));
    }
    assert_eq!(house.metadata.totals().await.unwrap().blob_bytes, 1);
}

#[tokio::test]
async fn evidence_with_a_payload_of_which_nothing_is_left_is_left_out_and_named() {
    let house = House::new().await;
    let digest = house.push_image("ci", "signed", Some("v1")).await.unwrap();
    let (manifest, _) = house.signature("signer", &house.keys.release, digest).await.unwrap();
    house.sign("signer", &house.keys.release, digest).await.unwrap();
    let payload: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    house.registry.flush_views().await.unwrap();
    house.registry.close().await.unwrap();
    lose_every_file(&house, payload);
    let ruin = Ruin::of_crash(house);
    fs::remove_file(ruin.folder.path().join(FILE)).unwrap();
    let rebuilt = ruin.rebuilds(true).await.unwrap();
    assert!(rebuilt.in_place && rebuilt.taken.manifests == 1, "{rebuilt:?}");
    assert!(rebuilt.taken.refused.iter().any(|it| it.why.contains(&format!("found no {payload}"))), "{rebuilt:?}");
}

#[tokio::test]
async fn an_image_whose_layout_lost_a_layer_has_it_from_the_store_whichever_repository_comes_first() {
    for repository in ["prod/app", "prod/later"] {
        let (house, layer) = with_layer().await;
        mounts_into_later(&house, layer).await;
        house.registry.flush_views().await.unwrap();
        house.registry.close().await.unwrap();
        fs::remove_file(house.folder.path().join(repository).join("blobs/sha256").join(layer.hex())).unwrap();
        let ruin = Ruin::of_crash(house);
        fs::remove_file(ruin.folder.path().join(FILE)).unwrap();
        let rebuilt = ruin.rebuilds(false).await.unwrap();
        assert!(rebuilt.in_place && rebuilt.taken.manifests == 2, "{repository}: {rebuilt:?}");
        let metadata = Sqlite::open(&ruin.folder.path().join(FILE)).unwrap();
        let with = metadata.repositories_with(&layer, 9).await.unwrap();
        assert_eq!(with.len(), 2, "{repository}");
    }
}

#[tokio::test]
async fn an_object_that_can_not_be_read_is_missing_and_named() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"a release");
    let object = house.files_of(layer).remove(0);
    let shard = object.parent().unwrap();
    fs::remove_dir_all(shard).unwrap();
    fs::File::create(shard).unwrap();
    let lines = refusal(&house).await;
    let named = format!("{layer} in prod/app: expected a file that can be read, found Not a directory");
    assert!(lines.len() == 2 && lines[1].starts_with(&named), "{lines:?}");
    let to = tempfile::tempdir().unwrap();
    let root = to.path().join("backup");
    let done = house.backs_up_what_is_there(&root).await;
    assert_eq!((done.missing.len(), done.missing[0].digest, done.manifests), (1, layer, 1));
    assert_eq!(files(&root.join("_cas")), 1);
}
