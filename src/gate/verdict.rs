//! The answer for one digest under one requirement.

use serde::{Deserialize, Serialize};

use super::{Finding, Mode, RequirementName};
use crate::clock::Timestamp;
use crate::oci::Digest;

/// Whether a digest meets a requirement now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Met {
        /// Until when, if anything in it expires; afterwards it must be judged again.
        until: Option<Timestamp>,
        /// The digest whose evidence met it: the one asked for, or an index that reaches it.
        through: Digest,
    },
    /// It does not, and why.
    Unmet(Box<Unmet>),
}

impl Verdict {
    /// Whether it is met.
    pub const fn is_met(&self) -> bool {
        matches!(self, Self::Met { .. })
    }
}

/// Why a requirement is not met: the `detail` of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// The requirement.
    pub requirement: RequirementName,
    /// The digest that was judged.
    pub digest: Digest,
    /// The one clause that says it all, for example `no signature was found`.
    pub reason: String,
    /// The requirement as a tree, with what was missing.
    pub conditions: Explained,
    /// Each piece of evidence, with what was expected and what was found.
    pub evidence: Vec<Finding>,
    /// What would make it pass, for example `sign the index`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When evidence that is there may begin to count, if any.
    #[serde(skip)]
    pub again_at: Option<Timestamp>,
}

/// A requirement with its answer for one digest, met or not, in the words of [`Unmet`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The requirement.
    pub requirement: RequirementName,
    /// How it is applied.
    pub mode: Mode,
    /// The digest that was judged.
    pub digest: Digest,
    /// Whether it meets the requirement.
    pub met: bool,
    /// The digest whose evidence is told: the one that was judged, or an index that reaches it.
    pub through: Digest,
    /// Until when it is met, if anything in it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The one clause that says it all.
    pub reason: String,
    /// The requirement as a tree, each part with its answer.
    pub conditions: Explained,
    /// Each piece of evidence: what it is a signature by, or what was expected and what was found.
    pub evidence: Vec<Finding>,
    /// What would make it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Explanation {
    /// What a refusal says, as an explanation.
    pub fn of_refusal(unmet: Unmet, mode: Mode) -> Self {
        Self {
            requirement: unmet.requirement,
            mode,
            digest: unmet.digest,
            met: false,
            through: unmet.digest,
            until: None,
            reason: unmet.reason,
            conditions: unmet.conditions,
            evidence: unmet.evidence,
            hint: unmet.hint,
        }
    }
}

/// A condition with its answer, as a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The condition in words, for example `signed by release`.
    pub condition: Condition,
    /// Whether it is met.
    pub met: bool,
    /// The conditions that it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Explained>,
}

/// A condition in words.
pub type Condition = String;
