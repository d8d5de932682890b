//! What real clients wrote, for tests; `fixtures/make` made it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;

use super::{Evidence, SignatureVerifier, Verifier};
use crate::clock::Timestamp;
use crate::files::Files;
use crate::gate::{Finding, Outcome, Shape, SignerName};
use crate::oci::{Descriptor, Digest, EvidenceTag, Manifest, RepositoryName, media_type};
use crate::trust::Trust;

/// A manifest with its layers.
pub(crate) struct Case {
    pub(crate) manifest: Manifest,
    pub(crate) layers: Vec<Bytes>,
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/cosign").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    pub(crate) fn read(name: &str) -> Self {
        let bytes = read(&format!("{name}/manifest.json"));
        let manifest = Manifest::parse(&bytes, media_type::OCI_MANIFEST, 1000).expect("a manifest");
        let layers = (0..manifest.layers.len()).map(|index| read(&format!("{name}/layer-{index}")).into()).collect();
        Self { manifest, layers }
    }

    /// Puts `bytes` in place of layer `index`, with the digest that they have.
    pub(crate) fn replace(&mut self, index: usize, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let layer = &mut self.manifest.layers[index];
        (layer.digest, layer.size) = (Digest::sha256(&bytes), u64::try_from(bytes.len()).expect("small"));
        self.layers[index] = bytes;
    }

    /// Edits the JSON of layer `index`.
    pub(crate) fn edit(&mut self, index: usize, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut value = serde_json::from_slice(&self.layers[index]).expect("JSON");
        edit(&mut value);
        self.replace(index, value.to_string());
    }

    /// What it shows about `subject` in `prod/app`.
    pub(crate) fn judge(&self, shape: Shape, subject: Digest, trust: &Trust) -> Vec<Finding> {
        self.judge_in("prod/app", shape, subject, trust)
    }

    pub(crate) fn judge_in(&self, repository: &str, shape: Shape, subject: Digest, trust: &Trust) -> Vec<Finding> {
        let repository: RepositoryName = repository.parse().expect("a name");
        let evidence = Evidence {
            digest: Digest::sha256(b"evidence"),
            shape,
            manifest: &self.manifest,
            layers: &self.layers,
            subject,
            subject_bytes: None,
            subject_media_type: None,
            repository: &repository,
        };
        SignatureVerifier.verify(&evidence, trust, Timestamp::from_micros(0))
    }
}

/// The image that the fixtures sign.
pub(crate) fn image() -> Digest {
    Digest::sha256(&read("image.json"))
}

/// Another image.
pub(crate) fn other_image() -> Digest {
    Digest::sha256(&read("other-image.json"))
}

pub(crate) fn sig_tag() -> EvidenceTag {
    EvidenceTag::Signature(image())
}

/// A trust store of keys, each signer named as its file.
pub(crate) fn trust(keys: &[&str]) -> Trust {
    let named: Vec<_> = keys.iter().map(|key| (*key, read(&format!("{key}.pub")))).collect();
    trust_of(&named)
}

/// A trust store of named keys in PEM.
pub(crate) fn trust_of(keys: &[(&str, Vec<u8>)]) -> Trust {
    let mut files = Files::new();
    let mut signers = String::new();
    for (name, pem) in keys {
        signers.extend(["[", name, "]\ncosign_key = \"cosign/", name, ".pub\"\n"]);
        files.insert(format!("trust/cosign/{name}.pub"), pem.clone());
    }
    files.insert(Trust::FILE.to_owned(), signers.into_bytes());
    Trust::parse(&files, &[]).expect("a trust store")
}

/// The signers of each finding; none for one that counts for nothing.
pub(crate) fn signers(findings: &[Finding]) -> Vec<Vec<&str>> {
    let mut all = Vec::new();
    for finding in findings {
        match &finding.outcome {
            Outcome::Verified { signers, .. } => all.push(signers.iter().map(SignerName::as_str).collect()),
            Outcome::Nothing { .. } => all.push(Vec::new()),
        }
    }
    all
}

/// What was found, when the one finding counts for nothing.
pub(crate) fn found(findings: &[Finding]) -> &str {
    match findings {
        [Finding { outcome: Outcome::Nothing { found, .. }, .. }] => found,
        other => panic!("expected one finding that counts for nothing, found {other:?}"),
    }
}

/// A layer of simple signing with its annotations.
pub(crate) fn simple_signing(payload: &[u8], annotations: BTreeMap<String, String>) -> Case {
    let layer = Descriptor {
        media_type: media_type::SIMPLE_SIGNING.to_owned(),
        digest: Digest::sha256(payload),
        size: 0,
        annotations,
        artifact_type: None,
    };
    let mut case = Case::read("sig-release");
    case.manifest.layers = vec![layer];
    case.layers = vec![Bytes::copy_from_slice(payload)];
    case
}
