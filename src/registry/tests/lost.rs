//! Metadata that is lost: seen before anything goes on over content that nothing would name.

use std::fs;
use std::sync::Arc;

use super::House;
use super::import::config;
use super::rebuild::{Ruin, furnished};
use crate::clock::SystemClock;
use crate::metadata::{FILE, Sqlite};
use crate::registry::{Error, Parts, Rebuild, backup, export, lost, rebuild};
use crate::store::Filesystem;

#[tokio::test]
async fn content_without_metadata_is_told_and_nothing_goes_on_over_it() {
    let (house, ..) = furnished().await;
    let ruin = Ruin::of(house).await;
    let root = ruin.folder.path();
    assert_eq!(lost(root), None);
    for (empty, found) in [(false, "found no _metadata.sqlite"), (true, "found a _metadata.sqlite with nothing in it")]
    {
        fs::remove_file(root.join(FILE)).unwrap();
        if empty {
            fs::File::create(root.join(FILE)).unwrap();
        }
        let told = lost(root).unwrap().to_string();
        assert!(told.contains(found) && told.contains("the object _cas/sha256/"), "{told}");
        assert!(told.contains("`hallmark rebuild`"), "{told}");
        let refused = Parts::offline(&config(root), Arc::new(SystemClock), "import").err().unwrap();
        assert!(matches!(refused, Error::Conflict(why) if why == told));
        assert_eq!(fs::metadata(root.join(FILE)).map_or(0, |file| file.len()), 0);
        assert!(ruin.rebuilds(false).await.unwrap().in_place);
        assert_eq!(lost(root), None);
    }
}

#[tokio::test]
async fn layouts_whose_objects_are_gone_as_well_are_content() {
    let (house, ..) = furnished().await;
    let ruin = Ruin::of(house).await;
    let root = ruin.folder.path();
    fs::remove_file(root.join(FILE)).unwrap();
    fs::remove_dir_all(root.join("_cas")).unwrap();
    let told = lost(root).unwrap().to_string();
    assert!(told.contains("an image layout in ") && told.contains("prod/app"), "{told}");
}

#[tokio::test]
async fn a_root_that_is_new_or_whose_making_was_interrupted_has_lost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert_eq!(lost(&root.join("absent")), None);
    assert_eq!(lost(root), None);
    drop(Filesystem::open(root).unwrap());
    fs::File::create(root.join("_uploads/left")).unwrap().set_len(4).unwrap();
    fs::create_dir_all(root.join("_cas/sha256/ab")).unwrap();
    assert_eq!(lost(root), None);
    fs::File::create(root.join(FILE)).unwrap();
    assert_eq!(lost(root), None);
    drop(Sqlite::open(&root.join(FILE)).unwrap());
    assert_eq!(lost(root), None);
}

#[tokio::test]
async fn a_root_that_is_not_there_is_not_rebuilt() {
    let house = House::new().await;
    let config = config(house.folder.path());
    let absent = crate::config::Config { root: house.folder.path().join("typo"), ..config };
    let refused = rebuild(&absent, Arc::new(SystemClock), Rebuild::default()).await.unwrap_err().to_string();
    assert!(refused.contains("typo, found no folder"), "{refused}");
    assert!(!absent.root.exists());
}

#[tokio::test]
async fn backup_and_export_of_a_root_that_lost_its_metadata_name_the_rebuild() {
    let (house, ..) = furnished().await;
    let ruin = Ruin::of(house).await;
    let root = ruin.folder.path();
    fs::remove_file(root.join(FILE)).unwrap();
    let told = lost(root).unwrap().to_string();
    let to = tempfile::tempdir().unwrap();
    let refused = backup(root, &to.path().join("backup"), true, &SystemClock).await.unwrap_err();
    assert!(matches!(&refused, Error::Conflict(why) if *why == told), "{refused:?}");
    let refused = export(root, &super::repository(), None, &to.path().join("export")).await.unwrap_err();
    assert!(matches!(&refused, Error::Conflict(why) if *why == told), "{refused:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    assert!(!root.join(FILE).exists());
}
