//! What an explanation tells.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::gate::{Action, Explanation, Mode, RequirementName};
use crate::oci::Digest;

/// Whether someone may do something now, and all that it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Who, as [`crate::gate::Who`] is displayed.
    pub who: String,
    /// Does what.
    pub action: Action,
    /// Where.
    pub repository: String,
    /// To what, if it was said.
    pub reference: Option<String>,
    /// Whether it is allowed now; none is that it depends on content that was not named or is not here.
    pub allowed: Option<bool>,
    /// The one clause that says why, in the words of the refusal.
    pub reason: String,
    /// The requirements under which it is granted; none is no grant.
    pub grants: Vec<Granted>,
    /// The lines of the policy that speak of it, for administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<PolicyLine>>,
    /// Whether a casbin model of the user's own decides, so that the lines may be read otherwise.
    #[serde(default)]
    pub own_model: bool,
    /// What is served or judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The subject that is judged in its place, for evidence and data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_as: Option<Digest>,
    /// The pushes of the tag that are newer and not served, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
    /// Each requirement that decides, with its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<Explanation>,
}

/// One requirement under which something is granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The requirement.
    pub requirement: RequirementName,
    /// How it is applied; none for `unverified`, which everything meets.
    pub mode: Option<Mode>,
    /// Whether it decides: one that is not enforced does not beside one that is, and `unverified` alone does.
    pub decides: bool,
}

/// A line of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// The place, as `policies/policy.csv:3`.
    pub place: String,
    /// The line.
    pub text: String,
    /// Whether it denies, over all grants.
    pub denies: bool,
    /// The lines through which the person has the role that it speaks of, as `policies/policy.csv:9: g, user:a, role:b`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
}

/// A push of a tag that is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// What was pushed; told to administrators, as a pull tells nobody of what it skips.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When, for administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why it is not served.
    pub reason: String,
}
