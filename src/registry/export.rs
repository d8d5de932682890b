//! Export: a repository, or one manifest of it, as an image layout with all that is about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::metadata::{FILE, Metadata, Sqlite, StoredManifest};
use crate::oci::{Digest, Manifest, Reference, RepositoryName, Tag};
use crate::store::{Beside, Draft, LayoutEntry, ObjectKey, Placed, StoreError, parse_manifest};

use super::{Error, lost};

/// What is read at once.
const PAGE: usize = 1000;

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Blobs that were linked: the layout shares their bytes with the registry.
    pub linked: u64,
    /// Blobs that were copied.
    pub copied: u64,
}

/// Writes a repository of `root`, or what `reference` names in it, into `to`, which is not there, as an image layout:
/// with what it reaches, and with evidence, data and whatever else is about any of it. A tag stands for its newest push.
///
/// The process that owns `root` may go on meanwhile; what it takes away before it was written is an error, and then
/// nothing is at `to`; so is what is quarantined. The gate is not asked: whoever can read the disk can read everything.
pub async fn export(
    root: &Path,
    repository: &RepositoryName,
    reference: Option<&Reference>,
    to: &Path,
) -> Result<Exported, Error> {
    if let Some(lost) = lost(root) {
        return Err(Error::Conflict(lost.to_string()));
    }
    let tree = Beside::open(root)?;
    let metadata = Sqlite::open_beside(&tree.folder().join(FILE), tree.is_still())?;
    if !metadata.repository_exists(repository).await? {
        return Err(Error::NameUnknown);
    }
    let draft = tree.draft(to)?;
    let (found, done) = (BTreeMap::new(), Exported::default());
    let mut export =
        Export { tree, metadata: &metadata, draft: &draft, repository, found, tags: BTreeMap::new(), done };
    match reference {
        None => export.everything().await?,
        Some(reference) => export.named(reference).await?,
    }
    export.draft.put_index(&export.entries())?;
    let done = export.done();
    draft.publish()?;
    Ok(done)
}

struct Export<'a> {
    tree: Beside,
    metadata: &'a dyn Metadata,
    draft: &'a Draft,
    repository: &'a RepositoryName,
    found: BTreeMap<Digest, Node>,
    /// The tags that are part of it, with their newest push.
    tags: BTreeMap<Tag, Digest>,
    done: Exported,
}

/// What `index.json` needs of a manifest.
struct Node {
    media_type: Arc<str>,
    size: u64,
    at: Timestamp,
    children: Vec<Digest>,
}

impl Export<'_> {
    async fn everything(&mut self) -> Result<(), Error> {
        let mut after: Option<Tag> = None;
        loop {
            let page = self.metadata.tags(self.repository, after.as_ref().map(Tag::as_str), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            self.tags.extend(page);
        }
        let mut after: Option<Digest> = None;
        loop {
            let page = self.metadata.manifests(self.repository, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest);
            for stored in page {
                self.add(&stored).await?;
            }
        }
        // Tags were read before manifests, and one may have come or gone in between.
        let found = &self.found;
        self.tags.retain(|_, digest| found.contains_key(digest));
        Ok(())
    }

    async fn named(&mut self, reference: &Reference) -> Result<(), Error> {
        let digest = match reference {
            Reference::Digest(digest) => *digest,
            Reference::Tag(tag) => {
                let newest = self.metadata.pushes(self.repository, tag).await?.into_iter().next();
                let newest = newest.ok_or_else(|| Error::ManifestUnknown(reference.clone()))?.digest;
                self.tags.insert(tag.clone(), newest);
                newest
            }
        };
        if self.metadata.manifest(self.repository, &digest).await?.is_none() {
            return Err(Error::ManifestUnknown(reference.clone()));
        }
        let mut waiting = vec![digest];
        while let Some(digest) = waiting.pop() {
            if self.found.contains_key(&digest) {
                continue;
            }
            // A child of a sparse index, or one that is a blob.
            let Some(stored) = self.metadata.manifest(self.repository, &digest).await? else { continue };
            waiting.extend(self.add(&stored).await?);
            waiting.extend(self.about(&digest).await?);
        }
        Ok(())
    }

    /// Adds a manifest with its blobs; gives its children.
    async fn add(&mut self, stored: &StoredManifest) -> Result<Vec<Digest>, Error> {
        if Digest::of(stored.digest.algorithm(), &stored.bytes) != stored.digest {
            return Err(Error::Quarantined(stored.digest));
        }
        let manifest = parse_manifest(&stored.bytes, &stored.media_type, usize::MAX).map_err(|error| {
            Error::Unavailable(format!("the stored manifest {} can't be read: {error}", stored.digest))
        })?;
        let held: BTreeSet<Digest> = manifest.links().map(|link| link.descriptor.digest).collect();
        for digest in held {
            self.blob(&digest).await?;
        }
        self.draft.put_manifest(&stored.digest, &stored.bytes)?;
        let children = children(&manifest);
        let node = Node {
            media_type: stored.media_type.as_str().into(),
            size: u64::try_from(stored.bytes.len()).unwrap_or(u64::MAX),
            at: stored.at,
            children: children.clone(),
        };
        self.found.insert(stored.digest, node);
        Ok(children)
    }

    /// Adds a blob, if it is in the repository: what is fetched from elsewhere may not be.
    async fn blob(&mut self, digest: &Digest) -> Result<(), Error> {
        let Some(blob) = self.metadata.blob(self.repository, digest).await? else { return Ok(()) };
        if blob.quarantined {
            return Err(Error::Quarantined(*digest));
        }
        match self.tree.put_blob(self.draft, digest, &ObjectKey(blob.key)) {
            Ok(Placed::Linked) => self.done.linked = self.done.linked.saturating_add(1),
            Ok(Placed::Copied) => self.done.copied = self.done.copied.saturating_add(1),
            Ok(Placed::There) => {}
            Ok(Placed::Refused(why)) => {
                return Err(Error::Unavailable(format!("the stored blob {digest} can't be exported: {why}")));
            }
            Err(StoreError::Absent(_)) => {
                return Err(Error::Conflict(format!(
                    "expected the blob {digest} to stay, found that it went meanwhile"
                )));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// What is about a manifest: by a subject of its own, by its payload, or by the tag that it is under.
    async fn about(&mut self, subject: &Digest) -> Result<Vec<Digest>, Error> {
        let mut found = Vec::new();
        let mut after: Option<Digest> = None;
        loop {
            let page = self.metadata.referrers(self.repository, subject, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest);
            found.extend(page.into_iter().map(|stored| stored.digest));
        }
        let evidence = self.metadata.evidence(self.repository, subject, usize::MAX).await?;
        found.extend(evidence);
        for suffix in ["", ".sig", ".att", ".sbom"] {
            let name = format!("{}-{}{suffix}", subject.algorithm().as_str(), subject.hex());
            // The names of longer digests fit no tag.
            let Ok(tag) = name.parse::<Tag>() else { continue };
            if let Some(push) = self.metadata.pushes(self.repository, &tag).await?.into_iter().next() {
                self.tags.insert(tag, push.digest);
                found.push(push.digest);
            }
        }
        Ok(found)
    }

    /// Tags by name, then what no tag and no other manifest leads to, the oldest first.
    fn entries(&self) -> Vec<LayoutEntry> {
        let entry = |digest: &Digest, node: &Node, tag: Option<&Tag>| LayoutEntry {
            media_type: Arc::clone(&node.media_type),
            digest: *digest,
            size: node.size,
            tag: tag.map(|tag| tag.as_str().to_owned()),
        };
        let tagged = self.tags.iter().filter_map(|(tag, digest)| Some((tag, digest, self.found.get(digest)?)));
        let mut entries: Vec<_> = tagged.map(|(tag, digest, node)| entry(digest, node, Some(tag))).collect();
        let led_to: BTreeSet<&Digest> =
            self.found.values().flat_map(|node| &node.children).chain(self.tags.values()).collect();
        let mut left: Vec<_> = self.found.iter().filter(|(digest, _)| !led_to.contains(digest)).collect();
        left.sort_by_key(|(_, node)| node.at);
        entries.extend(left.into_iter().map(|(digest, node)| entry(digest, node, None)));
        entries
    }

    fn done(&self) -> Exported {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        Exported { manifests: count(self.found.len()), tags: count(self.tags.len()), ..self.done }
    }
}

fn children(manifest: &Manifest) -> Vec<Digest> {
    manifest.manifests.iter().map(|child| child.digest).collect()
}
