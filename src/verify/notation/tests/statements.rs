//! Trust: stores, identities, levels, scopes, signers.

use serde_json::json;

use super::*;
use crate::forge::{DAY, Key};
use crate::gate::Identity;

/// Whether both are one, as a threshold counts.
fn are_one(one: &Identity, other: &Identity) -> bool {
    one.marks().any(|mark| other.marks().any(|also| also == mark))
}

fn identity(outcome: &Outcome) -> &Identity {
    match outcome {
        Outcome::Verified { identity, .. } => identity,
        Outcome::Nothing { .. } => panic!("expected a signature that counts, found {outcome:?}"),
    }
}

fn sound() -> (Authority, Forge) {
    let (root, leaf) = chain_of_three();
    (root, Forge::new(Format::Jws, &leaf, &target()))
}

#[test]
fn a_wrong_authority_counts_for_nothing_and_is_told() {
    let (_, forge) = sound();
    let outcome = judge(&forge, &trust(&Authority::new("O=other, CN=root")));
    let Outcome::Nothing { expected, found, again_at } = outcome else { panic!("{outcome:?}") };
    assert_eq!(expected, "a signature that the trust policy statement \"acme-images\" trusts");
    assert!(found.starts_with("a certificate chain that ends in "), "{found}");
    assert!(found.contains("CN=root") && found.ends_with("which is in none of its trust stores (ca:acme)"), "{found}");
    assert_eq!(again_at, None);
}

/// Its name says the same: the certificate itself decides.
#[test]
fn an_authority_of_the_trusted_name_counts_for_nothing() {
    let (_, forge) = sound();
    let outcome = judge(&forge, &trust(&Authority::new(ROOT)));
    assert_found(&outcome, "in none of its trust stores (ca:acme), though another certificate of that name is");
}

#[test]
fn any_certificate_of_the_chain_may_be_the_trusted_one() {
    let root = Authority::new(ROOT);
    let intermediate = root.intermediate("O=acme, CN=intermediate");
    let forge = Forge::new(Format::Jws, &intermediate.issue(&LeafSpec::new(LEAF)), &target());
    let trusted = parsed(&files(SIGNERS, &statement(), &[("ca/acme", &intermediate.pem())]));
    assert_eq!(signers(&judge(&forge, &trusted)), ["acme"]);
}

#[test]
fn a_store_of_the_other_kind_trusts_nothing() {
    let (root, forge) = sound();
    let mut statement = statement();
    statement["trustStores"] = json!(["signingAuthority:acme"]);
    let stores = [("signingAuthority/acme", root.root_pem())];
    let trust = parsed(&files(SIGNERS, &statement, &stores.each_ref().map(|(name, pem)| (*name, pem.as_str()))));
    assert_found(&judge(&forge, &trust), "no trust store of the kind ca");
    let by_authority = forge.by_authority(SIGNED_AT);
    assert_eq!(signers(&judge(&by_authority, &trust)), ["acme"]);
    assert_found(&judge(&by_authority, &super::trust(&root)), "no trust store of the kind signingAuthority");
}

#[test]
fn the_leaf_is_a_trusted_identity() {
    let (root, forge) = sound();
    let with = |identity: &str| trust_with(&root, |statement| statement["trustedIdentities"] = json!([identity]));
    for identity in ["*", "x509.subject: C=US, ST=WA, O=acme, CN=release", "x509.subject: O=acme, ST=WA, C=US"] {
        assert_eq!(signers(&judge(&forge, &with(identity))), ["acme"], "{identity}");
    }
    for identity in [
        "x509.subject: C=US, ST=WA, O=acme, CN=root",
        "x509.subject: C=US, ST=WA, O=acme, CN=release, OU=x",
        "x509.subject: C=US, ST=WA, O=Acme",
        "x509.subject: C=US, ST=OR, O=acme",
    ] {
        assert_found(&judge(&forge, &with(identity)), "who is none of its trusted identities");
    }
}

#[test]
fn a_policy_for_another_host_counts_for_nothing() {
    let (root, forge) = sound();
    let elsewhere = trust_with(&root, |statement| statement["registryScopes"] = json!(["other.example.org/prod/app"]));
    let outcome = judge(&forge, &elsewhere);
    let Outcome::Nothing { expected, found, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(expected, "a statement of notation's trust policy for registry.example.org/prod/app or *");
    assert_eq!(found, "none");
}

#[test]
fn the_statement_for_everything_speaks_for_what_no_other_names() {
    let (root, forge) = sound();
    let everywhere = trust_with(&root, |statement| statement["registryScopes"] = json!(["*"]));
    let at = seconds(SIGNED_AT);
    assert_eq!(signers(&judge_in("prod/app", &forge, &everywhere, at)), ["acme"]);
    assert_eq!(signers(&judge_in("elsewhere", &forge, &everywhere, at)), ["acme"]);
    assert_found(&judge_in("elsewhere", &forge, &trust(&root), at), "none");
}

/// Whatever else holds, these levels enforce less than a requirement needs.
#[test]
fn permissive_audit_and_skip_back_nothing() {
    let (root, forge) = sound();
    for level in ["permissive", "audit", "skip"] {
        let trust = trust_with(&root, |statement| {
            statement["signatureVerification"]["level"] = json!(level);
            if level == "skip" {
                statement["trustStores"] = json!([]);
                statement["trustedIdentities"] = json!([]);
            }
        });
        assert_found(&judge(&forge, &trust), "a statement that can't back a requirement: it ");
    }
}

#[test]
fn permissive_that_enforces_expiry_counts() {
    let (root, forge) = sound();
    let trust = trust_with(&root, |statement| {
        statement["signatureVerification"] = json!({ "level": "permissive", "override": { "expiry": "enforce" } });
    });
    assert_eq!(signers(&judge(&forge, &trust)), ["acme"]);
}

#[test]
fn strict_that_only_logs_expiry_backs_nothing() {
    let (root, forge) = sound();
    for handling in [json!({ "expiry": "log" }), json!({ "authenticity": "log" })] {
        let trust = trust_with(&root, |statement| statement["signatureVerification"]["override"] = handling);
        assert_found(&judge(&forge, &trust), "a statement that can't back a requirement");
    }
}

#[test]
fn a_statement_that_no_signer_names_makes_nobody() {
    let (root, leaf) = chain_of_three();
    let release = String::from_utf8(crate::verify::fixtures::read("release.pub")).unwrap();
    let mut files =
        files("[release]\ncosign_key = \"cosign/release.pub\"\n", &statement(), &[("ca/acme", &root.root_pem())]);
    files.insert("trust/cosign/release.pub".to_owned(), release.into_bytes());
    let outcome = judge(&Forge::new(Format::Jws, &leaf, &target()), &parsed(&files));
    assert_found(&outcome, "which no signer names");
}

#[test]
fn a_signer_of_other_repositories_counts_for_nothing() {
    let (root, forge) = sound();
    let signers = "[acme]\nnotation_policy = \"acme-images\"\nrepositories = [\"test/**\"]\n";
    let trust = parsed(&files(signers, &statement(), &[("ca/acme", &root.root_pem())]));
    assert_found(&judge(&forge, &trust), "by acme, whose repositories leave out prod/app");
}

#[test]
fn every_signer_of_the_statement_is_named() {
    let (root, forge) = sound();
    let two = "[acme]\nnotation_policy = \"acme-images\"\n[also]\nnotation_policy = \"acme-images\"\n";
    let trust = parsed(&files(two, &statement(), &[("ca/acme", &root.root_pem())]));
    assert_eq!(signers(&judge(&forge, &trust)), ["acme", "also"]);
}

#[test]
fn one_identity_in_two_certificates_is_one() {
    let root = Authority::new(ROOT);
    let trust = trust(&root);
    let by =
        |spec: &LeafSpec, format| identity(&judge(&Forge::new(format, &root.issue(spec), &target()), &trust)).clone();
    let first = by(&LeafSpec::new(LEAF), Format::Jws);
    assert!(are_one(&first, &by(&LeafSpec::new(LEAF).key(Key::P384), Format::Cose)));
    assert!(!are_one(&first, &by(&LeafSpec::new("C=US, ST=WA, O=acme, CN=another"), Format::Jws)));
}

#[test]
fn the_same_name_under_another_root_is_another_identity() {
    let outcome = || {
        let (root, forge) = sound();
        identity(&judge(&forge, &trust(&root))).clone()
    };
    assert!(!are_one(&outcome(), &outcome()));
}

#[test]
fn a_key_that_also_signs_with_cosign_is_one_identity() {
    let root = Authority::new(ROOT);
    for kind in [Key::P256, Key::P384, Key::P521, Key::Rsa2048] {
        let key = kind.generate();
        let pem = key.public_key_to_pem().unwrap();
        let leaf = root.issue(&LeafSpec::new(LEAF).key(kind).own_key(key));
        let signers = format!("{SIGNERS}[release]\ncosign_key = \"cosign/release.pub\"\n");
        let mut files = files(&signers, &statement(), &[("ca/acme", &root.root_pem())]);
        files.insert("trust/cosign/release.pub".to_owned(), pem.clone());
        let outcome = judge(&Forge::new(Format::Jws, &leaf, &target()), &parsed(&files));
        assert!(are_one(identity(&outcome), crate::trust::PublicKey::from_pem(&pem).unwrap().identity()), "{kind:?}");
    }
}

/// The chain comes unsigned: whoever carries a signature may show the other one of an authority that two roots vouch
/// for, or another certificate of the same key.
#[test]
fn one_certificate_below_two_roots_is_one_identity() {
    let (old, new) = (Authority::new(ROOT), Authority::new("C=US, ST=WA, O=acme, CN=new root"));
    let shared = LeafSpec::authority("C=US, ST=WA, O=acme, CN=intermediate").own_key(Key::P256.generate());
    let leaf = old.intermediate_as(&shared).issue(&LeafSpec::new(LEAF));
    let above = new.intermediate_as(&shared).issue(&LeafSpec::new(LEAF)).chain;
    let mut files = files(SIGNERS, &statement(), &[("ca/acme", &old.root_pem())]);
    files.insert("trust/x509/ca/acme/new.pem".to_owned(), new.root_pem().into_bytes());
    let trust = parsed(&files);
    for format in Format::ALL {
        let forge = Forge::new(format, &leaf, &target());
        let crossed = forge.clone().with(|forge| forge.chain.splice(1.., above[1..].iter().cloned()).for_each(drop));
        let [one, other] = [forge, crossed].map(|forge| identity(&judge(&forge, &trust)).clone());
        assert_ne!(one, other, "each is told by its chain");
        assert!(are_one(&one, &other), "{one:?} {other:?}");
    }
}

#[test]
fn one_key_of_two_certificates_is_one_identity() {
    let root = Authority::new(ROOT);
    let (trust, key) = (trust(&root), Key::P256.generate());
    let by = |subject: &str| {
        let leaf = root.issue(&LeafSpec::new(subject).own_key(key.clone()));
        identity(&judge(&Forge::new(Format::Jws, &leaf, &target()), &trust)).clone()
    };
    assert!(are_one(&by(LEAF), &by("C=US, ST=WA, O=acme, CN=another")));
}

#[test]
fn revocation_that_can_t_be_judged_counts_for_nothing_unless_it_is_overridden() {
    // An authority information access with an OCSP responder at http://o.
    let access = [0x30, 20, 0x30, 18, 6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 0x86, 6, b'h', b't', b't', b'p', b':', b'o'];
    let root = Authority::new(ROOT);
    let leaf = root.issue(&LeafSpec::new(LEAF).extension(&[1, 3, 6, 1, 5, 5, 7, 1, 1], &access, false));
    let forge = Forge::new(Format::Jws, &leaf, &target());
    let outcome = judge(&forge, &trust(&root));
    assert_found(&outcome, "whose revocation can't be judged yet");
    assert_found(&outcome, "\"revocation\": \"skip\" or \"log\"");
    for handling in ["skip", "log"] {
        let trust = trust_with(&root, |statement| {
            statement["signatureVerification"]["override"] = json!({ "revocation": handling });
        });
        assert_eq!(signers(&judge_at(&forge, &trust, SIGNED_AT + DAY)), ["acme"]);
    }
}

#[test]
fn the_root_is_never_asked_about_revocation() {
    let access = [0x30, 20, 0x30, 18, 6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 0x86, 6, b'h', b't', b't', b'p', b':', b'o'];
    let root = Authority::root(&LeafSpec::authority(ROOT).extension(&[1, 3, 6, 1, 5, 5, 7, 1, 1], &access, false));
    let forge = Forge::new(Format::Jws, &root.issue(&LeafSpec::new(LEAF)), &target());
    assert_eq!(signers(&judge(&forge, &trust(&root))), ["acme"]);
}

/// Whoever signed with cosign where only notation counts learns so.
#[test]
fn a_cosign_signature_is_told_that_notation_would_have_counted() {
    let case = crate::verify::fixtures::Case::read("sig-release");
    let trust = trust(&Authority::new(ROOT));
    let findings = case.judge(Shape::CosignSignature, crate::verify::fixtures::image(), &trust);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    let Outcome::Nothing { expected, .. } = &finding.outcome else { panic!("{finding:?}") };
    assert_eq!(expected, "a notation signature by acme (trust policy statement \"acme-images\")");
}

/// An attack on the parts: each is sound, together they are of two signers.
#[test]
fn the_chain_of_one_with_the_signature_of_another_counts_for_nothing() {
    let root = Authority::new(ROOT);
    let (one, two) = (root.issue(&LeafSpec::new(LEAF)), root.issue(&LeafSpec::new(LEAF)));
    for format in Format::ALL {
        let forge = Forge::new(format, &one, &target()).with(|forge| forge.chain.clone_from(&two.chain));
        assert_found(&judge(&forge, &trust(&root)), "by another key");
    }
}
