//! Images, indexes and other manifests, made by hand where a client would not make them.

use hallmark::oci::Digest;
use serde_json::{Value, json};

use super::{CONFIG, IMAGE, INDEX, LAYER};

/// An OCI descriptor.
pub(crate) type Descriptor = Value;

/// The SHA-256 digest of `bytes`.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    Digest::sha256(bytes).to_string()
}

/// A descriptor of `bytes`.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}

/// An image manifest, with more fields from `more`.
pub(crate) fn manifest(config: &Descriptor, layers: &[Descriptor], more: &Value) -> Vec<u8> {
    let mut manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers });
    if let (Some(manifest), Some(more)) = (manifest.as_object_mut(), more.as_object()) {
        manifest.extend(more.clone());
    }
    manifest.to_string().into_bytes()
}

/// A manifest with the blobs that it names.
pub(crate) struct Image {
    blobs: Vec<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Image {
    /// An image for linux/amd64 whose one layer holds `content`.
    pub(crate) fn of(content: &str) -> Self {
        Self::for_platform("amd64", content)
    }

    /// An image for linux on this architecture whose one layer holds `content`.
    pub(crate) fn for_platform(architecture: &str, content: &str) -> Self {
        let layer = format!("a layer with {content}").into_bytes();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [digest_of(&layer)] },
        });
        Self::made(CONFIG, config.to_string().into_bytes(), LAYER, layer, &json!({}))
    }

    /// A manifest over one config and one layer, with more fields from `more`.
    pub(crate) fn made(config_type: &str, config: Vec<u8>, layer_type: &str, layer: Vec<u8>, more: &Value) -> Self {
        let bytes = manifest(&descriptor(config_type, &config), &[descriptor(layer_type, &layer)], more);
        Self { blobs: vec![config, layer], bytes }
    }

    /// The blobs: the config, then the layers.
    pub(crate) fn blobs(&self) -> &[Vec<u8>] {
        &self.blobs
    }

    /// The digest of its only layer.
    pub(crate) fn layer(&self) -> String {
        digest_of(self.blobs.last().unwrap())
    }

    /// The manifest.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The manifest's digest.
    pub(crate) fn digest(&self) -> String {
        digest_of(&self.bytes)
    }

    /// The manifest's descriptor.
    pub(crate) fn descriptor(&self) -> Descriptor {
        descriptor(IMAGE, &self.bytes)
    }
}

/// An index over images.
pub(crate) struct Index {
    bytes: Vec<u8>,
}

impl Index {
    /// An index with these entries, each with what `more` adds to its descriptor.
    pub(crate) fn of(entries: &[(&Image, Value)]) -> Self {
        let entry = |(image, more): &(&Image, Value)| {
            let mut entry = image.descriptor();
            if let (Some(entry), Some(more)) = (entry.as_object_mut(), more.as_object()) {
                entry.extend(more.clone());
            }
            entry
        };
        let manifests: Vec<_> = entries.iter().map(entry).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        Self { bytes: index.to_string().into_bytes() }
    }

    /// The index.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its digest.
    pub(crate) fn digest(&self) -> String {
        digest_of(&self.bytes)
    }
}
