//! What is stored, as classification reads it: the same at a push and offline.

use std::collections::HashMap;

use bytes::Bytes;

use crate::metadata::Metadata;
use crate::oci::{Digest, Manifest, RepositoryName};
use crate::store::{ObjectKey, Store, StoreError};
use crate::verify::LAYERS_TOGETHER;

use super::{Error, Parts, Registry};

/// What is stored, and what tells evidence and data from objects.
#[derive(Clone, Copy)]
pub(super) struct Shelf<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) metadata: &'a dyn Metadata,
    /// The largest layer of evidence and data, in bytes.
    pub(super) evidence_blob_bytes: u64,
    pub(super) data_types: &'a [String],
    /// Whether the layers of an image may be absent.
    pub(super) sparse_images: bool,
}

impl Registry {
    pub(super) fn shelf(&self) -> Shelf<'_> {
        Shelf {
            store: &*self.store,
            metadata: &*self.metadata,
            evidence_blob_bytes: self.limits.evidence_blob_bytes,
            data_types: &self.data_types,
            sparse_images: self.sparse_images,
        }
    }
}

impl Parts {
    pub(super) fn shelf(&self) -> Shelf<'_> {
        Shelf {
            store: &*self.store,
            metadata: &*self.metadata,
            evidence_blob_bytes: self.limits.evidence_blob_bytes,
            data_types: &self.data_types,
            sparse_images: self.sparse_images,
        }
    }
}

impl Shelf<'_> {
    /// The bytes of every layer, if each is present, not quarantined and at most `limit` bytes, and all together at most
    /// [`LAYERS_TOGETHER`] times as many; each hashes to its name.
    pub(super) async fn small_layers(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        limit: u64,
    ) -> Result<Option<Vec<Bytes>>, Error> {
        let together = manifest.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size));
        if together > limit.saturating_mul(LAYERS_TOGETHER) {
            return Ok(None);
        }
        let mut layers = Vec::with_capacity(manifest.layers.len());
        let mut read: HashMap<Digest, Bytes> = HashMap::new();
        for layer in &manifest.layers {
            let Some(blob) = self.metadata.blob(repository, &layer.digest).await? else { return Ok(None) };
            if blob.quarantined || blob.size > limit || blob.size != layer.size {
                return Ok(None);
            }
            if let Some(bytes) = read.get(&layer.digest) {
                layers.push(bytes.clone());
                continue;
            }
            let object = match self.store.open(&ObjectKey(blob.key.clone())).await {
                // It was collected since the metadata was read.
                Err(StoreError::Absent(_)) if self.metadata.blob(repository, &layer.digest).await? != Some(blob) => {
                    return Ok(None);
                }
                opened => opened?,
            };
            let bytes = object.read(0, usize::try_from(layer.size).unwrap_or(usize::MAX)).await?;
            if Digest::of(layer.digest.algorithm(), &bytes) != layer.digest {
                return Err(Error::Unavailable(format!("stored blob {} does not hash to its name", layer.digest)));
            }
            read.insert(layer.digest, bytes.clone());
            layers.push(bytes);
        }
        Ok(Some(layers))
    }
}
