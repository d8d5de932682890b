//! An [image layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md) on disk: what it names,
//! and what that reaches. Blocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;

use super::Trouble;
use super::source::Found;
use crate::client::Fetched;
use crate::oci::{Descriptor, Digest, Manifest, ManifestError, Reference, media_type};
use crate::verify::{Candidate, candidate, check_evidence};

/// The annotation that is a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The largest `index.json`, in bytes.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// The largest payload that is looked at to tell what it is about, in bytes.
const MAX_PAYLOAD_BYTES: u64 = 1 << 20;
/// The most manifests that are looked at.
const MAX_MANIFESTS: usize = 200_000;
/// The most descriptors of one manifest.
const MAX_LINKS: usize = 10_000;

/// A layout, looked through once.
#[derive(Debug)]
pub(super) struct Layout {
    folder: PathBuf,
    manifest_bytes: u64,
    /// Digests by tag.
    names: BTreeMap<String, BTreeSet<Digest>>,
    nodes: BTreeMap<Digest, Node>,
}

/// What is known of one manifest.
#[derive(Debug)]
struct Node {
    /// As its descriptor says.
    media_type: String,
    children: Vec<Digest>,
    /// What it says that it is about: by `subject`, or as evidence without one by its payload.
    subject: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    image_layout_version: String,
}

impl Layout {
    /// Looks through the layout in `folder`: `index.json` and every manifest that it reaches, of at most
    /// `manifest_bytes` each.
    pub(super) fn open(folder: &Path, manifest_bytes: u64) -> Result<Self, Trouble> {
        let wrong = |found: String| {
            Trouble::one(format!("expected an OCI image layout in {}, found {found}", folder.display()))
        };
        let version = whole(&folder.join("oci-layout"), 1 << 10)?.ok_or_else(|| wrong("no oci-layout".to_owned()))?;
        let version: Version = serde_json::from_slice(&version).map_err(|error| wrong(error.to_string()))?;
        if !version.image_layout_version.starts_with("1.") {
            return Err(wrong(format!("version {:?}", version.image_layout_version)));
        }
        let index = whole(&folder.join("index.json"), MAX_INDEX_BYTES)?;
        let index = index.ok_or_else(|| wrong("no index.json".to_owned()))?;
        let index = Manifest::parse(&index, media_type::OCI_INDEX, MAX_MANIFESTS)
            .map_err(|error| wrong(format!("an index.json of another kind: {error}")))?;
        let (names, nodes) = (BTreeMap::new(), BTreeMap::new());
        let mut layout = Self { folder: folder.to_owned(), manifest_bytes, names, nodes };
        layout.look_through(index.manifests)?;
        Ok(layout)
    }

    fn look_through(&mut self, entries: Vec<Descriptor>) -> Result<(), Trouble> {
        for entry in &entries {
            if let Some(name) = entry.annotations.get(REF_NAME) {
                self.names.entry(name.clone()).or_default().insert(entry.digest);
            }
        }
        let mut waiting: VecDeque<Descriptor> = entries.into();
        while let Some(entry) = waiting.pop_front() {
            if !media_type::is_manifest(&entry.media_type) || self.nodes.contains_key(&entry.digest) {
                continue;
            }
            if self.nodes.len() >= MAX_MANIFESTS {
                return Err(Trouble::one(format!(
                    "expected at most {MAX_MANIFESTS} manifests in the layout, found more"
                )));
            }
            // Children of a sparse index may be absent.
            let Some(bytes) = self.manifest_bytes(&entry.digest)? else { continue };
            // What nobody can parse is evidence of nothing, and reaches nothing.
            let parsed = parse(&bytes, &entry.media_type).ok();
            let children = parsed.iter().flat_map(|manifest| manifest.manifests.iter().cloned());
            let node = Node {
                media_type: entry.media_type,
                children: children.clone().map(|child| child.digest).collect(),
                subject: parsed.as_ref().map_or(Ok(None), |manifest| self.subject(manifest))?,
            };
            waiting.extend(children);
            self.nodes.insert(entry.digest, node);
        }
        Ok(())
    }

    /// The manifest of that name, if the layout names or reaches it.
    pub(super) fn manifest(&self, reference: &Reference) -> Result<Option<Fetched>, Trouble> {
        let named: Vec<Digest> = match reference {
            Reference::Digest(digest) => vec![*digest],
            Reference::Tag(tag) => self.names.get(tag.as_str()).into_iter().flatten().copied().collect(),
        };
        let digest = match named.as_slice() {
            [] => return Ok(None),
            [digest] => *digest,
            several => {
                let found = several.len();
                return Err(Trouble::one(format!("expected one manifest named {reference}, found {found}")));
            }
        };
        let Some(node) = self.nodes.get(&digest) else { return Ok(None) };
        let Some(bytes) = self.manifest_bytes(&digest)? else { return Ok(None) };
        let media_type = node.media_type.clone();
        Ok(Some(Fetched { bytes, media_type, digest }))
    }

    /// What a manifest says that it is about. Older signatures say so in their payload alone.
    fn subject(&self, manifest: &Manifest) -> Result<Option<Digest>, Trouble> {
        if let Some(subject) = &manifest.subject {
            return Ok(Some(subject.digest));
        }
        let Candidate::Evidence(shape) = candidate(manifest, None, &[]) else { return Ok(None) };
        let mut first = manifest.clone();
        first.layers.truncate(1);
        let Some(layer) = first.layers.first().filter(|layer| layer.size <= MAX_PAYLOAD_BYTES) else { return Ok(None) };
        match self.blob(&layer.digest, layer.size)? {
            Found::Bytes(bytes) => Ok(check_evidence(shape, &first, &[bytes], None).ok()),
            Found::Absent | Found::TooLarge => Ok(None),
        }
    }

    /// The manifests that say they are about `digest`, or are listed to be.
    pub(super) fn referrers(&self, digest: &Digest) -> Vec<Digest> {
        let listed: BTreeSet<&Digest> = self
            .names
            .get(&format!("{}-{}", digest.algorithm().as_str(), digest.hex()))
            .into_iter()
            .flatten()
            .filter_map(|list| self.nodes.get(list))
            .flat_map(|list| &list.children)
            .collect();
        let is_about = |(found, node): &(&Digest, &Node)| node.subject == Some(*digest) || listed.contains(found);
        self.nodes.iter().filter(is_about).map(|(found, _)| *found).collect()
    }

    /// The indexes that reach `digest`, the nearest first. Lists of referrers are none: they admit nothing.
    pub(super) fn above(&self, digest: &Digest, depth: usize, limit: usize) -> Vec<Digest> {
        let lists: BTreeSet<&Digest> =
            self.names.iter().filter(|(name, _)| is_list(name)).flat_map(|(_, d)| d).collect();
        let mut found: Vec<Digest> = Vec::new();
        let mut below = BTreeSet::from([*digest]);
        for _ in 0..depth {
            let holds = |(index, node): &(&Digest, &Node)| {
                !lists.contains(index)
                    && !found.contains(index)
                    && node.children.iter().any(|child| below.contains(child))
            };
            let next: BTreeSet<Digest> = self.nodes.iter().filter(holds).map(|(index, _)| *index).collect();
            found.extend(next.iter().take(limit.saturating_sub(found.len())));
            if next.is_empty() || found.len() >= limit {
                break;
            }
            below = next;
        }
        found
    }

    /// The blob of that digest, if it is there and has at most `limit` bytes; it hashes to its name.
    pub(super) fn blob(&self, digest: &Digest, limit: u64) -> Result<Found, Trouble> {
        let found = read(&self.path(digest), limit)?;
        match &found {
            Found::Bytes(bytes) if Digest::of(digest.algorithm(), bytes) != *digest => Err(Trouble::one(format!(
                "expected the blob {digest} of the layout to hash to its name, found other bytes"
            ))),
            Found::Bytes(_) | Found::Absent | Found::TooLarge => Ok(found),
        }
    }

    fn manifest_bytes(&self, digest: &Digest) -> Result<Option<Bytes>, Trouble> {
        match self.blob(digest, self.manifest_bytes)? {
            Found::Bytes(bytes) => Ok(Some(bytes)),
            Found::Absent => Ok(None),
            Found::TooLarge => {
                let limit = self.manifest_bytes;
                Err(Trouble::one(format!("expected at most {limit} bytes of the manifest {digest}, found more")))
            }
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }
}

/// What the manifest says it is; where it says nothing, what its descriptor says.
pub(super) fn parse(bytes: &[u8], said: &str) -> Result<Manifest, ManifestError> {
    match Manifest::parse(bytes, "", MAX_LINKS) {
        Err(ManifestError::MediaType(none)) if none.is_empty() => Manifest::parse(bytes, said, MAX_LINKS),
        parsed => parsed,
    }
}

/// Whether clients keep a list of referrers under that tag.
fn is_list(name: &str) -> bool {
    let evidence = name.parse::<crate::oci::Tag>().ok().and_then(|tag| tag.evidence());
    matches!(evidence, Some(crate::oci::EvidenceTag::Referrers(_)))
}

/// The file whole, if it is there; more than `limit` bytes are an error.
fn whole(path: &Path, limit: u64) -> Result<Option<Bytes>, Trouble> {
    match read(path, limit)? {
        Found::Bytes(bytes) => Ok(Some(bytes)),
        Found::Absent => Ok(None),
        Found::TooLarge => {
            Err(Trouble::one(format!("expected at most {limit} bytes in {}, found more", path.display())))
        }
    }
}

/// The file, if it is there and has at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Found, Trouble> {
    let wrong =
        |found: String| Trouble::one(format!("expected a file that can be read in {}, found {found}", path.display()));
    match fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() <= limit => {}
        Ok(found) if found.is_file() => return Ok(Found::TooLarge),
        Ok(_) => return Err(wrong("none".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(wrong(error.to_string())),
    }
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    Ok(Found::Bytes(bytes.into()))
}
