//! The trust store, on keys that `fixtures/make` made.

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/cosign/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn files(signers: &str) -> Files {
    let mut files = Files::new();
    files.insert(Trust::FILE.to_owned(), signers.as_bytes().to_vec());
    for name in ["release", "other", "release-compressed", "bad-rsa1024", "bad-secp256k1"] {
        files.insert(format!("trust/cosign/{name}.pub"), fixture(&format!("{name}.pub")));
    }
    files.insert("trust/cosign/junk.pub".to_owned(), b"junk".to_vec());
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    files.insert("trust/cosign/private.pub".to_owned(), private.as_bytes().to_vec());
    files.insert("trust/sigstore/root.json".to_owned(), b"{}".to_vec());
    files.insert("policies/policy.csv".to_owned(), fixture("release.pub"));
    files
}

/// The one mistake in `signers`, with its line.
fn mistake(signers: &str) -> String {
    let mistakes = Trust::parse(&files(signers), &[]).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes[0].to_string()
}

#[test]
fn signers_are_read_by_name() {
    let text = r#"
        [release]
        cosign_key = "cosign/release.pub"
        [keyless]
        trusted_root = "sigstore/root.json"
        certificate_oidc_issuer = "https://issuer.example"
        certificate_identity_regexp = '^https://example\.com/'
        [acme]
        notation_policy = "acme-images"
    "#;
    let mut files = files(text);
    let statement = r#"{"version": "1.0", "trustPolicies": [{"name": "acme-images", "registryScopes": ["a.example/b"],
        "signatureVerification": {"level": "skip"}}]}"#;
    files.insert(TrustPolicy::FILE.to_owned(), statement.as_bytes().to_vec());
    let trust = Trust::parse(&files, &[]).unwrap();
    let names: Vec<_> = trust.signers().map(|signer| signer.name().as_str()).collect();
    assert_eq!(names, ["acme", "keyless", "release"]);
    let kind = |name: &str| trust.signer(&name.parse().unwrap()).unwrap().kind();
    assert!(matches!(kind("release"), SignerKind::CosignKey(_)));
    assert!(matches!(kind("acme"), SignerKind::Notation { policy, .. } if policy == "acme-images"));
    assert!(matches!(kind("keyless"), SignerKind::Keyless { identity: Pattern::Matching(_), .. }));
}

#[test]
fn an_absent_file_is_a_mistake() {
    assert_eq!(Trust::parse(&Files::new(), &[]).unwrap_err()[0].file, "trust/signers.toml");
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = "[Release]\ncosign_key = \"cosign/release.pub\"\n[a]\n[b]\ncosign_key = \"cosign/absent.pub\"\nx = 1\n";
    let lines: Vec<_> = Trust::parse(&files(text), &[]).unwrap_err().iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [1, 3, 5, 6]);
}

#[test]
fn exactly_one_kind_makes_a_signer() {
    let expected = "trust/signers.toml:1: expected exactly one of cosign_key, a certificate identity with its issuer, or notation_policy";
    assert_eq!(mistake("[a]\n"), expected);
    assert_eq!(mistake("[a]\ncosign_key = \"cosign/release.pub\"\nnotation_policy = \"x\"\n"), expected);
}

#[test]
fn keys_that_no_one_should_trust_are_refused_by_name() {
    for (file, message) in [
        ("junk", "found no PEM block"),
        ("private", "expected a public key, found a private one"),
        ("bad-rsa1024", "found 1024 bits"),
        ("bad-secp256k1", "found the curve secp256k1"),
        ("absent", "expected the file trust/cosign/absent.pub, found none"),
    ] {
        let told = mistake(&format!("[a]\ncosign_key = \"cosign/{file}.pub\"\n"));
        assert!(told.starts_with("trust/signers.toml:2: ") && told.contains(message), "{told}");
    }
}

#[test]
fn a_path_that_leaves_the_trust_store_is_refused() {
    for path in ["../policies/policy.csv", "/etc/passwd", "cosign//release.pub", "./cosign/release.pub", "", "a\\\\b"] {
        let told = mistake(&format!("[a]\ncosign_key = \"{path}\"\n"));
        assert!(told.contains("expected a path below trust/"), "{told}");
    }
}

#[test]
fn a_trusted_root_beside_a_key_is_refused_by_name() {
    let told = mistake("[a]\ncosign_key = \"cosign/release.pub\"\ntrusted_root = \"sigstore/root.json\"\n");
    assert!(told.starts_with("trust/signers.toml:3: ") && told.contains("not supported yet"), "{told}");
}

#[test]
fn a_bad_glob_is_refused() {
    for globs in ["[\"a/[\"]", "[]", "\"prod/**\"", "[1]"] {
        let told = mistake(&format!("[a]\ncosign_key = \"cosign/release.pub\"\nrepositories = {globs}\n"));
        assert!(told.starts_with("trust/signers.toml:3: "), "{told}");
    }
}

#[test]
fn repositories_match_as_casbin_matches() {
    let trust = |glob: &str| {
        let text = format!("[a]\ncosign_key = \"cosign/release.pub\"\nrepositories = [\"{glob}\"]\n");
        Trust::parse(&files(&text), &[]).unwrap()
    };
    for glob in ["prod/**", "prod/*", "**", "*", "prod", "p?od/{a,b}"] {
        let trust = trust(glob);
        for name in ["prod", "prod/a", "prod/a/b", "prod-evil/a", "dev"] {
            let applies = trust.signers().all(|signer| signer.applies_to(&name.parse().unwrap()));
            let casbin = casbin::function_map::glob_match(name, glob);
            assert_eq!(applies, casbin, "{glob} {name}");
        }
    }
}

#[test]
fn one_key_in_two_encodings_is_one_identity() {
    let key = |name| PublicKey::from_pem(&fixture(name)).unwrap();
    assert_ne!(fixture("release.pub"), fixture("release-compressed.pub"));
    assert_eq!(key("release.pub").identity(), key("release-compressed.pub").identity());
    assert_ne!(key("release.pub").identity(), key("other.pub").identity());
}

#[test]
fn several_keys_in_one_file_are_refused() {
    let both = [fixture("release.pub"), fixture("other.pub")].concat();
    assert_eq!(PublicKey::from_pem(&both).unwrap_err(), KeyError::NotPem("several PEM blocks"));
}

#[test]
fn an_rsa_key_with_the_exponent_1_is_refused() {
    use openssl::bn::BigNum;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    let n = PKey::public_key_from_pem(&fixture("rsa.pub")).unwrap().rsa().unwrap().n().to_owned().unwrap();
    let weak = Rsa::from_public_components(n, BigNum::from_u32(1).unwrap()).unwrap();
    let pem = PKey::from_rsa(weak).unwrap().public_key_to_pem().unwrap();
    assert!(PublicKey::from_pem(&pem).is_err());
}

#[test]
fn an_ed25519_signature_over_the_message_verifies() {
    use openssl::pkey::PKey;
    use openssl::sign::Signer;
    let private = PKey::generate_ed25519().unwrap();
    let key = PublicKey::from_pem(&private.public_key_to_pem().unwrap()).unwrap();
    let signature = Signer::new_without_digest(&private).unwrap().sign_oneshot_to_vec(b"message").unwrap();
    assert!(key.verify(b"message", &signature));
    assert!(!key.verify(b"another", &signature));
}
