//! A disk that is full, and one that can't be written to: what is pushed is refused in clear words, and pulls go on.
//!
//! The disk is a small file system in memory, in a mount namespace of the program's own. Where nobody may mount, there
//! is nothing to see here, but for the database, which is open for writing already: that no byte of it can be written is
//! a limit of the process.

use hallmark::oci::Digest;

use crate::program::{Answer, MANIFEST, Program};

#[expect(clippy::print_stderr, reason = "what was not tried is told")]
fn on_a_disk_of(mebibytes: u32) -> Option<Program> {
    let program = Program::start_on_a_disk_of(mebibytes);
    if program.is_none() {
        eprintln!("not tried: this machine lets nobody mount a file system");
    }
    program
}

fn filler(number: u8) -> Vec<u8> {
    vec![number; 1 << 20]
}

fn push(program: &Program, content: &[u8]) -> Answer {
    let path = format!("/v2/open/app/blobs/uploads/?digest={}", Digest::sha256(content));
    program.send_with("POST", &path, &[], content)
}

fn assert_pulls(program: &Program, manifest: &[u8], layer: &[u8]) {
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").body, manifest);
    assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{}", Digest::sha256(layer))).body, layer);
}

#[test]
fn a_full_disk_is_507_pulls_go_on_and_pushes_when_there_is_room() {
    let Some(program) = on_a_disk_of(16) else { return };
    let (_, manifest) = program.push_image("open/app", "v1", b"a layer");
    let refused = (0..32).map(|number| push(&program, &filler(number))).find(|answer| answer.status != 201);
    let refused = refused.expect("a full disk");
    assert_eq!(refused.status, 507, "{refused:?}");
    assert!(refused.text().contains("no space is left"), "{}", refused.text());
    assert_pulls(&program, &manifest, b"a layer");
    program.at_its_disk("mount -o remount,size=32m .");
    assert_eq!(push(&program, &filler(200)).status, 201);
    program.push_image("open/app", "v2", b"another layer");
    assert_pulls(&program, &manifest, b"a layer");
}

#[test]
fn a_session_that_the_disk_has_no_room_for_is_507_and_gives_its_bytes_back() {
    let Some(program) = on_a_disk_of(8) else { return };
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    let refused = program.send_with("PATCH", &session, &[], &vec![0; 9 << 20]);
    assert_eq!(refused.status, 507, "{refused:?}");
    assert_eq!(program.send("GET", &session).status, 404);
    assert_eq!(push(&program, &filler(1)).status, 201);
}

#[test]
fn a_disk_that_can_not_be_written_to_is_503_pulls_go_on_and_pushes_when_it_can() {
    let Some(program) = on_a_disk_of(16) else { return };
    let (_, manifest) = program.push_image("open/app", "v1", b"a layer");
    // What is open for writing keeps a whole file system writable: the folder where bytes arrive is enough.
    program.at_its_disk("mount --bind _uploads _uploads && mount -o remount,bind,ro _uploads");
    let refused = push(&program, b"new");
    assert_eq!((refused.status, refused.code().as_str()), (503, "UNAVAILABLE"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert!(program.comes_to_log("Read-only file system"), "{}", program.log());
    assert_pulls(&program, &manifest, b"a layer");
    program.at_its_disk("umount _uploads");
    assert_eq!(push(&program, b"new").status, 201);
}

#[test]
fn a_database_that_can_not_be_written_to_is_503_pulls_go_on_and_pushes_when_it_can() {
    let program = Program::start_to_be_bounded();
    let (digest, manifest) = program.push_image("open/app", "v1", b"a layer");
    let stored = program.stored();
    // The bytes of a small blob can be written, and no page of the database.
    program.bound_files(Some(4096));
    let put = |tag: &str| {
        let path = format!("/v2/open/app/manifests/{tag}");
        program.send_with("PUT", &path, &[("content-type", MANIFEST)], &manifest)
    };
    for refused in [
        push(&program, b"new"),
        program.send("POST", "/v2/open/app/blobs/uploads/"),
        put("v2"),
        program.send("DELETE", "/v2/open/app/manifests/v1"),
        program.send("DELETE", &format!("/v2/open/app/manifests/{digest}")),
    ] {
        assert_eq!((refused.status, refused.code().as_str()), (503, "UNAVAILABLE"), "{refused:?}");
        assert_eq!(refused.header("retry-after"), Some("5"));
    }
    assert_pulls(&program, &manifest, b"a layer");
    assert_eq!(program.send("GET", "/v2/open/app/tags/list").text(), r#"{"name":"open/app","tags":["v1"]}"#);
    assert_eq!(program.stored(), stored);
    program.bound_files(None);
    assert_eq!((push(&program, b"new").status, put("v2").status), (201, 201));
    assert_eq!(program.send("DELETE", "/v2/open/app/manifests/v1").status, 202);
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v2").body, manifest);
}
