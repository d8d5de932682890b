//! The view of a repository as an OCI image layout.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use oci_spec::image::ImageIndex;
use tempfile::TempDir;

use super::empty;
use crate::oci::{Algorithm, Digest};
use crate::store::contract::{is_absent, stored};
use crate::store::filesystem::Filesystem;
use crate::store::{LayoutChange, LayoutEntry, ObjectKey, Store, StoreError};

const MANIFEST: &[u8] = b"{\"schemaVersion\":2}";

async fn apply(
    store: &Filesystem,
    repository: &str,
    changes: &[LayoutChange],
    entries: &[LayoutEntry],
) -> Result<(), StoreError> {
    store.layout().unwrap().apply(&repository.parse().unwrap(), changes.to_vec(), entries.to_vec()).await
}

fn entry() -> LayoutEntry {
    LayoutEntry {
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        digest: Digest::sha256(MANIFEST),
        size: u64::try_from(MANIFEST.len()).unwrap(),
        tag: Some("v1".into()),
    }
}

fn link(key: &ObjectKey) -> LayoutChange {
    LayoutChange::Link(Digest::sha256(b"content"), key.clone())
}

fn write() -> LayoutChange {
    LayoutChange::Write(Digest::sha256(MANIFEST), Bytes::from_static(MANIFEST))
}

fn unlinks() -> [LayoutChange; 2] {
    [LayoutChange::Unlink(Digest::sha256(b"content")), LayoutChange::Unlink(Digest::sha256(MANIFEST))]
}

fn blob(folder: &Path, content: &[u8]) -> PathBuf {
    folder.join("blobs/sha256").join(Digest::sha256(content).hex())
}

/// Every file below `folder`, with its content and inode.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u64)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path(), (fs::read(entry.path()).unwrap(), entry.metadata().unwrap().ino()));
        }
    }
    found
}

/// What lies at the top of the tree beside what is Hallmark's own.
fn repositories(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !["_cas", "_uploads", "_hallmark.lock"].contains(&name.as_str())).collect()
}

#[tokio::test]
async fn a_layout_is_its_blobs_its_index_and_its_mark() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    apply(&store, "prod/app", &[link(&key), write()], &[entry()]).await.unwrap();
    let repository = folder.path().join("prod/app");
    let paths: Vec<_> = files(&repository).into_keys().collect();
    let mut expected = vec![
        blob(&repository, b"content"),
        blob(&repository, MANIFEST),
        repository.join("index.json"),
        repository.join("oci-layout"),
    ];
    expected.sort();
    assert_eq!(paths, expected);
    assert_eq!(fs::read(blob(&repository, MANIFEST)).unwrap(), MANIFEST);
    assert_eq!(ImageIndex::from_file(repository.join("index.json")).unwrap().manifests().len(), 1);
}

#[tokio::test]
async fn what_is_added_leaves_the_index_as_it_is() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    let (layout, repository) = (store.layout().unwrap(), "a".parse().unwrap());
    layout.add(&repository, vec![write()]).await.unwrap();
    let shown = |folder: &TempDir| files(&folder.path().join("a")).into_keys().collect::<Vec<_>>();
    assert_eq!(shown(&folder), [blob(&folder.path().join("a"), MANIFEST)]);
    apply(&store, "a", &[], &[entry()]).await.unwrap();
    let index = fs::read(folder.path().join("a/index.json")).unwrap();
    layout.add(&repository, vec![link(&key)]).await.unwrap();
    assert!(blob(&folder.path().join("a"), b"content").exists());
    assert_eq!(fs::read(folder.path().join("a/index.json")).unwrap(), index);
}

#[tokio::test]
async fn a_linked_blob_is_the_object_itself() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    apply(&store, "a", &[link(&key)], &[]).await.unwrap();
    apply(&store, "b", &[link(&key)], &[]).await.unwrap();
    let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
    let object = inode(folder.path().join("_cas").join(&key.0));
    assert_eq!(inode(blob(&folder.path().join("a"), b"content")), object);
    assert_eq!(inode(blob(&folder.path().join("b"), b"content")), object);
}

#[tokio::test]
async fn changes_applied_twice_are_applied_once() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    let changes = [link(&key), write(), LayoutChange::Unlink(Digest::sha256(b"other"))];
    apply(&store, "a", &changes, &[entry()]).await.unwrap();
    let once = files(&folder.path().join("a"));
    apply(&store, "a", &changes, &[entry()]).await.unwrap();
    let twice = files(&folder.path().join("a"));
    let content = |files: &BTreeMap<PathBuf, (Vec<u8>, u64)>| -> Vec<_> {
        files.iter().map(|(path, (bytes, _))| (path.clone(), bytes.clone())).collect()
    };
    assert_eq!(content(&once), content(&twice));
    let linked = blob(&folder.path().join("a"), b"content");
    assert_eq!(once[&linked], twice[&linked]);
}

#[tokio::test]
async fn an_unlinked_blob_is_gone_and_the_object_stays() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    apply(&store, "a", &[link(&key), write()], &[entry()]).await.unwrap();
    apply(&store, "a", &unlinks()[..1], &[entry()]).await.unwrap();
    assert!(!blob(&folder.path().join("a"), b"content").exists());
    assert!(store.open(&key).await.is_ok());
}

#[tokio::test]
async fn a_new_generation_takes_the_place_of_the_old() {
    let (store, folder) = empty();
    let (old, new) = (stored(&store, b"content", 1).await, stored(&store, b"content", 2).await);
    apply(&store, "a", &[link(&old)], &[]).await.unwrap();
    apply(&store, "a", &[link(&new)], &[]).await.unwrap();
    let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
    let linked = inode(blob(&folder.path().join("a"), b"content"));
    assert_eq!(linked, inode(folder.path().join("_cas").join(&new.0)));
    assert_eq!(fs::metadata(folder.path().join("_cas").join(&old.0)).unwrap().nlink(), 1);
}

#[tokio::test]
async fn an_object_with_too_many_links_is_copied() {
    let folder = TempDir::new().unwrap();
    let store = Filesystem::open_with(folder.path(), |_, _| Err(io::ErrorKind::TooManyLinks.into())).unwrap();
    let key = stored(&store, b"content", 1).await;
    apply(&store, "a", &[link(&key)], &[]).await.unwrap();
    let copy = blob(&folder.path().join("a"), b"content");
    assert_eq!(fs::read(&copy).unwrap(), b"content");
    let inode = fs::metadata(&copy).unwrap().ino();
    assert_ne!(inode, fs::metadata(folder.path().join("_cas").join(&key.0)).unwrap().ino());
    apply(&store, "a", &[link(&key)], &[]).await.unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().ino(), inode);
}

#[tokio::test]
async fn linking_an_absent_object_is_refused() {
    let (store, folder) = empty();
    let key = stored(&store, b"content", 1).await;
    store.remove(&key).await.unwrap();
    assert!(is_absent(&apply(&store, "a", &[link(&key)], &[]).await));
    assert!(is_absent(&apply(&store, "a", &[link(&ObjectKey(format!("../{key}")))], &[]).await));
    assert!(!blob(&folder.path().join("a"), b"content").exists());
}

#[tokio::test]
async fn components_named_like_a_layout_do_not_meet_it() {
    let (store, folder) = empty();
    for repository in ["a", "a/blobs", "a/index.json", "a/oci-layout/x", "blobs"] {
        apply(&store, repository, &[write()], &[entry()]).await.unwrap();
    }
    for folder in ["a", "a/_blobs", "a/_index.json", "a/_oci-layout/x", "_blobs"].map(|below| folder.path().join(below))
    {
        assert!(folder.join("index.json").is_file(), "{}", folder.display());
        assert!(blob(&folder, MANIFEST).is_file(), "{}", folder.display());
    }
}

#[tokio::test]
async fn an_empty_repository_has_no_folder() {
    let (store, folder) = empty();
    apply(&store, "a/b/c", &[write()], &[entry()]).await.unwrap();
    apply(&store, "a/b/c", &unlinks(), &[]).await.unwrap();
    assert_eq!(repositories(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn blobs_without_entries_keep_the_folder() {
    let (store, folder) = empty();
    apply(&store, "a", &[write()], &[]).await.unwrap();
    assert!(ImageIndex::from_file(folder.path().join("a/index.json")).unwrap().manifests().is_empty());
}

#[tokio::test]
async fn a_repository_goes_without_those_below_and_above_it() {
    for (goes, stays) in [("a", "a/b"), ("a/b", "a"), ("a/b", "a/c")] {
        let (store, folder) = empty();
        apply(&store, goes, &[write()], &[entry()]).await.unwrap();
        apply(&store, stays, &[write()], &[entry()]).await.unwrap();
        apply(&store, goes, &unlinks(), &[]).await.unwrap();
        assert!(!folder.path().join(goes).join("index.json").exists());
        assert!(blob(&folder.path().join(stays), MANIFEST).is_file(), "{goes} took {stays}");
        assert!(folder.path().join(stays).join("index.json").is_file(), "{goes} took {stays}");
    }
}

#[tokio::test]
async fn removals_alone_make_no_folder() {
    let (store, folder) = empty();
    apply(&store, "a/b", &unlinks(), &[]).await.unwrap();
    assert_eq!(repositories(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_left_of_a_layout_that_was_half_taken_down_goes() {
    for left in [&["index.json", "oci-layout"][..], &["_writing"], &[]] {
        let (store, folder) = empty();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for paper in left {
            fs::File::create(folder.path().join("a/b").join(paper)).unwrap();
        }
        apply(&store, "a/b", &unlinks(), &[]).await.unwrap();
        assert!(!folder.path().join("a").exists(), "{left:?}");
    }
}

#[tokio::test]
async fn what_is_left_in_a_folder_that_is_no_layout_stays() {
    let (store, folder) = empty();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    fs::File::create(folder.path().join("a/b/somebodys")).unwrap();
    apply(&store, "a/b", &unlinks(), &[]).await.unwrap();
    assert!(folder.path().join("a/b/somebodys").exists());
}

#[tokio::test]
async fn other_algorithms_have_their_own_folder() {
    let (store, folder) = empty();
    let digest = Digest::of(Algorithm::Sha512, MANIFEST);
    let changes = [LayoutChange::Write(digest, Bytes::from_static(MANIFEST))];
    apply(&store, "a", &changes, &[LayoutEntry { digest, ..entry() }]).await.unwrap();
    assert!(folder.path().join("a/blobs/sha512").join(digest.hex()).is_file());
    apply(&store, "a", &[LayoutChange::Unlink(digest)], &[]).await.unwrap();
    assert_eq!(repositories(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_written_over() {
    let (store, folder) = empty();
    apply(&store, "a", &[write()], &[entry()]).await.unwrap();
    fs::File::create(folder.path().join("a/_writing")).unwrap();
    apply(&store, "a", &[], &[entry(), entry()]).await.unwrap();
    assert_eq!(ImageIndex::from_file(folder.path().join("a/index.json")).unwrap().manifests().len(), 2);
    assert!(!folder.path().join("a/_writing").exists());
}

#[tokio::test]
async fn many_new_blobs_come_together_and_nothing_else_is_left() {
    let (store, folder) = empty();
    let repository = folder.path().join("a");
    apply(&store, "a", &[write()], &[entry()]).await.unwrap();
    let contents: Vec<Vec<u8>> = (0..300_u32).map(|number| number.to_be_bytes().to_vec()).collect();
    // What some other program left under the name of one of them.
    fs::File::create(blob(&repository, &contents[150])).unwrap();
    let new = |content: &Vec<u8>| LayoutChange::Write(Digest::sha256(content), Bytes::copy_from_slice(content));
    apply(&store, "a", &contents.iter().map(new).collect::<Vec<_>>(), &[entry()]).await.unwrap();
    for content in &contents {
        assert_eq!(fs::read(blob(&repository, content)).unwrap(), *content);
    }
    assert_eq!(files(&repository).len(), 300 + ["the manifest", "index.json", "oci-layout"].len());
}

#[tokio::test]
async fn a_link_in_the_place_of_a_repository_is_not_followed() {
    let (store, folder) = empty();
    let elsewhere = TempDir::new().unwrap();
    symlink(elsewhere.path(), folder.path().join("a")).unwrap();
    assert!(matches!(apply(&store, "a/b", &[write()], &[entry()]).await, Err(StoreError::Io(_))));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}
