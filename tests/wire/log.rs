//! What is written about requests, whatever they hold.

use std::time::{Duration, Instant};

use crate::program::Program;

#[test]
fn every_line_is_one_json_object_whatever_was_sent_and_holds_no_credential() {
    let program = Program::start();
    for (path, header) in [
        (&b"/v2/\"%22\\\xc3\xa9/x"[..], &b"user-agent: a\"b\\c\xff\xfe \xe2\x80\xae{}\tx"[..]),
        (b"/v2/open/app/tags/list", b"x-request-id: \"},{\""),
        (b"/v2/open/app/manifests/v1", b"authorization: Basic dTpzZWNyZXQtd29yZA=="),
    ] {
        let end = &b"\r\nhost: x\r\nconnection: close\r\n\r\n"[..];
        program.send_raw(&[b"GET ", path, b" HTTP/1.1\r\n", header, end].concat());
    }
    program.send_with("GET", "/v2/", &[("x-request-id", "the-last")], b"");
    let start = Instant::now();
    while !program.log().contains("\"the-last\"") {
        assert!(start.elapsed() < Duration::from_secs(10), "{}", program.log());
    }
    let log = program.log();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(line.is_object() && line["time"].is_string() && line["event"].is_string(), "{line}");
    }
    assert_eq!(log.lines().filter(|line| line.contains("\"event\":\"request\"")).count(), 4, "{log}");
    assert!(!log.contains("dTpz") && !log.contains("secret-word"), "{log}");
}
