//! Layouts are written in groups, so that what they hold is never all in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use serde_json::{Value, json};

use super::*;
use crate::interruption::{Fault, Interruption};
use crate::metadata::MANIFESTS_BYTES;

/// Notes which calls bring changes to a layout.
#[derive(Default)]
struct Changes(Mutex<Vec<&'static str>>);

#[async_trait::async_trait]
impl Interruption for Changes {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        if ["add", "apply"].contains(&call) {
            self.0.lock().unwrap().push(call);
        }
        None
    }

    async fn after(&self, _: &'static str) {}
}

/// An image with so much text in its annotations.
pub(super) fn large(config: Digest, layer: Digest, name: &str, bytes: usize) -> Value {
    let mut manifest = image(config, layer);
    manifest["annotations"] = json!({"name": name, "text": "x".repeat(bytes)});
    manifest
}

#[tokio::test]
async fn manifests_come_in_groups_ahead_of_the_index_that_names_them() {
    let house = House::new().await;
    let config = house.upload("ci", b"{}").await.unwrap();
    let layer = house.upload("ci", b"layer").await.unwrap();
    for name in ["one", "two", "three", "four", "five"] {
        let manifest = large(config, layer, name, MANIFESTS_BYTES / 2);
        house.put("ci", &tag(name), media_type::OCI_MANIFEST, &manifest).await.unwrap();
    }
    let changes = Arc::new(Changes::default());
    house.store.interruptions().set(Some(Arc::<Changes>::clone(&changes)));
    house.registry.flush_views().await.unwrap();
    house.store.interruptions().set(None);
    assert_eq!(*changes.0.lock().unwrap(), ["add", "add", "apply"]);
    assert_eq!(house.broken_layouts().await, [""; 0]);
}

#[tokio::test]
async fn a_layout_of_which_a_group_could_not_be_written_is_behind_and_comes_again() {
    let house = House::new().await;
    let config = house.upload("ci", b"{}").await.unwrap();
    let layer = house.upload("ci", b"layer").await.unwrap();
    for name in ["one", "two", "three"] {
        let manifest = large(config, layer, name, MANIFESTS_BYTES / 2);
        house.put("ci", &tag(name), media_type::OCI_MANIFEST, &manifest).await.unwrap();
    }
    house.store.interruptions().set(Some(Arc::new(NoGroups)));
    assert!(house.registry.flush_views().await.is_err());
    house.store.interruptions().set(None);
    house.registry.flush_views().await.unwrap();
    assert_eq!(house.broken_layouts().await, [""; 0]);
}

/// As the first layout is written, both repositories change again.
struct ChangesMeanwhile {
    house: Weak<House>,
    left: AtomicUsize,
}

#[async_trait::async_trait]
impl Interruption for ChangesMeanwhile {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        let first = call == "apply" && self.left.swap(0, Ordering::SeqCst) == 1;
        if let Some(house) = self.house.upgrade().filter(|_| first) {
            set(&house, "prod/app", "again").await;
            set(&house, "prod/other", "again").await;
        }
        None
    }

    async fn after(&self, _: &'static str) {}
}

/// Sets a tag on one and the same image.
async fn set(house: &House, repository: &str, name: &str) {
    let allowed = house.registry.allow_sign(&who("ci"), &repository.parse().unwrap()).unwrap();
    let (config, layer) = (Digest::sha256(b"{}"), Digest::sha256(b"layer"));
    for blob in [config, layer] {
        house.registry.mount(&allowed, &blob, Some(&super::repository())).await.unwrap();
    }
    let put = ManifestPut {
        reference: tag(name),
        tags: Vec::new(),
        precondition: Precondition::default(),
        content_type: media_type::OCI_MANIFEST.to_owned(),
        bytes: Bytes::from(serde_json::to_vec(&image(config, layer)).unwrap()),
    };
    house.registry.put_manifest(&allowed, put).await.unwrap();
}

#[tokio::test]
async fn what_was_stored_before_a_flush_is_shown_by_it_whatever_changes_meanwhile() {
    let house = Arc::new(House::new().await);
    house.upload("ci", b"{}").await.unwrap();
    house.upload("ci", b"layer").await.unwrap();
    for repository in ["prod/app", "prod/other"] {
        set(&house, repository, "before").await;
    }
    house.registry.flush_views().await.unwrap();
    for repository in ["prod/app", "prod/other"] {
        set(&house, repository, "acknowledged").await;
    }
    let meanwhile = ChangesMeanwhile { house: Arc::downgrade(&house), left: AtomicUsize::new(1) };
    house.store.interruptions().set(Some(Arc::new(meanwhile)));
    house.registry.flush_views().await.unwrap();
    house.store.interruptions().set(None);
    for repository in ["prod/app", "prod/other"] {
        let index = std::fs::read_to_string(house.folder.path().join(repository).join("index.json")).unwrap();
        assert!(index.contains("acknowledged"), "{repository}: {index}");
    }
    assert_eq!(house.metadata.dirty_views().await.unwrap(), [repository()]);
}

/// Lets no group be written.
struct NoGroups;

#[async_trait::async_trait]
impl Interruption for NoGroups {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        (call == "add").then_some(Fault::Refused)
    }

    async fn after(&self, _: &'static str) {}
}
