//! Blobs of a layout that is taken: found, adopted many at once, made durable, and only then part of the repository.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::gate::Who;
use crate::metadata::{CommitBlob, Committed, Reserved};
use crate::oci::{Descriptor, Digest, Link, LinkKind, Manifest, media_type};
use crate::store::{Adopted, ObjectKey, StoreError, Vouched};

use super::super::Error;
use super::super::objects::Held;
use super::{Adoption, Source, Taking, Waiting};

/// How many blobs are adopted before they are settled and committed, with the manifests that hold them.
const BATCH: usize = 1024;
/// How many bytes of manifests wait for that at the most, or a little more.
const BATCH_BYTES: usize = 8 << 20;
/// What a manifest says of the size of a blob is believed up to here, in bytes.
const CREDIBLE: u64 = 1 << 40;

impl Taking<'_> {
    /// Settles what was adopted if it is much.
    pub(super) async fn settle_many(&mut self) -> Result<(), Error> {
        let much = self.adopted.len().max(self.waiting.len()) >= BATCH || self.waiting_bytes >= BATCH_BYTES;
        if much { self.settle().await } else { Ok(()) }
    }

    /// Makes what was adopted durable, then part of the repository; then the manifests that waited for it. In this order:
    /// a row may reach the disk at any moment after its transaction, and must not name what a power cut takes away.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        let adopted = std::mem::take(&mut self.adopted);
        if !adopted.is_empty() {
            self.view.settle(adopted.iter().map(|adoption| adoption.key.clone()).collect()).await?;
        }
        for Adoption { digest, key, size, lost } in adopted {
            self.commit_in_place_of(&digest, (key.0, size), lost).await?;
        }
        self.waiting_bytes = 0;
        for Waiting { digest, bytes, manifest, tags } in std::mem::take(&mut self.waiting) {
            self.put_under((digest, &bytes), &manifest, &tags).await?;
        }
        Ok(())
    }

    /// Makes what a manifest holds part of the repository: its blobs, and children that are no manifests.
    pub(super) async fn blobs_of(&mut self, manifest: &Manifest) -> Result<(), Error> {
        let mut held: BTreeMap<Digest, bool> = BTreeMap::new();
        for Link { kind, descriptor } in manifest.links() {
            if kind != LinkKind::Manifest || !self.manifests.contains(&descriptor.digest) {
                *held.entry(descriptor.digest).or_default() |= self.is_required(kind, &descriptor);
            }
        }
        for (digest, is_required) in held {
            let is_new = self.blobs.insert(digest);
            let is_required_now = is_required && self.required.insert(digest);
            if is_new || is_required_now {
                self.blob(&digest, is_required).await?;
            }
        }
        Ok(())
    }

    /// Whether no manifest was stored here without what this link names.
    fn is_required(&self, kind: LinkKind, descriptor: &Descriptor) -> bool {
        let may_be_sparse = kind == LinkKind::Manifest || (kind == LinkKind::Layer && self.parts.sparse_images);
        !may_be_sparse && !media_type::is_nondistributable(&descriptor.media_type)
    }

    /// Makes a blob part of the repository, now or when what was adopted is settled. One that is absent is told by the
    /// manifest that can't be stored without it.
    ///
    /// What is stored, or lies in the store, may be another repository's alone: it is this one's as well only if its layout
    /// has it, or if it is our own and must have had it.
    pub(super) async fn blob(&mut self, digest: &Digest, is_required: bool) -> Result<(), Error> {
        if !is_required && matches!(self.layout.size_of(digest), Ok(None)) {
            return Ok(());
        }
        if self.adopted.iter().any(|adoption| adoption.digest == *digest) || self.is_here(digest).await? {
            return Ok(());
        }
        if let Source::Own(objects) = self.source {
            let held = objects.held().get(digest).cloned();
            if let Some(Held { key, size, .. }) = held {
                return self.hold(digest, key, size).await;
            }
        }
        let generation = match self.parts.metadata.reserve(*digest).await? {
            Reserved::Live(key) => return self.share(digest, key, is_required).await,
            Reserved::Fresh(generation) => generation,
        };
        if let Source::Own(objects) = self.source
            && let Some((key, size)) = objects.sound(self.layout, digest).await?
        {
            return self.commit(digest, key.0, size).await;
        }
        self.adopt(digest, generation, None).await
    }

    /// Whether the repository has a blob already. One whose object is lost is brought back by a layout that has it.
    async fn is_here(&self, digest: &Digest) -> Result<bool, Error> {
        match self.parts.metadata.blob(self.repository, digest).await? {
            Some(blob) if !blob.quarantined => match self.source {
                Source::Own(_) => Ok(true),
                Source::Foreign => Ok(self.size_of_object(&blob.key).await? == Some(blob.size)),
            },
            _ => Ok(false),
        }
    }

    /// Makes the layout's file an object, in the place of one that is `lost` if one is.
    async fn adopt(&mut self, digest: &Digest, generation: u64, lost: Option<String>) -> Result<(), Error> {
        match self.view.adopt(self.layout, digest, generation).await? {
            Adopted::Stored { key, size, copied } => {
                let count = if copied { &mut self.taken.copied } else { &mut self.taken.linked };
                *count = count.saturating_add(1);
                self.adopted.push(Adoption { digest: *digest, key, size, lost });
                Ok(())
            }
            Adopted::Absent => self.hold_rotten(digest).await,
            Adopted::Refused(error) => {
                self.refuse(digest, error.to_string());
                self.hold_rotten(digest).await
            }
        }
    }

    /// Makes rotten content a blob of the repository, if that may be: it is quarantined when everything is taken.
    async fn hold_rotten(&mut self, digest: &Digest) -> Result<(), Error> {
        let Source::Own(objects) = self.source else { return Ok(()) };
        match objects.holds(self.layout, digest)? {
            Some(Held { key, size, .. }) => self.hold(digest, key, size).await,
            None => Ok(()),
        }
    }

    /// Makes content of which nothing is left a blob of the repository, if that may be: it is quarantined when everything is
    /// taken. Its key is fresh, so nothing lies under it. False if that is not all that keeps `manifest` out.
    pub(super) async fn hold_lost(&mut self, manifest: &Manifest, absent: &[Digest]) -> Result<bool, Error> {
        let Source::Own(objects) = self.source else { return Ok(false) };
        if !objects.may_hold() {
            return Ok(false);
        }
        let mut lost = Vec::with_capacity(absent.len());
        for digest in absent {
            if let Reserved::Fresh(generation) = self.parts.metadata.reserve(*digest).await? {
                lost.push((digest, self.parts.store.key(Uuid::nil(), digest, generation)));
            }
        }
        if lost.len() < absent.len() {
            return Ok(false);
        }
        for (digest, key) in lost {
            let size = claimed_size(manifest, digest);
            objects.hold_lost(*digest, key.clone(), size);
            self.hold(digest, key, size).await?;
        }
        Ok(true)
    }

    async fn hold(&mut self, digest: &Digest, key: ObjectKey, size: u64) -> Result<(), Error> {
        self.refuse(digest, "expected sound bytes, found none: it is quarantined until it is pushed again");
        self.commit(digest, key.0, size).await
    }

    /// Makes content that is stored already a blob of this repository, if the layout has it, or one of our own must have had
    /// it.
    async fn share(&mut self, digest: &Digest, key: String, is_required: bool) -> Result<(), Error> {
        if matches!(self.source, Source::Foreign) {
            return self.share_with_foreign(digest, key).await;
        }
        match self.layout.size_of(digest) {
            Ok(Some(size)) => self.commit(digest, key, size).await,
            Ok(None) if is_required => {
                let size = self.parts.store.size(&ObjectKey(key.clone())).await?;
                self.commit(digest, key, size).await
            }
            Ok(None) => Ok(()),
            Err(error) => {
                self.refuse(digest, error.to_string());
                Ok(())
            }
        }
    }

    /// What is stored may be a secret of another repository: whoever made the layout has it if its file has the bytes, and
    /// not because it has the name. Where the object is lost, those bytes take its place.
    async fn share_with_foreign(&mut self, digest: &Digest, key: String) -> Result<(), Error> {
        let size = match self.view.vouch(self.layout, digest, &ObjectKey(key.clone())).await? {
            Vouched::Sound(size) => size,
            // The manifest that can't be stored without it tells.
            Vouched::Absent => return Ok(()),
            Vouched::Refused(error) => {
                self.refuse(digest, error.to_string());
                return Ok(());
            }
        };
        if self.size_of_object(&key).await? == Some(size) {
            return self.commit(digest, key, size).await;
        }
        let generation = self.parts.metadata.fresh_generation().await?;
        self.adopt(digest, generation, Some(key)).await
    }

    /// The size of an object in bytes; none if its file is lost.
    async fn size_of_object(&self, key: &str) -> Result<Option<u64>, Error> {
        match self.parts.store.size(&ObjectKey(key.to_owned())).await {
            Ok(size) => Ok(Some(size)),
            Err(StoreError::Absent(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn commit(&mut self, digest: &Digest, key: String, size: u64) -> Result<(), Error> {
        self.commit_in_place_of(digest, (key, size), None).await
    }

    async fn commit_in_place_of(
        &mut self,
        digest: &Digest,
        (key, size): (String, u64),
        lost: Option<String>,
    ) -> Result<(), Error> {
        let commit = CommitBlob {
            repository: self.repository.clone(),
            digest: *digest,
            size,
            key,
            sealed: true,
            lost,
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

    /// What no manifest holds: left behind, or in a layout of our own kept for as long as an upload is.
    pub(super) async fn rest(&mut self) -> Result<(), Error> {
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
                Source::Own(_) => self.blob(&digest, false).await?,
            }
            self.settle_many().await?;
        }
        Ok(())
    }
}

/// The size of a blob that nothing but a manifest tells, in bytes. Whoever finds the bytes again knows them by it; what is
/// incredible must not spoil the sum of all.
fn claimed_size(manifest: &Manifest, digest: &Digest) -> u64 {
    let mut sizes = manifest.links().filter(|link| link.descriptor.digest == *digest).map(|link| link.descriptor.size);
    sizes.find(|size| *size <= CREDIBLE).unwrap_or_default()
}
