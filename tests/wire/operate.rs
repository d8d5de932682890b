//! What operators rely on.

use std::process::Command;

use crate::program::{POLICY, Program, put};

#[test]
fn a_request_keeps_its_plain_identifier() {
    let program = Program::start();
    let id = |sent: &str| {
        let answer = program.send_with("GET", "/v2/", &[("x-request-id", sent)], b"");
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(id("a.b-1"), "a.b-1");
    assert_ne!(id("a b"), "a b");
}

#[test]
fn a_refusal_is_one_metric() {
    let program = Program::start();
    program.send("GET", "/v2/A/manifests/v1");
    let metrics = program.send("GET", "/metrics");
    assert!(metrics.text().contains("hallmark_refusals_total{reason=\"name-invalid\"} 1\n"));
    assert!(metrics.text().contains("hallmark_requests_total{endpoint=\"none\",method=\"GET\",status=\"400\"} 1\n"));
}

#[test]
fn a_reload_that_is_refused_says_why_and_keeps_the_last_good_revision() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    put(program.folder(), "policies/policy.csv", &format!("{POLICY}p, anonymous, **, pull, unverified, Deny\n"));
    let refused = program.send("POST", "/_hallmark/reload");
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("policies/policy.csv:5"), "{}", refused.text());
    assert!(program.send("GET", "/readyz").text().contains("degraded"));
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").status, 200);
    put(program.folder(), "policies/policy.csv", POLICY);
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    assert_eq!(program.send("GET", "/readyz").text(), "ready\n");
}

#[test]
fn a_flush_brings_the_layout_up_to_date() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    assert_eq!(program.send("POST", "/_hallmark/flush").status, 204);
    let index = std::fs::read_to_string(program.folder().join("data/open/app/index.json")).unwrap();
    assert!(index.contains("\"v1\""), "{index}");
}

#[test]
fn a_signal_ends_it_cleanly_with_the_layout_up_to_date() {
    let mut program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
    assert_eq!(program.wait(), Some(0));
    assert!(program.folder().join("data/open/app/index.json").exists());
}

#[test]
fn metrics_are_prometheus_text() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    let page = program.send("GET", "/metrics");
    let (mut families, mut series) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    let (mut family, mut buckets) = (String::new(), (String::new(), 0.0));
    for line in page.text().lines() {
        if let Some(declared) = line.strip_prefix("# ") {
            let name = declared.split(' ').nth(1).unwrap().to_owned();
            assert!(families.insert(declared.split(' ').take(2).collect::<Vec<_>>().join(" ")), "{line} again");
            family = name;
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        assert!(series.insert(name.to_owned()), "{name} again");
        assert!(name.starts_with(&family), "{line} below {family}");
        if let Some((labels, _)) = name.split_once("le=\"") {
            let before = if buckets.0 == labels { buckets.1 } else { 0.0 };
            assert!(value >= before, "{line} after {before}");
            buckets = (labels.to_owned(), value);
        }
    }
    assert!(families.contains("HELP hallmark_request_seconds") && families.contains("TYPE hallmark_request_seconds"));
}

#[test]
fn it_takes_as_many_descriptors_as_it_is_granted() {
    let program = Program::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
}
