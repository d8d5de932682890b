//! Certificate authorities and the certificates that they issue.

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

use super::{DAY, SIGNED_AT};

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    P256,
    P384,
    P521,
    Rsa2048,
    Rsa3072,
    Rsa4096,
}

impl Key {
    /// A fresh key.
    pub fn generate(self) -> PKey<Private> {
        let ec =
            |curve| PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap();
        let rsa = |bits| PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        match self {
            Self::P256 => ec(Nid::X9_62_PRIME256V1),
            Self::P384 => ec(Nid::SECP384R1),
            Self::P521 => ec(Nid::SECP521R1),
            Self::Rsa2048 => rsa(2048),
            Self::Rsa3072 => rsa(3072),
            Self::Rsa4096 => rsa(4096),
        }
    }

    /// The name of the algorithm that notation prescribes for it.
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::P256 => "ES256",
            Self::P384 => "ES384",
            Self::P521 => "ES512",
            Self::Rsa2048 => "PS256",
            Self::Rsa3072 => "PS384",
            Self::Rsa4096 => "PS512",
        }
    }
}

/// What a certificate says; by default what notation asks of one for code signing.
#[derive(Clone)]
pub struct LeafSpec {
    /// Written as `C=US, ST=WA, O=acme, CN=release`.
    pub subject: String,
    pub key: Key,
    /// The key itself, if it is not to be a fresh one.
    pub own_key: Option<PKey<Private>>,
    /// Seconds since the epoch.
    pub not_before: i64,
    /// Seconds since the epoch.
    pub not_after: i64,
    pub extended_key_usage: Vec<ExtendedKeyUsagePurpose>,
    /// Always written as critical.
    pub key_usage: Vec<KeyUsagePurpose>,
    /// Basic constraints: nothing writes none.
    pub is_ca: IsCa,
    /// More extensions as they are: identifier, content in DER, critical.
    pub extensions: Vec<(Vec<u64>, Vec<u8>, bool)>,
}

impl LeafSpec {
    /// A certificate for code signing, valid for the year 2026 and a bit on either side.
    pub fn new(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            key: Key::P256,
            own_key: None,
            not_before: SIGNED_AT - 30 * DAY,
            not_after: SIGNED_AT + 400 * DAY,
            extended_key_usage: vec![ExtendedKeyUsagePurpose::CodeSigning],
            key_usage: vec![KeyUsagePurpose::DigitalSignature],
            is_ca: IsCa::NoCa,
            extensions: Vec::new(),
        }
    }

    /// A certificate of an authority, valid longer than those it issues.
    pub fn authority(subject: &str) -> Self {
        Self {
            not_before: SIGNED_AT - 1000 * DAY,
            not_after: SIGNED_AT + 4000 * DAY,
            extended_key_usage: Vec::new(),
            key_usage: vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign],
            is_ca: IsCa::Ca(BasicConstraints::Unconstrained),
            ..Self::new(subject)
        }
    }

    #[must_use]
    pub fn key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    #[must_use]
    pub fn own_key(self, key: PKey<Private>) -> Self {
        Self { own_key: Some(key), ..self }
    }

    #[must_use]
    pub fn valid(self, not_before: i64, not_after: i64) -> Self {
        Self { not_before, not_after, ..self }
    }

    #[must_use]
    pub fn extended_key_usage(self, purposes: &[ExtendedKeyUsagePurpose]) -> Self {
        Self { extended_key_usage: purposes.to_vec(), ..self }
    }

    #[must_use]
    pub fn key_usage(self, usages: &[KeyUsagePurpose]) -> Self {
        Self { key_usage: usages.to_vec(), ..self }
    }

    #[must_use]
    pub fn basic_constraints(self, is_ca: IsCa) -> Self {
        Self { is_ca, ..self }
    }

    /// An extension of the identifier `oid`, such as `&[2, 5, 29, 15]`, with its content in DER.
    #[must_use]
    pub fn extension(mut self, oid: &[u64], content: &[u8], critical: bool) -> Self {
        self.extensions.push((oid.to_vec(), content.to_vec(), critical));
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(&self.subject);
        params.not_before = OffsetDateTime::from_unix_timestamp(self.not_before).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(self.not_after).unwrap();
        params.extended_key_usages.clone_from(&self.extended_key_usage);
        params.key_usages.clone_from(&self.key_usage);
        params.is_ca = self.is_ca;
        params.use_authority_key_identifier_extension = true;
        for (oid, content, critical) in &self.extensions {
            let mut extension = CustomExtension::from_oid_content(oid, content.clone());
            extension.set_criticality(*critical);
            params.custom_extensions.push(extension);
        }
        params
    }

    fn keys(&self) -> (String, KeyPair) {
        let key = self.own_key.clone().unwrap_or_else(|| self.key.generate());
        let pem = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let pair = KeyPair::from_pem(&pem).unwrap();
        (pem, pair)
    }
}

fn distinguished_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for part in text.split(',') {
        let (kind, value) = part.trim().split_once('=').expect("a part such as CN=release");
        let kind = match kind {
            "C" => DnType::CountryName,
            "ST" => DnType::StateOrProvinceName,
            "L" => DnType::LocalityName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            "CN" => DnType::CommonName,
            other => panic!("no such attribute: {other}"),
        };
        name.push(kind, value);
    }
    name
}

/// A root, or an intermediate below one.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate first, the root last.
    chain: Vec<Vec<u8>>,
}

/// A certificate with its key and the chain up to the root.
#[derive(Clone, Debug)]
pub struct SigningCertificate {
    /// In DER: the leaf first, the root last.
    pub chain: Vec<Vec<u8>>,
    /// In PKCS #8.
    pub key_pem: String,
    /// The algorithm that notation prescribes for the key.
    pub algorithm: &'static str,
}

impl Authority {
    /// A root of the distinguished name `dn`.
    pub fn new(dn: &str) -> Self {
        Self::root(&LeafSpec::authority(dn))
    }

    /// A root as `spec` says.
    pub fn root(spec: &LeafSpec) -> Self {
        let (params, (_, pair)) = (spec.params(), spec.keys());
        let chain = vec![params.self_signed(&pair).unwrap().der().to_vec()];
        Self { issuer: Issuer::new(params, pair), chain }
    }

    #[must_use]
    /// An intermediate that this authority issues.
    pub fn intermediate(&self, dn: &str) -> Self {
        self.intermediate_as(&LeafSpec::authority(dn))
    }

    #[must_use]
    /// An intermediate as `spec` says.
    pub fn intermediate_as(&self, spec: &LeafSpec) -> Self {
        let (params, (_, pair)) = (spec.params(), spec.keys());
        let chain = self.below(&params, &pair);
        Self { issuer: Issuer::new(params, pair), chain }
    }

    /// A certificate with its chain.
    pub fn issue(&self, spec: &LeafSpec) -> SigningCertificate {
        let (params, (key_pem, pair)) = (spec.params(), spec.keys());
        SigningCertificate { chain: self.below(&params, &pair), key_pem, algorithm: spec.key.algorithm() }
    }

    fn below(&self, params: &CertificateParams, pair: &KeyPair) -> Vec<Vec<u8>> {
        let mut chain = vec![params.signed_by(pair, &self.issuer).unwrap().der().to_vec()];
        chain.extend_from_slice(&self.chain);
        chain
    }

    /// Its own certificate in PEM.
    pub fn pem(&self) -> String {
        pem_of(self.chain.first().unwrap())
    }

    /// The root's certificate in PEM, as a trust store holds it.
    pub fn root_pem(&self) -> String {
        pem_of(self.chain.last().unwrap())
    }
}

impl SigningCertificate {
    /// A certificate that no authority issued.
    pub fn self_signed(spec: &LeafSpec) -> Self {
        let (key_pem, pair) = spec.keys();
        let chain = vec![spec.params().self_signed(&pair).unwrap().der().to_vec()];
        Self { chain, key_pem, algorithm: spec.key.algorithm() }
    }

    /// The leaf in PEM.
    pub fn leaf_pem(&self) -> String {
        pem_of(self.chain.first().unwrap())
    }

    /// The whole chain in PEM, the leaf first, as `notation sign` reads it.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem_of(der)).collect()
    }
}

fn pem_of(der: &[u8]) -> String {
    String::from_utf8(openssl::x509::X509::from_der(der).unwrap().to_pem().unwrap()).unwrap()
}
