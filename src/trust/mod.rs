//! Signers: names for keys, and later for certificate identities and notation's trust policies.

mod certificate;
mod distinguished_name;
mod extensions;
mod key;
mod signer;
#[cfg(test)]
mod tests;
mod trust_policy;

pub use certificate::{Certificate, CertificateError, Curve, KeyKind};
pub use distinguished_name::DistinguishedName;
pub use extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage, RevocationEndPoints, Usage};
pub use key::{KeyError, PublicKey};
pub use signer::{Pattern, Signer, SignerKind};
pub use trust_policy::{Check, Handling, Statement, StoreKind, TrustPolicy, VerifyTimestamp};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::files::Files;
use crate::gate::{Identity, SignerName};
use crate::mistake::Mistake;
use crate::oci::RepositoryName;

/// The trust store: whose signatures count, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    signers: BTreeMap<SignerName, Signer>,
    notation: Arc<TrustPolicy>,
}

impl Trust {
    /// The file that names the signers.
    pub const FILE: &'static str = "trust/signers.toml";

    /// Reads `trust/signers.toml` and the keys that it names; every mistake is told at once.
    ///
    /// `hostnames` are the names of this registry, the first its own: notation's scopes begin with one of them.
    pub fn parse(files: &Files, _hostnames: &[String]) -> Result<Self, Vec<Mistake>> {
        signer::parse(files).map(|signers| Self { signers, notation: Arc::default() })
    }

    /// Every signer, by name.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.signers.values()
    }

    /// The signer of that name.
    pub fn signer(&self, name: &SignerName) -> Option<&Signer> {
        self.signers.get(name)
    }

    /// notation's trust policy; one without statements when there is no document.
    pub fn notation(&self) -> &TrustPolicy {
        &self.notation
    }

    /// The statement of notation's trust policy that speaks for `repository`.
    pub fn statement(&self, repository: &RepositoryName) -> Option<&Statement> {
        self.notation.statement(repository)
    }

    /// The names of this registry, the first its own.
    pub fn hostnames(&self) -> &[String] {
        &self.notation.hostnames
    }

    /// The signers that `statement` makes, and whose signatures count in `repository`.
    pub fn notation_signers<'t>(
        &'t self,
        statement: &'t Statement,
        repository: &'t RepositoryName,
    ) -> impl Iterator<Item = &'t Signer> {
        let makes = |signer: &&Signer| matches!(signer.kind(), SignerKind::Notation { policy, .. } if policy == statement.name());
        self.signers().filter(makes).filter(|signer| signer.applies_to(repository))
    }

    /// Whether `identity` is the key of a signer of cosign's: a notation signature by that key is the same signer.
    pub fn is_cosign_key(&self, identity: &Identity) -> bool {
        self.notation.keys.contains(identity)
    }
}
