//! The audit trail over the wire, and `hallmark audit` beside a server and without one.

use std::process::{Command, Output};

use hallmark::clock::Timestamp;
use hallmark::oci::Digest;
use serde_json::Value;

use crate::program::{Program, put};

fn lines(bytes: &[u8]) -> Vec<Value> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn audit(program: &Program, args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    command.arg("audit").args(args).current_dir(program.folder()).env("DOCKER_CONFIG", home.path()).output().unwrap()
}

/// A server with an image that was deleted again, and the digest of the image.
fn busy() -> (Program, Digest) {
    let program = Program::start();
    let (image, _) = program.push_image("open/app", "v1", b"a layer");
    assert_eq!(program.send("DELETE", "/v2/open/app/manifests/v1").status, 202);
    assert_eq!(program.send("DELETE", &format!("/v2/open/app/manifests/{image}")).status, 202);
    (program, image)
}

#[test]
fn each_entry_is_a_line_with_who_when_where_and_what() {
    let (program, image) = busy();
    let answer = program.send("GET", "/_hallmark/audit");
    assert_eq!((answer.status, answer.headers("content-type")), (200, vec!["application/x-ndjson"]));
    let told = lines(&answer.body);
    let events: Vec<_> = told.iter().map(|it| format!("{} {}", it["event"], it["what"])).collect();
    let expected = ["push blob", "push blob", "push object", "delete tag", "delete object"];
    assert_eq!(events, expected.map(|words| format!("\"{}\"", words.replace(' ', "\" \""))));
    for (place, entry) in told.iter().enumerate() {
        entry["time"].as_str().unwrap().parse::<Timestamp>().expect("RFC 3339");
        let known = (entry["id"].as_u64(), entry["who"].as_str(), entry["repository"].as_str());
        assert_eq!(known, (u64::try_from(place + 1).ok(), Some("anonymous"), Some("open/app")));
    }
    assert_eq!((&told[2]["tag"], &told[2]["digest"]), (&"v1".into(), &image.to_string().into()));
    assert_eq!(told[4].get("tag"), None);
}

#[test]
fn entries_are_asked_for_from_a_number_on() {
    let (program, _) = busy();
    let rest = lines(&program.send("GET", "/_hallmark/audit?after=3&trail=changes").body);
    assert_eq!(rest.iter().map(|entry| entry["id"].as_u64()).collect::<Vec<_>>(), [Some(4), Some(5)]);
    let none = program.send("GET", "/_hallmark/audit?after=5");
    assert_eq!((none.status, none.body.len()), (200, 0));
    let whole = program.send("GET", "/_hallmark/audit");
    let head = program.send("HEAD", "/_hallmark/audit");
    assert_eq!((head.status, head.headers("content-length")), (200, vec![whole.body.len().to_string().as_str()]));
    for query in ["after=-1", "after=x", "trail=all", "since=1", "after=1&after=2"] {
        let refused = program.send("GET", &format!("/_hallmark/audit?{query}"));
        assert_eq!((refused.status, refused.code().as_str()), (400, "UNSUPPORTED"), "{query}");
    }
}

#[test]
fn the_trail_is_for_administrators() {
    let program = Program::start();
    put(program.folder(), "policies/policy.csv", "p, anonymous, open/**, pull, unverified, allow\n");
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    assert_eq!(program.send("GET", "/_hallmark/audit").status, 401);
}

#[test]
fn refusals_are_lines_of_their_own() {
    let program = Program::start();
    let (image, _) = program.push_image("open/app", "v1", b"a layer");
    let strict = "p, anonymous, open/**, pull, signed, allow\np, anonymous, **, admin, unverified, allow\n";
    put(program.folder(), "policies/policy.csv", strict);
    put(program.folder(), "policies/requirements.toml", "[signed]\nany = []\n");
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    for _ in 0..2 {
        assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").status, 403);
    }
    let told = lines(&program.send("GET", "/_hallmark/audit?trail=refusals").body);
    let times: u64 = told.iter().map(|entry| entry["times"].as_u64().unwrap()).sum();
    assert_eq!(times, 2, "{told:?}");
    let first = &told[0];
    assert_eq!((&first["event"], &first["tag"]), (&"pull-refused".into(), &"v1".into()));
    assert_eq!(first["digest"], image.to_string());
    assert!(first["why"].as_str().unwrap().starts_with("signed: "), "{first}");
}

#[test]
fn what_was_acknowledged_is_in_the_trail_after_the_process_was_killed() {
    let mut program = Program::start();
    let (image, _) = program.push_image("open/app", "v1", b"a layer");
    program.crash_and_restart();
    let told = lines(&program.send("GET", "/_hallmark/audit").body);
    assert_eq!((told.len(), &told[2]["digest"]), (3, &image.to_string().into()));
    program.push_blob("open/app", b"another");
    assert_eq!(lines(&program.send("GET", "/_hallmark/audit?after=3").body)[0]["id"], 4);
}

#[test]
fn the_command_tells_the_same_beside_a_server_and_without_one() {
    // So that there is more than one page.
    let mut program = Program::start_with(&["--page-max", "2"]);
    program.push_image("open/app", "v1", b"a layer");
    program.push_blob("open/app", b"another");
    let beside = audit(&program, &["--server", program.address()]);
    assert_eq!(beside.status.code(), Some(0), "{beside:?}");
    assert_eq!(lines(&beside.stdout).len(), 4);
    let rest = audit(&program, &["--server", program.address(), "--after", "3"]);
    assert_eq!(lines(&rest.stdout)[..], lines(&beside.stdout)[3..]);
    let refusals = audit(&program, &["--server", program.address(), "--refusals"]);
    assert_eq!((refusals.status.code(), refusals.stdout.len()), (Some(0), 0), "{refusals:?}");
    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
    assert_eq!(program.wait(), Some(0));
    let alone = audit(&program, &[]);
    assert_eq!(alone.status.code(), Some(0), "{alone:?}");
    assert_eq!(alone.stdout, beside.stdout);
}

#[test]
fn a_command_that_can_not_tell_says_so() {
    let program = Program::start();
    put(program.folder(), "policies/policy.csv", "p, anonymous, open/**, pull, unverified, allow\n");
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    let refused = audit(&program, &["--server", program.address()]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("can't tell: "), "{refused:?}");
}
