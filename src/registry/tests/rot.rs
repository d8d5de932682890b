//! Quarantined content in export, backup, import and rebuild: named, never taken for whole.

use std::fs;

use super::House;
use super::rebuild::Ruin;
use super::scrub::{flip, with_layer};
use crate::clock::Clock as _;
use crate::metadata::Metadata as _;
use crate::oci::Digest;
use crate::registry::{Error, backup, export};

/// A house whose layer is quarantined, and the layer.
async fn with_rotten_layer() -> (House, Digest) {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer).remove(0));
    house.scrub().await;
    (house, layer)
}

#[tokio::test]
async fn quarantined_content_is_named_by_a_backup_that_leaves_nothing() {
    let (house, layer) = with_rotten_layer().await;
    let to = tempfile::tempdir().unwrap();
    let refused = backup(house.folder.path(), &to.path().join("backup")).await;
    assert!(matches!(refused, Err(Error::Quarantined(digest)) if digest == layer), "{refused:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
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
