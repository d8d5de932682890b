//! On disk: an OCI image layout per repository, deduplicated by hard link, durable when acknowledged.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::harness::{Image, Key, Registry, Setup};

#[test]
#[ignore = "needs the clients: run ./test"]
fn skopeo_copies_from_the_layout_of_a_repository() {
    let mut registry = Registry::start(&Setup::release());
    let digest = registry.person("ci").pushes_tagged("prod/app", "v1", &Image::of("a release"));
    assert!(registry.stops().success());

    let layout = registry.file("data/prod/app");
    let source = format!("oci:{}:v1", layout.display());
    let person = registry.person("ci");
    person.run("skopeo").args(["--insecure-policy", "copy", &source, "dir:copied"]).succeeds();

    let copied = std::fs::read(person.home().join("copied/manifest.json")).unwrap();
    assert_eq!(crate::harness::digest_of(&copied), digest);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn the_layout_holds_signatures_too() {
    let mut registry = Registry::start(&Setup::release());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    signer.cosign2_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    assert!(registry.stops().success());

    let person = registry.person("ci");
    let layout = format!("{}:v1", registry.file("data/prod/app").display());
    let discovered = person.run("oras").args(["discover", "--oci-layout", &layout]).succeeds();
    assert!(discovered.contains(crate::harness::BUNDLE), "expected the bundle, found {discovered}");
    let tag = format!("{}.sig", digest.replace(':', "-"));
    let source = format!("oci:{}:{tag}", registry.file("data/prod/app").display());
    person.run("skopeo").args(["inspect", "--raw", &source]).succeeds();
}

#[test]
fn a_layout_is_one_that_the_specification_describes() {
    let mut registry = Registry::start(&Setup::open());
    let anonymous = registry.anonymous();
    let digest = anonymous.pushes_tagged("open/app", "v1", &Image::of("a release"));
    assert!(registry.stops().success());

    let layout = registry.file("data/open/app");
    assert_eq!(json(&layout.join("oci-layout"))["imageLayoutVersion"], "1.0.0");
    let index = json(&layout.join("index.json"));
    assert_eq!(index["schemaVersion"], 2);
    let named = |entry: &&serde_json::Value| entry["annotations"]["org.opencontainers.image.ref.name"] == "v1";
    let entry = index["manifests"].as_array().unwrap().iter().find(named).unwrap();
    assert_eq!(entry["digest"], digest);
    for (path, _) in files(&layout.join("blobs/sha256")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(crate::harness::digest_of(&std::fs::read(&path).unwrap()), format!("sha256:{name}"));
    }
}

#[test]
fn one_content_is_one_inode_in_every_repository() {
    let mut registry = Registry::start(&Setup::open());
    let anonymous = registry.anonymous();
    let image = Image::of("the same in both");
    for repository in ["open/one", "open/two", "open/blobs/sha256"] {
        anonymous.pushes_tagged(repository, "v1", &image);
    }
    assert!(registry.stops().success());

    let hex = image.layer().replace("sha256:", "");
    let everywhere: Vec<_> = files(&registry.file("data")).into_iter().filter(|(path, _)| names(path, &hex)).collect();
    let inodes: std::collections::BTreeSet<_> = everywhere.iter().map(|(_, inode)| *inode).collect();
    assert_eq!(inodes.len(), 1, "expected one inode, found {everywhere:?}");
    assert_eq!(everywhere.len(), 4, "expected three links and the content itself, found {everywhere:?}");
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    let mut registry = Registry::start(&Setup::open());
    let mut pushed = Vec::new();
    for number in 0..20 {
        let image = Image::of(&format!("release {number}"));
        let digest = registry.anonymous().pushes_tagged("open/app", &format!("v{number}"), &image);
        pushed.push((number, digest, image));
    }

    registry.crashes_and_restarts();

    let anonymous = registry.anonymous();
    for (number, digest, image) in &pushed {
        assert_eq!(&anonymous.resolves("open/app", &format!("v{number}")), digest);
        let layer = anonymous.blob("open/app", &image.layer()).is(200);
        assert_eq!(layer.bytes(), image.blobs().last().unwrap());
    }
    // The view catches up: what was in flight is repaired, and a clean stop leaves the layout exact.
    assert!(registry.stops().success());
    let index = json(&registry.file("data/open/app/index.json"));
    assert_eq!(index["manifests"].as_array().unwrap().len(), pushed.len());
}

#[test]
fn an_upload_goes_on_after_a_crash_from_where_its_status_says() {
    let mut registry = Registry::start(&Setup::open());
    let anonymous = registry.anonymous();
    let whole: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let (head, _) = whole.split_at(400_000);
    let begun = anonymous.request("POST", "/v2/open/app/blobs/uploads/", &[], &[]).is(202);
    let location = begun.header("location").to_owned();
    let octets = ("content-type", "application/octet-stream");
    anonymous.request("PATCH", &location, &[octets, ("content-range", "0-399999")], head).is(202);

    registry.crashes_and_restarts();

    let path = location.split_once("/v2/").map_or(location.clone(), |(_, path)| format!("/v2/{path}"));
    let anonymous = registry.anonymous();
    let status = anonymous.get(&path).is(204);
    let last: usize = status.header("range").trim_start_matches("0-").parse().unwrap();
    let rest = &whole[last + 1..];
    let range = format!("{}-{}", last + 1, whole.len() - 1);
    let location = status.header("location").to_owned();
    let resumed = anonymous.request("PATCH", &location, &[octets, ("content-range", &range)], rest).is(202);
    let digest = crate::harness::digest_of(&whole);
    let location = resumed.header("location").to_owned();
    let separator = if location.contains('?') { '&' } else { '?' };
    anonymous.request("PUT", &format!("{location}{separator}digest={digest}"), &[], &[]).is(201);
    assert_eq!(anonymous.blob("open/app", &digest).is(200).bytes(), whole);
}

fn json(path: &Path) -> serde_json::Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}

/// Every file below `folder`, with its inode.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path, entry.metadata().unwrap().ino());
        }
    }
    all
}

fn names(path: &Path, hex: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(hex))
}
