//! Signers: names for keys, and later for certificate identities and notation's trust policies.

#[cfg(test)]
mod authority;
mod certificate;
#[cfg(test)]
mod certificate_tests;
mod distinguished_name;
mod extensions;
mod json_lines;
mod key;
mod policy_document;
#[cfg(test)]
mod policy_tests;
mod signer;
mod statement_document;
mod subject_pattern;
#[cfg(test)]
mod tests;
mod trust_policy;
mod trust_store;
#[cfg(test)]
mod vectors_tests;

pub use certificate::{Certificate, CertificateError, Curve, KeyKind};
pub use distinguished_name::DistinguishedName;
pub use extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage, RevocationEndPoints, Usage};
pub use key::{KeyError, PublicKey};
pub use signer::{Pattern, Signer, SignerKind};
pub use trust_policy::{Check, Handling, Statement, StoreKind, TrustPolicy, VerifyTimestamp};
pub use trust_store::TrustedCertificate;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::files::Files;
use crate::gate::SignerName;
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

    /// Reads `trust/signers.toml`, the keys that it names, and notation's trust policy with its stores; every mistake is
    /// told at once.
    ///
    /// `hostnames` are the names of this registry, the first its own: notation's scopes begin with one of them.
    pub fn parse(files: &Files, hostnames: &[String]) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let policy = policy_document::parse(files, hostnames).map_err(|found| mistakes.extend(found)).ok();
        match signer::parse(files, policy.as_ref()) {
            Ok(parsed) if mistakes.is_empty() => Ok(Self::of(parsed, policy.unwrap_or_default())),
            Ok(_) => Err(mistakes),
            Err(found) => Err(found.into_iter().chain(mistakes).collect()),
        }
    }

    /// Each notation signer holds the whole policy, so that it differs when anything does that its verdicts hang on: the
    /// statements, the stores and the names of the registry.
    fn of(mut signers: BTreeMap<SignerName, Signer>, policy: TrustPolicy) -> Self {
        let notation = Arc::new(policy);
        for signer in signers.values_mut() {
            signer.judge_by(&notation);
        }
        Self { signers, notation }
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
}
