//! Requirements: named conditions over signers and attestations.

mod condition;
mod hint;
mod implication;
mod matching;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use condition::{Clause, Facts};

use crate::clock::Timestamp;
use crate::files::Files;
use crate::gate::{Explanation, Finding, Mode, Outcome, RequirementName, SignerName, Unmet, Verdict};
use crate::mistake::Mistake;
use crate::oci::Digest;
use crate::trust::Trust;

/// What a pull by tag does with pushes that have not met the requirement yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TagFallback {
    /// Skips them.
    #[default]
    Pending,
    /// Skips nothing.
    Deny,
}

/// How many children of an index are looked at for [`Requirement::hint_of_children`].
pub const CHILDREN_FOR_A_HINT: usize = 32;

/// The most findings that a refusal tells of: whoever may sign can add many.
const FINDINGS_TOLD: usize = 256;

/// A named condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    name: RequirementName,
    clause: Clause,
    mode: Mode,
    protects: Vec<String>,
    except: Vec<String>,
    tag_fallback: TagFallback,
    signers: BTreeSet<SignerName>,
    /// How each signer is known, in words.
    known: BTreeMap<SignerName, String>,
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

    /// The condition in words, for example `signed by release or signed by acme`.
    pub fn words(&self) -> String {
        self.clause.words()
    }

    /// Whether `digest` meets it by these findings, which are about `through`: itself, or an index that reaches it.
    ///
    /// A verdict that is met holds until the last moment at which some way to meet it still holds.
    pub fn evaluate(&self, digest: &Digest, through: &Digest, findings: &[Finding]) -> Verdict {
        let facts = Facts::of(findings);
        if let Some(until) = self.clause.met_until(&facts) {
            return Verdict::Met { until: until.moment(), through: *through };
        }
        Verdict::Unmet(Box::new(self.unmet(digest, &facts, findings)))
    }

    /// The same answer as [`Requirement::evaluate`] gives, told in full whether it is met or not.
    pub fn explain(&self, digest: &Digest, through: &Digest, findings: &[Finding]) -> Explanation {
        let facts = Facts::of(findings);
        let Some(until) = self.clause.met_until(&facts) else {
            let unmet = self.unmet(digest, &facts, findings);
            return Explanation { through: *through, ..Explanation::of_refusal(unmet, self.mode) };
        };
        let reason = if digest == through {
            "met by evidence about it".to_owned()
        } else {
            format!("met by evidence about the index {through}, which reaches it")
        };
        Explanation {
            requirement: self.name.clone(),
            mode: self.mode,
            digest: *digest,
            met: true,
            through: *through,
            until: until.moment(),
            reason,
            conditions: self.clause.explain(&facts),
            evidence: told(findings),
            hint: None,
        }
    }

    /// What to do where `signed` manifests of an index meet it and the index does not; nothing where none does.
    pub fn hint_of_children(&self, signed: usize) -> Option<String> {
        (signed > 0).then(|| {
            format!(
                "sign the index: {signed} of its manifests meet {}, and signed manifests never admit the index that lists them",
                self.name
            )
        })
    }

    fn unmet(&self, digest: &Digest, facts: &Facts<'_>, findings: &[Finding]) -> Unmet {
        let again_at = findings.iter().filter_map(|finding| again_at(&finding.outcome)).min();
        Unmet {
            requirement: self.name.clone(),
            digest: *digest,
            reason: self.reason(facts, findings),
            conditions: self.clause.explain(facts),
            evidence: told(findings),
            hint: Some(hint::words(&self.clause, digest, facts, &self.known, again_at)),
            again_at,
        }
    }

    fn reason(&self, facts: &Facts<'_>, findings: &[Finding]) -> String {
        let pieces: BTreeSet<_> = findings.iter().map(|finding| finding.evidence).collect();
        let missing = self.clause.missing(facts);
        match pieces.len() {
            0 => "no signature was found".to_owned(),
            1 => format!("found 1 piece of evidence, none counts as {missing}"),
            count => format!("found {count} pieces of evidence, none counts as {missing}"),
        }
    }

    /// Whether whatever meets this surely meets `other`; when in doubt, no. One that is not enforced implies nothing.
    pub fn implies(&self, other: &Self) -> bool {
        self.mode == Mode::Enforce && implication::implies(&self.clause, &other.clause)
    }
}

fn told(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().take(FINDINGS_TOLD).cloned().collect()
}

fn again_at(outcome: &Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Nothing { again_at, .. } => *again_at,
        Outcome::Verified { .. } => None,
    }
}

/// Every requirement that is defined.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    all: BTreeMap<RequirementName, Requirement>,
}

impl Requirements {
    /// The file that defines them.
    pub const FILE: &'static str = "policies/requirements.toml";

    /// Reads `policies/requirements.toml`, if it is there, against the signers of `trust`; every mistake is told at once.
    pub fn parse(files: &Files, trust: &Trust) -> Result<Self, Vec<Mistake>> {
        parse::parse(files, Some(trust)).map(|all| Self { all })
    }

    /// Reads whom to trust and what to require; every mistake in either is told at once.
    pub fn with_trust(files: &Files, hostnames: &[String]) -> Result<(Trust, Self), Vec<Mistake>> {
        match Trust::parse(files, hostnames) {
            Ok(trust) => Self::parse(files, &trust).map(|requirements| (trust, requirements)),
            Err(mut mistakes) => {
                mistakes.extend(parse::parse(files, None).err().unwrap_or_default());
                Err(mistakes)
            }
        }
    }

    /// Every requirement, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.all.values()
    }

    /// The requirement of that name; `unverified` is none of them.
    pub fn by_name(&self, name: &RequirementName) -> Option<&Requirement> {
        self.all.get(name)
    }
}
