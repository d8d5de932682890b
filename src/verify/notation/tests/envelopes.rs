//! Envelopes: headers, algorithm, payload.

use rcgen::KeyUsagePurpose;
use serde_json::json;

use super::*;
use crate::forge::{DAY, Key};

#[test]
fn a_sound_signature_counts() {
    assert_counts(|forge| forge);
}

#[test]
fn every_key_of_the_specification_signs() {
    let root = Authority::new(ROOT);
    let trust = trust(&root);
    for key in [Key::P256, Key::P384, Key::P521, Key::Rsa2048, Key::Rsa3072, Key::Rsa4096] {
        let leaf = root.issue(&LeafSpec::new(LEAF).key(key));
        for format in Format::ALL {
            assert_eq!(signers(&judge(&Forge::new(format, &leaf, &target()), &trust)), ["acme"], "{key:?} {format:?}");
        }
    }
}

#[test]
fn a_key_of_another_size_signs_nothing() {
    let root = Authority::new(ROOT);
    let key = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(2056).unwrap()).unwrap();
    let leaf = root.issue(&LeafSpec::new(LEAF).key(Key::Rsa2048).own_key(key));
    for format in Format::ALL {
        assert_found(&judge(&Forge::new(format, &leaf, &target()), &trust(&root)), "a key of RSA of 2056 bits");
    }
}

#[test]
fn the_algorithm_is_the_one_of_the_key() {
    assert_refused("the algorithm ES384", |forge| forge.with(|forge| forge.algorithm = "ES384".to_owned()));
    assert_refused("the algorithm PS256", |forge| {
        forge.with(|forge| {
            forge.algorithm = "PS256".to_owned();
        })
    });
}

#[test]
fn an_rsa_signature_without_pss_counts_for_nothing() {
    let root = Authority::new(ROOT);
    let leaf = root.issue(&LeafSpec::new(LEAF).key(Key::Rsa2048));
    for format in Format::ALL {
        let forge = Forge::new(format, &leaf, &target()).with(|forge| forge.algorithm = "RS256".to_owned());
        assert_found(&judge(&forge, &trust(&root)), "the algorithm");
    }
}

#[test]
fn a_corrupted_signature_counts_for_nothing() {
    assert_refused("a signature by another key or over other bytes", |forge| {
        forge.with(|forge| forge.corrupted = true)
    });
}

#[test]
fn a_signature_by_another_key_counts_for_nothing() {
    let (_, stranger) = chain_of_three();
    assert_refused("by another key", |forge| forge.with(|forge| forge.key_pem.clone_from(&stranger.key_pem)));
}

#[test]
fn an_unknown_critical_header_counts_for_nothing() {
    assert_refused("the unknown critical header \"org.acme.new\"", |forge| {
        forge.header("org.acme.new", json!(1), true)
    });
}

#[test]
fn an_unknown_header_that_is_not_critical_is_let_be() {
    assert_counts(|forge| forge.header("org.acme.new", json!(1), false));
}

#[test]
fn a_critical_header_that_is_absent_counts_for_nothing() {
    assert_refused("the absent critical header", |forge| {
        forge.with(|forge| forge.critical.push("org.acme.new".to_owned()))
    });
    assert_refused("the absent critical header", |forge| {
        forge.with(|forge| forge.critical.push("io.cncf.notary.expiry".to_owned()))
    });
}

#[test]
fn a_critical_header_named_twice_counts_for_nothing() {
    assert_refused("twice", |forge| forge.with(|forge| forge.critical.extend(forge.critical.clone())));
}

#[test]
fn a_signature_that_wants_a_plugin_counts_for_nothing() {
    for critical in [true, false] {
        assert_refused("io.cncf.notary.verificationPlugin", |forge| {
            forge.header("io.cncf.notary.verificationPlugin", json!("acme"), critical)
        });
    }
}

#[test]
fn headers_that_must_be_critical_are_marked_so() {
    assert_refused("one that is not", |forge| forge.with(|forge| forge.critical.clear()));
    assert_refused("one that is not", |forge| forge.lacking("crit"));
    assert_refused("one that is not", |forge| forge.with(|forge| forge.expiry = Some(SIGNED_AT + DAY)));
    assert_refused("one that is not", |forge| forge.by_authority(SIGNED_AT).with(|forge| drop(forge.critical.pop())));
}

#[test]
fn an_unknown_scheme_counts_for_nothing() {
    assert_refused("the signing scheme \"notary.x509.v2\"", |forge| {
        forge.with(|forge| forge.scheme = "notary.x509.v2".to_owned())
    });
}

#[test]
fn the_time_of_the_other_scheme_counts_for_nothing() {
    assert_refused("both", |forge| forge.with(|forge| forge.authentic_signing_time = Some(SIGNED_AT)));
    assert_refused("both", |forge| forge.by_authority(SIGNED_AT).with(|forge| forge.signing_time = Some(SIGNED_AT)));
    assert_refused("no io.cncf.notary.signingTime", |forge| forge.with(|forge| forge.signing_time = None));
    assert_refused("no io.cncf.notary.authenticSigningTime", |forge| {
        forge.by_authority(SIGNED_AT).with(|forge| forge.authentic_signing_time = None)
    });
}

#[test]
fn an_expiry_comes_after_the_signing_time() {
    assert_refused("that expires at", |forge| forge.expiring(SIGNED_AT));
    assert_counts(|forge| forge.expiring(SIGNED_AT + 1));
}

#[test]
fn a_payload_of_another_content_type_counts_for_nothing() {
    for content_type in ["application/vnd.cncf.notary.payload.v2+json", "application/vnd.in-toto+json"] {
        assert_refused(content_type, |forge| forge.with(|forge| forge.content_type = content_type.to_owned()));
    }
}

#[test]
fn a_payload_about_another_digest_media_type_or_size_counts_for_nothing() {
    let other = |edit: fn(&mut Target)| {
        let mut target = target();
        edit(&mut target);
        json!({ "targetArtifact": { "mediaType": target.media_type, "digest": target.digest, "size": target.size } })
    };
    let digest = other(|target| target.digest = Target::of("", b"another").digest);
    let media_type = other(|target| target.media_type = media_type::OCI_INDEX.to_owned());
    let size = other(|target| target.size += 1);
    assert_refused("a signature of sha256:", |forge| forge.payload(&digest));
    assert_refused("a signature of it as", |forge| forge.payload(&media_type));
    assert_refused("a signature of it with 18", |forge| forge.payload(&size));
}

/// The manifest of the signature may say the same as its payload, and both something else than what is stored.
#[test]
fn a_signature_that_describes_what_is_stored_wrongly_counts_for_nothing() {
    let (root, leaf) = chain_of_three();
    let trust = trust(&root);
    for format in Format::ALL {
        let mut wrong = target();
        wrong.media_type = media_type::OCI_INDEX.to_owned();
        let forge = Forge::new(format, &leaf, &wrong);
        let envelope = forge.bytes();
        let manifest = signature_manifest(format, &envelope, &forge.chain, &wrong);
        let judge = |subject| judge_stored("prod/app", &manifest, &envelope, subject, &trust, seconds(SIGNED_AT));
        assert_found(&judge(Some((IMAGE, media_type::OCI_MANIFEST))), "a signature of it as");
        assert_found(&judge(Some((b"longer than an image", media_type::OCI_INDEX))), "a signature of it with 17");
        assert_eq!(signers(&judge(Some((IMAGE, media_type::OCI_INDEX)))), ["acme"]);
        assert_eq!(signers(&judge(None)), ["acme"]);
    }
}

#[test]
fn user_metadata_in_the_payload_is_let_be() {
    let Target { media_type, digest, size } = target();
    let annotations = json!({ "io.wabbit-networks.buildId": "123" });
    let artifact = json!({ "mediaType": media_type, "digest": digest, "size": size, "annotations": annotations });
    assert_counts(|forge| forge.payload(&json!({ "targetArtifact": artifact })));
}

#[test]
fn jws_is_base64url_without_padding() {
    let (root, leaf) = chain_of_three();
    let padded =
        Forge::new(Format::Jws, &leaf, &target()).header("a", json!("aa"), false).with(|forge| forge.padded = true);
    assert_found(&judge(&padded, &trust(&root)), "adding");
}

#[test]
fn jws_with_several_signatures_counts_for_nothing() {
    let (root, leaf) = chain_of_three();
    let forge = Forge::new(Format::Jws, &leaf, &target()).with(|forge| {
        forge.edit = Some(|jws| drop(jws.insert("signatures".to_owned(), json!([]))));
    });
    assert_found(&judge(&forge, &trust(&root)), "several signatures");
}

#[test]
fn a_protected_header_that_is_written_twice_counts_for_nothing() {
    for name in ["alg", "cty", "crit", "io.cncf.notary.signingScheme", "org.acme.new"] {
        assert_refused("second", |forge| {
            forge.header("org.acme.new", json!(1), false).with(|forge| forge.twice = Some(name.to_owned()))
        });
    }
}

#[test]
fn a_lacking_header_counts_for_nothing() {
    for name in ["alg", "cty", "io.cncf.notary.signingScheme"] {
        assert_refused("none", |forge| forge.lacking(name));
    }
}

#[test]
fn cose_carries_its_tag() {
    let (root, leaf) = chain_of_three();
    let forge = Forge::new(Format::Cose, &leaf, &target()).with(|forge| forge.tagged = false);
    assert_found(&judge(&forge, &trust(&root)), "no tagged COSE_Sign1");
}

#[test]
fn cose_times_carry_the_tag_1() {
    let (root, leaf) = chain_of_three();
    for tag in [None, Some(0)] {
        let forge = Forge::new(Format::Cose, &leaf, &target()).with(|forge| forge.time_tag = tag);
        assert_found(&judge(&forge, &trust(&root)), "something else");
    }
}

#[test]
fn cose_headers_that_are_protected_and_unprotected_count_for_nothing() {
    let (root, leaf) = chain_of_three();
    let algorithm = ("alg".to_owned(), json!(-7));
    let forge = Forge::new(Format::Cose, &leaf, &target()).with(|forge| forge.unprotected.push(algorithm));
    assert_found(&judge(&forge, &trust(&root)), "both protected and unprotected");
}

#[test]
fn jws_times_are_of_rfc_3339() {
    let (root, leaf) = chain_of_three();
    let judged = |time: &str| {
        let forge = Forge::new(Format::Jws, &leaf, &target()).with(|forge| forge.signing_time = None);
        judge(&forge.header("io.cncf.notary.signingTime", json!(time), false), &trust(&root))
    };
    for time in ["2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", "2026-01-01T00:00:00.5Z"] {
        assert_eq!(signers(&judged(time)), ["acme"], "{time}");
    }
    for time in ["2026-01-01 00:00:00Z", "20260101T000000Z", "2026-01-01T00:00:00Z[UTC]", "2026-01-01T00:00:00", "1"] {
        assert_found(&judged(time), time);
    }
}

#[test]
fn a_chain_has_at_most_ten_certificates() {
    let long = |length: usize| {
        let root = Authority::new(ROOT);
        let mut lowest = root.intermediate("O=acme, CN=1");
        for number in 2..length - 1 {
            lowest = lowest.intermediate(&format!("O=acme, CN={number}"));
        }
        let leaf = lowest.issue(&LeafSpec::new(LEAF));
        assert_eq!(leaf.chain.len(), length);
        (trust(&root), leaf)
    };
    let (ten, eleven) = (long(10), long(11));
    for format in Format::ALL {
        assert_eq!(signers(&judge(&Forge::new(format, &ten.1, &target()), &ten.0)), ["acme"]);
        assert_found(&judge(&Forge::new(format, &eleven.1, &target()), &eleven.0), "11");
    }
    assert_refused("0", |forge| forge.with(|forge| forge.chain.clear()));
}

#[test]
fn a_key_of_another_usage_is_refused_in_both_forms() {
    let root = Authority::new(ROOT);
    let leaf = root.issue(&LeafSpec::new(LEAF).key_usage(&[KeyUsagePurpose::ContentCommitment]));
    for format in Format::ALL {
        assert_found(&judge(&Forge::new(format, &leaf, &target()), &trust(&root)), "not digital signature");
    }
}

/// Each header is compared with every other: a million of them would keep a processor busy for minutes.
#[test]
fn an_envelope_of_endless_headers_is_refused_before_they_are_compared() {
    let labels: Vec<_> = (100..50_100).map(|label| (label.to_string(), json!(0))).collect();
    assert_parses_to_nothing(|forge| forge.unprotected = labels.clone());
    assert_parses_to_nothing(|forge| forge.protected = labels.clone());
}

#[track_caller]
fn assert_parses_to_nothing(edit: impl FnOnce(&mut Forge)) {
    let (root, leaf) = chain_of_three();
    let forge = Forge::new(Format::Cose, &leaf, &target()).with(edit);
    let Outcome::Nothing { expected, .. } = judge(&forge, &trust(&root)) else { panic!("expected a refusal") };
    assert_eq!(expected, "at most 64 headers");
}

#[test]
fn a_time_that_can_not_be_written_is_none() {
    let (root, leaf) = chain_of_three();
    let forge = Forge::new(Format::Cose, &leaf, &target()).expiring(9_000_000_000_000);
    assert_found(&judge(&forge, &trust(&root)), "something else");
}

/// Every byte is signed, or names what signed: there is nothing to change unnoticed.
#[test]
fn a_flipped_bit_anywhere_counts_for_nothing() {
    let (root, leaf) = chain_of_three();
    let trust = trust(&root);
    for format in Format::ALL {
        let envelope = Forge::new(format, &leaf, &target()).expiring(SIGNED_AT + DAY).bytes();
        for index in (0..envelope.len()).step_by(3) {
            let mut flipped = envelope.clone();
            flipped[index] ^= 1 << (index % 8);
            let manifest = signature_manifest(format, &flipped, &leaf.chain, &target());
            let outcome = judge_stored("prod/app", &manifest, &flipped, None, &trust, seconds(SIGNED_AT));
            assert!(matches!(outcome, Outcome::Nothing { .. }), "{format:?} {index}");
        }
    }
}
