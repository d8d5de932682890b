//! What an image layout on disk names, and what that is about. Blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Trouble;
use super::source::Found;
use crate::client::Fetched;
use crate::oci::{Digest, Manifest, ManifestError, Reference};
use crate::store::{Bounds, ImageLayout, LayoutBlob, LayoutError, Visited, parse_manifest};
use crate::verify::{Candidate, candidate, check_evidence};

/// The largest payload that is looked at to tell what it is about, in bytes.
const MAX_PAYLOAD_BYTES: u64 = 1 << 20;
/// The most descriptors of one manifest.
const MAX_LINKS: usize = 10_000;

/// A layout, looked through once.
#[derive(Debug)]
pub(super) struct Layout {
    files: ImageLayout,
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

impl From<LayoutError> for Trouble {
    fn from(error: LayoutError) -> Self {
        Self::one(error.to_string())
    }
}

impl Layout {
    /// Looks through the layout in `folder`: `index.json` and every manifest that it reaches, of at most
    /// `manifest_bytes` each.
    pub(super) fn open(folder: &Path, manifest_bytes: u64) -> Result<Self, Trouble> {
        // Only what hashes to its name is read, wherever a link leads.
        let bounds = Bounds {
            index_bytes: 64 << 20,
            manifest_bytes,
            manifests: 200_000,
            links: MAX_LINKS,
            links_out: true,
            ..Bounds::default()
        };
        let files = ImageLayout::open(folder, bounds)?;
        let mut names = BTreeMap::<String, BTreeSet<Digest>>::new();
        for entry in files.entries() {
            if let Some(name) = entry.annotations.get(ImageLayout::REF_NAME) {
                names.entry(name.clone()).or_default().insert(entry.digest);
            }
        }
        let mut layout = Self { files: files.clone(), names, nodes: BTreeMap::new() };
        files.walk(|visited| layout.note(visited))?;
        Ok(layout)
    }

    fn note(&mut self, visited: Visited) -> Result<(), Trouble> {
        // Children of a sparse index may be absent.
        let Some(read) = visited.read? else { return Ok(()) };
        // What nobody can parse is evidence of nothing, and reaches nothing.
        let parsed = read.manifest.ok();
        let node = Node {
            media_type: visited.descriptor.media_type,
            children: parsed.iter().flat_map(|manifest| &manifest.manifests).map(|child| child.digest).collect(),
            subject: parsed.as_ref().map_or(Ok(None), |manifest| self.subject(manifest))?,
        };
        self.nodes.insert(visited.descriptor.digest, node);
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
        let media_type = node.media_type.clone();
        let read = self.files.read_manifest(&digest, &media_type)?;
        Ok(read.map(|read| Fetched { bytes: read.bytes, media_type, digest }))
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
        Ok(match self.files.blob(digest, limit)? {
            LayoutBlob::Bytes(bytes) => Found::Bytes(bytes),
            LayoutBlob::Absent => Found::Absent,
            LayoutBlob::TooLarge => Found::TooLarge,
        })
    }
}

/// What the manifest says it is; where it says nothing, what its descriptor says.
pub(super) fn parse(bytes: &[u8], said: &str) -> Result<Manifest, ManifestError> {
    parse_manifest(bytes, said, MAX_LINKS)
}

/// Whether clients keep a list of referrers under that tag.
fn is_list(name: &str) -> bool {
    let evidence = name.parse::<crate::oci::Tag>().ok().and_then(|tag| tag.evidence());
    matches!(evidence, Some(crate::oci::EvidenceTag::Referrers(_)))
}
