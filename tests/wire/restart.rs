//! Uploads and a crash of the program between two requests.

use std::io::Write as _;
use std::time::{Duration, Instant};

use hallmark::oci::Digest;

use crate::program::Program;

fn files(program: &Program) -> usize {
    std::fs::read_dir(program.folder().join("data/_uploads")).unwrap().count()
}

#[test]
fn a_session_is_gone_on_with_after_a_crash() {
    let mut program = Program::start();
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    assert_eq!(program.send_with("PATCH", &session, &[("content-range", "0-6")], b"hello, ").status, 202);
    program.crash_and_restart();
    let status = program.send("GET", &session);
    assert_eq!((status.status, status.header("range")), (204, Some("0-6")));
    assert_eq!(program.send_with("PATCH", &session, &[("content-range", "7-11")], b"world").status, 202);
    program.crash_and_restart();
    let digest = Digest::sha256(b"hello, world");
    assert_eq!(program.send("PUT", &format!("{session}?digest={digest}")).status, 201);
    assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{digest}")).body, b"hello, world");
}

#[test]
fn a_chunk_at_another_place_is_told_where_the_session_is_after_a_crash() {
    let mut program = Program::start();
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    assert_eq!(program.send_with("PATCH", &session, &[], b"hello, ").status, 202);
    program.crash_and_restart();
    let refused = program.send_with("PATCH", &session, &[("content-range", "3-7")], b"world");
    assert_eq!((refused.status, refused.header("range")), (416, Some("0-6")));
}

#[test]
fn a_session_whose_bytes_are_not_what_came_is_unknown_after_a_crash() {
    let mut program = Program::start();
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    assert_eq!(program.send_with("PATCH", &session, &[], b"hello, ").status, 202);
    let file = program.folder().join("data/_uploads").join(session.rsplit('/').next().unwrap());
    std::fs::File::create(file).unwrap().write_all(b"hallo, ").unwrap();
    program.crash_and_restart();
    let digest = Digest::sha256(b"hello, world");
    let finished = program.send_with("PUT", &format!("{session}?digest={digest}"), &[], b"world");
    assert_eq!((finished.status, finished.code().as_str()), (404, "BLOB_UPLOAD_UNKNOWN"));
    assert_eq!(program.send("HEAD", &format!("/v2/open/app/blobs/{digest}")).status, 404);
}

#[test]
fn an_upload_in_one_request_that_a_crash_cut_off_leaves_nothing() {
    let mut program = Program::start();
    let digest = Digest::sha256(b"never whole");
    let mut stream = program.connect();
    let head = format!(
        "POST /v2/open/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![0; 3_000_000]).unwrap();
    let start = Instant::now();
    while files(&program) == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "the upload never began");
    }
    program.crash_and_restart();
    assert_eq!(files(&program), 0);
    assert!(program.stored().contains("hallmark_storage_uploads 0"));
}

#[test]
fn a_blob_whose_file_was_lost_is_absent_until_it_is_pushed_again() {
    let mut program = Program::start();
    let (manifest, _) = program.push_image("open/app", "v1", b"a layer");
    let layer = Digest::sha256(b"a layer");
    let blob = format!("/v2/open/app/blobs/{layer}");
    let shard = program.folder().join("data/_cas/sha256").join(layer.hex().get(..2).unwrap());
    for file in std::fs::read_dir(shard).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    program.crash_and_restart();
    assert_eq!(program.send("HEAD", &blob).status, 404);
    let mount = format!("/v2/open/other/blobs/uploads/?mount={layer}&from=open/app");
    assert_eq!(program.send("POST", &mount).status, 202);
    program.push_blob("open/app", b"a layer");
    assert_eq!(program.send("GET", &blob).body, b"a layer");
    assert_eq!(program.send("POST", &mount).status, 201);
    assert_eq!(program.send("HEAD", &format!("/v2/open/app/manifests/{manifest}")).status, 200);
}
