//! What counts, what does not, and why: on what real clients wrote.

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::json;

use super::fixtures::{Case, found, image, other_image, read, sig_tag, signers, trust, trust_of};
use super::{Candidate, candidate, check_data, check_evidence};
use crate::gate::{Outcome, Shape};
use crate::oci::{Descriptor, Digest, EvidenceTag, Manifest, media_type};

const KEYS: [&str; 4] = ["release", "p384", "p521", "rsa"];

fn data_types() -> Vec<String> {
    ["application/vnd.in-toto+json", "application/spdx+json"].map(str::to_owned).to_vec()
}

fn looks_like(case: &Case, tag: Option<&EvidenceTag>) -> Candidate {
    candidate(&case.manifest, tag, &data_types())
}

fn check(case: &Case, shape: Shape, tag: Option<&EvidenceTag>) -> Result<Digest, String> {
    check_evidence(shape, &case.manifest, &case.layers, tag).map_err(|falsehood| falsehood.to_string())
}

#[test]
fn a_signature_of_cosign_2_counts_with_every_kind_of_key() {
    for key in KEYS {
        let case = Case::read(&format!("sig-{key}"));
        let findings = case.judge(Shape::CosignSignature, image(), &trust(&KEYS));
        assert_eq!(signers(&findings), [[key]], "{findings:?}");
    }
}

#[test]
fn a_bundle_of_cosign_3_counts_with_every_kind_of_key() {
    for key in KEYS {
        let case = Case::read(&format!("bundle-{key}"));
        let findings = case.judge(Shape::SigstoreBundle, image(), &trust(&KEYS));
        assert_eq!(signers(&findings), [[key]], "{findings:?}");
    }
}

#[test]
fn both_shapes_of_one_key_have_one_identity() {
    let trust = trust(&["release"]);
    let identity = |case: &str, shape| match &Case::read(case).judge(shape, image(), &trust)[0].outcome {
        Outcome::Verified { identity, .. } => identity.clone(),
        Outcome::Nothing { found, .. } => panic!("{found}"),
    };
    assert_eq!(identity("sig-release", Shape::CosignSignature), identity("bundle-release", Shape::SigstoreBundle));
}

#[test]
fn each_layer_of_a_sig_is_a_signature_of_its_own() {
    let case = Case::read("sig-three-keys");
    let findings = case.judge(Shape::CosignSignature, image(), &trust(&["other", "third"]));
    assert_eq!(signers(&findings), [vec![], vec!["other"], vec!["third"]]);
}

#[test]
fn a_layer_of_junk_hides_no_other() {
    let mut case = Case::read("sig-three-keys");
    case.replace(0, &b"junk"[..]);
    let findings = case.judge(Shape::CosignSignature, image(), &trust(&["release", "other"]));
    assert_eq!(signers(&findings), [vec![], vec!["other"], vec![]]);
}

#[test]
fn a_key_outside_the_trust_store_counts_for_nothing_and_says_what_was_expected() {
    for (case, shape) in [("sig-stranger", Shape::CosignSignature), ("bundle-stranger", Shape::SigstoreBundle)] {
        let trust = trust(&["release"]);
        let findings = Case::read(case).judge(shape, image(), &trust);
        assert_eq!(found(&findings), "a signature by none of the keys in the trust store");
        let Outcome::Nothing { expected, .. } = &findings[0].outcome else { panic!() };
        assert!(expected.starts_with("a signature by release (key "), "{expected}");
    }
}

#[test]
fn a_signer_counts_only_in_its_repositories() {
    let mut files = crate::files::Files::new();
    files.insert("trust/release.pub".to_owned(), read("release.pub"));
    let text = b"[release]\ncosign_key = \"release.pub\"\nrepositories = [\"prod/**\"]\n";
    files.insert("trust/signers.toml".to_owned(), text.to_vec());
    let trust = crate::trust::Trust::parse(&files, &[]).unwrap();
    let case = Case::read("sig-release");
    let within = case.judge_in("prod/a/b", Shape::CosignSignature, image(), &trust);
    assert_eq!(signers(&within), [["release"]]);
    let outside = case.judge_in("dev/app", Shape::CosignSignature, image(), &trust);
    assert_eq!(found(&outside), "a signature by release, whose repositories leave out dev/app");
}

#[test]
fn names_that_share_a_key_share_its_signature() {
    let shared = trust_of(&[("first", read("release.pub")), ("second", read("release-compressed.pub"))]);
    let findings = Case::read("sig-release").judge(Shape::CosignSignature, image(), &shared);
    assert_eq!(signers(&findings), [["first", "second"]]);
}

#[test]
fn a_signature_copied_to_another_image_is_false() {
    let copied = Case::read("sig-of-other-image");
    let error = check(&copied, Shape::CosignSignature, Some(&sig_tag())).unwrap_err();
    assert_eq!(error, format!("expected a signature of {}, found a signature of {}", image(), other_image()));
    let findings = copied.judge(Shape::CosignSignature, image(), &trust(&["release"]));
    assert_eq!(found(&findings), format!("a signature of {}", other_image()));
}

#[test]
fn a_bundle_copied_to_another_image_is_false() {
    let mut copied = Case::read("bundle-of-other-image");
    copied.manifest.subject = Case::read("bundle-release").manifest.subject;
    assert!(check(&copied, Shape::SigstoreBundle, None).unwrap_err().starts_with("expected a statement about"));
    let findings = copied.judge(Shape::SigstoreBundle, image(), &trust(&["release"]));
    assert_eq!(found(&findings), "a statement about something else");
}

#[test]
fn a_truncated_bundle_is_false() {
    let mut case = Case::read("bundle-release");
    let half = case.layers[0].slice(..case.layers[0].len() / 2);
    case.replace(0, half);
    assert!(check(&case, Shape::SigstoreBundle, None).unwrap_err().starts_with("expected a Sigstore bundle, found"));
}

#[test]
fn an_altered_signature_annotation_counts_for_nothing() {
    let mut case = Case::read("sig-release");
    let other = Case::read("sig-three-keys").manifest.layers[1].annotations.clone();
    case.manifest.layers[0].annotations = other;
    let findings = case.judge(Shape::CosignSignature, image(), &trust(&["release"]));
    assert_eq!(found(&findings), "a signature by none of the keys in the trust store");
}

#[test]
fn a_signature_without_its_annotation_is_false() {
    let mut case = Case::read("sig-release");
    for (annotation, message) in
        [(Some("%%%"), "expected base64"), (Some(""), "expected base64"), (None, "expected the annotation")]
    {
        let annotations = annotation.map(|text| ("dev.cosignproject.cosign/signature".to_owned(), text.to_owned()));
        case.manifest.layers[0].annotations = annotations.into_iter().collect();
        assert!(check(&case, Shape::CosignSignature, None).unwrap_err().starts_with(message));
    }
}

#[test]
fn a_payload_of_another_type_is_false() {
    let mut case = Case::read("sig-release");
    case.edit(0, |payload| payload["critical"]["type"] = json!("atomic container signature"));
    assert!(check(&case, Shape::CosignSignature, None).is_err());
    assert_eq!(signers(&case.judge(Shape::CosignSignature, image(), &trust(&["release"]))), [[""; 0]]);
}

#[test]
fn a_repeated_key_in_a_payload_is_false() {
    let mut case = Case::read("sig-release");
    let twice = String::from_utf8(case.layers[0].to_vec()).unwrap().replacen('{', "{\"critical\":{},", 1);
    case.replace(0, twice);
    assert!(check(&case, Shape::CosignSignature, None).unwrap_err().contains("critical"));
}

#[test]
fn ed25519ph_and_other_shapes_count_for_nothing_yet_and_say_so() {
    let trust = trust(&["release", "ed25519"]);
    let judged = |case: &str, shape| found(&Case::read(case).judge(shape, image(), &trust)).to_owned();
    assert_eq!(judged("att", Shape::CosignAttestation), "an attestation, which is not judged yet");
    assert_eq!(judged("att", Shape::NotationSignature), "a layer of \"application/vnd.dsse.envelope.v1+json\"");
    assert!(judged("sig-ed25519", Shape::CosignSignature).contains("Ed25519ph"));
    assert!(judged("bundle-ed25519", Shape::SigstoreBundle).contains("Ed25519ph"));
}

#[test]
fn a_newer_bundle_is_kept_and_counts_for_nothing() {
    let mut case = Case::read("bundle-release");
    case.edit(0, |bundle| bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.9+json"));
    assert_eq!(check(&case, Shape::SigstoreBundle, None), Ok(image()));
    let findings = case.judge(Shape::SigstoreBundle, image(), &trust(&["release"]));
    assert!(found(&findings).starts_with("a bundle of a version that is not read"));
}

#[test]
fn the_hint_of_a_bundle_and_the_keyid_say_nothing() {
    let mut case = Case::read("bundle-release");
    case.edit(0, |bundle| {
        bundle["verificationMaterial"]["publicKey"]["hint"] = json!("another");
        bundle["dsseEnvelope"]["signatures"][0]["keyid"] = json!("another");
    });
    assert_eq!(signers(&case.judge(Shape::SigstoreBundle, image(), &trust(&["release"]))), [["release"]]);
    let mut stranger = Case::read("bundle-stranger");
    let hint = serde_json::from_slice::<serde_json::Value>(&Case::read("bundle-release").layers[0]).unwrap();
    stranger.edit(0, |bundle| bundle["verificationMaterial"] = hint["verificationMaterial"].clone());
    assert_eq!(signers(&stranger.judge(Shape::SigstoreBundle, image(), &trust(&["release"]))), [[""; 0]]);
}

#[test]
fn the_docker_reference_says_nothing() {
    let case = Case::read("sig-release");
    let payload: serde_json::Value = serde_json::from_slice(&case.layers[0]).unwrap();
    assert_eq!(payload["critical"]["identity"]["docker-reference"], "127.0.0.1:5055/release");
    let findings = case.judge_in("prod/app", Shape::CosignSignature, image(), &trust(&["release"]));
    assert_eq!(signers(&findings), [["release"]]);
}

#[test]
fn an_envelope_of_two_signatures_counts_for_nothing() {
    let mut case = Case::read("bundle-release");
    case.edit(0, |bundle| {
        let first = bundle["dsseEnvelope"]["signatures"][0].clone();
        bundle["dsseEnvelope"]["signatures"] = json!([first, first]);
    });
    let findings = case.judge(Shape::SigstoreBundle, image(), &trust(&["release"]));
    assert_eq!(found(&findings), "an envelope of 2 signatures");
}

#[test]
fn harbor_an_attestation_bundle_is_never_a_signature() {
    let findings = Case::read("bundle-attestation").judge(Shape::SigstoreBundle, image(), &trust(&["release"]));
    assert_eq!(found(&findings), "an attestation of type https://spdx.dev/Document");
}

#[test]
fn cve_2022_35929_the_predicate_type_is_read_from_what_is_signed() {
    let mut case = Case::read("bundle-attestation");
    let kind = "https://sigstore.dev/cosign/sign/v1".to_owned();
    case.manifest.annotations.insert("dev.sigstore.bundle.predicateType".to_owned(), kind);
    assert_eq!(signers(&case.judge(Shape::SigstoreBundle, image(), &trust(&["release"]))), [[""; 0]]);
}

#[test]
fn ghsa_fx35_mq7g_6g98_a_public_key_in_the_place_of_the_certificate_is_not_trusted() {
    let mut case = Case::read("bundle-release");
    case.edit(0, |bundle| {
        bundle["verificationMaterial"] =
            json!({"certificate": {"rawBytes": String::from_utf8(read("release.pub")).unwrap()}});
    });
    let findings = case.judge(Shape::SigstoreBundle, image(), &trust(&["release"]));
    assert_eq!(found(&findings), "a keyless signature, which is not judged yet");
}

/// A bundle whose log entry is about the payload with this SHA-256, and about the bundle's own signature.
fn logged(payload_hash: impl Fn(&[u8]) -> String) -> Case {
    let base64 = base64::engine::general_purpose::STANDARD;
    let mut case = Case::read("bundle-release");
    case.edit(0, |bundle| {
        let payload = base64.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        let signature = bundle["dsseEnvelope"]["signatures"][0]["sig"].clone();
        let body = json!({"kind": "dsse", "apiVersion": "0.0.1", "spec": {
            "payloadHash": {"algorithm": "sha256", "value": payload_hash(&payload)},
            "signatures": [{"signature": signature}]}});
        bundle["verificationMaterial"]["tlogEntries"] = json!([{"canonicalizedBody": base64.encode(body.to_string())}]);
    });
    case
}

#[test]
fn a_bundle_with_the_log_entry_of_its_own_signature_counts() {
    let case = logged(|payload| Digest::sha256(payload).hex());
    let findings = case.judge(Shape::SigstoreBundle, image(), &trust(&["release"]));
    assert_eq!(signers(&findings), [["release"]], "{findings:?}");
}

#[test]
fn cve_2022_36056_a_log_entry_of_another_signature_counts_for_nothing() {
    let findings = logged(|_| "0".repeat(64)).judge(Shape::SigstoreBundle, image(), &trust(&["release"]));
    assert_eq!(found(&findings), "a log entry of another signature");
}

#[test]
fn cve_2023_46737_endless_signatures_are_false() {
    let mut case = Case::read("sig-release");
    case.manifest.layers = vec![case.manifest.layers[0].clone(); 129];
    case.layers = vec![case.layers[0].clone(); 129];
    assert!(check(&case, Shape::CosignSignature, None).unwrap_err().contains("at most 128 signatures"));
    assert_eq!(case.judge(Shape::CosignSignature, image(), &trust(&["release"])).len(), 128);
}

#[test]
fn cve_2023_33959_a_layer_that_does_not_hash_to_its_descriptor_counts_for_nothing() {
    for (name, shape) in [("sig-release", Shape::CosignSignature), ("bundle-release", Shape::SigstoreBundle)] {
        let mut case = Case::read(name);
        case.manifest.layers[0].digest = image();
        assert_eq!(signers(&case.judge(shape, image(), &trust(&["release"]))), [[""; 0]]);
    }
}

#[test]
fn the_shapes_are_recognised_and_know_their_subject() {
    for (name, shape, tag) in [
        ("sig-release", Shape::CosignSignature, Some(sig_tag())),
        ("sig-release", Shape::CosignSignature, None),
        ("sig-referrer", Shape::CosignSignature, None),
        ("bundle-release", Shape::SigstoreBundle, None),
        ("bundle-attestation", Shape::SigstoreBundle, None),
        ("bundle-release", Shape::SigstoreBundle, Some(EvidenceTag::Referrers(image()))),
        ("att", Shape::CosignAttestation, Some(EvidenceTag::Attestation(image()))),
        ("att", Shape::CosignAttestation, None),
    ] {
        let case = Case::read(name);
        assert_eq!(looks_like(&case, tag.as_ref()), Candidate::Evidence(shape), "{name}");
        assert_eq!(check(&case, shape, tag.as_ref()), Ok(image()), "{name}");
    }
}

#[test]
fn an_sbom_of_cosign_is_data() {
    let case = Case::read("sbom");
    let tag = EvidenceTag::Sbom(image());
    assert_eq!(looks_like(&case, Some(&tag)), Candidate::Data);
    assert_eq!(check_data(&case.manifest, &case.layers, Some(&tag)), Ok(image()));
    assert_eq!(looks_like(&case, None), Candidate::Object);
}

fn image_with_subject() -> Manifest {
    let mut manifest = Manifest::parse(&read("image.json"), media_type::OCI_MANIFEST, 99).unwrap();
    manifest.subject = Case::read("bundle-release").manifest.subject;
    manifest
}

#[test]
fn an_image_is_an_object_whatever_it_claims() {
    for claim in [
        media_type::SIGSTORE_BUNDLE_V03,
        media_type::NOTATION,
        media_type::COSIGN_SIGNATURE_ARTIFACT,
        "application/spdx+json",
    ] {
        let mut manifest = image_with_subject();
        manifest.artifact_type = Some(claim.to_owned());
        for config in [claim, "application/octet-stream", "application/json", "text/html", ""] {
            manifest.config.as_mut().unwrap().media_type = config.to_owned();
            assert_eq!(candidate(&manifest, None, &data_types()), Candidate::Object, "{claim} {config}");
        }
    }
}

#[test]
fn an_envelope_beside_the_config_of_an_image_is_an_object() {
    for (artifact, layer) in
        [(media_type::NOTATION, "application/cose"), (media_type::SIGSTORE_BUNDLE_V03, media_type::SIGSTORE_BUNDLE_V03)]
    {
        let mut manifest = image_with_subject();
        manifest.artifact_type = Some(artifact.to_owned());
        manifest.layers[0].media_type = layer.to_owned();
        assert_eq!(candidate(&manifest, None, &data_types()), Candidate::Object);
        manifest.config = Case::read("bundle-release").manifest.config;
        assert!(matches!(candidate(&manifest, None, &data_types()), Candidate::Evidence(_)));
    }
}

#[test]
fn an_image_under_an_evidence_tag_is_false() {
    let manifest = image_with_subject();
    let layers = vec![bytes::Bytes::from_static(b"layer"); manifest.layers.len()];
    assert_eq!(candidate(&manifest, Some(&sig_tag()), &[]), Candidate::Evidence(Shape::CosignSignature));
    assert!(check_evidence(Shape::CosignSignature, &manifest, &layers, Some(&sig_tag())).is_err());
    let sbom = EvidenceTag::Sbom(image());
    assert_eq!(candidate(&manifest, Some(&sbom), &[]), Candidate::Data);
    assert!(check_data(&manifest, &layers, Some(&sbom)).is_err());
}

fn data(kind: &str, bytes: &[u8]) -> Case {
    let mut case = Case::read("bundle-release");
    case.manifest.artifact_type = Some("application/spdx+json".to_owned());
    case.manifest.layers[0].media_type = kind.to_owned();
    case.replace(0, bytes.to_vec());
    case
}

#[test]
fn data_is_text_that_nobody_can_run() {
    let case = data("application/spdx+json", b"{}");
    assert_eq!(looks_like(&case, None), Candidate::Data);
    assert_eq!(check_data(&case.manifest, &case.layers, None), Ok(image()));
    for (kind, bytes) in [
        ("application/spdx+json", &b"\x1f\x8b\x08"[..]),
        ("application/spdx+json", b"not JSON"),
        ("application/spdx+json", b"{\"a\":1,\"a\":2}"),
        ("text/spdx", b"a\0b"),
        ("text/spdx", b"\xff\xfe"),
        ("application/vnd.oci.image.layer.v1.tar", b"text"),
    ] {
        let case = data(kind, bytes);
        assert!(check_data(&case.manifest, &case.layers, None).is_err(), "{kind} {bytes:?}");
    }
}

#[test]
fn an_unlisted_type_without_a_subject_or_with_a_config_is_no_data() {
    let object = |edit: fn(&mut Manifest)| {
        let mut case = data("application/spdx+json", b"{}");
        edit(&mut case.manifest);
        assert_eq!(looks_like(&case, None), Candidate::Object);
    };
    object(|manifest| manifest.subject = None);
    object(|manifest| manifest.layers[0].media_type = "application/vnd.oci.image.layer.v1.tar".to_owned());
    object(|manifest| manifest.artifact_type = Some("application/vnd.unlisted".to_owned()));
    object(|manifest| manifest.config.as_mut().unwrap().digest = Digest::sha256(b"other"));
}

#[test]
fn an_index_is_a_referrers_list_only_under_its_tag() {
    let mut index = image_with_subject();
    index.kind = crate::oci::ManifestKind::Index;
    assert_eq!(candidate(&index, Some(&EvidenceTag::Referrers(image())), &[]), Candidate::ReferrersList);
    assert_eq!(candidate(&index, None, &[]), Candidate::Object);
}

#[test]
fn a_notation_envelope_is_recognised() {
    let mut case = Case::read("bundle-release");
    case.manifest.artifact_type = Some(media_type::NOTATION.to_owned());
    case.manifest.layers[0].media_type = "application/jose+json".to_owned();
    assert_eq!(looks_like(&case, None), Candidate::Evidence(Shape::NotationSignature));
    assert!(check(&case, Shape::NotationSignature, None).is_err());
}

#[test]
fn a_tag_and_a_subject_that_disagree_are_false() {
    let case = Case::read("sig-referrer");
    let tag = EvidenceTag::Signature(other_image());
    assert!(check(&case, Shape::CosignSignature, Some(&tag)).unwrap_err().contains("as the tag says"));
}

fn counts(findings: &[crate::gate::Finding]) -> bool {
    signers(findings).iter().any(|names| !names.is_empty())
}

fn flipped(bytes: &[u8], at: prop::sample::Index, bit: u8) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at.index(bytes.len())] ^= 1 << bit;
    flipped
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_flipped_bit_of_payload_or_signature_never_verifies(at: prop::sample::Index, bit in 0_u8..8, which in 0..4_usize) {
            let base64 = base64::engine::general_purpose::STANDARD;
        let key = KEYS[which];
        let trust = trust(&KEYS);
        let annotation = "dev.cosignproject.cosign/signature";

        let mut payload = Case::read(&format!("sig-{key}"));
        payload.replace(0, flipped(&payload.layers[0], at, bit));
        prop_assert!(!counts(&payload.judge(Shape::CosignSignature, image(), &trust)));

        let mut signature = Case::read(&format!("sig-{key}"));
        let layer: &mut Descriptor = &mut signature.manifest.layers[0];
        let bytes = base64.decode(&layer.annotations[annotation]).unwrap();
        layer.annotations.insert(annotation.to_owned(), base64.encode(flipped(&bytes, at, bit)));
        prop_assert!(!counts(&signature.judge(Shape::CosignSignature, image(), &trust)));

        for field in ["/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig"] {
            let mut bundle = Case::read(&format!("bundle-{key}"));
            bundle.edit(0, |value| {
                let text = value.pointer_mut(field).unwrap();
                let bytes = base64.decode(text.as_str().unwrap()).unwrap();
                *text = json!(base64.encode(flipped(&bytes, at, bit)));
            });
            prop_assert!(!counts(&bundle.judge(Shape::SigstoreBundle, image(), &trust)));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, shape in 0..4_usize) {
        let shapes = [Shape::CosignSignature, Shape::CosignAttestation, Shape::SigstoreBundle, Shape::NotationSignature];
        let mut case = Case::read("bundle-release");
        case.replace(0, bytes);
        prop_assert!(check(&case, shapes[shape], None).is_err());
        prop_assert!(!counts(&case.judge(shapes[shape], image(), &trust(&["release"]))));
    }
}
