//! The traps of casbin, one test each, and that narrowed answers equal casbin's own.

use std::fmt::Write as _;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::decide::MODEL;
use super::guard::{Protection, check};
use super::*;
use crate::files::Files;
use crate::gate::{Action, Mode, RequirementName, Who};
use crate::mistake::Mistake;

fn parse(text: &str) -> Result<Policy, Vec<Mistake>> {
    Policy::parse(&Files::from([(Policy::FILE.to_owned(), text.as_bytes().to_vec())]))
}

fn refused(text: &str, line: usize, clause: &str) {
    let mistakes = parse(text).unwrap_err();
    let mistake = mistakes.first().unwrap();
    assert_eq!((mistake.line, mistakes.len()), (line, 1), "{mistakes:?}");
    assert!(mistake.message.contains(clause), "{mistake}");
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn casbin(text: &str, model: Option<&str>) -> Result<Casbin, Vec<Mistake>> {
    now(Casbin::load(&parse(text).unwrap(), model))
}

fn granted(casbin: &Casbin, who: &str, repository: &str, action: Action) -> Vec<String> {
    let granted = casbin.granted(&who.parse().unwrap(), repository, action).unwrap();
    granted.iter().map(ToString::to_string).collect()
}

fn name(text: &str) -> RequirementName {
    text.parse().unwrap()
}

const GOOD: &str = "p, role:ci, prod/**, push, unverified, allow\n";

#[test]
fn an_effect_written_otherwise_is_refused() {
    refused("p, anonymous, prod/**, pull, unverified, Deny", 1, "allow or deny");
}

#[test]
fn a_deny_line_with_a_trailing_comment_is_refused() {
    refused("p, anonymous, a, pull, *, deny # why", 1, "line of its own");
}

#[test]
fn a_byte_order_mark_is_refused() {
    refused("\u{feff}p, anonymous, a, pull, *, deny", 1, "byte-order mark");
}

#[test]
fn a_line_type_in_capitals_is_refused() {
    refused("P, anonymous, a, pull, *, deny", 1, "p or g");
}

#[test]
fn a_wrong_number_of_columns_is_refused() {
    refused("p, anonymous, a, pull, unverified", 1, "6 columns");
    refused("p, anonymous, a, pull, unverified, allow, x", 1, "6 columns");
    refused(&format!("{GOOD}g, user:a, role:b, role:c"), 2, "3 columns");
}

#[test]
fn a_bad_glob_is_refused() {
    refused("p, anonymous, a/[, pull, unverified, allow", 1, "closing bracket");
}

#[test]
fn an_unquoted_alternative_is_refused() {
    refused("p, anonymous, {a,b}, pull, unverified, allow", 1, "quotes around a glob");
    assert!(parse("p, anonymous, \"{a,b}\", pull, unverified, allow").is_ok());
}

#[test]
fn an_empty_policy_is_refused() {
    refused("", 0, "at least one p line");
    refused("# nothing\ng, user:a, role:b", 0, "at least one p line");
}

#[test]
fn an_unknown_action_is_refused() {
    refused("p, anonymous, a, read, unverified, allow", 1, "as the action");
}

#[test]
fn an_unknown_requirement_is_a_mistake() {
    let policy = parse("p, anonymous, a, pull, signd, allow").unwrap();
    assert_eq!(policy.check_requirements(&BTreeSet::from([name("signed")])).len(), 1);
    assert_eq!(policy.check_requirements(&BTreeSet::from([name("signd")])), []);
}

#[test]
fn a_subject_without_its_kind_is_refused() {
    for who in ["ci", "*", "users:x", "user:", "role:", "role:A b", "Anonymous"] {
        refused(&format!("p, {who}, a, pull, unverified, allow"), 1, "expected");
    }
}

#[test]
fn a_user_named_like_a_role_gets_nothing_of_it() {
    let casbin = casbin(GOOD, None).unwrap();
    assert!(Who::user("role:ci").is_err());
    assert!(granted(&casbin, "user:ci", "prod/a", Action::Push).is_empty());
    assert_eq!("role:ci".parse::<Who>().ok(), None);
}

#[test]
fn a_user_as_a_role_is_refused() {
    refused(&format!("{GOOD}g, user:a, user:b"), 2, "role:<name> to be a member of");
}

#[test]
fn stars_are_for_deny_lines_alone() {
    refused("p, anonymous, a, *, unverified, allow", 1, "only deny lines");
    refused("p, anonymous, a, pull, *, allow", 1, "only deny lines");
    assert!(parse("p, anonymous, a, *, *, deny").is_ok());
}

#[test]
fn a_requirement_where_nothing_is_judged_is_refused() {
    for action in ["sign", "delete"] {
        refused(&format!("p, anonymous, a, {action}, signed, allow"), 1, "never judged");
    }
    refused("p, anonymous, **, admin, signed, allow", 1, "never judged");
}

#[test]
fn admin_is_about_the_registry() {
    refused("p, user:a, prod/**, admin, unverified, allow", 1, "_registry");
    refused("p, user:a, _registry, pull, unverified, allow", 1, "only admin");
    let casbin =
        casbin("p, user:a, _registry, admin, unverified, allow\np, user:b, **, admin, unverified, allow", None)
            .unwrap();
    for (who, may) in [("user:a", true), ("user:b", true), ("user:c", false)] {
        assert_eq!(admin(&casbin, &who.parse().unwrap()).unwrap().is_some(), may, "{who}");
    }
}

fn chain(roles: usize) -> String {
    let mut text = format!(
        "p, role:r{roles}, a, pull, unverified, allow\np, anonymous, a, pull, unverified, allow\ng, user:a, role:r1\n"
    );
    for n in 1..roles {
        writeln!(text, "g, role:r{n}, role:r{}", n + 1).unwrap();
    }
    text
}

#[test]
fn nine_roles_one_behind_the_other_are_followed() {
    let casbin = casbin(&chain(9), None).unwrap();
    assert_eq!(granted(&casbin, "user:a", "a", Action::Pull), ["unverified"]);
}

#[test]
fn ten_roles_one_behind_the_other_are_refused() {
    assert!(parse(&chain(10)).unwrap_err().iter().any(|m| m.message.contains("at most 9 roles")));
}

#[test]
fn roles_in_a_circle_are_refused() {
    refused(&format!("{GOOD}g, role:a, role:b\ng, role:b, role:a"), 3, "circle");
}

#[test]
fn every_mistake_is_told_at_once() {
    let mistakes =
        parse("p, a, b, pull, unverified, allow\nq\np, anonymous, a/[, pull, unverified, allow").unwrap_err();
    assert_eq!(mistakes.iter().map(|m| m.line).collect::<Vec<_>>(), [1, 2, 3]);
}

const DESIGN: &str = "
p, role:ci,      prod/**,  push,    unverified,     allow
p, role:ci,      prod/**,  pull,    unverified,     allow
p, role:signer,  prod/**,  sign,    unverified,     allow
p, role:cluster, prod/**,  pull,    signed-release, allow
p, role:intern,  prod/**,  pull,    *,              deny
p, role:ops,     prod/**,  pull,    audited,        allow
p, role:ops,     prod/**,  push,    audited,        allow
g, user:ci,      role:ci
g, user:signer,  role:signer
g, user:deploy,  role:cluster
g, user:intern,  role:ci
g, user:intern,  role:intern
g, user:ops,     role:ops
g, user:both,    role:ops
g, user:both,    role:cluster
";

fn access(who: &str) -> Arc<Access> {
    let modes = BTreeMap::from([(name("signed-release"), Mode::Enforce), (name("audited"), Mode::Audit)]);
    let casbin = casbin(DESIGN, None).unwrap();
    Arc::new(Access::decide(&casbin, &modes, &who.parse().unwrap(), &"prod/app".parse().unwrap()).unwrap())
}

fn conditional(names: &[&str], mode: Mode) -> PullTerms {
    PullTerms::Conditional { requirements: names.iter().map(|n| name(n)).collect(), mode }
}

#[test]
fn unverified_shows_everything() {
    assert_eq!(access("user:ci").terms(), &PullTerms::Everything);
}

#[test]
fn a_deny_line_wins_over_all() {
    assert!(access("user:intern").push().is_some());
    assert_eq!(access("user:intern").terms(), &PullTerms::Nothing);
}

#[test]
fn a_requirement_makes_pull_conditional() {
    assert_eq!(access("user:deploy").terms(), &conditional(&["signed-release"], Mode::Enforce));
}

#[test]
fn what_is_not_enforced_does_not_count_beside_what_is() {
    assert_eq!(access("user:both").terms(), &conditional(&["signed-release"], Mode::Enforce));
    assert_eq!(access("user:ops").terms(), &conditional(&["audited"], Mode::Audit));
}

#[test]
fn sign_alone_reads_what_signing_needs() {
    let access = access("user:signer");
    assert_eq!(access.terms(), &PullTerms::Signing);
    assert!(access.sign().unwrap().is_sign_only() && access.push().is_none());
}

#[test]
fn push_includes_sign() {
    assert!(!access("user:ci").sign().unwrap().is_sign_only());
}

#[test]
fn without_a_line_there_is_nothing() {
    let access = access("user:nobody");
    assert!(access.is_empty() && access.pull().is_none() && access.delete().is_none());
}

#[test]
fn a_requirement_that_is_not_enforced_admits_no_tag() {
    assert_eq!(access("user:ops").push().unwrap().requirements(), []);
    assert_eq!(access("user:ci").push().unwrap().requirements(), [RequirementName::unverified()]);
}

#[test]
fn a_requirement_of_unknown_mode_decides_nothing() {
    let casbin = casbin(DESIGN, None).unwrap();
    let who = "user:deploy".parse().unwrap();
    assert!(Access::decide(&casbin, &BTreeMap::new(), &who, &"prod/app".parse().unwrap()).is_err());
}

fn protection(globs: &[&str], except: &[&str]) -> Protection {
    Protection {
        requirement: name("signed"),
        line: 7,
        globs: globs.iter().map(ToString::to_string).collect(),
        except: except.iter().map(ToString::to_string).collect(),
        stronger: BTreeSet::from([name("signed-twice")]),
    }
}

fn opens(line: &str, except: &[&str]) -> bool {
    let policy = parse(&format!("{line}\ng, role:bot, role:ci\n")).unwrap();
    let mistakes = check(&policy, &[protection(&["prod/**"], except)]);
    assert!(mistakes.iter().all(|m| m.file == Policy::FILE && m.line == 1), "{mistakes:?}");
    !mistakes.is_empty()
}

#[test]
fn a_weaker_pull_that_can_reach_a_protected_repository_is_refused() {
    for place in ["**", "prod/app", "*/app", "pr?d/**", "\"{dev,prod}/x\"", "[a-z]*/**"] {
        assert!(opens(&format!("p, role:dev, {place}, pull, unverified, allow"), &[]), "{place}");
    }
    assert!(opens("p, role:dev, prod/app, pull, other, allow", &[]));
}

#[test]
fn what_does_not_open_is_accepted() {
    for line in [
        "p, role:dev, dev/**, pull, unverified, allow",
        "p, role:dev, prod, pull, unverified, allow",
        "p, role:dev, prod/**, pull, signed, allow",
        "p, role:dev, prod/**, pull, signed-twice, allow",
        "p, role:dev, prod/**, push, unverified, allow",
        "p, role:dev, prod/**, pull, unverified, deny",
    ] {
        assert!(!opens(line, &[]), "{line}");
    }
}

#[test]
fn whom_a_requirement_excepts_may_be_weaker() {
    assert!(!opens("p, role:ci, prod/**, pull, unverified, allow", &["role:ci"]));
    assert!(!opens("p, role:bot, prod/**, pull, unverified, allow", &["role:ci"]));
    assert!(opens("p, role:ci, prod/**, pull, unverified, allow", &["role:bot"]));
}

#[test]
fn a_malformed_protection_is_a_mistake_of_the_requirement() {
    let policy = parse(GOOD).unwrap();
    let mistakes = check(&policy, &[protection(&["prod/["], &["ci"])]);
    assert_eq!(
        mistakes.iter().map(|m| (m.file.as_str(), m.line)).collect::<Vec<_>>(),
        [("policies/requirements.toml", 7); 2]
    );
}

#[test]
fn a_model_that_allows_whoever_is_not_denied_is_refused() {
    let open = MODEL.replace("some(where (p.eft == allow)) && !some", "!some");
    assert!(casbin(GOOD, Some(&open)).err().unwrap()[0].message.contains("someone without a line"));
}

#[test]
fn a_model_that_casbin_panics_on_is_refused() {
    let bad = MODEL.replace("some(where (p.eft == allow)) && ", "few(where (p.eft == allow)) && ");
    assert!(casbin(GOOD, Some(&bad)).is_err());
}

#[test]
fn a_model_of_other_columns_is_refused() {
    assert!(casbin(GOOD, Some(&MODEL.replace("r = sub, obj, act, req", "r = sub, obj, act"))).is_err());
    assert!(casbin(GOOD, Some("nonsense")).is_err());
}

fn table() -> impl Strategy<Value = String> {
    let who = prop::sample::select(vec!["user:a", "user:b", "role:x", "role:y", "role:z", "anonymous"]);
    let place = prop::sample::select(vec!["**", "a/**", "a/*", "a/b", "?/b", "\"{a,b}/b\"", "b"]);
    let action = prop::sample::select(vec!["pull", "push", "sign", "delete", "*"]);
    let requirement = prop::sample::select(vec!["unverified", "r", "s", "*"]);
    let line = (who, place, action, requirement, any::<bool>()).prop_map(|(who, place, action, requirement, deny)| {
        let (action, requirement) = match (deny, action, requirement) {
            (false, "*", _) => ("pull", "unverified"),
            (false, action, "*") => (action, "unverified"),
            _ => (action, requirement),
        };
        let requirement = if matches!(action, "sign" | "delete") { "unverified" } else { requirement };
        format!("p, {who}, {place}, {action}, {requirement}, {}\n", if deny { "deny" } else { "allow" })
    });
    let member = prop::sample::select(vec![
        "g, user:a, role:x\n",
        "g, user:a, role:z\n",
        "g, role:x, role:y\n",
        "g, role:y, role:z\n",
        "g, user:b, role:y\n",
    ]);
    (prop::collection::vec(line, 1..12), prop::collection::vec(member, 0..5))
        .prop_map(|(lines, members)| format!("{}{}", lines.concat(), members.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn narrowed_answers_equal_casbins_own_on_the_whole_policy(table in table()) {
        let (narrowed, whole) = (casbin(&table, None).unwrap(), casbin(&table, Some(MODEL)).unwrap());
        for who in ["user:a", "user:b", "user:c", "anonymous"] {
            for repository in ["a/b", "b", "a/b/c", "b/b"] {
                for action in [Action::Pull, Action::Push, Action::Sign, Action::Delete] {
                    prop_assert_eq!(granted(&narrowed, who, repository, action), granted(&whole, who, repository, action));
                }
            }
        }
    }
}
