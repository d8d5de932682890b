//! `policies/cases.csv`: the policy's own tests. One that fails refuses the revision.

use std::collections::BTreeSet;

use crate::authz::Authorizer;
use crate::authz::table::{self, Row};
use crate::files::Files;
use crate::gate::{Action, RequirementName, Who};
use crate::mistake::Mistake;
use crate::oci::{Reference, RepositoryName};

/// The file of the cases.
const FILE: &str = "policies/cases.csv";

/// Runs every case; those that fail are mistakes with their line.
pub(super) fn check(files: &Files, authorizer: &dyn Authorizer) -> Result<(), Vec<Mistake>> {
    let rows = table::rows(files, FILE)?;
    let failed = |row: &Row| run(row, authorizer).err().map(|message| Mistake::new(FILE, row.line, message));
    let mistakes: Vec<Mistake> = rows.iter().filter(|row| !is_header(row)).filter_map(failed).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

fn is_header(row: &Row) -> bool {
    row.cells.starts_with(&["who", "action", "reference", "expected"].map(str::to_owned))
}

fn run(row: &Row, authorizer: &dyn Authorizer) -> Result<(), String> {
    let ([who, action, reference, expected] | [who, action, reference, expected, _]) = row.cells.as_slice() else {
        return Err(format!("expected 5 columns (who, action, reference, expected, why), found {}", row.cells.len()));
    };
    let asks: Who = who.parse().map_err(|error| format!("{error}"))?;
    let action: Action =
        action.parse().map_err(|()| format!("expected one of the actions of the policy, found {action:?}"))?;
    let repository = repository(reference, action)?;
    let granted = authorizer.granted(&asks, repository, action).map_err(|error| error.to_string())?;
    let holds = match expected.as_str() {
        "deny" => granted.is_empty(),
        "allow" => granted.iter().any(RequirementName::is_unverified),
        names => granted == parse(names)?,
    };
    if holds {
        return Ok(());
    }
    Err(format!("expected {expected} for {who} to {action} {reference}, found {}", describe(&granted)))
}

/// The repository that `reference` names, without tag and digest.
fn repository(reference: &str, action: Action) -> Result<&str, String> {
    if action == Action::Admin && reference == "_registry" {
        return Ok(reference);
    }
    let wrong = || format!("expected <repository>, <repository>:<tag> or <repository>@<digest>, found {reference:?}");
    let (name, rest) = match reference.split_once('@').or_else(|| reference.split_once(':')) {
        Some((name, rest)) => (name, Some(rest)),
        None => (reference, None),
    };
    if rest.is_some_and(|rest| rest.parse::<Reference>().is_err()) || name.parse::<RepositoryName>().is_err() {
        return Err(wrong());
    }
    Ok(name)
}

fn parse(names: &str) -> Result<BTreeSet<RequirementName>, String> {
    let name = |name: &str| {
        name.trim()
            .parse::<RequirementName>()
            .map_err(|_less_said| format!("expected deny, allow or requirements joined by |, found {names:?}"))
    };
    names.split('|').map(name).collect()
}

fn describe(granted: &BTreeSet<RequirementName>) -> String {
    if granted.is_empty() {
        return "deny".to_owned();
    }
    granted.iter().map(RequirementName::as_str).collect::<Vec<_>>().join("|")
}
