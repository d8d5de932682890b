//! The certificate profile and the order of the chain.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder, extension};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose as Purpose, IsCa, KeyUsagePurpose as Usage};

use super::*;
use crate::forge::Key;

/// Judges a signature by a leaf of this kind.
fn by_leaf(edit: impl FnOnce(LeafSpec) -> LeafSpec) -> Outcome {
    let root = Authority::new(ROOT);
    let leaf = root.issue(&edit(LeafSpec::new(LEAF)));
    judge(&Forge::new(Format::Jws, &leaf, &target()), &trust(&root))
}

/// Judges a signature below an intermediate of this kind.
fn below(edit: impl FnOnce(LeafSpec) -> LeafSpec) -> Outcome {
    let root = Authority::new(ROOT);
    let intermediate = root.intermediate_as(&edit(LeafSpec::authority("O=acme, CN=intermediate")));
    let leaf = intermediate.issue(&LeafSpec::new(LEAF));
    judge(&Forge::new(Format::Jws, &leaf, &target()), &trust(&root))
}

#[test]
fn a_leaf_without_extended_key_usage_counts() {
    assert_eq!(signers(&by_leaf(|leaf| leaf.extended_key_usage(&[]))), ["acme"]);
}

#[test]
fn a_leaf_for_another_purpose_counts_for_nothing() {
    for purpose in [
        Purpose::Any,
        Purpose::ServerAuth,
        Purpose::ClientAuth,
        Purpose::EmailProtection,
        Purpose::TimeStamping,
        Purpose::OcspSigning,
    ] {
        for purposes in [vec![purpose.clone()], vec![Purpose::CodeSigning, purpose]] {
            assert_found(&by_leaf(|leaf| leaf.extended_key_usage(&purposes)), "extended key usage includes");
        }
    }
}

#[test]
fn a_leaf_with_another_key_usage_counts_for_nothing() {
    for usage in
        [Usage::KeyEncipherment, Usage::DataEncipherment, Usage::KeyAgreement, Usage::KeyCertSign, Usage::CrlSign]
    {
        assert_found(&by_leaf(|leaf| leaf.key_usage(&[Usage::DigitalSignature, usage])), "whose key usage includes");
    }
    assert_eq!(
        signers(&by_leaf(|leaf| leaf.key_usage(&[Usage::DigitalSignature, Usage::ContentCommitment]))),
        ["acme"]
    );
}

#[test]
fn the_key_usage_of_a_leaf_is_there_and_critical() {
    assert_found(&by_leaf(|leaf| leaf.key_usage(&[])), "absent or not critical");
    let digital_signature = [3, 2, 7, 0x80];
    let written =
        |critical| by_leaf(|leaf| leaf.key_usage(&[]).extension(&[2, 5, 29, 15], &digital_signature, critical));
    assert_found(&written(false), "absent or not critical");
    assert_eq!(signers(&written(true)), ["acme"]);
}

#[test]
fn a_leaf_is_no_authority() {
    assert_found(
        &by_leaf(|leaf| leaf.basic_constraints(IsCa::Ca(BasicConstraints::Unconstrained))),
        "certificate authority",
    );
    assert_eq!(signers(&by_leaf(|leaf| leaf.basic_constraints(IsCa::ExplicitNoCa))), ["acme"]);
}

#[test]
fn an_unknown_critical_extension_counts_for_nothing() {
    let with = |critical| by_leaf(|leaf| leaf.extension(&[1, 2, 3, 4], &[5, 0], critical));
    assert_found(&with(true), "critical extension 1.2.3.4");
    assert_eq!(signers(&with(false)), ["acme"]);
}

#[test]
fn an_issuer_is_an_authority() {
    assert_found(&below(|spec| spec.basic_constraints(IsCa::NoCa)), "not an authority");
    assert_found(&below(|spec| spec.basic_constraints(IsCa::ExplicitNoCa)), "not an authority");
    assert_found(&below(|spec| spec.key_usage(&[Usage::CrlSign])), "lacks signing certificates");
    assert_found(&below(|spec| spec.key_usage(&[])), "absent or not critical");
    let constraints = [0x30, 3, 1, 1, 0xff];
    let written =
        |critical| below(|spec| spec.basic_constraints(IsCa::NoCa).extension(&[2, 5, 29, 19], &constraints, critical));
    assert_found(&written(false), "not critical");
    assert_eq!(signers(&written(true)), ["acme"]);
}

#[test]
fn a_path_length_bounds_the_authorities_below() {
    let with_root = |length| {
        let spec = LeafSpec::authority(ROOT).basic_constraints(IsCa::Ca(BasicConstraints::Constrained(length)));
        let root = Authority::root(&spec);
        let leaf = root.intermediate("O=acme, CN=intermediate").issue(&LeafSpec::new(LEAF));
        judge(&Forge::new(Format::Jws, &leaf, &target()), &trust(&root))
    };
    assert_found(&with_root(0), "whose path length is 0");
    assert_eq!(signers(&with_root(1)), ["acme"]);
    assert_eq!(signers(&below(|spec| spec.basic_constraints(IsCa::Ca(BasicConstraints::Constrained(0))))), ["acme"]);
}

#[test]
fn leaf_and_issuer_of_one_name_count() {
    let root = Authority::new(LEAF);
    let leaf = root.issue(&LeafSpec::new(LEAF));
    for format in Format::ALL {
        assert_eq!(signers(&judge(&Forge::new(format, &leaf, &target()), &trust(&root))), ["acme"]);
    }
}

#[test]
fn a_chain_out_of_order_counts_for_nothing() {
    assert_refused("which is a certificate authority's", |forge| forge.with(|forge| forge.chain.swap(0, 1)));
    assert_refused("is not issued by", |forge| forge.with(|forge| forge.chain.swap(1, 2)));
    assert_refused("which is a certificate authority's", |forge| forge.with(|forge| forge.chain.reverse()));
}

#[test]
fn a_chain_that_lacks_a_certificate_counts_for_nothing() {
    assert_refused("is not issued by", |forge| forge.with(|forge| drop(forge.chain.remove(1))));
    assert_refused("one that ends in", |forge| forge.with(|forge| drop(forge.chain.pop())));
    assert_refused("which is a certificate authority's", |forge| forge.with(|forge| drop(forge.chain.remove(0))));
}

#[test]
fn a_chain_with_a_certificate_too_many_counts_for_nothing() {
    assert_refused("is self-signed and not the last", |forge| {
        forge.with(|forge| forge.chain.extend(forge.chain.last().cloned()))
    });
    let stranger = Authority::new("O=stranger, CN=root").issue(&LeafSpec::new(LEAF)).chain.remove(1);
    assert_refused("is self-signed and not the last", |forge| forge.with(|forge| forge.chain.push(stranger.clone())));
}

/// The names fit; the key does not.
#[test]
fn a_root_of_the_same_name_and_another_key_counts_for_nothing() {
    let other = Authority::new(ROOT);
    let (root, leaf) = chain_of_three();
    let other_root = other.issue(&LeafSpec::new(LEAF)).chain.remove(1);
    let forge = Forge::new(Format::Jws, &leaf, &target()).with(|forge| {
        forge.chain.pop();
        forge.chain.push(other_root);
    });
    assert_found(&judge(&forge, &trust(&root)), "is not issued by");
    assert_found(&judge(&forge, &trust(&other)), "is not issued by");
}

#[test]
fn bytes_that_are_no_certificate_count_for_nothing() {
    assert_refused("other bytes", |forge| forge.with(|forge| forge.chain[0] = b"no certificate".to_vec()));
    assert_refused("other bytes", |forge| forge.with(|forge| forge.chain[1].push(0)));
}

#[test]
fn a_self_signed_leaf_alone_counts_if_the_store_holds_it() {
    let leaf = SigningCertificate::self_signed(&LeafSpec::new(LEAF));
    let (root, _) = chain_of_three();
    let trusted = parsed(&files(SIGNERS, &statement(), &[("ca/acme", &leaf.leaf_pem())]));
    for format in Format::ALL {
        let forge = Forge::new(format, &leaf, &target());
        assert_eq!(signers(&judge(&forge, &trusted)), ["acme"]);
        assert_found(&judge(&forge, &trust(&root)), "which is in none of its trust stores (ca:acme)");
    }
}

#[test]
fn a_self_signed_authority_alone_counts_for_nothing() {
    let authority = SigningCertificate::self_signed(&LeafSpec::authority(LEAF).key_usage(&[Usage::DigitalSignature]));
    let trusted = parsed(&files(SIGNERS, &statement(), &[("ca/acme", &authority.leaf_pem())]));
    assert_found(&judge(&Forge::new(Format::Jws, &authority, &target()), &trusted), "certificate authority");
}

/// A root and a leaf, the leaf's certificate signed with `digest`.
fn signed_with(digest: MessageDigest) -> (String, SigningCertificate) {
    let name = |common: &str| {
        let mut name = X509NameBuilder::new().unwrap();
        for (field, value) in [("C", "US"), ("ST", "WA"), ("O", "acme"), ("CN", common)] {
            name.append_entry_by_text(field, value).unwrap();
        }
        name.build()
    };
    let (root_name, leaf_name) = (name("root"), name("release"));
    let (root_key, leaf_key) = (Key::Rsa2048.generate(), Key::P256.generate());
    let certificate = |subject, key: &PKey<Private>, extensions: Vec<X509Extension>, digest| {
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(subject).unwrap();
        builder.set_issuer_name(&root_name).unwrap();
        builder.set_pubkey(key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(SIGNED_AT - 1000).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(SIGNED_AT + 1000).unwrap()).unwrap();
        for extension in extensions {
            builder.append_extension(extension).unwrap();
        }
        builder.sign(&root_key, digest).unwrap();
        builder.build().to_der().unwrap()
    };
    let may_issue = vec![
        extension::BasicConstraints::new().critical().ca().build().unwrap(),
        extension::KeyUsage::new().critical().key_cert_sign().build().unwrap(),
    ];
    let may_sign = vec![extension::KeyUsage::new().critical().digital_signature().build().unwrap()];
    let root = certificate(&root_name, &root_key, may_issue, MessageDigest::sha256());
    let leaf = certificate(&leaf_name, &leaf_key, may_sign, digest);
    let root_pem = String::from_utf8(X509::from_der(&root).unwrap().to_pem().unwrap()).unwrap();
    let key_pem = String::from_utf8(leaf_key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    (root_pem, SigningCertificate { chain: vec![leaf, root], key_pem, algorithm: "ES256" })
}

#[test]
fn a_certificate_that_is_signed_with_sha_1_counts_for_nothing() {
    let judged = |digest| {
        let (root_pem, leaf) = signed_with(digest);
        let trust = parsed(&files(SIGNERS, &statement(), &[("ca/acme", &root_pem)]));
        judge(&Forge::new(Format::Jws, &leaf, &target()), &trust)
    };
    assert_eq!(signers(&judged(MessageDigest::sha256())), ["acme"]);
    let outcome = judged(MessageDigest::sha1());
    let Outcome::Nothing { expected, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(expected, "certificates signed with SHA-2");
}
