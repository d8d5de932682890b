//! What is likely not meant, though it can be loaded.

use std::collections::BTreeSet;

use super::revision::{MODEL, Revision};
use super::trust_warnings;
use crate::authz::{self, Effect, Line, Policy};
use crate::clock::Timestamp;
use crate::gate::{Action, RequirementName, SignerName};
use crate::mistake::Mistake;
use crate::requirements::Requirements;
use crate::trust::{Signer, SignerKind, Trust};

pub(super) fn of(revision: &Revision, now: Timestamp) -> Vec<Mistake> {
    let mut all = roles(revision.policy());
    all.extend(deny_lines(revision.policy()));
    all.extend(signers_who_pull(revision.policy()));
    all.extend(requirements(revision));
    all.extend(trust_warnings::of(revision.trust(), now));
    if revision.files().contains_key(MODEL) {
        let message =
            "guard rails weigh the lines of policy.csv alone: what this model grants beyond them is not checked";
        all.push(Mistake::new(MODEL, 0, message));
    }
    all
}

fn at(line: usize, message: String) -> Mistake {
    Mistake::new(Policy::FILE, line, message)
}

fn roles(policy: &Policy) -> Vec<Mistake> {
    let given: BTreeSet<&str> = policy.roles().iter().map(|(_, role, _)| role).collect();
    let subjects: BTreeSet<&str> = policy.lines().iter().map(|line| line.subject.as_str()).collect();
    let (mut all, mut told) = (Vec::new(), BTreeSet::new());
    for line in policy.lines() {
        let subject = line.subject.as_str();
        if subject.starts_with("role:") && !given.contains(subject) && told.insert(subject) {
            all.push(at(line.line, format!("{subject} has no member")));
        }
    }
    for (member, role, line) in policy.roles().iter() {
        if policy.roles().closure(role).is_disjoint(&subjects) {
            all.push(at(line, format!("{member} is a member of {role}, of which no line speaks")));
        }
    }
    all
}

/// The model denies under every requirement, whatever the line names.
fn deny_lines(policy: &Policy) -> Vec<Mistake> {
    let denies = policy.lines().iter().filter(|line| line.effect == Effect::Deny);
    denies
        .filter_map(|line| Some((line.line, line.requirement.as_ref()?)))
        .map(|(line, name)| {
            at(line, format!("a deny line denies under every requirement, not only under {name}: write *"))
        })
        .collect()
}

/// Who may `sign` and holds a conditional `pull` in one place does not read what `sign` alone would show.
fn signers_who_pull(policy: &Policy) -> Vec<Mistake> {
    let members = policy.roles().iter().map(|(member, _, _)| member);
    let subjects: BTreeSet<&str> = members.chain(policy.lines().iter().map(|line| line.subject.as_str())).collect();
    let people = subjects.into_iter().filter(|subject| !subject.starts_with("role:"));
    people.flat_map(|subject| signer_who_pulls(policy, subject)).collect()
}

fn signer_who_pulls(policy: &Policy, subject: &str) -> Vec<Mistake> {
    let of = policy.roles().closure(subject);
    let grants = |line: &Line, action| {
        line.effect == Effect::Allow && line.action == Some(action) && of.contains(line.subject.as_str())
    };
    let mut all = Vec::new();
    for sign in policy.lines().iter().filter(|line| grants(line, Action::Sign)) {
        let there = |line: &&Line| {
            grants(line, Action::Pull) && authz::overlap(&sign.repositories, &line.repositories).is_some()
        };
        let pulls: Vec<&Line> = policy.lines().iter().filter(there).collect();
        let is_open = |line: &&Line| line.requirement.as_ref().is_some_and(RequirementName::is_unverified);
        let (open, conditional): (Vec<&Line>, Vec<&Line>) = pulls.into_iter().partition(is_open);
        if let (true, Some(pull)) = (open.is_empty(), conditional.first()) {
            let message = format!(
                "{subject} may sign and has a conditional pull there (line {}), so can't read what is not signed yet",
                pull.line
            );
            all.push(at(sign.line, message));
        }
    }
    all
}

fn requirements(revision: &Revision) -> Vec<Mistake> {
    let lines = revision.policy().lines();
    let named: BTreeSet<_> = lines.iter().filter_map(|line| line.requirement.as_ref()).collect();
    let mut all = Vec::new();
    for requirement in revision.requirements().iter() {
        let mut tell = |message: String| all.push(Mistake::new(Requirements::FILE, requirement.line(), message));
        let name = requirement.name();
        if !named.contains(name) {
            tell(format!("no line of {} names {name}", Policy::FILE));
        }
        if requirement.signers().is_empty() {
            tell(format!("nobody can meet {name}: it names no signer"));
        } else if !requirement.signers().iter().any(|signer| may_count(revision.trust(), signer)) {
            tell(format!("nobody can meet {name} yet: none of its signers is a key or a statement that is enforced"));
        }
    }
    all
}

/// Whether any signature of the signer's counts for anything.
fn may_count(trust: &Trust, name: &SignerName) -> bool {
    match trust.signer(name).map(Signer::kind) {
        Some(SignerKind::CosignKey(_)) => true,
        Some(SignerKind::Notation { policy, .. }) => trust
            .notation()
            .by_name(policy)
            .is_some_and(|statement| statement.not_enforced().is_none() && trust.notation().speaks_here(statement)),
        Some(SignerKind::Keyless { .. }) | None => false,
    }
}
