//! What would make a requirement pass, in words of a bounded length.

use std::collections::BTreeMap;

use super::condition::{Clause, Facts, Leaf};
use super::matching;
use crate::clock::Timestamp;
use crate::gate::SignerName;
use crate::oci::Digest;

/// How many signers are named.
const NAMED: usize = 8;
/// The most characters: predicate types and statements may have long names.
const LENGTH: usize = 1024;

/// What is missing for `clause`, which is not met by `facts` about `digest`; `known` is how each signer is known.
/// At `again_at`, evidence that is there may begin to count.
pub(super) fn words(
    clause: &Clause,
    digest: &Digest,
    facts: &Facts<'_>,
    known: &BTreeMap<SignerName, String>,
    again_at: Option<Timestamp>,
) -> String {
    let mut words = Words { digest, facts, known, named: 0, signature: false };
    let mut text = words.clause(clause);
    if text.chars().count() > LENGTH {
        text = text.chars().take(LENGTH).chain(['…']).collect();
    }
    match again_at {
        Some(moment) => format!("{text}; evidence that is there may count from {moment} on"),
        None => text,
    }
}

struct Words<'a> {
    digest: &'a Digest,
    facts: &'a Facts<'a>,
    known: &'a BTreeMap<SignerName, String>,
    /// How many signers were named.
    named: usize,
    /// Whether "a signature of <digest>" was said.
    signature: bool,
}

impl Words<'_> {
    fn clause(&mut self, clause: &Clause) -> String {
        match clause {
            Clause::Leaf(leaf) => self.leaf(leaf),
            Clause::Any(ways) if ways.is_empty() => "nothing can: any of nothing is never met".to_owned(),
            Clause::Any(ways) => self.joined(ways.iter(), ", or "),
            Clause::All(parts) => {
                let facts = self.facts;
                self.joined(parts.iter().filter(|part| part.met_until(facts).is_none()), ", and ")
            }
            Clause::Threshold { count, of } => self.threshold(*count, of),
        }
    }

    fn joined<'c>(&mut self, parts: impl Iterator<Item = &'c Clause>, by: &str) -> String {
        let mut said = Vec::new();
        let mut unsaid = 0_usize;
        let parts: Vec<_> = parts.collect();
        for part in &parts {
            if self.named >= NAMED {
                unsaid = unsaid.saturating_add(1);
                continue;
            }
            let words = self.clause(part);
            let whole = matches!(part, Clause::Leaf(_)) || parts.len() == 1;
            said.push(if whole { words } else { format!("({words})") });
        }
        said.extend((unsaid > 0).then(|| format!("{unsaid} more")));
        said.join(by)
    }

    fn threshold(&mut self, count: usize, of: &[Leaf]) -> String {
        let (missing, helping) = matching::wanted(count, of, self.facts);
        let mut said = Vec::new();
        for leaf in &helping {
            if self.named >= NAMED {
                break;
            }
            said.push(self.leaf(leaf));
        }
        let unsaid = helping.len().saturating_sub(said.len());
        said.extend((unsaid > 0).then(|| format!("{unsaid} others")));
        let more = if missing == count { "" } else { " more" };
        format!("{missing}{more} of: {}; each by a different identity", said.join(", "))
    }

    fn leaf(&mut self, leaf: &Leaf) -> String {
        self.named = self.named.saturating_add(1);
        let signer = leaf.signer();
        match leaf {
            Leaf::SignedBy(_) => {
                let how = self.known.get(signer).map(|known| format!(" ({known})")).unwrap_or_default();
                if std::mem::replace(&mut self.signature, true) {
                    format!("by {signer}{how}")
                } else {
                    format!("a signature of {} by {signer}{how}", self.digest)
                }
            }
            Leaf::Attested { predicate, .. } => {
                format!("an attestation as {predicate} by {signer}, which is not judged yet")
            }
        }
    }
}
