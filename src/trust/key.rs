//! Public keys, and the one place where a signature is checked against one.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::MessageDigest;
use openssl::md::{Md, MdRef};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Verifier;

use crate::gate::Identity;
use crate::oci::Digest;

/// The smallest RSA modulus whose signatures count, in bits.
const RSA_MIN_BITS: u32 = 2048;
/// The largest: beyond it, one check costs more than any signature is worth.
const RSA_MAX_BITS: u32 = 8192;

/// A public key of a kind that cosign signs with.
#[derive(Clone, Debug)]
pub struct PublicKey {
    identity: Identity,
    key: PKey<Public>,
    scheme: Scheme,
}

/// Two keys are equal when their identity is.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for PublicKey {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// ECDSA over a hash, in DER. cosign hashes with the curve's own hash (P-384: SHA-384, P-521: SHA-512), but its
    /// older versions and key services hash with SHA-256 whatever the curve, so that is accepted beside it.
    Ecdsa { own: Hash },
    /// RSA PKCS #1 v1.5 over SHA-256.
    Rsa,
    /// Ed25519 over the message itself. cosign since 2.4 signs Ed25519ph with such keys, which is not read yet.
    Ed25519,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn md(self) -> &'static MdRef {
        match self {
            Self::Sha256 => Md::sha256(),
            Self::Sha384 => Md::sha384(),
            Self::Sha512 => Md::sha512(),
        }
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// Why a file is not a public key that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not exactly one PEM block, or not one that parses.
    #[error("expected one public key in PEM, found {0}")]
    NotPem(&'static str),
    /// A key that must be kept secret does not belong in a trust store.
    #[error("expected a public key, found a private one: keep it elsewhere, and replace it if others could read it")]
    Private,
    /// A weak RSA key.
    #[error("expected an RSA key of {RSA_MIN_BITS} to {RSA_MAX_BITS} bits with an odd exponent from 3, found {0} bits")]
    Rsa(u32),
    /// Another curve or another kind of key.
    #[error("expected ECDSA P-256, P-384 or P-521, RSA or Ed25519, found {0}")]
    Kind(String),
}

impl PublicKey {
    /// Reads a PEM `PUBLIC KEY` (`SubjectPublicKeyInfo`).
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(pem).map_err(|_utf8| KeyError::NotPem("bytes that are not text"))?;
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        match text.matches("-----BEGIN ").count() {
            0 => return Err(KeyError::NotPem("no PEM block")),
            1 => {}
            _ => return Err(KeyError::NotPem("several PEM blocks")),
        }
        if !text.contains("-----BEGIN PUBLIC KEY-----") {
            return Err(KeyError::NotPem("another kind of PEM block"));
        }
        let key = PKey::public_key_from_pem(pem).map_err(|_openssl| KeyError::NotPem("one that does not parse"))?;
        let (key, scheme) = canonical(&key)?;
        let der = key.public_key_to_der().map_err(|_openssl| KeyError::NotPem("one that does not encode"))?;
        Ok(Self { identity: Identity(Digest::sha256(&der).hex()), key, scheme })
    }

    /// What a threshold counts: the hexadecimal SHA-256 of its `SubjectPublicKeyInfo` in DER.
    ///
    /// One key has one identity, however its file encodes it.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The first 12 digits of the identity, for messages.
    pub fn short(&self) -> &str {
        self.identity.0.get(..12).unwrap_or(&self.identity.0)
    }

    /// Whether it is an Ed25519 key: clients that sign Ed25519ph with it make signatures that are not read.
    pub fn is_ed25519(&self) -> bool {
        self.scheme == Scheme::Ed25519
    }

    /// Whether `signature` is this key's over `message`. Whatever goes wrong is a no.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.scheme {
            Scheme::Ecdsa { own } => {
                self.verify_hashed(own, message, signature)
                    || (own != Hash::Sha256 && self.verify_hashed(Hash::Sha256, message, signature))
            }
            Scheme::Rsa => self.verify_hashed(Hash::Sha256, message, signature),
            Scheme::Ed25519 => Verifier::new_without_digest(&self.key)
                .and_then(|mut verifier| verifier.verify_oneshot(signature, message))
                .unwrap_or(false),
        }
    }

    fn verify_hashed(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let check = || {
            let hashed = openssl::hash::hash(hash.digest(), message)?;
            let mut context = PkeyCtx::new(&self.key)?;
            context.verify_init()?;
            if self.scheme == Scheme::Rsa {
                context.set_rsa_padding(Padding::PKCS1)?;
            }
            context.set_signature_md(hash.md())?;
            context.verify(&hashed, signature)
        };
        let verified: Result<bool, openssl::error::ErrorStack> = check();
        verified.unwrap_or(false)
    }
}

/// The identity of any key: of a kind that cosign signs with, what [`PublicKey::identity`] is.
pub(super) fn identity(key: &PKey<Public>) -> Identity {
    // What is in the one encoding already need not be rebuilt, which checks the key at length; RSA has but one.
    if let Some(der) = key.public_key_to_der().ok().filter(|der| key.id() == Id::RSA || is_canonical(der)) {
        return Identity(Digest::sha256(&der).hex());
    }
    let canonical = canonical(key).map(|(key, _)| key);
    let der = canonical.as_ref().unwrap_or(key).public_key_to_der();
    Identity(Digest::sha256(&der.unwrap_or_default()).hex())
}

/// Whether `der` is an uncompressed point on a named curve, by how such an encoding begins and how long it is.
fn is_canonical(der: &[u8]) -> bool {
    const P256: &[u8] =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    const P384: &[u8] =
        b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00\x04";
    let of = |prefix: &[u8], length: usize| der.len() == length && der.starts_with(prefix);
    of(P256, 91) || of(P384, 120)
}

/// The same key in its one encoding: named curve, uncompressed point. Two encodings would be two identities.
fn canonical(key: &PKey<Public>) -> Result<(PKey<Public>, Scheme), KeyError> {
    let unusable = |_openssl| KeyError::NotPem("one that is not valid");
    match key.id() {
        Id::EC => {
            let own = key.ec_key().map_err(unusable)?;
            let curve = own.group().curve_name();
            let hash = match curve {
                Some(Nid::X9_62_PRIME256V1) => Hash::Sha256,
                Some(Nid::SECP384R1) => Hash::Sha384,
                Some(Nid::SECP521R1) => Hash::Sha512,
                other => return Err(KeyError::Kind(curve_words(other))),
            };
            let rebuilt = rebuild(&own, curve.unwrap_or(Nid::UNDEF)).map_err(unusable)?;
            Ok((rebuilt, Scheme::Ecdsa { own: hash }))
        }
        Id::RSA => {
            let rsa = key.rsa().map_err(unusable)?;
            let bits = u32::try_from(rsa.n().num_bits()).unwrap_or_default();
            // With the exponent 1 a signature is its own message: anyone could make it.
            if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) || rsa.e().num_bits() < 2 || !rsa.e().is_bit_set(0) {
                return Err(KeyError::Rsa(bits));
            }
            let (n, e) = (rsa.n().to_owned().map_err(unusable)?, rsa.e().to_owned().map_err(unusable)?);
            let rebuilt = Rsa::from_public_components(n, e).and_then(PKey::from_rsa).map_err(unusable)?;
            Ok((rebuilt, Scheme::Rsa))
        }
        Id::ED25519 => Ok((key.clone(), Scheme::Ed25519)),
        other => Err(KeyError::Kind(Nid::from_raw(other.as_raw()).long_name().unwrap_or("another kind").to_owned())),
    }
}

fn rebuild(key: &EcKey<Public>, curve: Nid) -> Result<PKey<Public>, openssl::error::ErrorStack> {
    use openssl::ec::PointConversionForm;
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    let bytes = key.public_key().to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context)?;
    let point = EcPoint::from_bytes(&group, &bytes, &mut context)?;
    let rebuilt = EcKey::from_public_key(&group, &point)?;
    rebuilt.check_key()?;
    PKey::from_ec_key(rebuilt)
}

fn curve_words(curve: Option<Nid>) -> String {
    let name = curve.and_then(|nid| nid.long_name().ok());
    name.map_or_else(|| "a curve without a name".to_owned(), |name| format!("the curve {name}"))
}
