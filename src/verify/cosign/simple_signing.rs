//! cosign's older signature: a simple-signing payload as a layer, its signature in an annotation.

use serde::Deserialize;

use crate::oci::{Descriptor, Digest, media_type};
use crate::verify::{Falsehood, encoding};

/// The annotation that holds the signature, in base64.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// The annotation that holds the certificate of a keyless signature.
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
/// The annotation that holds the log entry.
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
/// What `critical.type` must be: a signature made for another purpose says another thing.
const TYPE: &str = "cosign container image signature";

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// One layer, parsed.
pub(in crate::verify) struct SignedPayload<'a> {
    /// The digest that the payload names.
    pub(in crate::verify) subject: Digest,
    /// The signature over the raw payload.
    pub(in crate::verify) signature: Vec<u8>,
    /// Whether a certificate comes with it.
    pub(in crate::verify) keyless: bool,
    /// The log entry, as JSON, if one comes with it.
    pub(in crate::verify) log_entry: Option<&'a str>,
}

/// Parses one layer; its bytes must hash to the digest that the manifest gives them.
pub(in crate::verify) fn parse<'a>(layer: &'a Descriptor, bytes: &[u8]) -> Result<SignedPayload<'a>, Falsehood> {
    if layer.media_type != media_type::SIMPLE_SIGNING {
        return Err(Falsehood::new("layers of simple signing", format!("a layer of {:?}", layer.media_type)));
    }
    if Digest::of(layer.digest.algorithm(), bytes) != layer.digest {
        return Err(Falsehood::new("a layer that hashes to its digest", "another content"));
    }
    let payload: Payload = encoding::json(bytes, "a simple-signing payload")?;
    if payload.critical.kind != TYPE {
        return Err(Falsehood::new(format!("a payload of type {TYPE:?}"), format!("{:?}", payload.critical.kind)));
    }
    let named = &payload.critical.image.digest;
    let subject = named
        .parse()
        .map_err(|_digest| Falsehood::new("a payload that names a manifest digest", format!("{named:?}")))?;
    let Some(text) = layer.annotations.get(SIGNATURE) else {
        return Err(Falsehood::new(format!("the annotation {SIGNATURE}"), "none"));
    };
    let signature = encoding::base64(text).filter(|signature| !signature.is_empty());
    Ok(SignedPayload {
        subject,
        signature: signature.ok_or_else(|| Falsehood::new(format!("base64 in the annotation {SIGNATURE}"), "none"))?,
        keyless: layer.annotations.get(CERTIFICATE).is_some_and(|certificate| !certificate.is_empty()),
        log_entry: layer.annotations.get(LOG_ENTRY).map(String::as_str).filter(|entry| !entry.is_empty()),
    })
}
