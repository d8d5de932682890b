//! A layout becomes a repository: blobs first, then manifests, children before their parents, each as at a push.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::gate::Who;
use crate::metadata::{CommitBlob, Committed, Put, PutManifest, Reserved};
use crate::oci::{Descriptor, Digest, LinkKind, Manifest, RepositoryName, Tag, media_type};
use crate::store::{Adopted, ImageLayout, LayoutError, LayoutView, Read, Visited};

use super::objects::Objects;
use super::push::{as_stored, check_size, check_tags};
use super::{Error, Parts};

/// What came of taking layouts in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Repositories that were taken in, whole or in part.
    pub repositories: u64,
    /// Manifests that were stored, without those that were there.
    pub manifests: u64,
    /// Tags that were set.
    pub tags: u64,
    /// Blobs that were made part of a repository.
    pub blobs: u64,
    /// Blobs whose bytes were linked.
    pub linked: u64,
    /// Blobs whose bytes were copied, for they could not be linked.
    pub copied: u64,
    /// Blobs that nothing holds, and that were left out.
    pub unheld: u64,
    /// What could not be taken, by name, and why.
    pub refused: Vec<Refused>,
}

/// Something that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The repository or the folder, and what in it.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a layout is taken for.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Anybody's: what nothing holds stays behind.
    Foreign,
    /// This registry's own, with the objects that lie in its store: everything comes along.
    Own(&'a Objects<'a>),
}

/// One layout on its way into one repository.
struct Taking<'a> {
    parts: &'a Parts,
    view: &'a dyn LayoutView,
    layout: &'a ImageLayout,
    repository: &'a RepositoryName,
    source: Source<'a>,
    taken: &'a mut Taken,
    /// What the layout reaches as manifests.
    manifests: HashSet<Digest>,
    /// What was looked at as blobs.
    blobs: HashSet<Digest>,
    now: Timestamp,
}

impl Taken {
    pub(super) fn refuse(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.refused.push(Refused { what: what.into(), why: why.into() });
    }
}

/// Takes `layout` in as `repository`. What can't be taken is told in `taken`; only what can't go on is an error.
pub(super) async fn take(
    parts: &Parts,
    view: &dyn LayoutView,
    (layout, repository): (&ImageLayout, &RepositoryName),
    source: Source<'_>,
    taken: &mut Taken,
) -> Result<(), Error> {
    let tags = tags(layout, repository, taken);
    let named: HashSet<Digest> = layout.entries().iter().map(|entry| entry.digest).collect();
    let mut order = Vec::new();
    let walked = layout.walk::<LayoutError>(|visited| {
        order.extend(readable(&named, repository, visited, taken));
        Ok(())
    });
    if let Err(error) = walked {
        taken.refuse(repository.as_str(), error.to_string());
        return Ok(());
    }
    taken.repositories = taken.repositories.saturating_add(1);
    let now = parts.clock.now();
    let manifests = order.iter().map(|descriptor| descriptor.digest).collect();
    let blobs = HashSet::new();
    let mut taking = Taking { parts, view, layout, repository, source, taken, manifests, blobs, now };
    for descriptor in order {
        let tags = tags.get(&descriptor.digest).map(Vec::as_slice).unwrap_or_default();
        taking.manifest(&descriptor, tags).await?;
    }
    taking.rest().await
}

/// The descriptor of a manifest that can be taken; what can't is told. Its bytes are read once more when it is stored:
/// all of them at once may be more than fits into memory.
fn readable(
    named: &HashSet<Digest>,
    repository: &RepositoryName,
    visited: Visited,
    taken: &mut Taken,
) -> Option<Descriptor> {
    let why = match visited.read {
        Ok(Some(Read { manifest: Ok(_), .. })) => return Some(visited.descriptor),
        Ok(Some(Read { manifest: Err(error), .. })) => error.to_string(),
        Err(error) => error.to_string(),
        // A child that a sparse index leaves out; but what index.json names should be there.
        Ok(None) if named.contains(&visited.descriptor.digest) => "expected a manifest, found none".to_owned(),
        Ok(None) => return None,
    };
    taken.refuse(format!("{repository}@{}", visited.descriptor.digest), why);
    None
}

/// The tags of each digest. A name that can't be a tag, and one that names two digests, is told.
fn tags(layout: &ImageLayout, repository: &RepositoryName, taken: &mut Taken) -> BTreeMap<Digest, Vec<Tag>> {
    let mut named: BTreeMap<&str, BTreeSet<Digest>> = BTreeMap::new();
    for entry in layout.entries() {
        if !media_type::is_manifest(&entry.media_type) {
            taken.refuse(
                format!("{repository}@{}", entry.digest),
                format!("expected a manifest or an index in index.json, found {:?}", entry.media_type),
            );
        } else if let Some(name) = entry.annotations.get(ImageLayout::REF_NAME) {
            named.entry(name).or_default().insert(entry.digest);
        }
    }
    let mut tags: BTreeMap<Digest, Vec<Tag>> = BTreeMap::new();
    for (name, digests) in named {
        match (name.parse::<Tag>(), digests.first()) {
            (Ok(tag), Some(digest)) if digests.len() == 1 => tags.entry(*digest).or_default().push(tag),
            (Ok(_), _) => taken.refuse(
                format!("{repository}:{name}"),
                format!("expected one manifest of that name, found {}", digests.len()),
            ),
            (Err(error), _) => taken.refuse(format!("{repository}, name {name:?}"), error.to_string()),
        }
    }
    tags
}

impl Taking<'_> {
    fn refuse(&mut self, digest: &Digest, why: impl Into<String>) {
        self.taken.refuse(format!("{}@{digest}", self.repository), why);
    }

    async fn manifest(&mut self, descriptor: &Descriptor, tags: &[Tag]) -> Result<(), Error> {
        let digest = descriptor.digest;
        let (bytes, manifest) = match self.layout.read_manifest(&digest, &descriptor.media_type) {
            Ok(Some(Read { bytes, manifest: Ok(manifest) })) => (bytes, manifest),
            Ok(_) => {
                self.refuse(&digest, "expected a manifest, found that it changed meanwhile");
                return Ok(());
            }
            Err(error) => {
                self.refuse(&digest, error.to_string());
                return Ok(());
            }
        };
        self.blobs_of(&manifest).await?;
        if let Source::Own(objects) = self.source
            && objects.any(&digest)
            && self.blobs.insert(digest)
        {
            // It was pushed as a blob as well.
            self.blob(&digest).await?;
        }
        self.put_under((digest, &bytes), &manifest, tags).await
    }

    /// Makes what a manifest holds part of the repository: its blobs, and children that are no manifests.
    async fn blobs_of(&mut self, manifest: &Manifest) -> Result<(), Error> {
        let links = manifest
            .links()
            .filter(|link| link.kind != LinkKind::Manifest || !self.manifests.contains(&link.descriptor.digest));
        let held: BTreeSet<Digest> = links.map(|link| link.descriptor.digest).collect();
        for digest in held {
            if self.blobs.insert(digest) {
                self.blob(&digest).await?;
            }
        }
        Ok(())
    }

    /// Makes a blob part of the repository. One that is absent is told by the manifest that can't be stored without it.
    async fn blob(&mut self, digest: &Digest) -> Result<(), Error> {
        if self.parts.metadata.blob(self.repository, digest).await?.is_some_and(|blob| !blob.quarantined) {
            return Ok(());
        }
        let generation = match self.parts.metadata.reserve(*digest).await? {
            Reserved::Live(key) => return self.share(digest, key).await,
            Reserved::Fresh(generation) => generation,
        };
        if let Source::Own(objects) = self.source
            && let Some((key, size)) = objects.sound(self.layout, digest).await?
        {
            return self.commit(digest, key.0, size).await;
        }
        match self.view.adopt(self.layout, digest, generation).await? {
            Adopted::Stored { key, size, copied } => {
                let count = if copied { &mut self.taken.copied } else { &mut self.taken.linked };
                *count = count.saturating_add(1);
                self.commit(digest, key.0, size).await
            }
            Adopted::Absent => Ok(()),
            Adopted::Refused(error) => {
                self.refuse(digest, error.to_string());
                Ok(())
            }
        }
    }

    /// Makes content that is stored already a blob of this repository, if the layout has it.
    async fn share(&mut self, digest: &Digest, key: String) -> Result<(), Error> {
        match self.layout.size_of(digest) {
            Ok(Some(size)) => self.commit(digest, key, size).await,
            Ok(None) => Ok(()),
            Err(error) => {
                self.refuse(digest, error.to_string());
                Ok(())
            }
        }
    }

    async fn commit(&mut self, digest: &Digest, key: String, size: u64) -> Result<(), Error> {
        let commit = CommitBlob {
            repository: self.repository.clone(),
            digest: *digest,
            size,
            key,
            lost: None,
            who: Who::Operator,
            upload: None,
            lease: self.now.plus(self.parts.limits.blob_lease),
            unheld_cap: None,
            at: self.now,
        };
        match self.parts.metadata.commit_blob(commit).await? {
            Committed::Stored => {
                self.taken.blobs = self.taken.blobs.saturating_add(1);
                Ok(())
            }
            // Nobody else writes while this does.
            other => Err(Error::Unavailable(format!("expected to store the blob {digest}, found {other:?}"))),
        }
    }

    /// Stores a manifest under its tags. A tag kept for evidence settles what the manifest is, so each comes alone, and
    /// before the others.
    async fn put_under(
        &mut self,
        (digest, bytes): (Digest, &Bytes),
        manifest: &Manifest,
        tags: &[Tag],
    ) -> Result<(), Error> {
        let tags = self.still_to_set(&digest, tags).await?;
        let stored = self.parts.metadata.manifest(self.repository, &digest).await?;
        // One whose bytes rotted is healed by what is put in its place.
        if tags.is_empty() && stored.is_some_and(|stored| stored.bytes == *bytes) {
            return Ok(());
        }
        let (kept, own): (Vec<Tag>, Vec<Tag>) = tags.into_iter().partition(|tag| tag.evidence().is_some());
        let mut pushes: Vec<Vec<Tag>> = kept.into_iter().map(|tag| vec![tag]).collect();
        if !own.is_empty() || pushes.is_empty() {
            pushes.push(own);
        }
        for tags in pushes {
            match self.put((digest, bytes), manifest, &tags).await {
                Ok(existed) => {
                    let count = u64::from(!existed);
                    self.taken.manifests = self.taken.manifests.saturating_add(count);
                    let set = u64::try_from(tags.len()).unwrap_or(u64::MAX);
                    self.taken.tags = self.taken.tags.saturating_add(set);
                }
                Err(Error::Unavailable(why)) => return Err(Error::Unavailable(why)),
                Err(Error::Full) => return Err(Error::Full),
                Err(error) => {
                    let names: Vec<_> = tags.iter().map(Tag::as_str).collect();
                    let under = if names.is_empty() { String::new() } else { format!(":{}", names.join(",")) };
                    self.taken.refuse(format!("{}{under}@{digest}", self.repository), why(&error));
                }
            }
        }
        Ok(())
    }

    /// The tags that are to be set: not those that name the digest, and not those that named it and moved on since.
    async fn still_to_set(&mut self, digest: &Digest, tags: &[Tag]) -> Result<Vec<Tag>, Error> {
        let mut left = Vec::new();
        for tag in tags {
            let pushes = self.parts.metadata.pushes(self.repository, tag).await?;
            match pushes.iter().position(|push| push.digest == *digest) {
                None => left.push(tag.clone()),
                Some(0) => {}
                Some(_) => self.taken.refuse(
                    format!("{}:{tag}@{digest}", self.repository),
                    "expected the tag not to have moved on since, found a newer push of it",
                ),
            }
        }
        Ok(left)
    }

    async fn put(&self, (digest, bytes): (Digest, &Bytes), manifest: &Manifest, tags: &[Tag]) -> Result<bool, Error> {
        let evidence_tag = tags.first().and_then(Tag::evidence);
        let shelf = self.parts.shelf();
        let classified = shelf.classify(self.repository, manifest, evidence_tag.as_ref()).await?;
        let classified = classified.under(evidence_tag.as_ref(), tags);
        check_tags(&classified, evidence_tag.as_ref(), tags)?;
        check_size(bytes, &classified, self.parts.limits.evidence_blob_bytes)?;
        let put = PutManifest {
            tags: tags.to_vec(),
            tag_history: self.parts.tag_history,
            orphan_lease: self.now.plus(self.parts.limits.orphan_evidence),
            ..as_stored((digest, bytes), manifest, &classified, self.repository, (&Who::Operator, self.now))
        };
        match self.parts.metadata.put_manifest(put).await? {
            Put::Stored { existed } => Ok(existed),
            Put::Absent(absent) => Err(Error::ContentAbsent(absent)),
            Put::Capped => Err(Error::Capped("expected no cap".to_owned())),
            Put::Unlike(_) => Err(Error::Conflict("expected no condition".to_owned())),
        }
    }

    /// What no manifest holds: left behind, or in a layout of our own kept for as long as an upload is.
    async fn rest(&mut self) -> Result<(), Error> {
        let blobs = match self.layout.blobs() {
            Ok(blobs) => blobs,
            Err(error) => {
                self.taken.refuse(self.repository.as_str(), error.to_string());
                return Ok(());
            }
        };
        for digest in blobs {
            if self.manifests.contains(&digest) || self.blobs.contains(&digest) {
                continue;
            }
            match self.source {
                Source::Foreign => self.taken.unheld = self.taken.unheld.saturating_add(1),
                Source::Own(_) => self.blob(&digest).await?,
            }
        }
        Ok(())
    }
}

fn why(error: &Error) -> String {
    let Error::ContentAbsent(absent) = error else { return error.to_string() };
    let names: Vec<_> = absent.iter().map(Digest::to_string).collect();
    format!("expected what it holds to be there, found no {}", names.join(", no "))
}
