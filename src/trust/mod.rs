//! Signers: names for keys, and later for certificate identities and notation's trust policies.

mod key;
mod signer;
#[cfg(test)]
mod tests;

pub use key::{KeyError, PublicKey};
pub use signer::{Pattern, Signer, SignerKind};

use std::collections::BTreeMap;

use crate::files::Files;
use crate::gate::SignerName;
use crate::mistake::Mistake;

/// The trust store: whose signatures count, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    signers: BTreeMap<SignerName, Signer>,
}

impl Trust {
    /// The file that names the signers.
    pub const FILE: &'static str = "trust/signers.toml";

    /// Reads `trust/signers.toml` and the keys that it names; every mistake is told at once.
    ///
    /// `hostnames` are the names of this registry, the first its own: notation's scopes begin with one of them.
    pub fn parse(files: &Files, _hostnames: &[String]) -> Result<Self, Vec<Mistake>> {
        signer::parse(files).map(|signers| Self { signers })
    }

    /// Every signer, by name.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.signers.values()
    }

    /// The signer of that name.
    pub fn signer(&self, name: &SignerName) -> Option<&Signer> {
        self.signers.get(name)
    }
}
