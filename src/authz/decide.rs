//! casbin decides, over the lines that can matter.
//!
//! One `enforce` walks every line through an interpreter, so with the model that Hallmark brings only the lines of the
//! subject's roles, of the action and of the repository are shown to it. A user's own model sees the whole policy.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use casbin::{CoreApi, DefaultModel, Enforcer, Model};

use super::Policy;
use super::policy::{Effect, Line};
use crate::gate::{Action, RequirementName, Who};
use crate::mistake::Mistake;

/// The model that Hallmark brings.
pub(super) const MODEL: &str = include_str!("model.conf");
/// Where users put their own model.
const MODEL_FILE: &str = "policies/model.conf";

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

    /// Whether a deny line speaks of it, so that no other grant may stand in for it.
    fn denied(&self, who: &Who, repository: &str, action: Action) -> bool;
}

/// casbin over one [`Policy`].
pub struct Casbin {
    policy: Policy,
    decider: Decider,
}

enum Decider {
    /// Filled anew with the narrowed lines for each decision.
    Narrowed(Box<Mutex<Enforcer>>),
    /// Filled once with the whole policy, for a user's own model.
    Whole(Box<Enforcer>, BTreeSet<RequirementName>),
}

impl Casbin {
    /// Loads `policy` with `model`, the text of the user's own, or else with the model that Hallmark brings.
    pub async fn load(policy: &Policy, model: Option<&str>) -> Result<Self, Vec<Mistake>> {
        let wrong = |message: String| vec![Mistake::new(MODEL_FILE, 0, message)];
        let mut enforcer = enforcer(model.unwrap_or(MODEL)).await.map_err(wrong)?;
        let decider = if model.is_some() {
            let all: Vec<&Line> = policy.lines().iter().collect();
            let members = policy.roles().iter().map(|(member, role, _)| (member, role));
            fill(&mut enforcer, &all, members).map_err(|error| wrong(error.0))?;
            probe(&enforcer).map_err(wrong)?;
            let named = policy.lines().iter().filter_map(|line| line.requirement.clone());
            let names = named.chain([RequirementName::unverified()]).collect();
            Decider::Whole(Box::new(enforcer), names)
        } else {
            Decider::Narrowed(Box::new(Mutex::new(enforcer)))
        };
        Ok(Self { policy: policy.clone(), decider })
    }

    /// Asks casbin once for each requirement that an allow line could grant.
    fn narrowed(
        &self,
        enforcer: &mut Enforcer,
        who: &str,
        repository: &str,
        action: Action,
    ) -> Result<BTreeSet<RequirementName>, Undecided> {
        let candidates = self.policy.speaking(who, repository, action);
        let allows = candidates.iter().filter(|line| line.effect == Effect::Allow);
        let names: BTreeSet<&RequirementName> = allows.filter_map(|line| line.requirement.as_ref()).collect();
        let roles = self.policy.roles().closure(who);
        let members: Vec<(&str, &str)> =
            roles.iter().flat_map(|m| self.policy.roles().direct(m).map(move |(role, _)| (*m, role))).collect();
        let mut granted = BTreeSet::new();
        for name in names {
            let matters = |line: &&&Line| line.effect == Effect::Deny || line.requirement.as_ref() == Some(name);
            let lines: Vec<&Line> = candidates.iter().filter(matters).copied().collect();
            fill(enforcer, &lines, members.iter().copied())?;
            if ask(enforcer, who, repository, action, name)? {
                granted.insert(name.clone());
            }
        }
        Ok(granted)
    }
}

impl Authorizer for Casbin {
    fn granted(&self, who: &Who, repository: &str, action: Action) -> Result<BTreeSet<RequirementName>, Undecided> {
        let who = who.to_string();
        // A panic in casbin must neither end the process nor grant.
        let decided = catch_unwind(AssertUnwindSafe(|| match &self.decider {
            Decider::Narrowed(enforcer) => {
                // After a panic the enforcer is as good as ever: each decision fills it anew.
                let mut enforcer = enforcer.lock().unwrap_or_else(PoisonError::into_inner);
                self.narrowed(&mut enforcer, &who, repository, action)
            }
            Decider::Whole(enforcer, names) => off_the_runtime(|| {
                let mut granted = BTreeSet::new();
                for name in names {
                    if ask(enforcer, &who, repository, action, name)? {
                        granted.insert(name.clone());
                    }
                }
                Ok(granted)
            }),
        }));
        decided.unwrap_or_else(|_| Err(Undecided("casbin panicked".to_owned())))
    }

    fn denied(&self, who: &Who, repository: &str, action: Action) -> bool {
        let lines = self.policy.speaking(&who.to_string(), repository, action);
        lines.iter().any(|line| line.effect == Effect::Deny)
    }
}

/// Lets the runtime move its other tasks to another thread while `work` runs: it may take long.
fn off_the_runtime<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

async fn enforcer(model: &str) -> Result<Enforcer, String> {
    let model =
        DefaultModel::from_str(model).await.map_err(|error| format!("expected a casbin model, found {error}"))?;
    let tokens = |section: &str| -> Vec<String> {
        let found = model.get_model().get(section).and_then(|all| all.get(section));
        found.map(|ast| ast.tokens.clone()).unwrap_or_default()
    };
    if tokens("r").len() != 4 || tokens("p").len() != 5 || tokens("p").last().map(String::as_str) != Some("p_eft") {
        return Err(
            "expected r of four columns and p of five, the last of them eft: who, where, may, provided, eft".into()
        );
    }
    let roles = model.get_model().get("g").and_then(|all| all.get("g")).map(|ast| ast.value.matches('_').count());
    if roles != Some(2) {
        return Err("expected the role definition g = _, _".into());
    }
    Enforcer::new(model, ()).await.map_err(|error| format!("expected a casbin model, found {error}"))
}

/// A model must evaluate, and give nothing to someone of whom no line speaks.
fn probe(enforcer: &Enforcer) -> Result<(), String> {
    let nobody = format!("user:{}", uuid::Uuid::new_v4());
    let unverified = RequirementName::unverified();
    for action in Action::ALL {
        let asked = catch_unwind(AssertUnwindSafe(|| ask(enforcer, &nobody, "hallmark/probe", action, &unverified)));
        match asked {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                return Err(format!("expected nothing for someone without a line, found a grant of {action}"));
            }
            Ok(Err(error)) => return Err(format!("expected a model that evaluates, found {}", error.0)),
            Err(_) => return Err("expected a model that evaluates, found that casbin panics".to_owned()),
        }
    }
    Ok(())
}

/// Replaces all that `enforcer` knows.
fn fill<'a>(
    enforcer: &mut Enforcer,
    lines: &[&Line],
    members: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), Undecided> {
    let model = enforcer.get_mut_model();
    model.clear_policy();
    for line in lines {
        model.add_policy("p", "p", cells(line));
    }
    for (member, role) in members {
        model.add_policy("g", "g", vec![member.to_owned(), role.to_owned()]);
    }
    enforcer.build_role_links().map_err(|error| Undecided(error.to_string()))
}

/// The line as casbin reads it.
fn cells(line: &Line) -> Vec<String> {
    let effect = if line.effect == Effect::Allow { "allow" } else { "deny" };
    vec![
        line.subject.clone(),
        line.repositories.clone(),
        line.action.map_or("*", Action::as_str).to_owned(),
        line.requirement.as_ref().map_or("*", RequirementName::as_str).to_owned(),
        effect.to_owned(),
    ]
}

fn ask(
    enforcer: &Enforcer,
    who: &str,
    repository: &str,
    action: Action,
    requirement: &RequirementName,
) -> Result<bool, Undecided> {
    enforcer
        .enforce((who, repository, action.as_str(), requirement.as_str()))
        .map_err(|error| Undecided(error.to_string()))
}
