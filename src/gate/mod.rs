//! The words of the gate: who asks, for what, under which requirement, and what was found.
//!
//! Nothing here decides anything; every floor above speaks in these types.

mod action;
mod finding;
mod names;
mod verdict;
mod who;

pub use action::Action;
pub use finding::{Finding, Identity, Outcome, Shape};
pub use names::{NameError, RequirementName, SignerName};
pub use verdict::{Condition, Explained, Explanation, Unmet, Verdict};
pub use who::{Who, WhoError};

/// How a requirement is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Recorded, served as if it were met.
    Audit,
    /// Served with a `Warning` header.
    Warn,
    /// Refused.
    #[default]
    Enforce,
}
