//! A repository, or a part of it, as an image layout that others read and that comes back in.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::import::{Place, pulled, refusals};
use super::rebuild::furnished;
use super::{House, digest_of, image, repository, sig_tag, tag};
use crate::metadata::Metadata as _;
use crate::oci::{Digest, Reference, media_type};
use crate::registry::{Error, Exported, backup, export};
use crate::store::{Bounds, ImageLayout, LayoutError};

async fn exported(house: &House, reference: Option<&Reference>, to: &Path) -> Result<Exported, Error> {
    export(house.folder.path(), &repository(), reference, to).await
}

/// The manifests that a layout reaches, each read and hashed, and its tags.
fn contents(folder: &Path) -> (Vec<Digest>, Vec<String>) {
    let layout = ImageLayout::open(folder, Bounds::default()).unwrap();
    let mut found = Vec::new();
    layout
        .walk::<LayoutError>(|visited| {
            found.extend(visited.read?.map(|_| visited.descriptor.digest));
            Ok(())
        })
        .unwrap();
    found.sort_unstable();
    let names = layout.entries().iter().filter_map(|entry| entry.annotations.get(ImageLayout::REF_NAME).cloned());
    (found, names.collect())
}

#[tokio::test]
async fn a_tag_is_exported_with_its_evidence_and_nothing_else() {
    let house = House::new().await;
    let signed = house.push_image("ci", "a release", Some("v1")).await.unwrap();
    house.push_image("ci", "another", Some("v2")).await.unwrap();
    house.sign_release(signed).await;
    let to = tempfile::tempdir().unwrap();
    let done = exported(&house, Some(&tag("v1")), &to.path().join("out")).await.unwrap();
    assert_eq!((done.manifests, done.tags, done.copied), (2, 2, 0));
    let (manifests, tags) = contents(&to.path().join("out"));
    assert!(manifests.contains(&signed) && manifests.len() == 2, "{manifests:?}");
    assert_eq!(tags, [sig_tag(signed).to_string(), "v1".to_owned()]);
    assert!(!to.path().join("out/blobs/sha256").join(Digest::sha256(b"another").hex()).exists());
}

#[tokio::test]
async fn a_repository_is_exported_whole_and_imported_again_the_same() {
    let (house, signed, _) = furnished().await;
    let place = Place::new();
    let done = exported(&house, None, &place.path("out")).await.unwrap();
    let stored = house.metadata.manifests(&repository(), None, 1000).await.unwrap();
    assert_eq!(done.manifests, u64::try_from(stored.len()).unwrap());
    let digests: BTreeSet<Digest> = stored.iter().map(|it| it.digest).collect();
    assert_eq!(contents(&place.path("out")).0, digests.into_iter().collect::<Vec<_>>());
    let taken = place.imports("out", Some("copy")).await.unwrap();
    assert_eq!(refusals(&taken), [""; 0]);
    assert_eq!(taken.manifests, done.manifests);
    assert_eq!(pulled(&place.serves().await, "copy", "v1").await.unwrap(), signed);
}

#[tokio::test]
async fn an_older_signature_comes_along_though_its_tag_moved_on() {
    let house = House::new().await;
    let signed = house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let first = house.sign("signer", &house.keys.second, signed).await.unwrap().digest;
    house.sign_release(signed).await;
    let to = tempfile::tempdir().unwrap();
    exported(&house, Some(&Reference::Digest(signed)), &to.path().join("out")).await.unwrap();
    let (manifests, _) = contents(&to.path().join("out"));
    assert!(manifests.contains(&first) && manifests.len() == 3, "{manifests:?}");
}

#[tokio::test]
async fn an_exported_blob_is_a_link_to_the_object() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    exported(&house, None, &to.path().join("out")).await.unwrap();
    let layer = Digest::sha256(b"a release");
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let out = to.path().join("out/blobs/sha256").join(layer.hex());
    assert_eq!(inode(&out), inode(&house.files_of(layer).remove(0)));
}

#[tokio::test]
async fn a_blob_that_vanished_is_an_error_and_leaves_nothing() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    fs::remove_file(house.files_of(Digest::sha256(b"a release")).remove(0)).unwrap();
    let to = tempfile::tempdir().unwrap();
    let refused = exported(&house, None, &to.path().join("out")).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_that_is_there_is_not_written_to() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let refused = exported(&house, None, to.path()).await.unwrap_err().to_string();
    assert!(refused.contains("not to exist"), "{refused}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_not_there_is_not_exported() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let out = to.path().join("out");
    let absent = Reference::Digest(digest_of(&image(Digest::sha256(b"a"), Digest::sha256(b"b"))));
    for reference in [tag("v2"), absent] {
        let refused = exported(&house, Some(&reference), &out).await;
        assert!(matches!(refused, Err(Error::ManifestUnknown(_))), "{refused:?}");
    }
    let unknown = export(house.folder.path(), &"prod/none".parse().unwrap(), None, &out).await;
    assert!(matches!(unknown, Err(Error::NameUnknown)), "{unknown:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_index_is_exported_with_what_it_reaches() {
    let house = House::new().await;
    let child = house.push_image("ci", "a child", None).await.unwrap();
    let parent = super::index(&[child, Digest::sha256(b"a child that is not here")]);
    house.put("ci", &tag("multi"), media_type::OCI_INDEX, &parent).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    exported(&house, Some(&tag("multi")), &to.path().join("out")).await.unwrap();
    let (manifests, tags) = contents(&to.path().join("out"));
    assert!(manifests.contains(&child) && manifests.len() == 2, "{manifests:?}");
    assert_eq!(tags, ["multi"]);
}

#[tokio::test]
async fn nothing_is_exported_or_backed_up_into_the_root_itself() {
    let house = House::new().await;
    house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let before = fs::read_dir(house.folder.path()).unwrap().count();
    let inside = house.folder.path().join("inside");
    let exported = exported(&house, None, &inside).await.unwrap_err().to_string();
    let backed_up = backup(house.folder.path(), &inside, true, &*house.clock).await.unwrap_err().to_string();
    assert!(exported.contains("expected a folder outside") && backed_up.contains("expected a folder outside"));
    assert_eq!(fs::read_dir(house.folder.path()).unwrap().count(), before);
}
