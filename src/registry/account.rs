//! What an explanation tells.

use serde::{Deserialize, Serialize};

use crate::authz::{Effect, Line, Policy, PullTerms};
use crate::clock::Timestamp;
use crate::gate::{Action, Explanation, Mode, RequirementName};
use crate::oci::{Digest, Reference};
use crate::requirements::Requirement;

use super::current::Current;
use super::{Error, Insight, Withheld};

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
    /// The pushes of the tag that were looked at and are not served, newest first.
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

/// Who asks for what, and what is granted.
pub(super) fn account(insight: &Insight, action: Action, reference: Option<&Reference>) -> Result<Account, Error> {
    let (revision, access) = (&insight.current().revision, insight.access());
    let (who, repository) = (access.who(), access.repository());
    let names = revision.granted(who, repository, action)?;
    let mode = |name: &RequirementName| revision.requirements().by_name(name).map(Requirement::mode);
    let strictest = names.iter().filter_map(mode).max();
    let everything = names.iter().any(RequirementName::is_unverified);
    let granted = |name: &RequirementName| {
        let decides = if everything { name.is_unverified() } else { decides(action, mode(name), strictest) };
        Granted { requirement: name.clone(), mode: mode(name), decides }
    };
    Ok(Account {
        who: who.to_string(),
        action,
        repository: repository.to_string(),
        reference: reference.map(ToString::to_string),
        allowed: None,
        reason: String::new(),
        grants: names.iter().map(granted).collect(),
        lines: insight.is_full().then(|| lines(insight, action)),
        own_model: insight.is_full() && revision.has_own_model(),
        digest: None,
        judged_as: None,
        passed: Vec::new(),
        requirements: Vec::new(),
    })
}

/// As [`Access::decide`] sees it: what is not enforced gives way to what is, and never admits a tag.
fn decides(action: Action, mode: Option<Mode>, strictest: Option<Mode>) -> bool {
    let enforced = Some(Mode::Enforce);
    match action {
        Action::Pull => mode == enforced || strictest != enforced,
        Action::Push => mode == enforced,
        Action::Sign | Action::Delete | Action::Promote | Action::Admin => true,
    }
}

fn lines(insight: &Insight, action: Action) -> Vec<PolicyLine> {
    let (revision, access) = (&insight.current().revision, insight.access());
    let who = access.who().to_string();
    let told = |line: &Line| {
        let chain = revision.policy().roles().chain(&who, &line.subject);
        let member = |(member, role, at): (&str, &str, usize)| format!("{}:{at}: g, {member}, {role}", Policy::FILE);
        PolicyLine {
            place: format!("{}:{}", Policy::FILE, line.line),
            text: line.to_string(),
            denies: line.effect == Effect::Deny,
            through: chain.into_iter().map(member).collect(),
        }
    };
    revision.lines_for(access.who(), access.repository(), action).into_iter().map(told).collect()
}

impl Account {
    pub(super) fn allow(&mut self, reason: impl Into<String>) {
        self.allowed = Some(true);
        self.reason = reason.into();
    }

    /// Not allowed, for this refusal; an error if it is none.
    pub(super) fn refuse(&mut self, error: Error) -> Result<(), Error> {
        if matches!(error, Error::Unavailable(_) | Error::Full) {
            return Err(error);
        }
        self.allowed = Some(false);
        self.reason = error.to_string();
        Ok(())
    }

    /// What is never judged: granted, or this refusal.
    pub(super) fn granted(&mut self, refused: Option<Error>) -> Result<(), Error> {
        if let Some(error) = refused {
            return self.refuse(error);
        }
        self.allow(format!("{} is granted, and never judged", self.action));
        Ok(())
    }

    pub(super) fn withhold(&mut self, withheld: Withheld, current: &Current) {
        let mode = |name: &RequirementName| {
            current.revision.requirements().by_name(name).map(Requirement::mode).unwrap_or_default()
        };
        self.allowed = Some(false);
        self.reason = withheld.reason;
        let told = withheld.requirements.into_iter().map(|unmet| {
            let mode = mode(&unmet.requirement);
            Explanation::of_refusal(unmet, mode)
        });
        self.requirements = told.collect();
    }

    pub(super) fn depends(&mut self, reason: impl Into<String>) {
        self.reason = reason.into();
    }

    /// For a pull of nothing in particular.
    pub(super) fn undecided(&mut self, terms: &PullTerms) {
        match terms {
            PullTerms::Everything | PullTerms::Signing => self.allow("granted whatever the verdict"),
            PullTerms::Conditional { .. } | PullTerms::Nothing => self.depends("it depends on what is pulled"),
        }
    }
}
