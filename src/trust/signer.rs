//! `trust/signers.toml`.

use std::collections::BTreeMap;

use super::PublicKey;
use crate::files::Files;
use crate::gate::SignerName;
use crate::mistake::Mistake;
use crate::oci::RepositoryName;

/// A named identity whose signatures may count.
#[derive(Clone, Debug)]
pub struct Signer {
    name: SignerName,
    kind: SignerKind,
    repositories: Option<globset::GlobSet>,
}

/// How a signer is known.
#[derive(Clone, Debug)]
pub enum SignerKind {
    /// By a public key, as `cosign sign --key` uses.
    CosignKey(PublicKey),
    /// By a certificate identity; recognised, not judged yet.
    Keyless {
        /// The trusted root, below `trust/`.
        trusted_root: String,
    },
    /// By the statement of notation's trust policy; recognised, not judged yet.
    Notation {
        /// The statement's name.
        policy: String,
    },
}

impl Signer {
    /// The name.
    pub fn name(&self) -> &SignerName {
        &self.name
    }

    /// How it is known.
    pub fn kind(&self) -> &SignerKind {
        &self.kind
    }

    /// Whether its signatures count in `repository`.
    pub fn applies_to(&self, repository: &RepositoryName) -> bool {
        self.repositories.as_ref().is_none_or(|globs| globs.is_match(repository.as_str()))
    }
}

pub(super) fn parse(_files: &Files) -> Result<BTreeMap<SignerName, Signer>, Vec<Mistake>> {
    Ok(BTreeMap::new())
}
