//! Signature algorithms: the key decides which, and the envelope must say the same.

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::md::{Md, MdRef};
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::RsaPssSaltlen;

use crate::trust::{Curve, KeyKind};

/// The algorithms of the specification, by their names in JWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

use Algorithm::{Es256, Es384, Es512, Ps256, Ps384, Ps512};

impl Algorithm {
    const ALL: [Self; 6] = [Ps256, Ps384, Ps512, Es256, Es384, Es512];

    /// Its name in JWS.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Ps256 => "PS256",
            Ps384 => "PS384",
            Ps512 => "PS512",
            Es256 => "ES256",
            Es384 => "ES384",
            Es512 => "ES512",
        }
    }

    /// Its number in COSE.
    const fn number(self) -> i128 {
        match self {
            Ps256 => -37,
            Ps384 => -38,
            Ps512 => -39,
            Es256 => -7,
            Es384 => -35,
            Es512 => -36,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(super) fn numbered(number: i128) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.number() == number)
    }

    /// The one that a key of this kind must sign with, if it may sign at all.
    pub(super) const fn of(key: &KeyKind) -> Option<Self> {
        match key {
            KeyKind::Rsa { bits: 2048 } => Some(Ps256),
            KeyKind::Rsa { bits: 3072 } => Some(Ps384),
            KeyKind::Rsa { bits: 4096 } => Some(Ps512),
            KeyKind::Ec(Curve::P256) => Some(Es256),
            KeyKind::Ec(Curve::P384) => Some(Es384),
            KeyKind::Ec(Curve::P521) => Some(Es512),
            KeyKind::Rsa { .. } | KeyKind::Other(_) => None,
        }
    }

    fn hash(self) -> (MessageDigest, &'static MdRef) {
        match self {
            Ps256 | Es256 => (MessageDigest::sha256(), Md::sha256()),
            Ps384 | Es384 => (MessageDigest::sha384(), Md::sha384()),
            Ps512 | Es512 => (MessageDigest::sha512(), Md::sha512()),
        }
    }

    /// The size of each half of an ECDSA signature, in bytes.
    const fn half(self) -> Option<usize> {
        match self {
            Es256 => Some(32),
            Es384 => Some(48),
            Es512 => Some(66),
            Ps256 | Ps384 | Ps512 => None,
        }
    }

    /// Whether `signature` is `key`'s over `message`. Whatever goes wrong is a no.
    pub(super) fn verify(self, key: &PKey<Public>, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.half() {
            None => self.verify_encoded(key, message, signature),
            Some(half) if signature.len() == half.saturating_mul(2) => {
                let (r, s) = signature.split_at(half);
                der(r, s).and_then(|der| self.verify_encoded(key, message, &der))
            }
            Some(_) => Ok(false),
        };
        verified.unwrap_or(false)
    }

    fn verify_encoded(self, key: &PKey<Public>, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let (digest, md) = self.hash();
        let hashed = openssl::hash::hash(digest, message)?;
        let mut context = PkeyCtx::new(key)?;
        context.verify_init()?;
        if self.half().is_none() {
            context.set_rsa_padding(Padding::PKCS1_PSS)?;
            context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            context.set_rsa_mgf1_md(md)?;
        }
        context.set_signature_md(md)?;
        context.verify(&hashed, signature)
    }
}

fn der(r: &[u8], s: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()
}
