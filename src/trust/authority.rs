//! Certificates made for tests.

use rcgen::{BasicConstraints, CertificateParams, DnType, DnValue, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::Certificate;

/// An authority or a leaf, with its key.
pub(super) struct Made {
    pub(super) params: CertificateParams,
    pub(super) key: KeyPair,
    pub(super) der: Vec<u8>,
}

impl Made {
    pub(super) fn certificate(&self) -> Certificate {
        Certificate::from_der(&self.der).unwrap()
    }

    pub(super) fn pem(&self) -> String {
        pem(&self.der)
    }
}

pub(super) fn pem(der: &[u8]) -> String {
    let body = openssl::base64::encode_block(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

/// `C=US,ST=WA,O=Acme` and this common name.
pub(super) fn named(name: &str) -> CertificateParams {
    let attributes = [
        (DnType::CountryName, DnValue::PrintableString("US".try_into().unwrap())),
        (DnType::StateOrProvinceName, "WA".into()),
        (DnType::OrganizationName, "Acme".into()),
        (DnType::CommonName, name.into()),
    ];
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in attributes {
        params.distinguished_name.push(kind, value);
    }
    params
}

pub(super) fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(super) fn self_signed(params: CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Made { params, key, der }
}

pub(super) fn issued(params: CertificateParams, by: &Made) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)).unwrap().der().to_vec();
    Made { params, key, der }
}
