//! What lies on disk, beside what the metadata says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hallmark::oci::{Algorithm, Digest};

use crate::facts::Facts;

pub(crate) const ALGORITHMS: [&str; 2] = [Algorithm::Sha256.as_str(), Algorithm::Sha512.as_str()];

/// Every difference between the tree and the metadata, once the layouts were flushed.
pub(crate) fn differences(root: &Path, facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    let mut layouts = Vec::new();
    find_layouts(root, root, &mut layouts);
    let expected: BTreeSet<&String> = facts
        .blobs
        .iter()
        .chain(&facts.manifests)
        .filter(|(_, digests)| !digests.is_empty())
        .map(|(repository, _)| repository)
        .collect();
    let surplus = layouts.iter().filter(|name| !expected.contains(name));
    found.extend(surplus.map(|name| format!("expected no folder of {name}, found one")));
    for repository in expected {
        found.extend(layout(&root.join(repository), repository, facts));
    }
    found
}

/// Names below `folder` that hold a layout, or nothing at all.
pub(crate) fn find_layouts(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut is_layout = false;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        is_layout |= ["oci-layout", "index.json", "blobs", "_writing"].contains(&name.as_str());
        if entry.path().is_dir() && name != "blobs" && !(folder == root && name.starts_with('_')) {
            folders.push(entry.path());
        }
    }
    if is_layout || (folders.is_empty() && folder != root) {
        found.push(folder.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
    }
    for folder in folders {
        find_layouts(root, &folder, found);
    }
}

fn layout(folder: &Path, repository: &str, facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    if folder.join("_writing").exists() {
        found.push(format!("{repository}: expected no temporary file, found one"));
    }
    let expected: BTreeSet<String> = facts
        .blobs
        .get(repository)
        .into_iter()
        .chain(facts.manifests.get(repository))
        .flatten()
        .map(|digest| format!("{}/{}", digest.algorithm().as_str(), digest.hex()))
        .collect();
    let of = |algorithm: &str| {
        let names = names(&folder.join("blobs").join(algorithm)).into_iter();
        names.map(|name| format!("{algorithm}/{name}")).collect::<Vec<_>>()
    };
    let files: BTreeSet<String> = ALGORITHMS.into_iter().flat_map(of).collect();
    for (missing, what) in [(expected.difference(&files), "a file"), (files.difference(&expected), "no file")] {
        found.extend(missing.map(|name| format!("{repository}: expected {what} of {name}, found otherwise")));
    }
    let entries = facts.entries.get(repository).cloned().unwrap_or_default();
    let index = index(&folder.join("index.json"));
    if index.as_ref() != Some(&entries) {
        found.push(format!("{repository}: expected index.json with {entries:?}, found {index:?}"));
    }
    found
}

fn index(path: &Path) -> Option<BTreeSet<(Digest, Option<String>)>> {
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let entry = |entry: &serde_json::Value| {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned);
        Some((entry["digest"].as_str()?.parse().ok()?, tag))
    };
    index["manifests"].as_array()?.iter().map(entry).collect()
}

/// The names in a folder; none if it is absent.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Objects, by key, that are there.
pub(crate) fn objects(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for algorithm in ALGORITHMS {
        let folder = root.join("_cas").join(algorithm);
        for shard in names(&folder) {
            let names = names(&folder.join(&shard)).into_iter();
            found.extend(names.map(|name| format!("{algorithm}/{shard}/{name}")));
        }
    }
    found
}
