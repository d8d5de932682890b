//! Blobs of other layouts become objects, and objects are counted.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::empty;
use crate::oci::Digest;
use crate::store::contract::{read, stored};
use crate::store::filesystem::Filesystem;
use crate::store::{Adopted, Bounds, Failing, ImageLayout, LayoutError, LayoutView as _, Store, StoreError};

/// A layout that holds these blobs.
pub(super) fn layout(folder: &Path, blobs: &[&[u8]]) -> ImageLayout {
    use std::io::Write as _;
    let write = |path: PathBuf, bytes: &[u8]| fs::File::create(path).unwrap().write_all(bytes).unwrap();
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    write(folder.join("oci-layout"), br#"{"imageLayoutVersion": "1.0.0"}"#);
    write(folder.join("index.json"), br#"{"schemaVersion": 2, "manifests": []}"#);
    for bytes in blobs {
        write(folder.join("blobs/sha256").join(Digest::sha256(bytes).hex()), bytes);
    }
    ImageLayout::open(folder, Bounds::default()).unwrap()
}

fn objects(root: &Path) -> usize {
    let shards = fs::read_dir(root.join("_cas/sha256")).unwrap();
    shards.map(|shard| fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn an_adopted_blob_is_an_object_by_a_link() {
    let ((store, _root), other) = (empty(), TempDir::new().unwrap());
    let layout = layout(other.path(), &[b"content"]);
    let digest = Digest::sha256(b"content");
    let Adopted::Stored { key, size, copied } = store.adopt(&layout, &digest, 7).await.unwrap() else {
        panic!("expected it to be stored")
    };
    assert_eq!((size, copied), (7, false));
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
    assert_eq!(fs::metadata(layout.path(&digest)).unwrap().nlink(), 2);
}

#[tokio::test]
async fn a_blob_that_can_not_be_linked_is_copied() {
    let (root, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let refuses = |_: &Path, _: &Path| Err(std::io::ErrorKind::CrossesDevices.into());
    let store = Filesystem::open_with(root.path(), refuses).unwrap();
    let layout = layout(other.path(), &[b"content"]);
    let adopted = store.adopt(&layout, &Digest::sha256(b"content"), 7).await.unwrap();
    let Adopted::Stored { key, size: 7, copied: true } = adopted else { panic!("{adopted:?}") };
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
    assert_eq!(fs::read_dir(root.path().join("_uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_blob_of_other_bytes_is_refused_and_leaves_nothing() {
    let refuses: fn(&Path, &Path) -> std::io::Result<()> = |_, _| Err(std::io::ErrorKind::TooManyLinks.into());
    for link in [refuses, |from: &Path, to: &Path| fs::hard_link(from, to)] {
        let (root, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let store = Filesystem::open_with(root.path(), link).unwrap();
        let layout = layout(other.path(), &[b"content"]);
        let path = layout.path(&Digest::sha256(b"content"));
        fs::remove_file(&path).unwrap();
        fs::copy(other.path().join("oci-layout"), path).unwrap();
        let adopted = store.adopt(&layout, &Digest::sha256(b"content"), 7).await.unwrap();
        assert!(matches!(adopted, Adopted::Refused(LayoutError::Mismatch(_))), "{adopted:?}");
        assert_eq!(objects(root.path()), 0);
        assert_eq!(fs::read_dir(root.path().join("_uploads")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_file_that_changes_places_after_it_was_hashed_is_not_linked() {
    let (root, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let swaps = |from: &Path, to: &Path| {
        fs::remove_file(from)?;
        fs::copy(from.ancestors().nth(3).unwrap().join("oci-layout"), from)?;
        fs::hard_link(from, to)
    };
    let store = Filesystem::open_with(root.path(), swaps).unwrap();
    let layout = layout(other.path(), &[b"content"]);
    let adopted = store.adopt(&layout, &Digest::sha256(b"content"), 7).await.unwrap();
    let Adopted::Stored { key, copied: true, .. } = adopted else { panic!("{adopted:?}") };
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
}

#[tokio::test]
async fn a_blob_that_is_absent_is_not_adopted() {
    let ((store, _root), other) = (empty(), TempDir::new().unwrap());
    let layout = layout(other.path(), &[]);
    let adopted = store.adopt(&layout, &Digest::sha256(b"content"), 7).await.unwrap();
    assert!(matches!(adopted, Adopted::Absent), "{adopted:?}");
}

#[tokio::test]
async fn a_link_out_of_the_layout_is_not_adopted() {
    let ((store, root), other) = (empty(), TempDir::new().unwrap());
    let layout = layout(&other.path().join("layout"), &[]);
    symlink("/proc/self/environ", layout.path(&Digest::sha256(b"content"))).unwrap();
    let adopted = store.adopt(&layout, &Digest::sha256(b"content"), 7).await.unwrap();
    assert!(matches!(adopted, Adopted::Refused(LayoutError::Unreadable { .. })), "{adopted:?}");
    assert_eq!(objects(root.path()), 0);
}

#[tokio::test]
async fn a_census_tells_objects_and_their_highest_generation() {
    let (store, root) = empty();
    stored(&store, b"content", 7).await;
    stored(&store, b"content", 9).await;
    stored(&store, b"other", 8).await;
    let shard = root.path().join("_cas/sha256/ab");
    fs::create_dir_all(&shard).unwrap();
    fs::File::create(shard.join("a stranger")).unwrap();
    fs::File::create(root.path().join("_cas/sha256/another")).unwrap();
    let census = store.census().await.unwrap();
    assert_eq!((census.objects(), census.highest_generation()), (3, 9));
}

#[tokio::test]
async fn a_census_finds_the_object_that_a_layout_shows() {
    let ((store, root), other) = (empty(), TempDir::new().unwrap());
    let shown = stored(&store, b"content", 7).await;
    let newest = stored(&store, b"content", 9).await;
    let layout = layout(other.path(), &[]);
    let digest = Digest::sha256(b"content");
    let census = store.census().await.unwrap();
    let keys = |digest: &Digest| {
        let found = census.candidates(&layout, digest).unwrap().into_iter();
        found.map(|it| (it.key, it.size, it.fits)).collect::<Vec<_>>()
    };
    let [shown_whole, newest_whole] = [&shown, &newest].map(|key| (key.clone(), 7, true));
    assert_eq!(keys(&digest), [newest_whole.clone(), shown_whole.clone()], "the newest, where none is shown");
    fs::hard_link(root.path().join("_cas").join(&shown.0), layout.path(&digest)).unwrap();
    assert_eq!(keys(&digest), [shown_whole, newest_whole]);
    assert!(census.has(&digest) && !census.has(&Digest::sha256(b"other")));
    assert_eq!(keys(&Digest::sha256(b"other")), []);
    fs::remove_file(layout.path(&digest)).unwrap();
    fs::File::create(layout.path(&digest)).unwrap();
    assert!(keys(&digest).iter().all(|(_, _, fits)| !fits), "no object has as many bytes as are shown");
}

#[tokio::test]
async fn nothing_is_adopted_while_the_store_fails() {
    let ((store, root), other) = (empty(), TempDir::new().unwrap());
    let (layout, digest) = (layout(other.path(), &[b"content"]), Digest::sha256(b"content"));
    let store = Failing::new(store);
    store.fill(true);
    assert!(matches!(store.adopt(&layout, &digest, 7).await, Err(StoreError::Full)));
    store.fail(true);
    assert!(store.census().await.is_err() && store.shown().await.is_err());
    assert!(store.layout().unwrap().adopt(&layout, &digest, 7).await.is_err());
    assert_eq!(objects(root.path()), 0);
}
