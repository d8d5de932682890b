//! Other projects' vectors of policies, stores and certificates. A vector of one of these kinds that no table names
//! fails.

use std::collections::BTreeSet;

use super::authority::{authority, self_signed};
use super::*;
use crate::verify::vectors::vectors;

/// The vectors of `kind`, each with what the manifest expects, without `prefix` before the path.
fn listed(folder: &std::path::Path, kind: &str, prefix: &str) -> Vec<(String, String)> {
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let rows = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(|row| row[4] == kind);
    rows.map(|row| (row[0].strip_prefix(prefix).unwrap_or(row[0]).to_owned(), row[5].to_owned())).collect()
}

/// The names that the table tells are those that the manifest lists, no more and no fewer.
#[track_caller]
fn complete<'t>(table: impl Iterator<Item = &'t str>, listed: &[(String, String)]) {
    let listed: BTreeSet<&str> = listed.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(table.collect::<BTreeSet<_>>(), listed);
}

/// Under each policy's name, the clause that refuses it; nothing when it loads.
///
/// Two are judged by what they are, not by the word that the manifest has for them, which tells what a whole
/// verification gives in their suite: `blob_trust_policy` is a good document for blobs, of another kind than the one
/// for images that is read here, and is refused as such; and `invalid_registry_scope` names a repository
/// that is not the one they verify, so it loads and speaks for nothing but itself.
const POLICIES: [(&str, Option<&str>); 25] = [
    ("blob_trust_policy.json", Some("notation's document for blobs is another one")),
    ("empty_registry_scope_trustpolicy.json", Some("registryScopes")),
    ("generate_test_trustpolicy.json", None),
    ("invalid_format_trustpolicy.json", Some("expected valid JSON")),
    ("invalid_registry_scope_trustpolicy.json", None),
    ("invalid_trust_store_trustpolicy.json", Some("expected certificates in trust/x509/ca/invalid_store/")),
    ("invalid_trusted_identity_trustpolicy.json", Some("the country \"USB\"")),
    ("malformed_trust_store_trustpolicy.json", Some("found \"ca:\"")),
    ("missing_organization_trusted_identity_trustpolicy.json", Some("none of O")),
    ("missing_state_trusted_identity_trustpolicy.json", Some("none of ST")),
    ("multi_statements_with_multi_wildcard_registry_scope_trustpolicy.json", Some("found a second \"*\"")),
    ("multi_statements_with_the_same_name_trustpolicy.json", Some("statements of different names")),
    ("multi_statements_with_the_same_registry_scope_trustpolicy.json", Some("each scope once")),
    ("multiple_trust_store_trustpolicy.json", None),
    ("multiple_trusted_identity_trustpolicy.json", None),
    ("overlapped_registry_scope_trustpolicy.json", Some("each scope once")),
    ("override_audit_trustpolicy.json", None),
    ("override_integrity_for_permissive_trustpolicy.json", None),
    ("override_permissive_trustpolicy.json", None),
    ("permissive_trustpolicy.json", None),
    ("registry_scope_trustpolicy.json", None),
    ("timestamp_after_cert_expiry_trustpolicy.json", None),
    ("unset_trust_store_trustpolicy.json", Some("trustStores with at least one entry")),
    ("valid_trusted_identity_trustpolicy.json", None),
    ("wildcard_plus_other_registry_scope_trustpolicy.json", Some("expected * alone")),
];

#[test]
fn notation_policy_vectors() {
    let Some(folder) = vectors() else { return };
    let prefix = "notation/config/trustpolicies/";
    let listed = listed(&folder, "notation-policy", prefix);
    complete(POLICIES.iter().map(|(name, _)| *name), &listed);
    let root = self_signed(authority("e2e"));
    let stores = ["ca/e2e", "ca/e2e-new", "ca/sKey", "ca/wabbit-networks", "ca/acme-rockets", "tsa/e2e"];
    let mut differ = Vec::new();
    for (name, refused) in POLICIES {
        let mut files: Files = stores.map(|store| (format!("trust/x509/{store}/root.der"), root.der.clone())).into();
        files.insert(Trust::FILE.to_owned(), Vec::new());
        files.insert(TrustPolicy::FILE.to_owned(), std::fs::read(folder.join(prefix).join(name)).unwrap());
        let loaded = Trust::parse(&files, &["localhost:5000".to_owned()]);
        match (&loaded, refused) {
            (Ok(trust), None) => assert!(!trust.notation().statements().is_empty(), "{name}"),
            (Err(told), Some(clause)) => assert!(told.iter().any(|m| m.message.contains(clause)), "{name}: {told:?}"),
            _ => panic!("{name}: {loaded:?}"),
        }
        let expected = &listed.iter().find(|(listed, _)| listed == name).unwrap().1;
        if (expected == "valid-policy") != refused.is_none() {
            differ.push(name.split('_').take(2).collect::<Vec<_>>().join("_"));
        }
        if name.starts_with("invalid_registry_scope") {
            assert_eq!(loaded.unwrap().statement(&"test-repo".parse().unwrap()), None);
        }
    }
    assert_eq!(differ, ["blob_trust", "invalid_registry"]);
}

/// Below which kind of store each file is judged, and the clause that refuses it. Where the manifest expects nothing,
/// the file lies in a store that notation-go loads, or is loaded as the root of one. `bad-cert.pem` is a certificate like
/// another, self-signed, and fails as a signer's: notation can't compare its subject.
const STORED: [(&str, &str, Option<&str>); 23] = [
    ("signer/DigiCertTSARootSHA384.cer", "tsa", None),
    ("verifier/truststore/x509/ca/trust-store-with-invalid-certs/invalid", "ca", Some("found other bytes")),
    ("verifier/truststore/x509/ca/valid-trust-store-2/GlobalSign.der", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store-2/GlobalSignRootCA.crt", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store-self-signed/openssl-minimum-self-signed.pem", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store/GlobalSign.der", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store/GlobalSignRootCA.crt", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store/NotationTestRoot.pem", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store/TestTimestamp.crt", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store/TestTimestampNotYetValid.crt", "ca", None),
    ("verifier/truststore/x509/ca/valid-trust-store/wabbit-networks.io.crt", "ca", None),
    (
        "verifier/truststore/x509/ca/valid-trust-store_SYMLINK/valid-trust-store_SYMLINK",
        "ca",
        Some("found other bytes"),
    ),
    ("verifier/truststore/x509/signingAuthority/valid-trust-store-2/GlobalSign.der", "signingAuthority", None),
    ("verifier/truststore/x509/signingAuthority/valid-trust-store-2/GlobalSignRootCA.crt", "signingAuthority", None),
    ("verifier/truststore/x509/signingAuthority/valid-trust-store/GlobalSign.der", "signingAuthority", None),
    ("verifier/truststore/x509/signingAuthority/valid-trust-store/GlobalSignRootCA.crt", "signingAuthority", None),
    ("verifier/truststore/x509/signingAuthority/valid-trust-store/NotationTestRoot.pem", "signingAuthority", None),
    (
        "verifier/truststore/x509/trust-store-with-cert-symlinks/GlobalSignRootCA_SYMLINK.crt",
        "ca",
        Some("found other bytes"),
    ),
    ("verifier/truststore/x509/tsa/test-nonCA/wabbit-networks.io.crt", "tsa", Some("of an authority")),
    ("verifier/truststore/x509/tsa/test-nonSelfIssued/nonSelfIssued.crt", "tsa", Some("soundly signed by itself")),
    ("verifier/truststore/x509/tsa/test-timestamp/globalsignRoot.cer", "tsa", None),
    ("verifier/verifier/bad-cert.pem", "ca", None),
    ("verifier/verifier/signing-cert.pem", "ca", None),
];

#[test]
fn notation_truststore_vectors() {
    let Some(folder) = vectors() else { return };
    let listed = listed(&folder, "notation-truststore", "notation-go/");
    complete(STORED.iter().map(|(name, ..)| *name), &listed);
    let mut wrong = Vec::new();
    for (name, kind, refused) in STORED {
        let mut files = Files::from([(Trust::FILE.to_owned(), Vec::new())]);
        let bytes = std::fs::read(folder.join("notation-go").join(name)).unwrap();
        files.insert(format!("trust/x509/{kind}/store/file"), bytes);
        let loaded = Trust::parse(&files, &[]);
        let as_told = match (&loaded, refused) {
            (Ok(trust), None) => !trust.notation().trusted_certificates().is_empty(),
            (Err(told), Some(clause)) => told.len() == 1 && told[0].message.contains(clause),
            _ => false,
        };
        let expected = &listed.iter().find(|(listed, _)| listed == name).unwrap().1;
        let is_no_signer = |trust: &Trust| {
            let subject = trust.notation().trusted_certificates()[0].certificate.subject().clone();
            name.ends_with("bad-cert.pem") && subject.unmatchable().is_some()
        };
        let fails = refused.is_some() || loaded.as_ref().is_ok_and(is_no_signer);
        if !as_told || (expected == "fail") != fails {
            wrong.push(format!("{name}: {:?}", loaded.err()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How many certificates each file holds.
const PARSED: [(&str, usize); 5] = [
    ("der.der", 1),
    ("invalid", 0),
    ("multi-der.der", 2),
    ("openssl-minimum-self-signed.pem", 1),
    ("timestamp_leaf.crt", 1),
];

#[test]
fn x509_parse_vectors() {
    let Some(folder) = vectors() else { return };
    let listed = listed(&folder, "x509-parse", "notation-core-go/x509/");
    complete(PARSED.iter().map(|(name, _)| *name), &listed);
    for (name, count) in PARSED {
        let bytes = std::fs::read(folder.join("notation-core-go/x509").join(name)).unwrap();
        let found = trust_store::certificates(&bytes);
        assert_eq!(found.as_ref().map_or(0, Vec::len), count, "{name}: {found:?}");
        let expected = &listed.iter().find(|(listed, _)| listed == name).unwrap().1;
        assert_eq!(expected == "pass", count > 0, "{name}");
    }
}

/// Sigstore's profile refuses them, which is for keyless signatures to judge; here it shows that what their profile
/// refuses them for is read: whether each is an authority, whether it may sign certificates, and whether it limits its
/// purposes.
const PROFILES: [(&str, [bool; 3]); 6] = [
    ("bogus-intermediate-with-eku.pem", [true, true, true]),
    ("bogus-intermediate.pem", [true, true, false]),
    ("bogus-leaf-invalid-eku.pem", [false, false, true]),
    ("bogus-leaf.pem", [false, false, true]),
    ("bogus-root-invalid-ku.pem", [true, false, false]),
    ("bogus-root.pem", [true, true, false]),
];

#[test]
fn x509_profile_vectors_are_read() {
    let Some(folder) = vectors() else { return };
    let listed = listed(&folder, "x509-profile", "sigstore-python/x509/");
    complete(PROFILES.iter().map(|(name, _)| *name), &listed);
    let mut wrong = Vec::new();
    for (name, expected) in PROFILES {
        let bytes = std::fs::read(folder.join("sigstore-python/x509").join(name)).unwrap();
        let all = trust_store::certificates(&bytes).unwrap();
        let [certificate] = all.as_slice() else { panic!("{name}: one certificate") };
        let found = [
            certificate.basic_constraints().is_some_and(|constraints| constraints.ca),
            certificate.key_usage().is_some_and(|usage| usage.has(Usage::KeyCertSign)),
            certificate.extended_key_usage().is_some(),
        ];
        if found != expected {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
