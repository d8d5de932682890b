//! Whether a push would heal what is quarantined.

use std::fs;

use super::scrub::{LAYER, flip, with_layer};
use super::*;

#[tokio::test]
async fn an_image_whose_layer_is_quarantined_awaits_a_push_of_who_may_push_it_and_of_nobody_else() {
    let (house, layer) = with_layer().await;
    let image = house.pull("ci", &tag("v1")).await.unwrap();
    house.sign_release(image).await;
    let awaits = async |name: &str| house.registry.awaits_push(&house.pulls(name).unwrap(), &image).await;
    assert!(!awaits("ci").await.unwrap());
    house.metadata.fail(true);
    assert!(!awaits("ci").await.unwrap(), "nothing is asked while nothing is quarantined");
    house.metadata.fail(false);
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    assert!(awaits("ci").await.unwrap() && !awaits("deploy").await.unwrap());
    house.upload("ci", LAYER).await.unwrap();
    assert!(!awaits("ci").await.unwrap());
    house.metadata.fail(true);
    assert!(!awaits("ci").await.unwrap(), "nothing is asked once it was seen that all is healed");
}

#[tokio::test]
async fn an_index_above_a_manifest_that_rotted_awaits_a_push() {
    let (house, _) = with_layer().await;
    let image = house.pull("ci", &tag("v1")).await.unwrap();
    let list = index(&[image]);
    let list = house.put("ci", &tag("list"), media_type::OCI_INDEX, &list).await.unwrap().digest;
    let awaits = async || house.registry.awaits_push(&house.pulls("ci").unwrap(), &list).await.unwrap();
    assert!(!awaits().await);
    let sound = house.metadata.manifest(&repository(), &image).await.unwrap().unwrap().bytes;
    // Else it is a copy that heals it.
    fs::remove_file(house.layout_file(image)).unwrap();
    house.registry.housekeeping().quarantine_manifest(&repository(), &image, &sound).await.unwrap();
    assert!(awaits().await);
}
