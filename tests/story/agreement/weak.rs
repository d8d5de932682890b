//! Certificates that no careful library makes: weak keys, and signatures by SHA-1.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, KeyUsage};
use openssl::x509::{X509, X509Name, X509NameBuilder};

use crate::forge::SigningCertificate;
use crate::harness::ACME;

/// A root, and a leaf with an RSA key of `bits` that it signed with `digest`.
pub(super) fn certificate(bits: u32, digest: MessageDigest) -> SigningCertificate {
    let (root_key, key) = (rsa(2048), rsa(bits));
    let root_name = name("C=GB, ST=Kent, O=Acme, CN=weak");
    let root = issued(&root_name, &root_key, (&root_name, &root_key, MessageDigest::sha256()), true);
    let leaf = issued(&name(ACME), &key, (&root_name, &root_key, digest), false);
    SigningCertificate {
        chain: vec![leaf.to_der().unwrap(), root.to_der().unwrap()],
        key_pem: String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap(),
        algorithm: "PS256",
    }
}

/// The root of such a chain, in PEM.
pub(super) fn root_pem(certificate: &SigningCertificate) -> String {
    let root = X509::from_der(certificate.chain.last().unwrap()).unwrap();
    String::from_utf8(root.to_pem().unwrap()).unwrap()
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

fn name(text: &str) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    for part in text.split(", ") {
        let (kind, value) = part.split_once('=').unwrap();
        name.append_entry_by_text(kind, value).unwrap();
    }
    name.build()
}

fn issued(
    subject: &X509Name,
    key: &PKey<Private>,
    (issuer, issuer_key, digest): (&X509Name, &PKey<Private>, MessageDigest),
    is_ca: bool,
) -> X509 {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(9).unwrap()).unwrap();
    let (mut constraints, mut usage) = (BasicConstraints::new(), KeyUsage::new());
    constraints.critical();
    usage.critical();
    if is_ca {
        constraints.ca();
        usage.key_cert_sign();
    } else {
        usage.digital_signature();
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    builder.append_extension(usage.build().unwrap()).unwrap();
    builder.sign(issuer_key, digest).unwrap();
    builder.build()
}
