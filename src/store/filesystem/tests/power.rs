//! What is relied on would survive a power cut: bytes before their names, names before what is built on them.

use bytes::Bytes;
use tempfile::TempDir;

use crate::oci::{Algorithm, Digest, Hasher};
use crate::store::contract::{stored, uploaded};
use crate::store::filesystem::Filesystem;
use crate::store::filesystem::{Step, steps, unsynced};
use crate::store::{Adopted, LayoutChange, LayoutEntry, LayoutView as _, Store};

fn opened() -> (Filesystem, TempDir) {
    let folder = TempDir::new().unwrap();
    (Filesystem::open(&folder.path().join("new/data")).unwrap(), folder)
}

fn entries() -> Vec<LayoutEntry> {
    vec![LayoutEntry {
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        digest: Digest::sha256(b"{}"),
        size: 2,
        tag: Some("v1".into()),
    }]
}

#[test]
fn a_tree_that_is_made_survives() {
    let (_store, folder) = opened();
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn what_is_sealed_survives() {
    let (store, folder) = opened();
    for content in [&b"one"[..], b"two", b"three"] {
        stored(&store, content, 1).await;
    }
    let upload = uploaded(&store, b"other").await;
    let digest = Digest::of(Algorithm::Sha512, b"other");
    store.seal(upload, 5, &digest, 1).await.unwrap();
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn what_a_session_has_taken_in_is_not_synced_and_the_journal_shows_it() {
    let (store, folder) = opened();
    let upload = uploaded(&store, b"content").await;
    let key = store.key(upload, &Digest::sha256(b"content"), 1);
    // As a seal that forgot to sync would do it.
    let root = folder.path().canonicalize().unwrap().join("new/data");
    let to = root.join("_cas").join(&key.0);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    super::super::durable::rename(&root.join("_uploads").join(upload.to_string()), &to).unwrap();
    assert_eq!(unsynced(folder.path()).len(), 2);
}

#[tokio::test]
async fn a_layout_survives() {
    let (store, folder) = opened();
    let key = stored(&store, b"content", 1).await;
    let again = stored(&store, b"content", 2).await;
    let digest = Digest::sha256(b"content");
    let layout = store.layout().unwrap();
    let repository = "deep/down/app".parse().unwrap();
    let manifest = LayoutChange::Write(Digest::sha256(b"{}"), Bytes::from_static(b"{}"));
    layout.apply(&repository, vec![LayoutChange::Link(digest, key), manifest], entries()).await.unwrap();
    layout.apply(&repository, vec![LayoutChange::Link(digest, again)], entries()).await.unwrap();
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn what_is_added_to_a_layout_survives_before_the_index_that_names_it() {
    let (store, folder) = opened();
    let manifest = LayoutChange::Write(Digest::sha256(b"{}"), Bytes::from_static(b"{}"));
    store.layout().unwrap().add(&"deep/app".parse().unwrap(), vec![manifest]).await.unwrap();
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn folders_that_a_process_made_and_did_not_sync_are_synced_by_the_next() {
    let (store, folder) = opened();
    let root = folder.path().canonicalize().unwrap().join("new/data");
    let half = root.join("deep/app/blobs/sha256");
    std::fs::create_dir_all(&half).unwrap();
    for made in half.ancestors().take(4) {
        super::super::journal::note(made, Step::Made);
    }
    assert_eq!(unsynced(folder.path()).len(), 4);
    let manifest = LayoutChange::Write(Digest::sha256(b"{}"), Bytes::from_static(b"{}"));
    store.layout().unwrap().apply(&"deep/app".parse().unwrap(), vec![manifest], entries()).await.unwrap();
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn what_is_adopted_survives_once_it_is_settled() {
    let (store, folder) = opened();
    let contents = [&b"one"[..], b"two", b"three"];
    let layout = super::adopt::layout(&folder.path().join("other"), &contents);
    let mut adopted = Vec::new();
    for content in contents {
        match store.adopt(&layout, &Digest::sha256(content), 1).await.unwrap() {
            Adopted::Stored { key, copied: false, .. } => adopted.push(key),
            other => panic!("expected a link, found {other:?}"),
        }
    }
    let names = unsynced(folder.path());
    assert!(names.len() == 3 && names.iter().all(|name| name.starts_with("the name of")), "{names:?}");
    store.settle(adopted).await.unwrap();
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn what_is_copied_survives_at_once() {
    let folder = TempDir::new().unwrap();
    let refuses = |_: &std::path::Path, _: &std::path::Path| Err(std::io::ErrorKind::CrossesDevices.into());
    let store = Filesystem::open_with(&folder.path().join("data"), refuses).unwrap();
    let layout = super::adopt::layout(&folder.path().join("other"), &[b"content"]);
    let adopted = store.adopt(&layout, &Digest::sha256(b"content"), 1).await.unwrap();
    assert!(matches!(adopted, Adopted::Stored { copied: true, .. }), "{adopted:?}");
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn folders_are_synced_once_for_all_that_is_settled_in_them() {
    let (store, folder) = opened();
    let contents: Vec<Vec<u8>> = (0..300_u32).map(|number| number.to_be_bytes().to_vec()).collect();
    let layout =
        super::adopt::layout(&folder.path().join("other"), &contents.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let mut adopted = Vec::new();
    for content in &contents {
        let stored = store.adopt(&layout, &Digest::sha256(content), 1).await.unwrap();
        let Adopted::Stored { key, .. } = stored else { panic!("{stored:?}") };
        adopted.push(key);
    }
    let shards: std::collections::BTreeSet<_> =
        adopted.iter().map(|key| key.0.rsplit_once('/').unwrap().0.to_owned()).collect();
    let objects = folder.path().canonicalize().unwrap().join("new/data/_cas");
    let before = steps(&objects, Step::NamesSynced);
    store.settle(adopted).await.unwrap();
    assert_eq!(steps(&objects, Step::NamesSynced) - before, shards.len());
    assert_eq!(steps(&objects, Step::BytesSynced), 300);
}

#[tokio::test]
async fn many_new_blobs_of_a_layout_survive_once_it_is_written() {
    let (store, folder) = opened();
    let contents: Vec<Bytes> = (0..10_u32).map(|number| Bytes::copy_from_slice(&number.to_be_bytes())).collect();
    let changes =
        contents.iter().map(|content| LayoutChange::Write(Digest::sha256(content), content.clone())).collect();
    store.layout().unwrap().apply(&"app".parse().unwrap(), changes, entries()).await.unwrap();
    let blobs = folder.path().canonicalize().unwrap().join("new/data/app/blobs/sha256");
    assert_eq!(steps(&blobs, Step::BytesSynced), contents.len());
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn what_goes_from_a_layout_does_not_come_back_and_neither_does_a_layout() {
    let (store, folder) = opened();
    let layout = store.layout().unwrap();
    let write = |content: &'static [u8]| LayoutChange::Write(Digest::sha256(content), Bytes::from_static(content));
    for repository in ["deep/down/app", "deep/down/app/below"] {
        let repository = repository.parse().unwrap();
        layout.apply(&repository, vec![write(b"{}"), write(b"[]")], entries()).await.unwrap();
        layout.apply(&repository, vec![LayoutChange::Unlink(Digest::sha256(b"[]"))], entries()).await.unwrap();
        assert_eq!(unsynced(folder.path()), [""; 0]);
    }
    for repository in ["deep/down/app", "deep/down/app/below"] {
        let unlink = LayoutChange::Unlink(Digest::sha256(b"{}"));
        layout.apply(&repository.parse().unwrap(), vec![unlink], Vec::new()).await.unwrap();
        assert_eq!(unsynced(folder.path()), [""; 0], "{repository}");
    }
    assert!(!folder.path().join("new/data/deep").exists());
}

#[tokio::test]
async fn a_layout_that_a_process_took_down_and_did_not_sync_is_synced_away_by_the_next() {
    let (store, folder) = opened();
    let layout = store.layout().unwrap();
    let manifest = LayoutChange::Write(Digest::sha256(b"{}"), Bytes::from_static(b"{}"));
    layout.apply(&"deep/app".parse().unwrap(), vec![manifest], entries()).await.unwrap();
    let root = folder.path().canonicalize().unwrap().join("new/data");
    std::fs::remove_dir_all(root.join("deep/app")).unwrap();
    super::super::journal::note(&root.join("deep/app"), Step::Removed);
    assert_eq!(unsynced(folder.path()).len(), 1);
    let unlink = LayoutChange::Unlink(Digest::sha256(b"{}"));
    layout.apply(&"deep/app".parse().unwrap(), vec![unlink], Vec::new()).await.unwrap();
    assert_eq!(unsynced(folder.path()), [""; 0]);
}

#[tokio::test]
async fn bytes_that_are_unsealed_are_sealed_again() {
    let (store, folder) = opened();
    let upload = uploaded(&store, b"content").await;
    let digest = Digest::sha256(b"content");
    let key = store.seal(upload, 7, &digest, 1).await.unwrap();
    store.unseal(&key, upload).await.unwrap();
    store.append(upload, 7, Bytes::from_static(b" more"), Hasher::new(Algorithm::Sha256)).await.unwrap();
    store.seal(upload, 12, &Digest::sha256(b"content more"), 1).await.unwrap();
    // Its name as an upload need not survive: a session does not survive a power cut.
    let names = unsynced(folder.path()).into_iter().filter(|name| !name.contains("_uploads"));
    assert_eq!(names.collect::<Vec<_>>(), [""; 0]);
}
