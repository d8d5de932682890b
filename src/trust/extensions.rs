//! What a certificate's extensions say, and which critical ones nothing here reads.

use std::collections::BTreeSet;
use std::fmt;

use x509_cert::der::Decode;
use x509_cert::der::flagset::FlagSet;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{self, AuthorityInfoAccessSyntax, CrlDistributionPoints, KeyUsages};

use super::CertificateError;

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const AUTHORITY_INFO_ACCESS: &str = "1.3.6.1.5.5.7.1.1";
/// The access method of an OCSP responder.
const OCSP: &str = "1.3.6.1.5.5.7.48.1";

/// Whether the subject may issue, and how deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the extension is critical.
    pub critical: bool,
    /// Whether the subject is a certificate authority.
    pub ca: bool,
    /// How many certificates of authorities may come between it and the leaf, if it says so.
    pub path_length: Option<u8>,
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// Whether the extension is critical.
    pub critical: bool,
    bits: FlagSet<KeyUsages>,
}

/// One use of a key, by [RFC 5280 §4.2.1.3](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Signatures over data.
    DigitalSignature,
    /// Commitments to content.
    NonRepudiation,
    /// Encryption of keys.
    KeyEncipherment,
    /// Encryption of data.
    DataEncipherment,
    /// Agreement on keys.
    KeyAgreement,
    /// Signatures over certificates.
    KeyCertSign,
    /// Signatures over revocation lists.
    CrlSign,
    /// Encryption only, beside agreement on keys.
    EncipherOnly,
    /// Decryption only, beside agreement on keys.
    DecipherOnly,
}

impl Usage {
    /// Every use.
    pub const ALL: [Self; 9] = [
        Self::DigitalSignature,
        Self::NonRepudiation,
        Self::KeyEncipherment,
        Self::DataEncipherment,
        Self::KeyAgreement,
        Self::KeyCertSign,
        Self::CrlSign,
        Self::EncipherOnly,
        Self::DecipherOnly,
    ];

    /// The word that the standard has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DigitalSignature => "digitalSignature",
            Self::NonRepudiation => "nonRepudiation",
            Self::KeyEncipherment => "keyEncipherment",
            Self::DataEncipherment => "dataEncipherment",
            Self::KeyAgreement => "keyAgreement",
            Self::KeyCertSign => "keyCertSign",
            Self::CrlSign => "cRLSign",
            Self::EncipherOnly => "encipherOnly",
            Self::DecipherOnly => "decipherOnly",
        }
    }

    fn bit(self) -> KeyUsages {
        match self {
            Self::DigitalSignature => KeyUsages::DigitalSignature,
            Self::NonRepudiation => KeyUsages::NonRepudiation,
            Self::KeyEncipherment => KeyUsages::KeyEncipherment,
            Self::DataEncipherment => KeyUsages::DataEncipherment,
            Self::KeyAgreement => KeyUsages::KeyAgreement,
            Self::KeyCertSign => KeyUsages::KeyCertSign,
            Self::CrlSign => KeyUsages::CRLSign,
            Self::EncipherOnly => KeyUsages::EncipherOnly,
            Self::DecipherOnly => KeyUsages::DecipherOnly,
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl KeyUsage {
    /// Whether the key may be used for `usage`.
    pub fn has(self, usage: Usage) -> bool {
        self.bits.contains(usage.bit())
    }

    /// Everything that the key may be used for.
    pub fn all(self) -> impl Iterator<Item = Usage> {
        Usage::ALL.into_iter().filter(move |usage| self.has(*usage))
    }
}

/// The purposes to which a key is limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedKeyUsage {
    /// Whether the extension is critical.
    pub critical: bool,
    /// Dotted object identifiers.
    pub purposes: Vec<String>,
}

impl ExtendedKeyUsage {
    /// Any purpose.
    pub const ANY: &'static str = "2.5.29.37.0";
    /// TLS servers.
    pub const SERVER_AUTH: &'static str = "1.3.6.1.5.5.7.3.1";
    /// TLS clients.
    pub const CLIENT_AUTH: &'static str = "1.3.6.1.5.5.7.3.2";
    /// Code.
    pub const CODE_SIGNING: &'static str = "1.3.6.1.5.5.7.3.3";
    /// Electronic mail.
    pub const EMAIL_PROTECTION: &'static str = "1.3.6.1.5.5.7.3.4";
    /// Timestamps.
    pub const TIME_STAMPING: &'static str = "1.3.6.1.5.5.7.3.8";
    /// Answers about revocation.
    pub const OCSP_SIGNING: &'static str = "1.3.6.1.5.5.7.3.9";
}

/// Where one could ask whether a certificate was revoked; empty when nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationEndPoints {
    /// OCSP responders, as URIs.
    pub ocsp: Vec<String>,
    /// Revocation lists, as URIs.
    pub crl: Vec<String>,
}

impl RevocationEndPoints {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ocsp.is_empty() && self.crl.is_empty()
    }
}

#[derive(Default)]
pub(super) struct Extensions {
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) extended_key_usage: Option<ExtendedKeyUsage>,
    pub(super) unknown_critical: Vec<String>,
    pub(super) end_points: RevocationEndPoints,
}

impl Extensions {
    pub(super) fn of(written: &[Extension]) -> Result<Self, CertificateError> {
        let (mut all, mut seen) = (Self::default(), BTreeSet::new());
        for extension in written {
            let oid = extension.extn_id.to_string();
            if !seen.insert(extension.extn_id) {
                return Err(CertificateError::DuplicateExtension(oid));
            }
            let value = extension.extn_value.as_bytes();
            let critical = extension.critical;
            match oid.as_str() {
                BASIC_CONSTRAINTS => {
                    let read: pkix::BasicConstraints = read(&oid, value)?;
                    let path_length = read.path_len_constraint;
                    all.basic_constraints = Some(BasicConstraints { critical, ca: read.ca, path_length });
                }
                KEY_USAGE => {
                    let read: pkix::KeyUsage = read(&oid, value)?;
                    all.key_usage = Some(KeyUsage { critical, bits: read.0 });
                }
                EXTENDED_KEY_USAGE => {
                    let read: pkix::ExtendedKeyUsage = read(&oid, value)?;
                    let purposes = read.0.iter().map(ToString::to_string).collect();
                    all.extended_key_usage = Some(ExtendedKeyUsage { critical, purposes });
                }
                AUTHORITY_INFO_ACCESS => all.end_points.ocsp = responders(&read(&oid, value)?),
                CRL_DISTRIBUTION_POINTS => all.end_points.crl = lists(&read(&oid, value)?),
                _ if critical => all.unknown_critical.push(oid),
                _ => {}
            }
        }
        Ok(all)
    }
}

fn read<'d, T: Decode<'d>>(oid: &str, value: &'d [u8]) -> Result<T, CertificateError> {
    T::from_der(value).map_err(|_der| CertificateError::Extension(oid.to_owned()))
}

fn responders(access: &AuthorityInfoAccessSyntax) -> Vec<String> {
    let ocsp = access.0.iter().filter(|access| access.access_method.to_string() == OCSP);
    ocsp.filter_map(|access| uri(&access.access_location)).collect()
}

fn lists(points: &CrlDistributionPoints) -> Vec<String> {
    let full = points.0.iter().filter_map(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => Some(names),
        _ => None,
    });
    full.flatten().filter_map(uri).collect()
}

fn uri(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    }
}
