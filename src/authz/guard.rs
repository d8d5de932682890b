//! Guard rails: a protected repository can't be opened by a weaker `pull` line.

use std::collections::BTreeSet;

use super::policy::{self, Effect, Line};
use super::{Policy, glob};
use crate::gate::{Action, RequirementName};
use crate::mistake::Mistake;

/// What a requirement protects.
#[derive(Clone, Debug)]
pub struct Protection {
    /// The requirement.
    pub requirement: RequirementName,
    /// Its line in `policies/requirements.toml`.
    pub line: usize,
    /// The repositories, as globs.
    pub globs: Vec<String>,
    /// Subjects that may hold weaker grants there.
    pub except: Vec<String>,
    /// Requirements that imply it.
    pub stronger: BTreeSet<RequirementName>,
}

const REQUIREMENTS: &str = "policies/requirements.toml";

/// The lines of `policy` that open what `protections` close, and what is wrong with the protections themselves.
/// Deny lines are not weighed: what a grant opens stays open when a deny line goes.
pub fn check(policy: &Policy, protections: &[Protection]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for protection in protections {
        let wrong = malformed(protection);
        if wrong.is_empty() {
            mistakes.extend(policy.lines().iter().filter_map(|line| opened(policy, protection, line)));
        }
        mistakes.extend(wrong);
    }
    mistakes
}

fn malformed(protection: &Protection) -> Vec<Mistake> {
    let globs = protection.globs.iter().filter_map(|glob| glob::build(glob).err());
    let except = protection.except.iter().filter_map(|subject| policy::subject(subject).err());
    globs.chain(except).map(|message| Mistake::new(REQUIREMENTS, protection.line, message)).collect()
}

fn opened(policy: &Policy, protection: &Protection, line: &Line) -> Option<Mistake> {
    if line.effect != Effect::Allow || line.action != Some(Action::Pull) {
        return None;
    }
    let found = line.requirement.as_ref().map_or("*", RequirementName::as_str);
    let suffices = |name: &RequirementName| *name == protection.requirement || protection.stronger.contains(name);
    if line.requirement.as_ref().is_some_and(suffices) {
        return None;
    }
    let subjects = policy.roles().closure(&line.subject);
    if protection.except.iter().any(|excepted| subjects.contains(excepted.as_str())) {
        return None;
    }
    let message = |glob: &String| match glob::overlap(&line.repositories, glob) {
        Ok(None) => None,
        Ok(Some(name)) => Some(format!(
            "expected {} or stronger for pull, which protects {glob} ({REQUIREMENTS}:{}), found {found} for {}, which opens {name}",
            protection.requirement, protection.line, line.subject
        )),
        Err(error) => Some(error),
    };
    let message = protection.globs.iter().find_map(message)?;
    Some(Mistake::new(Policy::FILE, line.line, message))
}
