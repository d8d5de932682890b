//! Layouts, and the names of a registry.
#![expect(clippy::disallowed_methods, reason = "tests write files")]

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::layout::Layout;
use super::source::Found;
use super::*;
use crate::oci::{Digest, media_type};
use crate::verify::fixtures;

const MANIFEST_BYTES: u64 = 1 << 20;

/// A layout that is written by hand.
struct Folder {
    root: TempDir,
    entries: Vec<Value>,
}

impl Folder {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("blobs/sha256")).unwrap();
        fs::write(root.path().join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
        Self { root, entries: Vec::new() }
    }

    fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        fs::write(self.root.path().join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        digest
    }

    fn image(&self, what: &str, subject: Option<Digest>) -> Digest {
        let empty = self.blob(b"{}");
        let mut image = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": {"mediaType": media_type::OCI_EMPTY, "digest": empty, "size": 2},
            "layers": [],
            "annotations": {"what": what},
        });
        if let Some(subject) = subject {
            image["subject"] = json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1});
        }
        self.blob(image.to_string().as_bytes())
    }

    fn index(&self, children: &[(Digest, &str)]) -> Digest {
        let entries: Vec<_> =
            children.iter().map(|(digest, kind)| json!({"mediaType": kind, "digest": digest, "size": 1})).collect();
        self.blob(json!({"schemaVersion": 2, "manifests": entries}).to_string().as_bytes())
    }

    fn name(&mut self, digest: Digest, kind: &str, name: Option<&str>) {
        let mut entry = json!({"mediaType": kind, "digest": digest, "size": 1});
        if let Some(name) = name {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        self.entries.push(entry);
    }

    fn open(&self) -> Result<Layout, Trouble> {
        let index = json!({"schemaVersion": 2, "manifests": self.entries});
        fs::write(self.root.path().join("index.json"), index.to_string()).unwrap();
        Layout::open(self.root.path(), MANIFEST_BYTES)
    }
}

fn tag(name: &str) -> Reference {
    name.parse().unwrap()
}

#[test]
fn a_layout_names_manifests_by_annotation() {
    let mut folder = Folder::new();
    let image = folder.image("a", None);
    folder.name(image, media_type::OCI_MANIFEST, Some("v1"));
    let layout = folder.open().unwrap();
    assert_eq!(layout.manifest(&tag("v1")).unwrap().unwrap().digest, image);
    assert_eq!(layout.manifest(&tag("v2")).unwrap(), None);
}

#[test]
fn two_manifests_of_one_name_can_not_be_told_apart() {
    let mut folder = Folder::new();
    for what in ["a", "b"] {
        let image = folder.image(what, None);
        folder.name(image, media_type::OCI_MANIFEST, Some("v1"));
    }
    assert!(folder.open().unwrap().manifest(&tag("v1")).is_err());
}

#[test]
fn what_an_index_reaches_is_there_by_digest() {
    let mut folder = Folder::new();
    let [image, other] = ["a", "other"].map(|what| folder.image(what, None));
    let index = folder.index(&[(image, media_type::OCI_MANIFEST)]);
    folder.name(index, media_type::OCI_INDEX, Some("v1"));
    let layout = folder.open().unwrap();
    assert!(layout.manifest(&Reference::Digest(image)).unwrap().is_some());
    assert!(layout.manifest(&Reference::Digest(index)).unwrap().is_some(), "an index without a mediaType of its own");
    assert_eq!(layout.manifest(&Reference::Digest(other)).unwrap(), None, "nothing reaches it");
}

#[test]
fn indexes_above_are_found_the_nearest_first() {
    let mut folder = Folder::new();
    let image = folder.image("a", None);
    let inner = folder.index(&[(image, media_type::OCI_MANIFEST)]);
    let outer = folder.index(&[(inner, media_type::OCI_INDEX)]);
    folder.name(outer, media_type::OCI_INDEX, Some("v1"));
    let layout = folder.open().unwrap();
    assert_eq!(layout.above(&image, 8, 10), [inner, outer]);
    assert_eq!(layout.above(&image, 1, 10), [inner]);
    assert_eq!(layout.above(&image, 8, 1), [inner]);
    assert!(layout.above(&outer, 8, 10).is_empty());
}

#[test]
fn a_list_of_referrers_is_above_nothing() {
    let mut folder = Folder::new();
    let image = folder.image("a", None);
    let list = folder.index(&[(image, media_type::OCI_MANIFEST)]);
    folder.name(list, media_type::OCI_INDEX, Some(&format!("sha256-{}", Digest::sha256(b"x").hex())));
    assert!(folder.open().unwrap().above(&image, 8, 10).is_empty());
}

#[test]
fn referrers_are_found_by_their_subject_and_by_the_list_under_the_tag() {
    let mut folder = Folder::new();
    let image = folder.image("a", None);
    let referrer = folder.image("referrer", Some(image));
    let listed = folder.image("listed", None);
    let list = folder.index(&[(listed, media_type::OCI_MANIFEST)]);
    let of_another = folder.image("of another", Some(listed));
    for digest in [image, referrer, of_another] {
        folder.name(digest, media_type::OCI_MANIFEST, None);
    }
    folder.name(list, media_type::OCI_INDEX, Some(&format!("sha256-{}", image.hex())));
    let mut found = folder.open().unwrap().referrers(&image);
    found.sort();
    let mut expected = [referrer, listed];
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_signature_without_subject_and_tag_is_about_what_its_payload_says() {
    let mut folder = Folder::new();
    let signature = folder.blob(&fixtures::read("sig-release/manifest.json"));
    folder.blob(&fixtures::read("sig-release/layer-0"));
    folder.name(signature, media_type::OCI_MANIFEST, None);
    let layout = folder.open().unwrap();
    assert_eq!(layout.referrers(&fixtures::image()), [signature]);
    assert!(layout.referrers(&fixtures::other_image()).is_empty());
}

#[test]
fn bytes_that_are_not_what_their_name_says_can_not_be_told() {
    let mut folder = Folder::new();
    let image = folder.image("a", None);
    folder.name(image, media_type::OCI_MANIFEST, Some("v1"));
    fs::write(folder.root.path().join("blobs/sha256").join(image.hex()), "other").unwrap();
    assert!(folder.open().unwrap_err().0[0].contains("hash"));
}

#[test]
fn a_manifest_over_the_limit_can_not_be_told() {
    let mut folder = Folder::new();
    let large = folder.blob(&vec![b' '; usize::try_from(MANIFEST_BYTES).unwrap() + 1]);
    folder.name(large, media_type::OCI_MANIFEST, Some("v1"));
    assert!(folder.open().unwrap_err().0[0].contains("at most"));
}

#[test]
fn a_blob_over_the_limit_is_too_large_and_an_absent_one_absent() {
    let folder = Folder::new();
    let blob = folder.blob(b"four");
    let layout = folder.open().unwrap();
    assert!(matches!(layout.blob(&blob, 3).unwrap(), Found::TooLarge));
    assert!(matches!(layout.blob(&blob, 4).unwrap(), Found::Bytes(_)));
    assert!(matches!(layout.blob(&Digest::sha256(b"absent"), 4).unwrap(), Found::Absent));
}

#[test]
fn children_of_a_sparse_layout_may_be_absent() {
    let mut folder = Folder::new();
    let absent = Digest::sha256(b"absent");
    let index = folder.index(&[(absent, media_type::OCI_MANIFEST)]);
    folder.name(index, media_type::OCI_INDEX, Some("v1"));
    let layout = folder.open().unwrap();
    assert_eq!(layout.manifest(&Reference::Digest(absent)).unwrap(), None);
}

#[test]
fn a_folder_that_is_no_layout_can_not_be_told() {
    let folder = Folder::new();
    fs::remove_file(folder.root.path().join("oci-layout")).unwrap();
    assert!(folder.open().is_err());
    fs::write(folder.root.path().join("oci-layout"), r#"{"imageLayoutVersion": "2.0.0"}"#).unwrap();
    assert!(folder.open().is_err());
}

fn config(folder: &TempDir) -> Config {
    let text = "listen = \"127.0.0.1:5000\"\nhostname = \"reg.example.org\"\naliases = [\"mirror.example.org\"]\n";
    let path = folder.path().join("hallmark.toml");
    fs::write(&path, text).unwrap();
    Config::load(Some(&path), &Flags::default()).unwrap()
}

#[test]
fn ones_own_registry_has_all_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    for registry in ["reg.example.org", "mirror.example.org", "127.0.0.1:5000"] {
        assert_eq!(hostnames(&config, registry), ["reg.example.org", "mirror.example.org"], "{registry}");
    }
}

#[test]
fn another_registry_has_its_own_name_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    for registry in ["ghcr.io", "reg.example.org:5000", "127.0.0.1:5001"] {
        assert_eq!(hostnames(&config, registry), [registry]);
    }
}

#[tokio::test]
async fn what_takes_for_ever_can_not_be_told() {
    let Err(Trouble(why)) = within(Duration::from_millis(1), std::future::pending()).await else { panic!() };
    assert!(why[0].contains("within 1ms"), "{why:?}");
}
