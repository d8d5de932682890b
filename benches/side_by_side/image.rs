//! The image that is pulled, and its signature in the shape that cosign wrote before version 3.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::Outcome;
use crate::hex::digest;

/// The media type of an image's manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// A manifest and all that it names.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// The tag that it is pushed under.
    pub(crate) tag: String,
    pub(crate) manifest: Vec<u8>,
    /// The config, then the layers.
    pub(crate) blobs: Vec<Vec<u8>>,
}

/// A key pair that signs.
pub(crate) struct Key(PKey<Private>);

impl Image {
    /// An image with one layer of each of these sizes, in bytes.
    pub(crate) fn with_layers(sizes: &[usize]) -> Outcome<Self> {
        let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#.to_vec();
        let layers: Vec<Vec<u8>> = sizes.iter().map(|size| noise(*size)).collect();
        let descriptors: Vec<_> = layers.iter().map(|layer| descriptor(LAYER, layer)).collect();
        let manifest = manifest(&config, &descriptors)?;
        let blobs = std::iter::once(config).chain(layers).collect();
        Ok(Self { tag: "v1".to_owned(), manifest, blobs })
    }

    /// The digest that names it.
    pub(crate) fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// The digest of the layer of this size.
    pub(crate) fn layer(&self, size: usize) -> Outcome<String> {
        let layer = self.blobs.iter().skip(1).find(|blob| blob.len() == size);
        Ok(digest(layer.ok_or_else(|| format!("expected a layer of {size} bytes, found none"))?))
    }
}

impl Key {
    /// A fresh one.
    pub(crate) fn new() -> Outcome<Self> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self(PKey::from_ec_key(EcKey::generate(&group)?)?))
    }

    /// Its public half, as a PEM file.
    pub(crate) fn public(&self) -> Outcome<Vec<u8>> {
        Ok(self.0.public_key_to_pem()?)
    }

    /// The signature of `subject`, to be pushed beside it.
    pub(crate) fn sign(&self, subject: &Image, repository: &str) -> Outcome<Image> {
        let digest = subject.digest();
        let payload = serde_json::to_vec(&json!({
            "critical": {
                "identity": { "docker-reference": repository },
                "image": { "docker-manifest-digest": digest },
                "type": "cosign container image signature",
            },
            "optional": null,
        }))?;
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
        let signature = STANDARD.encode(signer.sign_oneshot_to_vec(&payload)?);
        let mut layer = descriptor(SIMPLE_SIGNING, &payload);
        if let Some(fields) = layer.as_object_mut() {
            fields.insert("annotations".to_owned(), json!({ "dev.cosignproject.cosign/signature": signature }));
        }
        let config = br#"{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#.to_vec();
        let manifest = manifest(&config, &[layer])?;
        Ok(Image { tag: format!("{}.sig", digest.replace(':', "-")), manifest, blobs: vec![config, payload] })
    }
}

fn manifest(config: &[u8], layers: &[Value]) -> Outcome<Vec<u8>> {
    let config = descriptor(CONFIG, config);
    Ok(serde_json::to_vec(&json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers }))?)
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

/// Bytes that don't compress and are the same in every run (xorshift).
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::try_from(size).unwrap_or_default();
    let mut bytes = Vec::with_capacity(size.saturating_add(8));
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
