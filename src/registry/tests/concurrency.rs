//! Push beside delete beside sweep: whatever came first, nothing dangles.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{House, POLICY, REQUIREMENTS, repository, tag, who};
use crate::config::Limits;
use crate::oci::{Digest, Precondition, Tag};
use crate::registry::{Begin, Error};

const ROUNDS: u32 = 25;
/// Contents are few, so that pushes share blobs with what is deleted and swept meanwhile.
const CONTENTS: u32 = 4;

async fn pushes(house: Arc<House>, pusher: u32) {
    for round in 0..ROUNDS {
        let content = format!("content {}", (round + pusher) % CONTENTS);
        match house.push_image("ci", &content, Some(&format!("v{}", (round * 7 + pusher) % 6))).await {
            // A sweep may take what was uploaded before a manifest holds it: then the push is refused whole.
            Ok(_) | Err(Error::ContentAbsent(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn deletes(house: Arc<House>) {
    let allowed = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    for round in 0..ROUNDS {
        if let Ok(digest) = house.pull("ci", &tag(&format!("v{}", round % 6))).await {
            let deleted = match round % 2 {
                0 => house.registry.delete_manifest(&allowed, &digest, &Precondition::default()).await,
                _ => {
                    house
                        .registry
                        .delete_tag(
                            &allowed,
                            &format!("v{}", round % 6).parse::<Tag>().unwrap(),
                            &Precondition::default(),
                        )
                        .await
                }
            };
            assert!(matches!(deleted, Ok(()) | Err(Error::ManifestUnknown(_))), "{deleted:?}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn sweeps(house: Arc<House>) {
    for _ in 0..ROUNDS * 2 {
        house.clock.advance(Duration::from_secs(40));
        house.registry.sweep().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn bytes_of(house: &House, digest: &Digest) -> Vec<u8> {
    let blob = house.registry.blob(&house.pulls("ci").unwrap(), digest).await.unwrap();
    blob.object.read(0, usize::MAX).await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_pushes_beside_deletes_beside_sweeps_every_tag_resolves_to_content_that_is_there() {
    let limits = Limits { blob_lease: Duration::from_mins(1), ..Limits::default() };
    let house = Arc::new(House::with(POLICY, REQUIREMENTS, limits).await);
    let mut work = tokio::task::JoinSet::new();
    for pusher in 0..4 {
        work.spawn(pushes(Arc::clone(&house), pusher));
    }
    work.spawn(deletes(Arc::clone(&house)));
    work.spawn(sweeps(Arc::clone(&house)));
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    house.push_image("ci", "the last", Some("last")).await.unwrap();

    let allowed = house.pulls("ci").unwrap();
    let tags = house.registry.tags(&allowed, Begin::default(), 100).await.unwrap().entries;
    assert!(!tags.is_empty());
    let mut expected = Vec::new();
    for name in &tags {
        let manifest = house.registry.manifest(&allowed, &tag(name.as_str())).await.unwrap();
        assert_eq!(Digest::sha256(&manifest.bytes), manifest.digest);
        let parsed: Value = serde_json::from_slice(&manifest.bytes).unwrap();
        for named in [&parsed["config"]["digest"], &parsed["layers"][0]["digest"]] {
            let digest: Digest = named.as_str().unwrap().parse().unwrap();
            assert_eq!(Digest::sha256(&bytes_of(&house, &digest).await), digest);
        }
        expected.push((name.as_str().to_owned(), manifest.digest.to_string()));
    }
    house.registry.flush_views().await.unwrap();
    assert_eq!(tagged_on_disk(&house), expected);
}

/// Tags and digests in `index.json`, whose blobs are there and hash to their names.
fn tagged_on_disk(house: &House) -> Vec<(String, String)> {
    let folder = house.folder.path().join("prod/app");
    let blobs = std::fs::read_dir(folder.join("blobs/sha256")).unwrap();
    for blob in blobs.map(Result::unwrap) {
        let digest = Digest::sha256(&std::fs::read(blob.path()).unwrap());
        assert_eq!(blob.file_name().to_str().unwrap(), &*digest.hex());
    }
    let index: Value = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut tagged = Vec::new();
    for entry in index["manifests"].as_array().unwrap() {
        let digest = entry["digest"].as_str().unwrap().to_owned();
        assert!(folder.join("blobs").join(digest.replace(':', "/")).is_file(), "{digest}");
        if let Some(tag) = entry["annotations"]["org.opencontainers.image.ref.name"].as_str() {
            tagged.push((tag.to_owned(), digest));
        }
    }
    tagged.sort();
    tagged
}
