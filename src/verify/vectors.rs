//! Other projects' vectors: `HALLMARK_VECTORS`, which must hold them, or `../shared/vectors` beside this repository;
//! skipped when absent.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::check_evidence;
use super::cosign::bundle::{Bundle, Content, Material};
use super::cosign::log::{LogEntry, Logged};
use super::fixtures::{Case, found, read, signers, simple_signing, trust, trust_of};
use crate::gate::Shape;
use crate::oci::{Digest, Manifest, media_type};
use crate::trust::PublicKey;

/// The folder that holds them.
pub(crate) fn vectors() -> Option<PathBuf> {
    let named = std::env::var_os("HALLMARK_VECTORS").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    let folder = named.clone().unwrap_or_else(beside);
    if folder.join("MANIFEST.tsv").is_file() {
        return Some(folder);
    }
    assert_eq!(named, None, "expected vectors in the folder that HALLMARK_VECTORS names, found none");
    writeln!(std::io::stderr(), "skipped: no vectors in {}", folder.display()).unwrap();
    None
}

/// The paths of every vector of these kinds.
pub(super) fn named(folder: &Path, kinds: &[&str]) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let fields = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    fields.filter(|fields| kinds.contains(&fields[4])).map(|fields| fields[0].to_owned()).collect()
}

fn ratify(folder: &str) -> Option<(Case, PathBuf)> {
    let folder = vectors()?.join("ratify/cosign-legacy").join(folder);
    let annotations: BTreeMap<String, String> =
        serde_json::from_slice(&std::fs::read(folder.join("annotations.json")).unwrap()).unwrap();
    let payload = std::fs::read(folder.join("payload.json")).unwrap();
    Some((simple_signing(&payload, annotations), folder))
}

#[test]
fn ratify_key_signatures_count() {
    for name in [
        "valid-hash-256-curve-P256-ECDSA-key-AKV",
        "valid-hash-256-curve-P384-ECDSA-key",
        "valid-hash-256-keysize-2048-RSA-key-AKV",
    ] {
        let Some((case, folder)) = ratify(name) else { return };
        let subject = check_evidence(Shape::CosignSignature, &case.manifest, &case.layers, None).unwrap();
        let right = trust_of(&[("key", std::fs::read(folder.join("key.pub")).unwrap())]);
        let findings = case.judge(Shape::CosignSignature, subject, &right);
        assert_eq!(signers(&findings), [["key"]], "{name}: {findings:?}");
        let wrong = case.judge(Shape::CosignSignature, subject, &trust(&["release", "p384", "rsa"]));
        assert_eq!(found(&wrong), "a signature by none of the keys in the trust store", "{name}");
    }
}

#[test]
fn ratify_keyless_signatures_count_for_nothing_yet() {
    for name in ["successful-keyless-verification", "failed-keyless-verification"] {
        let Some((mut case, folder)) = ratify(name) else { return };
        let certificate = std::fs::read_to_string(folder.join("cert.pem")).unwrap();
        let annotations = &mut case.manifest.layers[0].annotations;
        annotations.entry("dev.sigstore.cosign/certificate".to_owned()).or_insert(certificate);
        let subject = check_evidence(Shape::CosignSignature, &case.manifest, &case.layers, None).unwrap();
        let findings = case.judge(Shape::CosignSignature, subject, &trust(&["release"]));
        assert_eq!(found(&findings), "a keyless signature, which is not judged yet", "{name}");
    }
}

#[test]
fn cve_2022_36056_an_older_signature_with_the_log_entry_of_another_counts_for_nothing() {
    let Some((logged, _)) = ratify("successful-keyless-verification") else { return };
    let entry = logged.manifest.layers[0].annotations.get("dev.sigstore.cosign/bundle").unwrap();
    let mut case = Case::read("sig-release");
    case.manifest.layers[0].annotations.insert("dev.sigstore.cosign/bundle".to_owned(), entry.clone());
    let findings = case.judge(Shape::CosignSignature, super::fixtures::image(), &trust(&["release"]));
    assert_eq!(found(&findings), "a log entry of another signature");
}

#[test]
fn connaisseur_three_keys_are_three_signatures() {
    let Some(folder) = vectors().map(|vectors| vectors.join("connaisseur/cosign")) else { return };
    let images = folder.join("securesystemsengineering/testimage");
    let tag = "sha256-bfec161fecb0a887df7cb85e4da327c65986ccda7060cf3cd92171c6c90d7533.sig.json";
    let bytes = std::fs::read(images.join("manifests").join(tag)).unwrap();
    let manifest = Manifest::parse(&bytes, media_type::OCI_MANIFEST, 99).unwrap();
    let blob = |digest: Digest| std::fs::read(images.join(format!("blobs/sha256_{}.json", digest.hex()))).unwrap();
    let layers = manifest.layers.iter().map(|layer| blob(layer.digest).into()).collect();
    let case = Case { manifest, layers };
    let subject = check_evidence(Shape::CosignSignature, &case.manifest, &case.layers, None).unwrap();
    let key = |name: &str| std::fs::read(folder.join(format!("{name}.key"))).unwrap();
    let three = trust_of(&["alice", "bob", "charlie"].map(|name| (name, key(name))));
    let findings = case.judge(Shape::CosignSignature, subject, &three);
    assert_eq!(signers(&findings), [["alice"], ["bob"], ["charlie"]]);
    let default = trust_of(&[("default", key("default"))]);
    assert_eq!(signers(&case.judge(Shape::CosignSignature, subject, &default)), [[""; 0]; 3]);
}

/// Every file of an older signature of cosign's, and the test that judges it.
#[test]
fn every_older_signature_of_cosign_s_is_named() {
    let Some(folder) = vectors() else { return };
    let rows = [
        ("ratify/cosign-legacy/valid-hash-256-curve-P256-ECDSA-key-AKV/", 3),
        ("ratify/cosign-legacy/valid-hash-256-curve-P384-ECDSA-key/", 3),
        ("ratify/cosign-legacy/valid-hash-256-keysize-2048-RSA-key-AKV/", 3),
        // `connaisseur_three_keys_are_three_signatures`, `connaisseur_an_image_is_an_object`
        ("connaisseur/cosign/securesystemsengineering/testimage/blobs/sha256_", 3),
        ("connaisseur/cosign/securesystemsengineering/testimage/manifests/sha256-bfec161f", 1),
        ("connaisseur/cosign/securesystemsengineering/testimage/manifests/multi-cosigned-alice", 2),
        // `connaisseur_what_was_never_signed_is_no_manifest`
        ("connaisseur/cosign/securesystemsengineering/testimage/manifests/co-unsigned.json", 1),
        // Waiting for keyless: `ratify_keyless_signatures_count_for_nothing_yet`, `connaisseur_keyless_…`
        ("ratify/cosign-legacy/successful-keyless-verification/", 4),
        ("ratify/cosign-legacy/failed-keyless-verification/", 4),
        ("connaisseur/cosign/securesystemsengineering/testimage/manifests/keyless.json", 1),
        ("connaisseur/cosign/securesystemsengineering/testimage/manifests/sha256-31dc72a1", 1),
    ];
    let mut all = named(&folder, &["cosign-legacy", "cosign-legacy-aux"]);
    for (prefix, count) in rows {
        let before = all.len();
        all.retain(|path| !path.starts_with(prefix));
        assert_eq!(before - all.len(), count, "{prefix}");
    }
    assert_eq!(all, BTreeSet::new(), "vectors that no row names");
}

fn connaisseur(name: &str) -> Option<Manifest> {
    let folder = vectors()?.join("connaisseur/cosign/securesystemsengineering/testimage/manifests");
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    Some(Manifest::parse(&bytes, written["mediaType"].as_str().unwrap_or(media_type::OCI_MANIFEST), 99).unwrap())
}

#[test]
fn connaisseur_an_image_is_an_object() {
    for name in ["multi-cosigned-alice.json", "multi-cosigned-alice-bob-charlie.json", "keyless.json"] {
        let Some(manifest) = connaisseur(name) else { return };
        assert_eq!(super::candidate(&manifest, None, &[]), super::Candidate::Object, "{name}");
    }
}

#[test]
fn connaisseur_what_was_never_signed_is_no_manifest() {
    let Some(folder) = vectors() else { return };
    let name = "connaisseur/cosign/securesystemsengineering/testimage/manifests/co-unsigned.json";
    let bytes = std::fs::read(folder.join(name)).unwrap();
    assert!(Manifest::parse(&bytes, media_type::OCI_MANIFEST, 99).is_err());
}

/// Its payload is not among the vectors; its certificate and log entry are.
#[test]
fn connaisseur_keyless_signature_waits_for_its_certificate_to_be_judged() {
    let name = "sha256-31dc72a13a0c34b40eb95419d2b2fd67320c856baf3b72da518023ee8d370aee.sig.json";
    let Some(manifest) = connaisseur(name) else { return };
    assert_eq!(super::candidate(&manifest, None, &[]), super::Candidate::Evidence(Shape::CosignSignature));
    assert!(manifest.layers[0].annotations.contains_key("dev.sigstore.cosign/certificate"));
}

fn conformance(name: &str) -> Option<(PathBuf, Vec<u8>)> {
    let folder = vectors()?.join("sigstore-conformance/bundle-verify").join(name);
    let bundle = std::fs::read(folder.join("bundle.sigstore.json")).unwrap();
    Some((folder, bundle))
}

/// Its signature is over a blob, so it is a message signature; the parts that key bundles need are checked one by one.
#[test]
fn conformance_managed_key_is_read_and_its_log_entry_is_bound() {
    let Some((folder, bytes)) = conformance("managed-key-and-trusted-root") else { return };
    let Ok(Bundle::Known(bundle)) = Bundle::parse(&bytes) else { panic!("a known bundle") };
    assert_eq!(bundle.material, Material::Key);
    let artifact = std::fs::read(folder.parent().unwrap().join("a.txt")).unwrap();
    let Content::Message(Some(hash)) = bundle.content else { panic!("a message signature") };
    assert_eq!(hash, Digest::sha256(&artifact).as_bytes());

    let written: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let text = written["messageSignature"]["signature"].as_str().unwrap();
    let signature = super::encoding::base64(text).unwrap();
    let key = PublicKey::from_pem(&std::fs::read(folder.join("key.pub")).unwrap()).unwrap();
    assert!(key.verify(&artifact, &signature));
    assert!(!PublicKey::from_pem(&read("stranger.pub")).unwrap().verify(&artifact, &signature));

    let about_another = |entry: &LogEntry, message: &[u8], signature: &[u8]| {
        entry.is_about_another(&Logged { message, payload: None, signature })
    };
    let [entry] = bundle.log.as_slice() else { panic!("one log entry") };
    assert!(!about_another(entry, &artifact, &signature));
    assert!(about_another(entry, b"another", &signature));
    assert!(about_another(entry, &artifact, b"another"));
}

#[test]
fn conformance_dsse_log_entries_are_bound_to_their_signature() {
    for (name, bound) in [
        ("rekor2-dsse-happy-path", true),
        ("intoto-with-custom-trust-root", true),
        ("dsse-mismatch-sig_fail", false),
        ("dsse-mismatch-envelope_fail", false),
    ] {
        let Some((_, bytes)) = conformance(name) else { return };
        let Ok(Bundle::Known(bundle)) = Bundle::parse(&bytes) else { panic!("{name}") };
        let Content::Envelope(envelope) = &bundle.content else { panic!("{name}") };
        let message = envelope.signed_bytes();
        let signature = &envelope.signatures()[0];
        let logged = Logged { message: &message, payload: Some(envelope.payload()), signature };
        let foreign = bundle.log.iter().any(|entry| entry.is_about_another(&logged));
        assert_eq!(foreign, !bound, "{name}");
    }
}

#[test]
fn conformance_managed_key_that_is_malformed_is_no_key() {
    let Some((folder, _)) = conformance("managed-key-wrong-key_fail") else { return };
    assert!(PublicKey::from_pem(&std::fs::read(folder.join("key.pub")).unwrap()).is_err());
}

/// Whatever the suite holds, nothing in it is a signature of ours.
#[test]
fn no_conformance_bundle_counts_under_other_keys() {
    let Some(folder) = vectors().map(|vectors| vectors.join("sigstore-conformance/bundle-verify")) else { return };
    let trust = trust(&["release", "p384", "rsa"]);
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(bytes) = std::fs::read(entry.unwrap().path().join("bundle.sigstore.json")) else { continue };
        let mut case = Case::read("bundle-release");
        case.replace(0, bytes);
        let findings = case.judge(Shape::SigstoreBundle, super::fixtures::image(), &trust);
        assert_eq!(signers(&findings), [[""; 0]]);
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}
