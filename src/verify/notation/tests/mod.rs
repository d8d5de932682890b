//! Every rule with a signature that keeps it and those that break it, in both forms.

mod certificates;
mod envelopes;
mod pushed;
mod statements;
mod time;
mod vectors;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::files::Files;
use crate::forge::{Authority, Forge, Format, LeafSpec, SIGNED_AT, SigningCertificate, Target, signature_manifest};
use crate::gate::{Outcome, Shape, SignerName};
use crate::oci::{Digest, Manifest, RepositoryName, media_type};
use crate::trust::Trust;
use crate::verify::{Evidence, SignatureVerifier, Verifier as _};

const LEAF: &str = "C=US, ST=WA, O=acme, CN=release";
const ROOT: &str = "C=US, ST=WA, O=acme, CN=root";
const IMAGE: &[u8] = b"an image manifest";
const HOST: &str = "registry.example.org";

fn target() -> Target {
    Target::of(media_type::OCI_MANIFEST, IMAGE)
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// A root, an intermediate and a leaf for code signing.
fn chain_of_three() -> (Authority, SigningCertificate) {
    let root = Authority::new(ROOT);
    let leaf = root.intermediate("C=US, ST=WA, O=acme, CN=intermediate").issue(&LeafSpec::new(LEAF));
    (root, leaf)
}

fn statement() -> Value {
    json!({
        "name": "acme-images",
        "registryScopes": [format!("{HOST}/prod/app")],
        "signatureVerification": { "level": "strict" },
        "trustStores": ["ca:acme"],
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"],
    })
}

const SIGNERS: &str = "[acme]\nnotation_policy = \"acme-images\"\n";

fn files(signers: &str, statement: &Value, stores: &[(&str, &str)]) -> Files {
    let policy = json!({ "version": "1.0", "trustPolicies": [statement] });
    let mut files = Files::new();
    files.insert(Trust::FILE.to_owned(), signers.as_bytes().to_vec());
    files.insert("trust/trustpolicy.json".to_owned(), policy.to_string().into_bytes());
    for (store, pem) in stores {
        files.insert(format!("trust/x509/{store}/root.pem"), pem.as_bytes().to_vec());
    }
    files
}

fn parsed(files: &Files) -> Trust {
    Trust::parse(files, &[HOST.to_owned()]).unwrap()
}

/// What trusts `root` for code that acme signs; `edit` changes the statement.
fn trust_with(root: &Authority, edit: impl FnOnce(&mut Value)) -> Trust {
    let mut statement = statement();
    edit(&mut statement);
    parsed(&files(SIGNERS, &statement, &[("ca/acme", &root.root_pem())]))
}

fn trust(root: &Authority) -> Trust {
    trust_with(root, |_| {})
}

fn judge(forge: &Forge, trust: &Trust) -> Outcome {
    judge_at(forge, trust, SIGNED_AT)
}

fn judge_at(forge: &Forge, trust: &Trust, at: i64) -> Outcome {
    judge_in("prod/app", forge, trust, seconds(at))
}

fn judge_in(repository: &str, forge: &Forge, trust: &Trust, at: Timestamp) -> Outcome {
    let envelope = forge.bytes();
    let manifest = signature_manifest(forge.format, &envelope, &forge.chain, &target());
    judge_stored(repository, &manifest, &envelope, Some((IMAGE, media_type::OCI_MANIFEST)), trust, at)
}

fn judge_stored(
    repository: &str,
    manifest: &[u8],
    envelope: &[u8],
    subject: Option<(&[u8], &str)>,
    trust: &Trust,
    at: Timestamp,
) -> Outcome {
    let manifest = Manifest::parse(manifest, media_type::OCI_MANIFEST, 99).unwrap();
    let (layers, repository) = ([Bytes::copy_from_slice(envelope)], repository.parse::<RepositoryName>().unwrap());
    let bytes = subject.map(|(bytes, _)| Bytes::copy_from_slice(bytes));
    let evidence = Evidence {
        digest: Digest::sha256(b"evidence"),
        shape: Shape::NotationSignature,
        manifest: &manifest,
        layers: &layers,
        subject: manifest.subject.as_ref().unwrap().digest,
        subject_bytes: bytes.as_ref(),
        subject_media_type: subject.map(|(_, media_type)| media_type),
        repository: &repository,
    };
    let mut findings = SignatureVerifier.verify(&evidence, trust, at);
    assert_eq!(findings.len(), 1);
    findings.remove(0).outcome
}

/// The signers, when it counts.
#[track_caller]
fn signers(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Verified { signers, .. } => signers.iter().map(SignerName::as_str).collect(),
        Outcome::Nothing { .. } => panic!("expected a signature that counts, found {outcome:?}"),
    }
}

/// What was found, when it counts for nothing.
#[track_caller]
fn found(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Nothing { found, .. } => found,
        Outcome::Verified { .. } => panic!("expected a signature that counts for nothing, found {outcome:?}"),
    }
}

#[track_caller]
fn assert_found(outcome: &Outcome, words: &str) {
    assert!(found(outcome).contains(words), "expected {words:?} in {outcome:?}");
}

/// Judges what `edit` makes of a sound envelope, in both forms, under a trust store that trusts it.
#[track_caller]
fn assert_refused(words: &str, edit: impl Fn(Forge) -> Forge) {
    let (root, leaf) = chain_of_three();
    let trust = trust(&root);
    for format in Format::ALL {
        assert_found(&judge(&edit(Forge::new(format, &leaf, &target())), &trust), words);
    }
}

/// The same for what counts.
#[track_caller]
fn assert_counts(edit: impl Fn(Forge) -> Forge) {
    let (root, leaf) = chain_of_three();
    let trust = trust(&root);
    for format in Format::ALL {
        assert_eq!(signers(&judge(&edit(Forge::new(format, &leaf, &target())), &trust)), ["acme"]);
    }
}
