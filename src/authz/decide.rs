//! casbin decides, over the lines that can matter.

use std::collections::BTreeSet;

use super::Policy;
use crate::gate::{Action, RequirementName, Who};
use crate::mistake::Mistake;

/// Why nothing could be decided: 503, never a grant and never a denial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy can't be decided: {0}")]
pub struct Undecided(pub String);

/// Who may do what, and under which requirements.
///
/// An answer depends on the arguments alone for as long as the implementation lives, so it can be remembered.
/// Calls may take milliseconds.
pub trait Authorizer: Send + Sync {
    /// The requirements under which `who` may do `action` in `repository`; empty is no grant.
    fn granted(&self, who: &Who, repository: &str, action: Action) -> Result<BTreeSet<RequirementName>, Undecided>;
}

/// casbin over one [`Policy`].
pub struct Casbin {}

impl Casbin {
    /// Loads `policy` with `model`, or with the model that Hallmark brings.
    pub async fn load(policy: &Policy, model: Option<&str>) -> Result<Self, Vec<Mistake>> {
        let _ = (policy, model);
        Ok(Self {})
    }
}

impl Authorizer for Casbin {
    fn granted(&self, _: &Who, _: &str, _: Action) -> Result<BTreeSet<RequirementName>, Undecided> {
        Err(Undecided("not loaded".to_owned()))
    }
}
