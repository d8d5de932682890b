//! k of n: the most leaves that different identities can meet, each identity used once.
//!
//! Counting met leaves would take one key under two names for two (GHSA-9vcr-p3rj-q5q6); counting identities would
//! take two keys of one leaf for two. A matching between leaves and identities does neither.

use std::collections::BTreeMap;

use super::condition::{Fact, Facts, Leaf, Until};

/// The latest end until which `count` of the leaves stay met.
pub(super) fn met_until(count: usize, leaves: &[Leaf], facts: &Facts<'_>) -> Option<Until> {
    let mut ends: Vec<_> = facts.0.iter().map(|fact| fact.until).collect();
    ends.sort_unstable();
    ends.dedup();
    ends.into_iter().rev().find(|end| largest(leaves, facts.0.iter().filter(|fact| fact.until >= *end)) >= count)
}

/// How many more leaves must be met by other identities, and the leaves of which one more would help.
pub(super) fn wanted<'l>(count: usize, leaves: &'l [Leaf], facts: &Facts<'_>) -> (usize, Vec<&'l Leaf>) {
    let (edges, identities) = edges(leaves, facts.0.iter());
    let found = size(edges.clone(), identities);
    let helps = |at: usize| {
        let mut more = edges.clone();
        if let Some(reachable) = more.get_mut(at) {
            reachable.push(identities);
        }
        size(more, identities.saturating_add(1)) > found
    };
    let helping = leaves.iter().enumerate().filter(|(at, _)| helps(*at)).map(|(_, leaf)| leaf).collect();
    (count.saturating_sub(found), helping)
}

/// The size of the largest matching between leaves and the identities of `facts`.
fn largest<'a>(leaves: &[Leaf], facts: impl Iterator<Item = &'a Fact<'a>>) -> usize {
    let (edges, identities) = edges(leaves, facts);
    size(edges, identities)
}

/// The identities that can meet each leaf, by number, and how many there are.
fn edges<'a>(leaves: &[Leaf], facts: impl Iterator<Item = &'a Fact<'a>>) -> (Vec<Vec<usize>>, usize) {
    let facts: Vec<_> = facts.collect();
    let identities = numbered(&facts);
    let mut edges = vec![Vec::new(); leaves.len()];
    for (fact, identity) in facts.iter().zip(&identities) {
        for (leaf, reachable) in leaves.iter().zip(&mut edges) {
            if leaf.is_met_by(fact) {
                reachable.push(*identity);
            }
        }
    }
    (edges, facts.len())
}

/// Who made each fact: the number of the first fact by the same identity. Whoever shares a mark is the same, and so is
/// whoever shares one with them.
fn numbered(facts: &[&Fact<'_>]) -> Vec<usize> {
    let mut same: Vec<usize> = (0..facts.len()).collect();
    let mut marked: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, fact) in facts.iter().enumerate() {
        for mark in fact.identity.marks() {
            let (one, other) = (first(&same, *marked.entry(mark).or_insert(at)), first(&same, at));
            if let Some(later) = same.get_mut(one.max(other)) {
                *later = one.min(other);
            }
        }
    }
    for at in 0..same.len() {
        let found = first(&same, at);
        if let Some(same) = same.get_mut(at) {
            *same = found;
        }
    }
    same
}

/// Follows a fact to the first that is known to be by the same.
fn first(same: &[usize], mut at: usize) -> usize {
    while let Some(earlier) = same.get(at).filter(|earlier| **earlier < at) {
        at = *earlier;
    }
    at
}

fn size(edges: Vec<Vec<usize>>, identities: usize) -> usize {
    let leaves = edges.len();
    let mut matching = Matching { edges, taken: vec![None; identities] };
    (0..leaves).filter(|leaf| matching.place(*leaf, &mut vec![false; identities])).count()
}

struct Matching {
    /// The identities that can meet each leaf.
    edges: Vec<Vec<usize>>,
    /// The leaf that each identity is used for.
    taken: Vec<Option<usize>>,
}

impl Matching {
    /// Finds an identity for `leaf`, moving others to make room; `tried` are the identities already looked at.
    fn place(&mut self, leaf: usize, tried: &mut [bool]) -> bool {
        for identity in self.edges.get(leaf).cloned().unwrap_or_default() {
            let Some(seen) = tried.get_mut(identity) else { continue };
            if std::mem::replace(seen, true) {
                continue;
            }
            let holder = self.taken.get(identity).copied().flatten();
            if holder.is_none_or(|holder| self.place(holder, tried)) {
                if let Some(slot) = self.taken.get_mut(identity) {
                    *slot = Some(leaf);
                }
                return true;
            }
        }
        false
    }
}
