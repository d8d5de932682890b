//! Signatures as they come: notation's envelopes, and what cosign writes.

use std::sync::LazyLock;

use bytes::Bytes;
use hallmark::clock::Timestamp;
use hallmark::files::Files;
use hallmark::gate::{Outcome, Shape};
use hallmark::oci::{Descriptor, Digest, Manifest, ManifestKind, media_type};
use hallmark::trust::Trust;
use hallmark::verify::{Evidence, SignatureVerifier, Verifier, check_evidence};

const RELEASE: &str = include_str!("../../fixtures/cosign/release.pub");

/// A key that has signed things, as `fixtures/cosign` shows; never [`subject`].
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let mut files = Files::new();
    files.insert(Trust::FILE.to_owned(), b"[release]\ncosign_key = \"cosign/release.pub\"\n".to_vec());
    files.insert("trust/cosign/release.pub".to_owned(), RELEASE.as_bytes().to_vec());
    Trust::parse(&files, &[]).expect("a trust store")
});

/// What nobody has signed.
fn subject() -> Descriptor {
    let bytes = b"nobody has signed this";
    descriptor(media_type::OCI_MANIFEST, bytes)
}

fn descriptor(kind: &str, bytes: &[u8]) -> Descriptor {
    let size = u64::try_from(bytes.len()).expect("a length");
    let annotations = std::collections::BTreeMap::new();
    Descriptor { media_type: kind.to_owned(), digest: Digest::sha256(bytes), size, annotations, artifact_type: None }
}

fn manifest(layer: Descriptor, subject: Option<Descriptor>) -> Manifest {
    Manifest {
        kind: ManifestKind::Image,
        media_type: media_type::OCI_MANIFEST.to_owned(),
        artifact_type: None,
        config: Some(descriptor("application/vnd.oci.empty.v1+json", b"{}")),
        layers: vec![layer],
        manifests: Vec::new(),
        subject,
        annotations: std::collections::BTreeMap::new(),
    }
}

/// The same answer each time, brief in its refusal; and no bytes make a key sign what it never signed.
fn hold(shape: Shape, manifest: &Manifest, bytes: &[u8]) -> bool {
    let layers = [Bytes::copy_from_slice(bytes)];
    let checked = check_evidence(shape, manifest, &layers, None);
    assert_eq!(checked, check_evidence(shape, manifest, &layers, None));
    if let Err(falsehood) = &checked {
        super::is_brief(falsehood, &[0; 300]);
    }
    if let (Ok(about), Some(said)) = (&checked, &manifest.subject) {
        assert_eq!(*about, said.digest, "it is about what it says that it is about");
    }
    let repository = "prod/app".parse().expect("a name");
    let evidence = Evidence {
        digest: Digest::sha256(b"evidence"),
        shape,
        manifest,
        layers: &layers,
        subject: subject().digest,
        subject_bytes: None,
        subject_media_type: None,
        repository: &repository,
    };
    let at = Timestamp::from_micros(1_780_000_000_000_000);
    let findings = SignatureVerifier.verify(&evidence, &TRUST, at);
    assert!(!findings.is_empty());
    assert_eq!(findings, SignatureVerifier.verify(&evidence, &TRUST, at));
    for finding in findings {
        match finding.outcome {
            Outcome::Verified { .. } => panic!("a signature of what nobody has signed"),
            Outcome::Nothing { expected, found, .. } => {
                assert!(!found.is_empty() && expected.chars().count() <= 301 && found.chars().count() <= 301);
            }
        }
    }
    checked.is_ok()
}

/// The first byte chooses the form, the others are the envelope.
pub fn notation(bytes: &[u8]) -> bool {
    let Some((form, envelope)) = bytes.split_first() else { return false };
    let kind = if form % 2 == 0 { "application/jose+json" } else { "application/cose" };
    let mut manifest = manifest(descriptor(kind, envelope), Some(subject()));
    manifest.artifact_type = Some(media_type::NOTATION.to_owned());
    hold(Shape::NotationSignature, &manifest, envelope)
}

/// The first byte chooses between a bundle, a DSSE envelope and a simple signature; the others are it.
pub fn bundles(bytes: &[u8]) -> bool {
    let Some((form, payload)) = bytes.split_first() else { return false };
    let with_subject = form & 0x80 == 0;
    let (shape, kind) = match form % 3 {
        0 => (Shape::SigstoreBundle, format!("{}.v0.3+json", media_type::SIGSTORE_BUNDLE)),
        1 => (Shape::CosignAttestation, media_type::DSSE.to_owned()),
        _ => (Shape::CosignSignature, media_type::SIMPLE_SIGNING.to_owned()),
    };
    let mut layer = descriptor(&kind, payload);
    if shape == Shape::CosignSignature {
        // What is signed comes first, up to a zero; then the signature.
        let at = payload.iter().position(|b| *b == 0).unwrap_or(payload.len());
        let (signed, signature) = payload.split_at(at);
        let text = String::from_utf8_lossy(signature).trim_start_matches('\0').to_owned();
        layer = descriptor(&kind, signed);
        layer.annotations.insert("dev.cosignproject.cosign/signature".to_owned(), text);
        return hold(shape, &manifest(layer, with_subject.then(subject)), signed);
    }
    hold(shape, &manifest(layer, with_subject.then(subject)), payload)
}
