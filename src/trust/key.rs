//! Public keys.

use crate::gate::Identity;

/// A public key of a kind that cosign signs with.
#[derive(Clone, Debug)]
pub struct PublicKey {
    identity: Identity,
}

/// Why a file is not a public key that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM.
    #[error("expected a public key in PEM")]
    NotPem,
}

impl PublicKey {
    /// Reads a PEM `PUBLIC KEY`.
    pub fn from_pem(_pem: &[u8]) -> Result<Self, KeyError> {
        Err(KeyError::NotPem)
    }

    /// What a threshold counts: the hexadecimal SHA-256 of its SubjectPublicKeyInfo in DER.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verify(&self, _message: &[u8], _signature: &[u8]) -> bool {
        false
    }
}
