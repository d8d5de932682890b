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
