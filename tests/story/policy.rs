//! Mistakes in policy and trust: each refuses the revision with file and line, and the last good one serves on,
//! also after a restart.

use crate::harness::{Image, Registry, Setup};

const POLICY: &str = "policies/policy.csv";
const REQUIREMENTS: &str = "policies/requirements.toml";
const CASES: &str = "policies/cases.csv";

/// A policy under which `deploy` may pull nothing that is unsigned, in five lines.
const GOOD: &str = "\
p, role:ci, prod/**, push, unverified, allow
p, role:ci, prod/**, pull, unverified, allow
p, role:cluster, prod/**, pull, signed-release, allow
g, user:ci, role:ci
g, user:deploy, role:cluster
";

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_unverified_line_that_opens_a_protected_repository() {
    let opened = format!("{GOOD}p, role:cluster, **, pull, unverified, allow\n");
    refuses(&[(POLICY, &opened)], &["policies/policy.csv:6", "prod/**"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_effect_written_deny_with_a_capital() {
    let written = format!("{GOOD}p, role:cluster, prod/secret/**, pull, *, Deny\n");
    refuses(&[(POLICY, &written)], &["policies/policy.csv:6", "Deny"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_deny_line_with_a_trailing_comment() {
    let commented = format!("{GOOD}p, role:cluster, prod/secret/**, pull, *, deny # not theirs\n");
    refuses(&[(POLICY, &commented)], &["policies/policy.csv:6"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_byte_order_mark() {
    refuses(&[(POLICY, &format!("\u{feff}{GOOD}"))], &["policies/policy.csv:1", "byte-order mark"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_bad_glob() {
    let bad = format!("{GOOD}p, role:cluster, prod/[, pull, signed-release, allow\n");
    refuses(&[(POLICY, &bad)], &["policies/policy.csv:6", "expected a closing bracket"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_empty_policy() {
    refuses(&[(POLICY, "")], &["policies/policy.csv"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_user_named_like_a_role() {
    let posing = format!("{GOOD}g, user:role:ci, role:cluster\n");
    refuses(&[(POLICY, &posing)], &["policies/policy.csv:6", "user:role:ci"]);
    let bare = format!("{GOOD}g, ci, role:cluster\n");
    refuses(&[(POLICY, &bare)], &["policies/policy.csv:6"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_failing_line_of_cases() {
    let cases = "\
# who, action, reference, expected, why
user:ci, pull, prod/app, unverified, ci sees what it pushed
user:deploy, pull, prod/app, unverified, this one is wrong
";
    refuses(&[(CASES, cases)], &["policies/cases.csv:3"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_unknown_requirement() {
    let unknown = format!("{GOOD}p, role:cluster, other/**, pull, sgined-release, allow\n");
    refuses(&[(POLICY, &unknown)], &["policies/policy.csv:6", "sgined-release"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_unknown_signer() {
    let unknown = "[signed-release]\nany = [{ signed_by = \"relaese\" }]\n";
    refuses(&[(REQUIREMENTS, unknown)], &["policies/requirements.toml:", "relaese"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_public_key_that_is_none() {
    refuses(&[("trust/cosign/release.pub", "not a key\n")], &["trust/", "release"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn mistakes_together_are_told_together() {
    let registry = Registry::start(&good());
    let both = format!("{GOOD}p, role:x, prod/**, pull, *, Deny\np, role:y, prod/[, pull, signed-release, allow\n");
    let seen = registry.lines();
    registry.refuses(&[(POLICY, &both)], &["policies/policy.csv:6"]);
    registry.logs(seen, &["policies/policy.csv:7"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_first_start_on_a_mistake_serves_nothing() {
    let mut setup = good();
    setup.policy.push_str("p, role:cluster, prod/**, pull, *, Deny\n");
    let (status, log) = Registry::does_not_start(&setup);
    assert!(!status.success());
    assert!(log.contains("policies/policy.csv:6"), "expected file and line, found\n{log}");
}

/// A running registry refuses `files`, tells it with all of `words` on one line, and serves on as before; `hallmark check`
/// says the same; a restart comes up on the last good revision, degraded and loud.
#[track_caller]
fn refuses(files: &[(&str, &str)], words: &[&str]) {
    let mut registry = Registry::start(&good());
    let digest = registry.person("ci").pushes_tagged("prod/app", "v1", &Image::of("unsigned"));
    registry.hallmark(&["check"]).succeeded();
    serves_as_before(&registry, &digest);

    registry.refuses(files, words);

    serves_as_before(&registry, &digest);
    is_degraded(&registry);
    let check = registry.hallmark(&["check"]);
    assert_eq!(check.code(), 1, "expected a refusal\n{check}");
    assert!(
        check.told().lines().any(|line| words.iter().all(|word| line.contains(word))),
        "expected {words:?}\n{check}"
    );

    registry.stops_and_restarts();
    registry.logs(0, words);
    serves_as_before(&registry, &digest);
    is_degraded(&registry);
    registry.crashes_and_restarts();
    serves_as_before(&registry, &digest);
}

/// Ready, and loud about it.
#[track_caller]
fn is_degraded(registry: &Registry) {
    let ready = registry.anonymous().get("/readyz").is(200);
    assert!(ready.text().contains("degraded"), "expected it to say so\n{ready}");
    let metrics = registry.anonymous().get("/metrics").is(200);
    assert!(metrics.text().contains("\nhallmark_degraded 1\n"), "expected it to be counted\n{metrics}");
}

#[track_caller]
fn serves_as_before(registry: &Registry, digest: &str) {
    let [ci, deploy] = registry.people(["ci", "deploy"]);
    assert_eq!(ci.resolves("prod/app", "v1"), digest);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["no signature was found"]);
}

fn good() -> Setup {
    Setup {
        policy: GOOD.to_owned(),
        cases: "user:ci, pull, prod/app, unverified, ci sees what it pushed\n".to_owned(),
        users: vec!["ci", "deploy"],
        ..Setup::release()
    }
}
