//! Certificates, on those that the tests make.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, KeyUsagePurpose, date_time_ymd};

use super::authority::{authority, issued, named, self_signed};
use super::*;
use crate::clock::Timestamp;

/// A self-signed certificate over a key and a hash that the test maker refuses.
fn by_openssl(bits: u32, hash: MessageDigest) -> Certificate {
    let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "old").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(1).unwrap()).unwrap();
    builder.sign(&key, hash).unwrap();
    Certificate::from_der(&builder.build().to_der().unwrap()).unwrap()
}

#[test]
fn a_certificate_says_who_and_when() {
    let mut params = named("release");
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 1, 2);
    let root = self_signed(authority("root"));
    let leaf = issued(params, &root).certificate();
    assert_eq!(leaf.subject().to_string(), "CN=release,O=Acme,ST=WA,C=US");
    assert_eq!(leaf.issuer(), root.certificate().subject());
    assert_eq!(leaf.not_before(), Timestamp::from_micros(1_767_225_600_000_000));
    assert_eq!(leaf.not_after().to_string(), "2026-01-02T00:00:00Z");
}

#[test]
fn something_after_the_certificate_is_refused() {
    let mut der = self_signed(named("a")).der;
    der.push(0);
    assert!(matches!(Certificate::from_der(&der), Err(CertificateError::Structure(_))));
    assert!(matches!(Certificate::from_der(&vec![0; 65 << 10]), Err(CertificateError::TooLarge(66560))));
}

#[test]
fn an_issuer_is_one_by_name_and_by_signature() {
    let root = self_signed(authority("root"));
    let leaf = issued(named("leaf"), &root).certificate();
    assert!(leaf.is_issued_by(&root.certificate()));
    assert!(!leaf.is_self_signed() && root.certificate().is_self_signed());
    assert!(!leaf.is_issued_by(&self_signed(authority("root")).certificate()), "another key of that name");
    let mut renamed = authority("another");
    renamed.key_usages.clear();
    let der = renamed.self_signed(&root.key).unwrap().der().to_vec();
    assert!(!leaf.is_issued_by(&Certificate::from_der(&der).unwrap()), "another name of that key");
}

#[test]
fn a_flipped_bit_is_no_longer_issued() {
    let root = self_signed(authority("root"));
    let mut leaf = issued(named("leaf"), &root);
    let at = leaf.der.windows(4).rposition(|bytes| bytes == b"leaf").unwrap();
    leaf.der[at] = b'L';
    assert!(!leaf.certificate().is_issued_by(&root.certificate()));
}

#[test]
fn leaf_and_issuer_of_one_name_are_told_apart() {
    let root = self_signed(authority("same"));
    let leaf = issued(named("same"), &root).certificate();
    assert_eq!(leaf.subject(), leaf.issuer());
    assert!(!leaf.is_self_signed() && leaf.is_issued_by(&root.certificate()));
}

#[test]
fn sha_1_signs_nothing() {
    let old = by_openssl(2048, MessageDigest::sha1());
    assert!(old.has_weak_signature() && !old.is_self_signed());
    let sound = by_openssl(2048, MessageDigest::sha256());
    assert!(!sound.has_weak_signature() && sound.is_self_signed());
}

#[test]
fn a_short_rsa_key_signs_nothing() {
    let short = by_openssl(1024, MessageDigest::sha256());
    assert_eq!(short.key_kind(), &KeyKind::Rsa { bits: 1024 });
    assert!(!short.has_weak_signature() && !short.is_self_signed());
}

#[test]
fn one_key_is_one_identity_in_a_certificate_and_in_a_file() {
    let made = self_signed(named("a"));
    let key = PublicKey::from_pem(made.key.public_key_pem().as_bytes()).unwrap();
    assert_eq!(made.certificate().key_identity(), key.identity());
    assert_eq!(made.certificate().key_kind(), &KeyKind::Ec(Curve::P256));
    assert_ne!(self_signed(named("a")).certificate().key_identity(), key.identity());
}

#[test]
fn extensions_are_told_with_their_criticality() {
    let ca = self_signed(authority("root")).certificate();
    assert_eq!(ca.basic_constraints(), Some(BasicConstraints { critical: true, ca: true, path_length: Some(1) }));
    let usage = ca.key_usage().unwrap();
    assert!(usage.critical && usage.has(Usage::KeyCertSign) && !usage.has(Usage::DigitalSignature));
    assert_eq!(usage.all().collect::<Vec<_>>(), [Usage::KeyCertSign, Usage::CrlSign]);

    let mut params = named("leaf");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let leaf = self_signed(params).certificate();
    assert_eq!(leaf.basic_constraints(), None);
    let purposes = vec![ExtendedKeyUsage::CODE_SIGNING.to_owned()];
    assert_eq!(leaf.extended_key_usage(), Some(&ExtendedKeyUsage { critical: false, purposes }));
}

#[test]
fn a_critical_extension_that_nothing_reads_is_told() {
    let mut params = named("leaf");
    for (last, critical) in [(7, true), (8, false)] {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, last], vec![5, 0]);
        extension.set_criticality(critical);
        params.custom_extensions.push(extension);
    }
    assert_eq!(self_signed(params).certificate().unknown_critical(), ["1.2.3.7"]);
}

#[test]
fn an_extension_twice_is_refused() {
    let mut params = named("leaf");
    for _ in 0..2 {
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]));
    }
    let error = Certificate::from_der(&self_signed(params).der).unwrap_err();
    assert_eq!(error, CertificateError::DuplicateExtension("1.2.3.4".to_owned()));
}

#[test]
fn an_extension_that_does_not_parse_is_refused() {
    let mut params = named("leaf");
    params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![5, 0]));
    let error = Certificate::from_der(&self_signed(params).der).unwrap_err();
    assert_eq!(error, CertificateError::Extension("2.5.29.15".to_owned()));
}

#[test]
fn end_points_of_revocation_are_told() {
    let mut params = named("leaf");
    params.crl_distribution_points =
        vec![rcgen::CrlDistributionPoint { uris: vec!["http://crl.example/a".to_owned()] }];
    let mut access = vec![0x30, 0x20, 0x30, 0x1e, 6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 0x86, 18];
    access.extend(b"http://ocsp.test/a");
    params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access));
    let certificate = self_signed(params).certificate();
    let told = certificate.revocation_end_points();
    assert_eq!(told.crl, ["http://crl.example/a"]);
    assert_eq!(told.ocsp, ["http://ocsp.test/a"]);
    assert!(self_signed(named("a")).certificate().revocation_end_points().is_empty());
}

#[test]
fn what_is_special_in_a_name_is_escaped() {
    let mut params = named(" a,b+c\\#");
    params.distinguished_name.push(rcgen::DnType::from_oid(&[1, 2, 3, 4]), "x");
    let certificate = self_signed(params).certificate();
    assert_eq!(certificate.subject().to_string(), "1.2.3.4=#0c0178,CN=\\ a\\,b\\+c\\\\#,O=Acme,ST=WA,C=US");
    assert_eq!(certificate.subject().unmatchable(), Some("the attribute 1.2.3.4, which can't be compared"));
}

/// Anybody may push a chain of their own, and whoever is refused is told its names.
#[test]
fn a_name_steers_no_terminal() {
    let name = self_signed(named("a\u{1b}[2J\u{9b}2J\u{202e}b")).certificate().subject().to_string();
    assert_eq!(name, "CN=a\\1b[2J\\c2\\9b2J\\e2\\80\\aeb,O=Acme,ST=WA,C=US");
}

#[test]
fn names_that_notation_can_not_compare_match_no_pattern() {
    for (text, why) in [
        ("C=US,O=a", None),
        ("O=a\\=#b", Some("the characters =#, which can't be compared")),
        ("O=a,O=b", Some("a second O")),
        ("O=a+OU=b", Some("several attributes in one place")),
    ] {
        let name: x509_cert::name::Name = text.parse().unwrap();
        assert_eq!(DistinguishedName::of(&name, Vec::new()).unmatchable(), why, "{text}");
    }
}

#[test]
fn a_subject_as_it_is_told_is_a_pattern_that_names_it() {
    for name in
        ["release", " a ", "#1", "a,b;c+d=e", "back\\slash", "\"q\" <x>", "Zo\u{eb} \u{1f511}", "tab\there", "\u{9b}2J"]
    {
        let certificate = self_signed(named(name)).certificate();
        let subject = certificate.subject();
        let pattern = subject_pattern::SubjectPattern::parse(&subject.to_string()).unwrap();
        assert!(pattern.matches(subject), "{subject}");
        assert!(!pattern.matches(self_signed(named("other")).certificate().subject()), "{subject}");
    }
}

#[test]
fn an_rsa_key_with_a_long_exponent_is_refused() {
    let exponent = |bits: i32| {
        let mut e = openssl::bn::BigNum::from_u32(3).unwrap();
        e.set_bit(bits - 1).unwrap();
        let key = PKey::from_rsa(Rsa::generate_with_e(2048, &e).unwrap()).unwrap();
        let mut builder = X509::builder().unwrap();
        let from = Asn1Time::from_unix(0).unwrap();
        builder.set_not_before(&from).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(2_000_000_000).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Certificate::from_der(&builder.build().to_der().unwrap()).map(drop)
    };
    assert_eq!(exponent(31), Ok(()));
    let long = "an RSA key without an odd exponent from 3 to 2^31".to_owned();
    assert_eq!(exponent(32), Err(CertificateError::Key(long)));
}
