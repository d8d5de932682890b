//! Uploads that break off.

use std::io::Write as _;
use std::time::{Duration, Instant};

use hallmark::oci::Digest;

use crate::program::Program;

fn uploads(program: &Program) -> String {
    let metrics = program.send("GET", "/metrics");
    let line = metrics.text().lines().find(|line| line.starts_with("hallmark_storage_uploads "));
    let files = std::fs::read_dir(program.folder().join("data/_uploads")).unwrap().count();
    format!("{} and {files} files", line.unwrap())
}

const NONE: &str = "hallmark_storage_uploads 0 and 0 files";

#[test]
fn what_came_of_a_chunk_before_it_stood_still_is_kept() {
    let program = Program::start_with(&["--body-idle-seconds", "1"]);
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    let head = format!("PATCH {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\nhello, ");
    assert_eq!(program.send_raw(head.as_bytes()).status, 408);
    assert_eq!(program.send("GET", &session).header("range"), Some("0-6"));
    assert_eq!(program.send_with("PATCH", &session, &[("content-range", "7-11")], b"world").status, 202);
    let digest = Digest::sha256(b"hello, world");
    assert_eq!(program.send("PUT", &format!("{session}?digest={digest}")).status, 201);
}

#[test]
fn an_upload_in_one_request_that_breaks_off_leaves_nothing() {
    let program = Program::start();
    let digest = Digest::sha256(b"never whole");
    let path = format!("/v2/open/app/blobs/uploads/?digest={digest}");
    let mut stream = program.connect();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![0; 3_000_000]).unwrap();
    let start = Instant::now();
    while uploads(&program) == NONE {
        assert!(start.elapsed() < Duration::from_secs(10), "the upload never began");
    }
    drop(stream);
    while uploads(&program) != NONE {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", uploads(&program));
    }
}

#[test]
fn a_session_over_the_limit_is_forgotten_with_its_bytes() {
    let program = Program::start_with(&["--blob-bytes", "4096"]);
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    assert_eq!(program.send_with("PATCH", &session, &[], &[7; 4000]).status, 202);
    let over = program.send_with("PATCH", &session, &[], &[7; 4000]);
    assert_eq!((over.status, over.code().as_str()), (413, "SIZE_INVALID"));
    assert_eq!(uploads(&program), NONE);
}
