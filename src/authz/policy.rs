//! `policies/policy.csv`, read strictly: what casbin would read otherwise than its author meant is refused.

use std::collections::BTreeSet;
use std::fmt;

use globset::{GlobSet, GlobSetBuilder};

use super::roles::Roles;
use super::table::{self, Row};
use super::{glob, grant};
use crate::files::Files;
use crate::gate::{Action, RequirementName, Who};
use crate::mistake::Mistake;

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It grants.
    Allow,
    /// It denies, over all grants.
    Deny,
}

/// A `p` line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line, counted from 1.
    pub line: usize,
    /// Who: `user:…`, `role:…` or `anonymous`.
    pub subject: String,
    /// Where: a glob.
    pub repositories: String,
    /// May do what; none is `*`.
    pub action: Option<Action>,
    /// Provided what; none is `*`.
    pub requirement: Option<RequirementName>,
    /// The effect.
    pub effect: Effect,
}

/// The line as it is written in the table.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.action.map_or("*", Action::as_str);
        let requirement = self.requirement.as_ref().map_or("*", RequirementName::as_str);
        let effect = if self.effect == Effect::Allow { "allow" } else { "deny" };
        let quote = if self.repositories.contains(',') { "\"" } else { "" };
        write!(f, "p, {}, {quote}{}{quote}, {action}, {requirement}, {effect}", self.subject, self.repositories)
    }
}

/// The authorisation table.
#[derive(Clone, Debug)]
pub struct Policy {
    lines: Vec<Line>,
    roles: Roles,
    globs: GlobSet,
}

impl Policy {
    /// The file of the table.
    pub const FILE: &'static str = "policies/policy.csv";

    /// Reads `policies/policy.csv`; every mistake is told at once.
    pub fn parse(files: &Files) -> Result<Self, Vec<Mistake>> {
        let rows = table::rows(files, Self::FILE)?;
        let mut mistakes = Vec::new();
        let mut lines = Vec::new();
        let mut globs = GlobSetBuilder::new();
        let mut members = Vec::new();
        for row in rows {
            let read = match row.cells.first().map(String::as_str) {
                Some("p") => line(&row).map(|(line, glob)| {
                    lines.push(line);
                    globs.add(glob);
                }),
                Some("g") => member(&row).map(|(member, role)| members.push((row.line, member, role))),
                other => Err(format!("expected a line of p or g, found {:?}", other.unwrap_or_default())),
            };
            mistakes.extend(read.err().map(|message| Mistake::new(Self::FILE, row.line, message)));
        }
        if lines.is_empty() && mistakes.is_empty() {
            mistakes.push(Mistake::new(Self::FILE, 0, "expected at least one p line, found none"));
        }
        let roles = Roles::new(members);
        mistakes.extend(roles.mistakes());
        let globs = globs.build().map_err(|error| vec![Mistake::new(Self::FILE, 0, error.to_string())])?;
        if mistakes.is_empty() { Ok(Self { lines, roles, globs }) } else { Err(mistakes) }
    }

    /// The lines that name a requirement that is neither `unverified` nor one of `known`.
    pub fn check_requirements(&self, known: &BTreeSet<RequirementName>) -> Vec<Mistake> {
        let unknown = |line: &Line| {
            let name = line.requirement.as_ref().filter(|name| !name.is_unverified() && !known.contains(name))?;
            Some(Mistake::new(
                Self::FILE,
                line.line,
                format!("expected a requirement of policies/requirements.toml, found {name}"),
            ))
        };
        self.lines.iter().filter_map(unknown).collect()
    }

    /// The `p` lines, as written.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Who has which role.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The requirements of the lines for `actions` that can speak of `repository`, whoever asks.
    pub fn requirements_for(&self, repository: &str, actions: &[Action]) -> BTreeSet<RequirementName> {
        let speaks = |line: &&Line| line.effect == Effect::Allow && line.action.is_some_and(|a| actions.contains(&a));
        let lines = self.matching(repository).filter_map(|at| self.lines.get(at));
        lines.filter(speaks).filter_map(|line| line.requirement.clone()).collect()
    }

    /// The lines that can matter for a decision, in their order: of `who` and their roles, of the repository and of the
    /// action.
    pub fn speaking(&self, who: &str, repository: &str, action: Action) -> Vec<&Line> {
        let subjects = self.roles.closure(who);
        let lines = self.matching(repository).filter_map(|at| self.lines.get(at));
        lines.filter(|line| subjects.contains(line.subject.as_str()) && speaks_of(line, action)).collect()
    }

    /// The lines that match none of `repositories` and so do nothing now, `admin` lines aside.
    pub fn idle(&self, repositories: &[String]) -> Vec<Mistake> {
        let used: BTreeSet<usize> = repositories.iter().flat_map(|name| self.globs.matches(name)).collect();
        let idle = self.lines.iter().enumerate();
        idle.filter(|(at, line)| !used.contains(at) && line.action != Some(Action::Admin))
            .map(|(_, line)| {
                Mistake::new(
                    Self::FILE,
                    line.line,
                    format!("{} matches no repository that is stored", line.repositories),
                )
            })
            .collect()
    }

    /// The places in [`Policy::lines`] of those whose glob matches `repository`, in order.
    pub(super) fn matching(&self, repository: &str) -> impl Iterator<Item = usize> + use<> {
        self.globs.matches(repository).into_iter()
    }
}

fn speaks_of(line: &Line, action: Action) -> bool {
    match (line.effect, line.action) {
        (_, Some(of)) if of == action => true,
        (Effect::Deny, of) => of.is_none(),
        (Effect::Allow, of) => of == Some(Action::Push) && action == Action::Sign,
    }
}

fn line(row: &Row) -> Result<(Line, globset::Glob), String> {
    let [_, who, place, may, provided, effect] = row.cells.as_slice() else {
        return Err(format!(
            "expected 6 columns (p, who, where, may, provided, effect), found {}: quote a glob that holds a comma",
            row.cells.len()
        ));
    };
    let effect = match effect.as_str() {
        "allow" => Effect::Allow,
        "deny" => Effect::Deny,
        other => return Err(format!("expected the effect allow or deny, found {other:?}")),
    };
    subject(who)?;
    let action: Option<Action> = match may.as_str() {
        "*" if effect == Effect::Deny => None,
        "*" => return Err("expected one action on an allow line, found \"*\": only deny lines may say it".to_owned()),
        word => Some(word.parse().map_err(|()| {
            format!("expected one of pull, push, sign, delete, promote, admin as the action, found {word:?}")
        })?),
    };
    let requirement = match provided.as_str() {
        "*" if effect == Effect::Deny => None,
        "*" => {
            return Err("expected one requirement on an allow line, found \"*\": only deny lines may say it".to_owned());
        }
        word => Some(word.parse::<RequirementName>().map_err(|error| error.to_string())?),
    };
    if let (Some(action), Some(name)) = (action, &requirement)
        && !action.is_judged()
        && !name.is_unverified()
    {
        return Err(format!("expected unverified for {action}, which is never judged, found {name}"));
    }
    let glob = glob::build(place)?;
    check_place(place, action)?;
    let line = Line { line: row.line, subject: who.clone(), repositories: place.clone(), action, requirement, effect };
    Ok((line, glob))
}

/// `admin` is about the registry, every other action about repositories.
fn check_place(place: &str, action: Option<Action>) -> Result<(), String> {
    let is_registry = place == grant::REGISTRY;
    match action {
        Some(Action::Admin) if !is_registry && place != "**" => {
            Err(format!("expected {} or ** for admin, found {place:?}", grant::REGISTRY))
        }
        Some(action) if action != Action::Admin && is_registry => {
            Err(format!("expected repositories for {action}, found {place}, which only admin is about"))
        }
        _ => Ok(()),
    }
}

fn member(row: &Row) -> Result<(String, String), String> {
    let [_, member, role] = row.cells.as_slice() else {
        return Err(format!("expected 3 columns (g, member, role), found {}", row.cells.len()));
    };
    subject(member)?;
    if !role.starts_with("role:") {
        return Err(format!("expected a role:<name> to be a member of, found {role:?}"));
    }
    subject(role)?;
    Ok((member.clone(), role.clone()))
}

/// Whether `text` is a subject: someone who may ask, or a role.
pub(super) fn subject(text: &str) -> Result<(), String> {
    let wrong = || format!("expected user:<name>, role:<name> or anonymous, found {text:?}");
    match text.strip_prefix("role:") {
        Some(name) if name.parse::<RequirementName>().is_ok() => Ok(()),
        Some(_) => Err(format!("expected role:<name> of [a-z0-9] then [a-z0-9._-], found {text:?}")),
        None => text.parse::<Who>().map(drop).map_err(|_less_said| wrong()),
    }
}
