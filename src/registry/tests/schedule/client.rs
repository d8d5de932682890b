//! What a client does, call after call. Each notes what it was told; what it can't have been told fails the test.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::harm::Damage;
use super::record::{Change, Record};
use crate::authz::Pull;
use crate::oci::{Algorithm, Digest, LinkKind, Manifest, Precondition, Reference, RepositoryName, Tag, media_type};
use crate::registry::tests::{House, digest_of, image, index, who};
use crate::registry::{Allowed, Error, ManifestPut};

/// How long blobs here stay that nothing holds.
pub(super) const LEASE: Duration = Duration::from_mins(10);

/// The images that clients push: few, so that they meet. All share one config.
pub(super) const IMAGES: usize = 3;

#[derive(Clone)]
pub(super) struct Client {
    pub(super) house: Arc<House>,
    pub(super) record: Arc<Record>,
    pub(super) damage: Arc<Damage>,
    /// Makes contents differ from those of other runs.
    pub(super) seed: u64,
    pub(super) repository: RepositoryName,
}

impl Client {
    pub(super) fn config(&self) -> Vec<u8> {
        format!("{{\"config of run\": {}}}", self.seed).into_bytes()
    }

    pub(super) fn layer(&self, number: usize) -> Vec<u8> {
        format!("layer {number} of run {}", self.seed).into_bytes()
    }

    pub(super) fn image(&self, number: usize) -> Value {
        image(Digest::sha256(&self.config()), Digest::sha256(&self.layer(number)))
    }

    pub(super) fn digest(&self, number: usize) -> Digest {
        digest_of(&self.image(number))
    }

    /// Uploads in one piece or in two requests.
    pub(super) async fn upload(&self, bytes: &[u8], chunked: bool) {
        let registry = &self.house.registry;
        let allowed = registry.allow_sign(&who("ci"), &self.repository).unwrap();
        let mut writer = if chunked {
            registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap()
        } else {
            registry.begin_whole_upload(&allowed, Algorithm::Sha256).await.unwrap()
        };
        if chunked {
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            let id = writer.id();
            writer.write(Bytes::copy_from_slice(first)).await.unwrap();
            writer.pause().await.unwrap();
            writer = registry.resume_upload(&allowed, id, None).await.unwrap();
            writer.write(Bytes::copy_from_slice(rest)).await.unwrap();
        } else {
            writer.write(Bytes::copy_from_slice(bytes)).await.unwrap();
        }
        writer.finish(&Digest::sha256(bytes)).await.unwrap();
    }

    /// Begins an upload and never ends it.
    pub(super) async fn abandon(&self) {
        let allowed = self.house.registry.allow_sign(&who("ci"), &self.repository).unwrap();
        let mut writer = self.house.registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap();
        writer.write(Bytes::from_static(b"never whole")).await.unwrap();
        writer.pause().await.unwrap();
    }

    pub(super) async fn push(&self, number: usize, tag: Option<&str>, chunked: bool) {
        let (record, begun) = (self.record.now(), self.house.clock_now());
        self.upload(&self.config(), chunked).await;
        self.upload(&self.layer(number), false).await;
        let blobs = [Digest::sha256(&self.config()), Digest::sha256(&self.layer(number))];
        self.put(media_type::OCI_MANIFEST, &self.image(number), tag, (record, begun, &blobs)).await;
    }

    /// Mounts the layer from another repository, or uploads it, and pushes the image.
    pub(super) async fn push_mounted(&self, number: usize, from: &RepositoryName, tag: Option<&str>) {
        let (record, begun) = (self.record.now(), self.house.clock_now());
        let registry = &self.house.registry;
        let allowed = registry.allow_sign(&who("ci"), &self.repository).unwrap();
        let blobs = [Digest::sha256(&self.config()), Digest::sha256(&self.layer(number))];
        for (digest, bytes) in blobs.iter().zip([self.config(), self.layer(number)]) {
            if !registry.mount(&allowed, digest, Some(from)).await.unwrap() {
                self.upload(&bytes, false).await;
            }
        }
        self.put(media_type::OCI_MANIFEST, &self.image(number), tag, (record, begun, &blobs)).await;
    }

    pub(super) async fn push_index(&self, tag: &str) {
        let children: Vec<_> = (0..IMAGES).map(|number| self.digest(number)).collect();
        let since = (self.record.now(), self.house.clock_now(), [].as_slice());
        self.put(media_type::OCI_INDEX, &index(&children), Some(tag), since).await;
    }

    /// Stores a manifest whose blobs were uploaded since. It may be refused only if they were deleted, too
    /// old, or rotted.
    async fn put(
        &self,
        kind: &str,
        manifest: &Value,
        tag: Option<&str>,
        since: (usize, crate::clock::Timestamp, &[Digest]),
    ) {
        let bytes = Bytes::from(serde_json::to_vec(manifest).unwrap());
        let digest = Digest::sha256(&bytes);
        let reference = tag.map_or(Reference::Digest(digest), |tag| tag.parse().unwrap());
        let allowed = self.house.registry.allow_sign(&who("ci"), &self.repository).unwrap();
        let put = ManifestPut {
            reference,
            tags: Vec::new(),
            precondition: Precondition::default(),
            content_type: kind.to_owned(),
            bytes,
        };
        let mut asked = vec![self.record.ask(Change::Put(self.repository.clone(), digest))];
        if let Some(tag) = tag {
            asked.push(self.record.ask(Change::Tag(self.repository.clone(), tag.parse().unwrap(), digest)));
        }
        match self.house.registry.put_manifest(&allowed, put).await {
            Ok(stored) => {
                assert_eq!(stored.digest, digest);
                self.record.acknowledge(&asked);
            }
            Err(Error::ContentAbsent(absent)) => {
                let (began, clock, blobs) = since;
                let waited = self.house.clock_now().since(clock);
                // What rotted is absent to whoever pushes, so that it is sent again.
                let rotted = absent.iter().all(|digest| self.damage.is_harmed(digest));
                let excused = rotted || waited >= LEASE || self.record.may_be_deleted(&self.repository, blobs, began);
                assert!(excused, "{digest} was refused within the lease of its blobs: {absent:?}");
                self.record.refuse(&asked);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(super) async fn delete(&self, digest: Digest) {
        let allowed = self.house.registry.allow_delete(&who("ci"), &self.repository).unwrap();
        let asked = self.record.ask(Change::Delete(self.repository.clone(), digest));
        match self.house.registry.delete_manifest(&allowed, &digest, &Precondition::default()).await {
            Ok(()) => self.record.acknowledge(&[asked]),
            // A tag that moves while it is looked at seems to have a pending push.
            Err(Error::ManifestUnknown(_) | Error::NameUnknown | Error::Conflict(_)) => self.record.refuse(&[asked]),
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(super) async fn delete_tag(&self, tag: &str) {
        let tag: Tag = tag.parse().unwrap();
        let allowed = self.house.registry.allow_delete(&who("ci"), &self.repository).unwrap();
        let asked = self.record.ask(Change::DeleteTag(self.repository.clone(), tag.clone()));
        match self.house.registry.delete_tag(&allowed, &tag, &Precondition::default()).await {
            Ok(()) => self.record.acknowledge(&[asked]),
            Err(Error::ManifestUnknown(_) | Error::NameUnknown) => self.record.refuse(&[asked]),
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(super) async fn delete_blob(&self, digest: Digest) {
        let allowed = self.house.registry.allow_delete(&who("ci"), &self.repository).unwrap();
        let asked = self.record.ask(Change::DeleteBlob(self.repository.clone(), digest));
        match self.house.registry.delete_blob(&allowed, &digest, &Precondition::default()).await {
            Ok(()) => self.record.acknowledge(&[asked]),
            Err(Error::BlobUnknown(_) | Error::BlobHeld(_)) => self.record.refuse(&[asked]),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Pulls what a tag names, whole; what is given hashes to its name.
    pub(super) async fn pull(&self, tag: &str) {
        let allowed = self.house.registry.allow_pull(&who("ci"), &self.repository).unwrap();
        let manifest = match self.house.registry.manifest(&allowed, &tag.parse().unwrap()).await {
            Ok(manifest) => manifest,
            Err(Error::ManifestUnknown(_) | Error::NameUnknown) => return,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(Digest::sha256(&manifest.bytes), manifest.digest);
        let parsed = Manifest::parse(&manifest.bytes, &manifest.media_type, 100).unwrap();
        for link in parsed.links().filter(|link| link.kind != LinkKind::Manifest) {
            self.pull_blob(&allowed, link.descriptor.digest).await;
        }
    }

    async fn pull_blob(&self, allowed: &Allowed<Pull>, digest: Digest) {
        let unsettled = self.damage.unsettled(&digest);
        match self.house.registry.blob(allowed, &digest).await {
            Ok(blob) => {
                let bytes = blob.object.read(0, usize::MAX).await.unwrap();
                let sound = Digest::sha256(&bytes) == digest;
                assert!(sound || !unsettled.is_empty(), "{digest} was quarantined, and its rotten bytes were served");
            }
            Err(Error::Quarantined(_)) => assert!(self.damage.is_harmed(&digest), "{digest} is called rotten"),
            // The manifest was deleted meanwhile.
            Err(Error::BlobUnknown(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(super) async fn sign(&self, number: usize) {
        // By another hand each time: each signature is another manifest.
        match self.house.sign("signer", &self.house.keys.release, self.digest(number)).await {
            Ok(_) | Err(Error::ContentAbsent(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}
