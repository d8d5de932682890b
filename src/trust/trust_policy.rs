//! notation's trust policy: which statement speaks for a repository, and what it asks.

use std::collections::BTreeMap;
use std::fmt;

use super::subject_pattern::SubjectPattern;
use super::trust_store::TrustedCertificate;
use super::{Certificate, DistinguishedName};
use crate::oci::RepositoryName;

/// The scope of every repository, and the identity of every signer.
pub(super) const GLOBAL: &str = "*";

/// What a statement enforces, logs or skips; integrity is always enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The signature chains up to a trust store, and the signer is a trusted identity.
    Authenticity,
    /// The chain was valid when it was signed, or is now.
    AuthenticTimestamp,
    /// The signature has not expired.
    Expiry,
    /// No certificate was revoked.
    Revocation,
}

/// What a statement does about a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// Whoever fails it counts for nothing.
    Enforce,
    /// A failure is told.
    Log,
    /// It is not made.
    Skip,
}

/// When timestamps are verified, if a `tsa:` store is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyTimestamp {
    /// Always.
    #[default]
    Always,
    /// Once a certificate of the chain has expired.
    AfterCertExpiry,
}

/// The kinds of trust stores, by the folders below `trust/x509/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// `ca`: for the signing scheme `notary.x509`.
    Ca,
    /// `signingAuthority`: for the signing scheme `notary.x509.signingAuthority`.
    SigningAuthority,
    /// `tsa`: for timestamps.
    Tsa,
}

impl Check {
    /// Every check, in the order of the specification.
    pub const ALL: [Self; 4] = [Self::Authenticity, Self::AuthenticTimestamp, Self::Expiry, Self::Revocation];

    /// The word in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authenticity => "authenticity",
            Self::AuthenticTimestamp => "authenticTimestamp",
            Self::Expiry => "expiry",
            Self::Revocation => "revocation",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl StoreKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Ca, Self::SigningAuthority, Self::Tsa];

    /// The word in the document, and the name of the folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::SigningAuthority => "signingAuthority",
            Self::Tsa => "tsa",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A statement of the trust policy, with the certificates of the stores that it lists.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) level: String,
    pub(super) handling: BTreeMap<Check, Handling>,
    pub(super) verify_timestamp: VerifyTimestamp,
    pub(super) scopes: Vec<String>,
    pub(super) stores: Vec<Store>,
    pub(super) identities: Vec<TrustedIdentity>,
    pub(super) not_enforced: Option<String>,
}

/// Two statements are equal when they judge alike; the line says nothing.
impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        let all =
            |s: &Self| (s.name.clone(), s.level.clone(), s.handling.clone(), s.verify_timestamp, s.scopes.clone());
        all(self) == all(other) && self.stores == other.stores && self.identities == other.identities
    }
}

impl Eq for Statement {}

/// A store as a statement lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Store {
    pub(super) kind: StoreKind,
    pub(super) name: String,
    pub(super) certificates: Vec<Certificate>,
}

/// Whose signatures a statement trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TrustedIdentity {
    Anyone,
    Subject { written: String, pattern: SubjectPattern },
}

impl TrustedIdentity {
    pub(super) fn written(&self) -> &str {
        match self {
            Self::Anyone => GLOBAL,
            Self::Subject { written, .. } => written,
        }
    }

    /// Whether one of both names all that the other names.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Subject { pattern, .. }, Self::Subject { pattern: other, .. }) => {
                pattern.covers(other) || other.covers(pattern)
            }
            (Self::Anyone, _) | (_, Self::Anyone) => true,
        }
    }

    fn names(&self, subject: &DistinguishedName) -> bool {
        match self {
            Self::Anyone => true,
            Self::Subject { pattern, .. } => pattern.matches(subject),
        }
    }
}

impl Statement {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line of `trust/trustpolicy.json` on which it begins.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The level as written: `strict`, `permissive`, `audit` or `skip`.
    pub fn level(&self) -> &str {
        &self.level
    }

    /// What it does about `check`, by its level and overrides.
    pub fn handling(&self, check: Check) -> Handling {
        self.handling.get(&check).copied().unwrap_or(Handling::Skip)
    }

    /// When it verifies timestamps.
    pub fn verify_timestamp(&self) -> VerifyTimestamp {
        self.verify_timestamp
    }

    /// The scopes as written.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether it lists a store of `tsa:`, so that timestamps are verified.
    pub fn lists_tsa_store(&self) -> bool {
        self.stores.iter().any(|store| store.kind == StoreKind::Tsa)
    }

    /// The certificates of the stores of `kind` that it lists.
    pub fn certificates(&self, kind: StoreKind) -> impl Iterator<Item = &Certificate> {
        self.stores.iter().filter(move |store| store.kind == kind).flat_map(|store| &store.certificates)
    }

    /// The stores as written.
    pub fn stores(&self) -> Vec<String> {
        self.stores.iter().map(|store| format!("{}:{}", store.kind, store.name)).collect()
    }

    /// Whether a leaf of `subject` is one of its trusted identities.
    pub fn trusts(&self, subject: &DistinguishedName) -> bool {
        self.identities.iter().any(|identity| identity.names(subject))
    }

    /// The trusted identities as written.
    pub fn identities(&self) -> Vec<&str> {
        self.identities.iter().map(TrustedIdentity::written).collect()
    }

    /// What keeps it from backing any requirement, in words: the checks that it does not enforce though a requirement
    /// needs them, as a clause that follows its name.
    pub fn not_enforced(&self) -> Option<&str> {
        self.not_enforced.as_deref()
    }
}

/// Everything that decides about notation's signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustPolicy {
    pub(super) statements: Vec<Statement>,
    pub(super) hostnames: Vec<String>,
    pub(super) by_repository: BTreeMap<String, usize>,
    pub(super) global: Option<usize>,
    /// The certificates of every store, listed or not.
    pub(super) stored: Vec<TrustedCertificate>,
}

impl TrustPolicy {
    /// notation's document.
    pub const FILE: &'static str = "trust/trustpolicy.json";

    /// Every statement, in the order of the document.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The statement that speaks for `repository`: the one whose scopes name it under one of our own names, else the
    /// one for everything.
    pub fn statement(&self, repository: &RepositoryName) -> Option<&Statement> {
        let index = self.by_repository.get(repository.as_str()).copied().or(self.global)?;
        self.statements.get(index)
    }

    /// The statement of that name.
    pub fn by_name(&self, name: &str) -> Option<&Statement> {
        self.statements.iter().find(|statement| statement.name == name)
    }

    /// Whether `statement` speaks for any repository of this registry.
    pub fn speaks_here(&self, statement: &Statement) -> bool {
        let speaks = self.by_repository.values().chain(&self.global).filter_map(|index| self.statements.get(*index));
        speaks.into_iter().any(|speaks| speaks.name == statement.name)
    }

    /// The certificates of every store, listed by a statement or not.
    pub fn trusted_certificates(&self) -> &[TrustedCertificate] {
        &self.stored
    }
}
