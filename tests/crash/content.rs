//! What is pushed: blobs that can be made again from a number, and manifests of every shape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallmark::oci::{Algorithm, Digest};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::random::Random;
use crate::world::Manifest;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A key to sign with.
pub(crate) fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// Bytes that nobody else pushes.
pub(crate) fn own(random: &mut Random) -> Vec<u8> {
    let length = match random.below(40) {
        // More than is gathered before it is handed to the store.
        0 => 1_200_000,
        1..=4 => 60_000 + random.index(100_000),
        _ => 20 + random.index(4_000),
    };
    let mut bytes = format!("{:016x}", random.next()).into_bytes();
    let pattern = random.next().to_le_bytes();
    bytes.extend(pattern.iter().cycle().take(length));
    bytes
}

/// One of a few contents that everybody pushes.
pub(crate) fn shared(random: &mut Random) -> Vec<u8> {
    let which = random.below(6);
    let length = 100 + usize::try_from(which).unwrap() * 9_000;
    format!("shared {which} ").into_bytes().into_iter().cycle().take(length).collect()
}

/// What digests are made by: now and then the longer one.
pub(crate) fn algorithm(random: &mut Random) -> Algorithm {
    if random.once_in(4) { Algorithm::Sha512 } else { Algorithm::Sha256 }
}

/// Bytes and the digest under which they are pushed.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

impl Blob {
    pub(crate) fn new(algorithm: Algorithm, bytes: Vec<u8>) -> Self {
        Self { digest: Digest::of(algorithm, &bytes), bytes }
    }
}

fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({"mediaType": media_type, "digest": blob.digest, "size": blob.bytes.len()})
}

/// What a manifest is beside its bytes.
struct Shape {
    media_type: &'static str,
    subject: Option<Digest>,
    blobs: Vec<Digest>,
}

fn manifest(algorithm: Algorithm, value: &Value, shape: Shape) -> Manifest {
    let bytes = serde_json::to_vec(value).unwrap();
    let Shape { media_type, subject, blobs } = shape;
    Manifest { digest: Digest::of(algorithm, &bytes), bytes: bytes.into(), media_type, subject, blobs }
}

/// An image, about `subject` if there is one.
pub(crate) fn image(
    algorithm: Algorithm,
    note: &str,
    config: &Blob,
    layers: &[Blob],
    subject: Option<&Manifest>,
) -> Manifest {
    let mut value = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.iter().map(|l| descriptor("application/vnd.oci.image.layer.v1.tar", l)).collect::<Vec<_>>(),
        "annotations": {"note": note},
    });
    if let Some(subject) = subject {
        value["artifactType"] = "application/vnd.example.report".into();
        value["subject"] = json!({
            "mediaType": subject.media_type, "digest": subject.digest, "size": subject.bytes.len()
        });
    }
    let blobs = std::iter::once(config).chain(layers).map(|blob| blob.digest).collect();
    let subject = subject.map(|subject| subject.digest);
    manifest(algorithm, &value, Shape { media_type: MANIFEST, subject, blobs })
}

pub(crate) fn index(algorithm: Algorithm, note: &str, children: &[&Manifest]) -> Manifest {
    let entry = |m: &&Manifest| json!({"mediaType": m.media_type, "digest": m.digest, "size": m.bytes.len()});
    let value = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": children.iter().map(entry).collect::<Vec<_>>(),
        "annotations": {"note": note},
    });
    manifest(algorithm, &value, Shape { media_type: INDEX, subject: None, blobs: Vec::new() })
}

/// The payload and the config of a signature as cosign 2 makes it, and its manifest.
pub(crate) fn signature(key: &PKey<Private>, note: &str, subject: &Manifest) -> (Blob, Blob, Manifest) {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": ""},
            "image": {"docker-manifest-digest": subject.digest.to_string()},
            "type": "cosign container image signature"
        },
        "optional": {"note": note}
    });
    let payload = Blob::new(Algorithm::Sha256, payload.to_string().into_bytes());
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signed = STANDARD.encode(signer.sign_oneshot_to_vec(&payload.bytes).unwrap());
    let config = Blob::new(Algorithm::Sha256, format!("{{\"a config of\": \"{note}\"}}").into_bytes());
    let mut layer = descriptor("application/vnd.dev.cosign.simplesigning.v1+json", &payload);
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signed});
    let value = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [layer],
    });
    let blobs = vec![config.digest, payload.digest];
    let signature = manifest(Algorithm::Sha256, &value, Shape { media_type: MANIFEST, subject: None, blobs });
    (payload, config, signature)
}
