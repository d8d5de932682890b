//! Manifests of a layout that is taken: each waits for what it holds, and is stored as at a push.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::gate::Who;
use crate::metadata::{Put, PutManifest};
use crate::oci::{Descriptor, Digest, EvidenceTag, Link, LinkKind, Manifest, Tag, media_type};
use crate::store::Read;
use crate::verify::{self, Candidate};

use super::super::Error;
use super::super::push::{as_stored, check_size, check_tags};
use super::{Source, Taking, Waiting};

impl Taking<'_> {
    /// Adopts what a manifest holds, and lets it wait for that.
    pub(super) async fn manifest(&mut self, descriptor: &Descriptor, tags: Vec<Tag>) -> Result<(), Error> {
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
            self.blob(&digest, false).await?;
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes.len());
        self.waiting.push(Waiting { digest, bytes, manifest, tags });
        Ok(())
    }

    /// Stores a manifest under its tags. A tag kept for evidence settles what the manifest is, so each comes alone, and
    /// before the others.
    pub(super) async fn put_under(
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
            match self.put_or_hold((digest, bytes), manifest, &tags).await {
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

    /// What evidence and data are is read from their blobs, and can't be from what is rotten or absent: taken for an object,
    /// they would be one for ever.
    async fn check_readable(&self, manifest: &Manifest, tag: Option<&EvidenceTag>) -> Result<(), Error> {
        let Source::Own(objects) = self.source else { return Ok(()) };
        if self.is_object(manifest, tag) {
            return Ok(());
        }
        let mut unreadable = BTreeSet::new();
        for Link { kind, descriptor } in manifest.links() {
            let is_held = objects.held().contains_key(&descriptor.digest);
            let is_wanted = kind != LinkKind::Manifest && !media_type::is_nondistributable(&descriptor.media_type);
            if is_held || (is_wanted && self.parts.metadata.blob(self.repository, &descriptor.digest).await?.is_none())
            {
                unreadable.insert(descriptor.digest);
            }
        }
        if unreadable.is_empty() { Ok(()) } else { Err(Error::ContentAbsent(unreadable.into_iter().collect())) }
    }

    /// Stores a manifest. What it must have and of which nothing is left becomes content without a file, if that may be.
    async fn put_or_hold(
        &mut self,
        stored: (Digest, &Bytes),
        manifest: &Manifest,
        tags: &[Tag],
    ) -> Result<bool, Error> {
        let absent = match self.put(stored, manifest, tags).await {
            Err(Error::ContentAbsent(absent)) => absent,
            done => return done,
        };
        let evidence_tag = tags.first().and_then(Tag::evidence);
        let is_object = self.is_object(manifest, evidence_tag.as_ref());
        if is_object && self.hold_lost(manifest, &absent).await? {
            return self.put(stored, manifest, tags).await;
        }
        Err(Error::ContentAbsent(absent))
    }

    fn is_object(&self, manifest: &Manifest, tag: Option<&EvidenceTag>) -> bool {
        verify::candidate(manifest, tag, &self.parts.data_types) == Candidate::Object
    }

    async fn put(&self, (digest, bytes): (Digest, &Bytes), manifest: &Manifest, tags: &[Tag]) -> Result<bool, Error> {
        let evidence_tag = tags.first().and_then(Tag::evidence);
        self.check_readable(manifest, evidence_tag.as_ref()).await?;
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
}

fn why(error: &Error) -> String {
    let Error::ContentAbsent(absent) = error else { return error.to_string() };
    let names: Vec<_> = absent.iter().map(Digest::to_string).collect();
    format!("expected what it holds to be there, found no {}", names.join(", no "))
}
