//! X.509 certificates: openssl checks keys and signatures, x509-cert reads the structure and what is critical.

use std::fmt;
use std::sync::{Arc, OnceLock};

use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::x509::X509;
use x509_cert::der::asn1::{ContextSpecific, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader, TagNumber};
use x509_cert::spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};
use x509_cert::time::Time;

use super::extensions::Extensions;
use super::key;
use super::{BasicConstraints, DistinguishedName, ExtendedKeyUsage, KeyUsage, RevocationEndPoints};
use crate::clock::Timestamp;
use crate::gate::Identity;

/// The largest certificate that is read, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// The smallest RSA modulus under which a certificate's signature counts, in bits.
const RSA_MIN_BITS: u32 = 2048;
/// The largest public exponent of RSA: Go's library, and so notation, takes no larger one either.
const RSA_EXPONENT_MAX: u32 = (1 << 31) - 1;

/// A certificate, parsed and bounded; nothing is said of who issued it or when it counts.
///
/// Cheap to clone. Two are equal when their encodings are.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    x509: X509,
    key: PKey<Public>,
    key_kind: KeyKind,
    subject: DistinguishedName,
    issuer: DistinguishedName,
    not_before: Timestamp,
    not_after: Timestamp,
    weak_signature: bool,
    extensions: Extensions,
    self_signed: OnceLock<bool>,
    key_identity: OnceLock<Identity>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.0.subject)
    }
}

/// The kind of a certificate's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, of any size.
    Rsa {
        /// The size of the modulus.
        bits: u32,
    },
    /// ECDSA on one of the curves that the specification knows.
    Ec(Curve),
    /// Another kind, in openssl's words.
    Other(String),
}

/// A curve on which notation signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA of {bits} bits"),
            Self::Ec(Curve::P256) => f.write_str("ECDSA P-256"),
            Self::Ec(Curve::P384) => f.write_str("ECDSA P-384"),
            Self::Ec(Curve::P521) => f.write_str("ECDSA P-521"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Why bytes are not a certificate that can be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More bytes than any honest certificate has.
    #[error("expected a certificate of at most {MAX_BYTES} bytes, found {0}")]
    TooLarge(usize),
    /// Not one certificate in DER, or something after it.
    #[error("expected one X.509 certificate in DER, found other bytes: {0}")]
    Structure(String),
    /// A key that openssl does not read, or one that anybody can sign with.
    #[error("expected a certificate with a usable key, found {0}")]
    Key(String),
    /// An extension that does not parse.
    #[error("expected a certificate whose extension {0} can be read, found one that can't")]
    Extension(String),
    /// Readers differ in which of the two they take.
    #[error("expected each extension once, found a second {0}")]
    DuplicateExtension(String),
}

impl Certificate {
    /// Reads exactly one certificate in DER, with nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_BYTES {
            return Err(CertificateError::TooLarge(der.len()));
        }
        let structure = |error: x509_cert::der::Error| CertificateError::Structure(error.to_string());
        let parsed = x509_cert::Certificate::from_der(der).map_err(structure)?;
        let unread = |_openssl| CertificateError::Structure("openssl does not read it".to_owned());
        let x509 = X509::from_der(der).map_err(unread)?;
        let key = x509.public_key().map_err(|_openssl| CertificateError::Key("one that does not parse".to_owned()))?;
        let tbs = &parsed.tbs_certificate;
        let key_kind = key_kind(&key, &tbs.subject_public_key_info)?;
        let weak_signature = tbs.signature != parsed.signature_algorithm || !is_sound(&parsed.signature_algorithm);
        Ok(Self(Arc::new(Inner {
            key,
            key_kind,
            subject: DistinguishedName::of(&tbs.subject, tbs.subject.to_der().map_err(structure)?),
            issuer: DistinguishedName::of(&tbs.issuer, tbs.issuer.to_der().map_err(structure)?),
            not_before: moment(tbs.validity.not_before),
            not_after: moment(tbs.validity.not_after),
            weak_signature,
            extensions: Extensions::of(tbs.extensions.as_deref().unwrap_or_default())?,
            self_signed: OnceLock::new(),
            key_identity: OnceLock::new(),
            x509,
            der: der.to_vec(),
        })))
    }

    /// The certificate as it was read.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Whose it is.
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// Who says that they issued it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// The first moment at which it is valid.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// The last second in which it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// Whether it names `issuer` and `issuer`'s key signed it, soundly. What `issuer` may issue is not asked here.
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        self.0.issuer == issuer.0.subject
            && !self.0.weak_signature
            && issuer.0.signs_soundly()
            && self.0.x509.verify(&issuer.0.key).unwrap_or(false)
    }

    /// Whether it is issued by itself.
    pub fn is_self_signed(&self) -> bool {
        *self.0.self_signed.get_or_init(|| self.is_issued_by(self))
    }

    /// Whether its signature is by SHA-1, MD5 or anything else that is not known to be sound, or names two algorithms.
    pub fn has_weak_signature(&self) -> bool {
        self.0.weak_signature
    }

    /// The key that it certifies.
    pub fn key(&self) -> &PKey<Public> {
        &self.0.key
    }

    /// The kind of its key.
    pub fn key_kind(&self) -> &KeyKind {
        &self.0.key_kind
    }

    /// The hexadecimal SHA-256 of its key's `SubjectPublicKeyInfo` in the one encoding that
    /// [`PublicKey::identity`](super::PublicKey::identity) hashes, so that one key is one identity.
    pub fn key_identity(&self) -> &Identity {
        self.0.key_identity.get_or_init(|| key::identity(&self.0.key))
    }

    /// Its basic constraints.
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.0.extensions.basic_constraints
    }

    /// What its key may be used for.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.0.extensions.key_usage
    }

    /// The purposes to which its key is limited.
    pub fn extended_key_usage(&self) -> Option<&ExtendedKeyUsage> {
        self.0.extensions.extended_key_usage.as_ref()
    }

    /// The critical extensions that nothing here reads, by their dotted object identifiers.
    pub fn unknown_critical(&self) -> &[String] {
        &self.0.extensions.unknown_critical
    }

    /// Where one could ask whether it was revoked.
    pub fn revocation_end_points(&self) -> &RevocationEndPoints {
        &self.0.extensions.end_points
    }
}

impl Inner {
    fn signs_soundly(&self) -> bool {
        match self.key_kind {
            KeyKind::Rsa { bits } => bits >= RSA_MIN_BITS,
            KeyKind::Ec(_) => true,
            KeyKind::Other(_) => self.key.id() == Id::ED25519,
        }
    }
}

fn moment(time: Time) -> Timestamp {
    Timestamp::from_micros(i64::try_from(time.to_unix_duration().as_micros()).unwrap_or(i64::MAX))
}

/// Read from the encoding: openssl would first turn the key into one of its older form.
fn key_kind(key: &PKey<Public>, written: &SubjectPublicKeyInfoOwned) -> Result<KeyKind, CertificateError> {
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    let name = |nid: Nid| nid.long_name().unwrap_or("another kind").to_owned();
    match key.id() {
        Id::RSA => rsa_kind(written),
        Id::EC => {
            let parameters = written.algorithm.parameters.as_ref();
            Ok(match parameters.and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok()) {
                Some(P256) => KeyKind::Ec(Curve::P256),
                Some(P384) => KeyKind::Ec(Curve::P384),
                Some(P521) => KeyKind::Ec(Curve::P521),
                Some(other) => KeyKind::Other(format!("the curve {other}")),
                None => KeyKind::Other("a curve without a name".to_owned()),
            })
        }
        other => Ok(KeyKind::Other(name(Nid::from_raw(other.as_raw())))),
    }
}

fn rsa_kind(written: &SubjectPublicKeyInfoOwned) -> Result<KeyKind, CertificateError> {
    let unusable = || CertificateError::Key("one that is not valid".to_owned());
    let bytes = written.subject_public_key.as_bytes().ok_or_else(unusable)?;
    let read = SliceReader::new(bytes)
        .and_then(|mut reader| reader.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?))));
    let (modulus, exponent) = read.map_err(|_der| unusable())?;
    // With the exponent 1 a signature is its own message: anyone could make it. One as long as the modulus would make
    // each of ten checks cost what a signature costs, before any trust.
    let value = exponent
        .as_bytes()
        .iter()
        .try_fold(0_u32, |value, byte| value.checked_mul(256).and_then(|value| value.checked_add(u32::from(*byte))));
    if value.is_none_or(|value| !(3..=RSA_EXPONENT_MAX).contains(&value) || value % 2 == 0) {
        return Err(CertificateError::Key("an RSA key without an odd exponent from 3 to 2^31".to_owned()));
    }
    let (first, length) = (modulus.as_bytes().first().copied().unwrap_or_default(), modulus.as_bytes().len());
    let bits = u32::try_from(length).unwrap_or_default().saturating_mul(8).saturating_sub(first.leading_zeros());
    Ok(KeyKind::Rsa { bits })
}

/// RSA and ECDSA over SHA-2 and Ed25519.
fn is_sound(algorithm: &AlgorithmIdentifierOwned) -> bool {
    const SOUND: [ObjectIdentifier; 7] = [
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"),
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"),
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"),
        ObjectIdentifier::new_unwrap("1.3.101.112"),
    ];
    const PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
    SOUND.contains(&algorithm.oid) || (algorithm.oid == PSS && pss_hash_is_sound(algorithm))
}

/// Absent parameters mean SHA-1.
fn pss_hash_is_sound(algorithm: &AlgorithmIdentifierOwned) -> bool {
    const SHA2: [ObjectIdentifier; 3] = [
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
    ];
    let Some(parameters) = &algorithm.parameters else { return false };
    let hash = parameters.sequence(|reader| {
        let hash = ContextSpecific::<AlgorithmIdentifierRef<'_>>::decode_explicit(reader, TagNumber::N0)?;
        reader.read_slice(reader.remaining_len())?;
        Ok(hash.map(|hash| hash.value.oid))
    });
    hash.is_ok_and(|hash| hash.is_some_and(|oid| SHA2.contains(&oid)))
}
