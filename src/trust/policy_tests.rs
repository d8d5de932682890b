//! notation's trust policy document and its stores, with every mistake that they can hold.

use serde_json::{Value, json};

use super::authority::{Made, authority, issued, named, pem, self_signed};
use super::*;

const OURS: &str = "registry.example";

fn hostnames() -> Vec<String> {
    vec![OURS.to_owned(), "localhost:5000".to_owned()]
}

fn good() -> Value {
    json!({ "version": "1.0", "trustPolicies": [{
        "name": "acme",
        "registryScopes": ["registry.example/prod/app"],
        "signatureVerification": { "level": "strict" },
        "trustStores": ["ca:acme"],
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"],
    }] })
}

/// The good document with its first statement changed.
fn changed(pointer: &str, value: Value) -> Value {
    let mut document = good();
    let (around, key) = pointer.rsplit_once('/').unwrap();
    let at = document.pointer_mut(&format!("/trustPolicies/0{around}")).unwrap();
    at.as_object_mut().unwrap().insert(key.to_owned(), value);
    document
}

/// The good document with another statement after the first.
fn with(statement: Value) -> Value {
    let mut document = good();
    document["trustPolicies"].as_array_mut().unwrap().push(statement);
    document
}

fn second(name: &str, scopes: &[&str]) -> Value {
    let mut statement = good()["trustPolicies"][0].clone();
    statement["name"] = name.into();
    statement["registryScopes"] = scopes.into();
    statement
}

fn files(document: &str, stores: &[(&str, &[u8])]) -> Files {
    let mut files = Files::new();
    files.insert(Trust::FILE.to_owned(), b"[acme]\nnotation_policy = \"acme\"\n".to_vec());
    files.insert(TrustPolicy::FILE.to_owned(), document.as_bytes().to_vec());
    for (path, bytes) in stores {
        files.insert(format!("trust/x509/{path}"), bytes.to_vec());
    }
    files
}

fn root() -> Made {
    self_signed(authority("root"))
}

#[test]
fn the_name_that_newer_versions_of_notation_give_it_is_told() {
    let root = root();
    let mut files = files(&good().to_string(), &[("ca/acme/root", &root.der)]);
    assert!(Trust::parse(&files, &hostnames()).is_ok());
    files.insert("trust/trustpolicy.oci.json".to_owned(), good().to_string().into_bytes());
    let told = Trust::parse(&files, &hostnames()).unwrap_err();
    assert_eq!((told.len(), told[0].file.as_str()), (1, "trust/trustpolicy.oci.json"));
    assert!(told[0].message.contains("rename it"), "{told:?}");
}

fn load(document: &Value) -> Result<Trust, Vec<Mistake>> {
    let text = serde_json::to_string_pretty(document).unwrap();
    Trust::parse(&files(&text, &[("ca/acme/root.pem", root().pem().as_bytes())]), &hostnames())
}

fn statement(document: &Value) -> Statement {
    load(document).unwrap().notation().by_name("acme").unwrap().clone()
}

/// The one mistake of a document.
#[track_caller]
fn mistake(document: &Value) -> String {
    let mistakes = load(document).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].file == TrustPolicy::FILE && mistakes[0].line > 0, "{mistakes:?}");
    mistakes[0].message.clone()
}

#[track_caller]
fn refused(pointer: &str, value: Value, message: &str) {
    let told = mistake(&changed(pointer, value));
    assert!(told.contains(message), "{told}");
}

#[test]
fn a_statement_is_read() {
    let statement = statement(&good());
    assert_eq!((statement.name(), statement.level()), ("acme", "strict"));
    assert!(Check::ALL.into_iter().all(|check| statement.handling(check) == Handling::Enforce));
    assert_eq!(statement.stores(), ["ca:acme"]);
    assert_eq!(statement.identities(), ["x509.subject: C=US, ST=WA, O=Acme"]);
    assert_eq!(statement.certificates(StoreKind::Ca).count(), 1);
    assert_eq!(statement.certificates(StoreKind::SigningAuthority).count(), 0);
    assert_eq!(statement.verify_timestamp(), VerifyTimestamp::Always);
    assert!(!statement.lists_tsa_store());
    assert_eq!(statement.not_enforced(), None);
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = r#"{ "version": "2.0",
        "trustPolicies": [
            { "name": "", "registryScopes": [
                "registry.example" ],
              "signatureVerification": { "level": "loose",
                "override": { "integrity": "log" } },
              "trustStores": [ "ca:absent",
                "x:y" ],
              "trustedIdentities": [ "x509.subject: C=US" ],
              "more": 1 }
        ] }"#;
    let mut files = files(text, &[("ca/acme/a", b"junk")]);
    files.insert(Trust::FILE.to_owned(), b"[acme]\nkey = 1\n".to_vec());
    let told = Trust::parse(&files, &hostnames()).unwrap_err();
    let told: Vec<_> = told.iter().map(|mistake| (mistake.file.rsplit('/').next().unwrap(), mistake.line)).collect();
    let lines = [1, 3, 4, 5, 6, 7, 8, 9, 10].map(|line| ("trustpolicy.json", line));
    assert_eq!(told, [&[("signers.toml", 1), ("signers.toml", 2), ("a", 0)], lines.as_slice()].concat());
}

#[test]
fn what_is_no_document_is_refused() {
    for (text, line, message) in [
        ("{\n]", 2, "expected valid JSON"),
        ("[]", 1, "expected an object, found an empty one"),
        ("{}", 1, "expected the version \"1.0\", found none"),
        ("{\"version\": \"1.0\", \"version\": \"1.0\"}", 0, "found a second \"version\""),
        ("{\"version\": \"1.0\", \"trustPolicies\": []}", 1, "with at least one entry"),
        ("{\"version\": 1,\n\"trustPolicies\": [1]}", 1, "found 1"),
    ] {
        let mistakes = Trust::parse(&files(text, &[]), &hostnames()).unwrap_err();
        assert!(mistakes[0].line == line && mistakes[0].message.contains(message), "{text}: {mistakes:?}");
    }
}

#[test]
fn a_misspelt_key_is_refused() {
    refused("/trustedIdentity", json!([]), "found \"trustedIdentity\"");
    refused("/signatureVerification/verifyTimestmap", json!("always"), "found \"verifyTimestmap\"");
}

#[test]
fn levels_are_those_of_the_specification() {
    refused("/signatureVerification/level", json!("Strict"), "expected a level of strict, permissive, audit, skip");
    for (level, enforced, says) in [
        ("strict", 4, None),
        ("permissive", 1, Some("does not enforce expiry")),
        ("audit", 0, Some("does not enforce authenticity and expiry")),
    ] {
        let statement = statement(&changed("/signatureVerification/level", json!(level)));
        let all = Check::ALL.into_iter().filter(|check| statement.handling(*check) == Handling::Enforce);
        assert_eq!((all.count(), statement.not_enforced()), (enforced, says), "{level}");
    }
}

#[test]
fn overrides_change_what_a_level_enforces() {
    let mut document = changed("/signatureVerification/level", json!("permissive"));
    document["trustPolicies"][0]["signatureVerification"]["override"] =
        json!({"expiry": "enforce", "revocation": "skip"});
    let statement = statement(&document);
    assert_eq!(statement.not_enforced(), None);
    assert_eq!(statement.handling(Check::Revocation), Handling::Skip);
    assert_eq!(statement.handling(Check::AuthenticTimestamp), Handling::Log);
}

#[test]
fn integrity_is_not_overridden_and_only_revocation_is_skipped() {
    let at = "/signatureVerification/override";
    refused(at, json!({"integrity": "log"}), "found \"integrity\"");
    assert!(load(&changed(at, json!({"integrity": "enforce"}))).is_ok());
    refused(at, json!({"expiry": "skip"}), "only revocation may be skipped");
    refused(at, json!({"authenticity": "ignore"}), "to be enforce, log or skip, found \"ignore\"");
    refused(at, json!([]), "expected an object");
}

#[test]
fn timestamps_are_verified_always_or_after_expiry() {
    let at = "/signatureVerification/verifyTimestamp";
    refused(at, json!("never"), "always or afterCertExpiry, found \"never\"");
    let statement = statement(&changed(at, json!("afterCertExpiry")));
    assert_eq!(statement.verify_timestamp(), VerifyTimestamp::AfterCertExpiry);
}

#[test]
fn a_statement_that_skips_names_repositories_and_nothing_else() {
    let skip = |scope: &str| {
        let level = json!({"level": "skip"});
        json!({"name": "off", "registryScopes": [scope], "signatureVerification": level})
    };
    let trust = load(&with(skip("registry.example/dev"))).unwrap();
    assert_eq!(trust.notation().by_name("off").unwrap().not_enforced(), Some("verifies nothing"));
    assert!(mistake(&with(skip("*"))).contains("found it for all of them"));
    let mut more = skip("registry.example/dev");
    more["trustStores"] = json!(["ca:acme"]);
    assert!(mistake(&with(more)).contains("expected no trustStores"));
    let mut more = skip("registry.example/dev");
    more["signatureVerification"]["override"] = json!({"expiry": "log"});
    assert!(mistake(&with(more)).contains("expected no override"));
}

#[test]
fn scopes_are_repositories_of_hosts() {
    for scope in [
        "registry.example",
        "https://registry.example/a",
        "registry.example/a:v1",
        "registry.example/*",
        "/a",
        "registry.example/A",
        "-a.example/a",
        "registry.example:/a",
        "a..b/c",
        "registry.example/a@sha256:00",
        "",
    ] {
        refused("/registryScopes", json!([scope]), "expected <host>/<repository>");
    }
    refused("/registryScopes", json!([]), "with at least one entry");
    refused("/registryScopes", json!(["*", "registry.example/a"]), "expected * alone");
}

#[test]
fn a_scope_or_a_name_twice_is_refused() {
    refused(
        "/registryScopes",
        json!(["registry.example/a", "registry.example/a"]),
        "found a second \"registry.example/a\"",
    );
    let told = mistake(&with(second("other", &["registry.example/prod/app"])));
    assert!(told.contains("found a second \"registry.example/prod/app\""), "{told}");
    let told = mistake(&with(second("acme", &["*"])));
    assert!(told.contains("found a second \"acme\""), "{told}");
}

#[test]
fn two_statements_for_one_repository_under_two_of_our_names_are_refused() {
    let told = mistake(&with(second("other", &["localhost:5000/prod/app"])));
    assert!(told.contains("expected one statement for prod/app, found \"acme\" and \"other\""), "{told}");
    assert!(load(&with(second("other", &["elsewhere.example/prod/app"]))).is_ok());
}

#[test]
fn the_statement_is_the_one_for_the_repository_else_the_one_for_all() {
    let trust = load(&with(second("rest", &["*"]))).unwrap();
    let name = |repository: &str| trust.statement(&repository.parse().unwrap()).map(Statement::name);
    assert_eq!(name("prod/app"), Some("acme"));
    assert_eq!(name("prod/app/inner"), Some("rest"));
    let trust = load(&good()).unwrap();
    assert_eq!(trust.statement(&"dev".parse().unwrap()), None);
}

#[test]
fn a_scope_under_an_alias_counts_and_one_of_another_host_does_not() {
    let of = |scope: &str| load(&changed("/registryScopes", json!([scope]))).unwrap();
    for (scope, speaks) in [("localhost:5000/prod/app", true), ("localhost/prod/app", false), ("*", true)] {
        let trust = of(scope);
        assert_eq!(trust.statement(&"prod/app".parse().unwrap()).is_some(), speaks, "{scope}");
        assert_eq!(trust.notation().speaks_here(&trust.notation().statements()[0]), speaks, "{scope}");
    }
}

#[test]
fn trust_stores_have_a_kind_and_a_name() {
    for store in ["acme", "ca:", "x509:acme", "ca:a/b", "ca:..", "CA:acme"] {
        refused("/trustStores", json!([store]), "expected a trust store as ca:");
    }
    refused("/trustStores", json!([]), "with at least one entry");
    refused(
        "/trustStores",
        json!(["signingAuthority:acme"]),
        "expected certificates in trust/x509/signingAuthority/acme/",
    );
    let twice = statement(&changed("/trustStores", json!(["ca:acme", "ca:acme"])));
    assert_eq!(twice.certificates(StoreKind::Ca).count(), 1);
}

#[test]
fn trusted_identities_are_subjects_or_everybody() {
    let at = "/trustedIdentities";
    refused(at, json!([]), "with at least one entry");
    refused(at, json!(["acme"]), "expected a trusted identity as * or x509.subject:");
    refused(at, json!(["plugin.x:y"]), "expected a trusted identity as * or x509.subject:");
    refused(at, json!(["x509.subject:"]), "which is none that notation compares");
    refused(at, json!(["x509.subject: C=US, O=Acme"]), "found none of ST");
    refused(at, json!(["*", "x509.subject: C=US, ST=WA, O=Acme"]), "expected * alone");
    refused(at, json!(["x509.subject: C=US, ST=WA, O=A, CN=b", "x509.subject: C=US, ST=WA, O=A"]), "do not overlap");
    refused(at, json!(["x509.subject: C=US, ST=WA, O=A", "x509.subject: C=US, ST=WA, O=A"]), "do not overlap");
}

#[test]
fn a_subject_is_trusted_when_it_has_every_attribute() {
    let statement = statement(&good());
    let trusts = |params| statement.trusts(self_signed(params).certificate().subject());
    assert!(trusts(named("anybody of Acme")));
    let mut other = named("x");
    other.distinguished_name.push(rcgen::DnType::OrganizationName, "acme");
    assert!(!trusts(other));
    let mut more = named("x");
    more.distinguished_name.push(rcgen::DnType::from_oid(&[1, 2, 840, 113_549, 1, 9, 1]), "a@example");
    assert!(!trusts(more), "notation can't compare an address");
}

#[test]
fn everybody_is_trusted_by_a_star() {
    let statement = statement(&changed("/trustedIdentities", json!(["*"])));
    let mut nobody = named("x");
    nobody.distinguished_name = rcgen::DistinguishedName::new();
    assert!(statement.trusts(self_signed(nobody).certificate().subject()));
}

fn stores(entries: &[(&str, &[u8])]) -> Result<Trust, Vec<Mistake>> {
    let mut files = files("", entries);
    files.remove(TrustPolicy::FILE);
    files.insert(Trust::FILE.to_owned(), Vec::new());
    Trust::parse(&files, &[])
}

#[track_caller]
fn store_refused(path: &str, bytes: &[u8], message: &str) {
    let mistakes = stores(&[(path, bytes)]).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].file == format!("trust/x509/{path}") && mistakes[0].message.contains(message), "{mistakes:?}");
}

#[test]
fn files_hold_certificates_in_pem_or_der_one_or_several() {
    let (a, b) = (root(), root());
    let both = [a.der.clone(), b.der.clone()].concat();
    let text = format!("# roots\n{}\nand\n{}", a.pem(), b.pem().replace('\n', "\r\n"));
    let trust = stores(&[("ca/s/der", &both), ("ca/s/pem", text.as_bytes())]).unwrap();
    let found: Vec<_> = trust.notation().trusted_certificates().iter().map(|c| c.certificate.clone()).collect();
    assert_eq!(found, [a.certificate(), b.certificate(), a.certificate(), b.certificate()]);
}

#[test]
fn files_that_are_no_certificates_are_refused_by_name() {
    store_refused("ca/s/a", b"", "found an empty file");
    store_refused("ca/s/a", b"junk", "in PEM or DER, found other bytes");
    store_refused("ca/s/a", root().pem().replace("-----END", "").as_bytes(), "found one that does not");
    store_refused("ca/s/a", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", "expected base64");
    store_refused("ca/s/a", &[root().der, vec![0]].concat(), "found other bytes");
    store_refused("ca/s/a", pem(b"x").as_bytes(), "expected one X.509 certificate");
    store_refused("ca/s/a", self_signed(named("a")).key.serialize_pem().as_bytes(), "found a private key");
    store_refused("ca/s/a", self_signed(named("a")).key.public_key_pem().as_bytes(), "found one of \"PUBLIC KEY\"");
}

#[test]
fn files_outside_of_stores_are_refused_by_name() {
    for path in ["root.pem", "ca/root.pem", "ca/s/inner/root.pem", "other/s/root.pem", "ca/s s/root.pem"] {
        store_refused(path, root().pem().as_bytes(), "found a file elsewhere");
    }
}

#[test]
fn a_store_for_signers_holds_authorities_and_self_signed_certificates() {
    let root = root();
    let (alone, leaf) = (self_signed(named("alone")), issued(named("leaf"), &root));
    let intermediate = issued(authority("intermediate"), &root);
    for kind in ["ca", "signingAuthority"] {
        let path = format!("{kind}/s/a");
        assert!(stores(&[(&path, &alone.der)]).is_ok());
        assert!(stores(&[(&path, &intermediate.der)]).is_ok());
        store_refused(&path, &leaf.der, "found CN=leaf,O=Acme,ST=WA,C=US");
    }
}

#[test]
fn a_store_for_timestamps_holds_roots_alone() {
    let root = root();
    assert!(stores(&[("tsa/s/a", &root.der)]).is_ok());
    store_refused("tsa/s/a", &self_signed(named("alone")).der, "of an authority, soundly signed by itself");
    store_refused("tsa/s/a", &issued(authority("intermediate"), &root).der, "found CN=intermediate");
}

#[test]
fn a_signer_names_a_statement_that_exists() {
    let mut files = files(&good().to_string(), &[("ca/acme/a", &root().der)]);
    files
        .insert(Trust::FILE.to_owned(), b"[a]\nnotation_policy = \"acme\"\n[b]\nnotation_policy = \"acne\"\n".to_vec());
    let told = Trust::parse(&files, &hostnames()).unwrap_err();
    let expected = "trust/signers.toml:4: expected a statement of trust/trustpolicy.json named \"acne\", found acme";
    assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    files.remove(TrustPolicy::FILE);
    assert_eq!(Trust::parse(&files, &hostnames()).unwrap_err().len(), 2);
}

#[test]
fn a_document_without_a_signer_is_fine() {
    let mut files = files(&good().to_string(), &[("ca/acme/a", &root().der)]);
    files.insert(Trust::FILE.to_owned(), Vec::new());
    assert_eq!(Trust::parse(&files, &hostnames()).unwrap().signers().count(), 0);
}

#[test]
fn the_signers_of_a_statement_are_those_that_name_it_and_apply() {
    let text = "[a]\nnotation_policy = \"acme\"\n[b]\nnotation_policy = \"acme\"\nrepositories = [\"dev/**\"]\n\
                [c]\nnotation_policy = \"rest\"\n";
    let mut files = files(&with(second("rest", &["*"])).to_string(), &[("ca/acme/a", &root().der)]);
    files.insert(Trust::FILE.to_owned(), text.as_bytes().to_vec());
    let trust = Trust::parse(&files, &hostnames()).unwrap();
    let repository = "prod/app".parse().unwrap();
    let statement = trust.statement(&repository).unwrap();
    let names: Vec<_> = trust.notation_signers(statement, &repository).map(|signer| signer.name().as_str()).collect();
    assert_eq!(names, ["a"]);
}

/// A verdict stands as long as its signers are equal, so a signer differs when anything does that it hangs on.
#[test]
fn a_signer_differs_when_anything_does_that_decides_about_it() {
    let store = root();
    let other = root();
    let signers = |more: &str| format!("[acme]\nnotation_policy = \"acme\"\n{more}");
    let load = |document: &Value, root: &Made, hostnames: &[String], more: &str| {
        let mut files = files(&document.to_string(), &[("ca/acme/a", &root.der)]);
        files.insert(Trust::FILE.to_owned(), signers(more).into_bytes());
        Trust::parse(&files, hostnames).unwrap().signer(&"acme".parse().unwrap()).unwrap().clone()
    };
    let now = load(&good(), &store, &hostnames(), "");
    assert_eq!(now, load(&good(), &store, &hostnames(), "# nothing else\n"));
    assert_ne!(now, load(&good(), &other, &hostnames(), ""), "a certificate");
    assert_ne!(now, load(&good(), &store, &hostnames()[..1], ""), "a name of the registry");
    assert_ne!(now, load(&with(second("more", &["*"])), &store, &hostnames(), ""), "another statement");
    let level = changed("/signatureVerification/level", json!("audit"));
    assert_ne!(now, load(&level, &store, &hostnames(), ""), "the level");
    let identities = changed("/trustedIdentities", json!(["*"]));
    assert_ne!(now, load(&identities, &store, &hostnames(), ""), "the identities");
}
