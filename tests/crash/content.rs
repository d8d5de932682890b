//! What is pushed: blobs that can be made again from a number, and manifests of every shape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallmark::oci::Digest;
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

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len()})
}

fn manifest(value: &Value, media_type: &'static str, subject: Option<Digest>, blobs: Vec<Digest>) -> Manifest {
    let bytes = serde_json::to_vec(value).unwrap();
    Manifest { digest: Digest::sha256(&bytes), bytes: bytes.into(), media_type, subject, blobs }
}

fn digests(blobs: &[&[u8]]) -> Vec<Digest> {
    blobs.iter().map(|bytes| Digest::sha256(bytes)).collect()
}

/// An image, about `subject` if there is one.
pub(crate) fn image(note: &str, config: &[u8], layers: &[Vec<u8>], subject: Option<&Manifest>) -> Manifest {
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
    let mut blobs: Vec<&[u8]> = vec![config];
    blobs.extend(layers.iter().map(Vec::as_slice));
    manifest(&value, MANIFEST, subject.map(|subject| subject.digest), digests(&blobs))
}

pub(crate) fn index(note: &str, children: &[&Manifest]) -> Manifest {
    let entry = |m: &&Manifest| json!({"mediaType": m.media_type, "digest": m.digest, "size": m.bytes.len()});
    let value = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": children.iter().map(entry).collect::<Vec<_>>(),
        "annotations": {"note": note},
    });
    manifest(&value, INDEX, None, Vec::new())
}

/// The payload and the config of a signature as cosign 2 makes it, and its manifest.
pub(crate) fn signature(key: &PKey<Private>, note: &str, subject: &Manifest) -> (Vec<u8>, Vec<u8>, Manifest) {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": ""},
            "image": {"docker-manifest-digest": subject.digest.to_string()},
            "type": "cosign container image signature"
        },
        "optional": {"note": note}
    });
    let payload = payload.to_string().into_bytes();
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signed = STANDARD.encode(signer.sign_oneshot_to_vec(&payload).unwrap());
    let config = format!("{{\"a config of\": \"{note}\"}}").into_bytes();
    let mut layer = descriptor("application/vnd.dev.cosign.simplesigning.v1+json", &payload);
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signed});
    let value = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [layer],
    });
    let signature = manifest(&value, MANIFEST, None, digests(&[&config, &payload]));
    (payload, config, signature)
}
