//! Conditions, and whether findings meet them.

use super::matching;
use crate::clock::Timestamp;
use crate::gate::{Explained, Finding, Identity, Outcome, SignerName};

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    /// One of these; of none, never.
    Any(Vec<Clause>),
    /// Each of these; never empty.
    All(Vec<Clause>),
    /// `count` of these leaves, each by a different identity, each identity used once.
    Threshold {
        /// How many.
        count: usize,
        /// Of which.
        of: Vec<Leaf>,
    },
    /// One leaf.
    Leaf(Leaf),
}

/// What a single piece of evidence can meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// A signature by this signer.
    SignedBy(SignerName),
    /// An attestation of this type by this signer, whose predicate meets the policy. Not judged yet: never met.
    Attested {
        /// The predicate type.
        predicate: String,
        /// The signer.
        by: SignerName,
        /// The policy, below `policies/predicates/`.
        rego: Option<String>,
    },
}

/// How long something holds; the variants are in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Until {
    /// Until this moment.
    Moment(Timestamp),
    /// Nothing in it expires.
    Always,
}

impl Until {
    pub(super) fn moment(self) -> Option<Timestamp> {
        match self {
            Self::Moment(moment) => Some(moment),
            Self::Always => None,
        }
    }
}

/// One verified signature.
pub(super) struct Fact<'a> {
    /// The signers that made it, by the names of the trust store.
    pub(super) signers: &'a [SignerName],
    /// What a threshold counts.
    pub(super) identity: &'a Identity,
    /// How long it holds.
    pub(super) until: Until,
}

/// The verified signatures among findings.
pub(super) struct Facts<'a>(pub(super) Vec<Fact<'a>>);

impl<'a> Facts<'a> {
    pub(super) fn of(findings: &'a [Finding]) -> Self {
        let fact = |finding: &'a Finding| match &finding.outcome {
            Outcome::Verified { signers, identity, until } => {
                Some(Fact { signers, identity, until: until.map_or(Until::Always, Until::Moment) })
            }
            Outcome::Nothing { .. } => None,
        };
        Self(findings.iter().filter_map(fact).collect())
    }
}

impl Leaf {
    pub(super) fn is_met_by(&self, fact: &Fact<'_>) -> bool {
        match self {
            Self::SignedBy(name) => fact.signers.contains(name),
            Self::Attested { .. } => false,
        }
    }

    pub(super) fn signer(&self) -> &SignerName {
        match self {
            Self::SignedBy(name) | Self::Attested { by: name, .. } => name,
        }
    }

    fn met_until(&self, facts: &Facts<'_>) -> Option<Until> {
        facts.0.iter().filter(|fact| self.is_met_by(fact)).map(|fact| fact.until).max()
    }

    fn words(&self) -> String {
        match self {
            Self::SignedBy(name) => format!("signed by {name}"),
            Self::Attested { predicate, by, .. } => {
                format!("attested as {predicate} by {by} (attestations are not judged yet)")
            }
        }
    }

    fn explain(&self, facts: &Facts<'_>) -> Explained {
        Explained { condition: self.words(), met: self.met_until(facts).is_some(), of: Vec::new() }
    }
}

impl Clause {
    /// Until when it is met, if it is: the latest end among the ways to meet it.
    pub(super) fn met_until(&self, facts: &Facts<'_>) -> Option<Until> {
        match self {
            Self::Any(parts) => parts.iter().filter_map(|part| part.met_until(facts)).max(),
            Self::All(parts) => {
                let ends: Option<Vec<_>> = parts.iter().map(|part| part.met_until(facts)).collect();
                ends?.into_iter().min()
            }
            Self::Threshold { count, of } => matching::met_until(*count, of, facts),
            Self::Leaf(leaf) => leaf.met_until(facts),
        }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Any(parts) if parts.is_empty() => "any of nothing, which is never met".to_owned(),
            Self::Any(parts) => joined(parts, " or "),
            Self::All(parts) => joined(parts, " and "),
            Self::Threshold { count, of } => threshold(&count.to_string(), of.iter()),
            Self::Leaf(leaf) => leaf.words(),
        }
    }

    /// The part that is not met, in words.
    pub(super) fn missing(&self, facts: &Facts<'_>) -> String {
        match self {
            Self::All(parts) => {
                let unmet = parts.iter().filter(|part| part.met_until(facts).is_none());
                unmet.map(|part| part.missing(facts)).collect::<Vec<_>>().join(" and ")
            }
            Self::Threshold { count, of } => {
                let (missing, helping) = matching::wanted(*count, of, facts);
                let more = if missing == *count { "" } else { " more" };
                threshold(&format!("{missing}{more}"), helping.into_iter())
            }
            Self::Any(_) | Self::Leaf(_) => self.words(),
        }
    }

    /// As a tree, each part with its answer.
    pub(super) fn explain(&self, facts: &Facts<'_>) -> Explained {
        let (condition, of) = match self {
            Self::Any(parts) => ("any of".to_owned(), parts.iter().map(|part| part.explain(facts)).collect()),
            Self::All(parts) => ("all of".to_owned(), parts.iter().map(|part| part.explain(facts)).collect()),
            Self::Threshold { count, of } => (
                format!("{count} of {}, each by a different identity", of.len()),
                of.iter().map(|leaf| leaf.explain(facts)).collect(),
            ),
            Self::Leaf(leaf) => return leaf.explain(facts),
        };
        Explained { condition, met: self.met_until(facts).is_some(), of }
    }

    /// The leaves, in order.
    pub(super) fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Threshold { of, .. } => of.iter().collect(),
            Self::Leaf(leaf) => vec![leaf],
        }
    }
}

fn threshold<'l>(count: &str, of: impl Iterator<Item = &'l Leaf>) -> String {
    format!("{count} of: {}; each by a different identity", of.map(Leaf::words).collect::<Vec<_>>().join(", "))
}

fn joined(parts: &[Clause], by: &str) -> String {
    let words = |part: &Clause| match part {
        Clause::Leaf(leaf) => leaf.words(),
        other => format!("({})", other.words()),
    };
    parts.iter().map(words).collect::<Vec<_>>().join(by)
}
