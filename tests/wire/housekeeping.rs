//! Scrub and collection over the wire, and `hallmark scrub` and `hallmark gc` beside a server and without one.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use hallmark::oci::Digest;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{MANIFEST, Program, put};

const LAYER: &[u8] = b"a layer";

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The one file of a blob's bytes.
fn file_of(root: &Path, digest: &Digest) -> PathBuf {
    let shard = root.join("_cas/sha256").join(digest.hex().get(..2).unwrap());
    let mut files = fs::read_dir(shard).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| file.file_stem().unwrap().to_string_lossy() == digest.hex()).unwrap()
}

/// Other bytes of the same size.
fn rot(file: &Path) {
    let size = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
    fs::File::options().write(true).open(file).unwrap().write_all(&vec![b'?'; size]).unwrap();
}

/// A server with an image whose layer rotted.
fn rotten() -> (Program, Digest) {
    let program = Program::start_with(&["--scrub-bytes-per-second", "0"]);
    program.push_image("open/app", "v1", LAYER);
    let layer = Digest::sha256(LAYER);
    rot(&file_of(&program.folder().join("data"), &layer));
    (program, layer)
}

/// Asks for a pass and waits for its end.
fn scrub(program: &Program) -> Value {
    assert_eq!(program.send("POST", "/_hallmark/scrub").status, 202);
    let began = Instant::now();
    loop {
        let status = json(&program.send("GET", "/_hallmark/scrub").body);
        if status["running"] == false && status["pass"]["ended"].is_string() {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "expected the pass to end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn hallmark(folder: &Path, args: &[&str]) -> Output {
    let home = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    command.args(args).current_dir(folder).env("DOCKER_CONFIG", home.path()).output().unwrap()
}

#[test]
fn a_blob_that_rotted_is_503_and_says_so() {
    let (program, layer) = rotten();
    let status = scrub(&program);
    assert_eq!((&status["quarantined"], &status["objects"][0]["digest"]), (&1.into(), &layer.to_string().into()));
    let answer = program.send("GET", &format!("/v2/open/app/blobs/{layer}"));
    assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"));
    let expected = format!("stored content {layer} does not hash to its name; it is quarantined");
    assert!(answer.text().contains(&expected), "{}", answer.text());
}

#[test]
fn who_may_push_is_told_to_send_a_quarantined_blob_again_and_that_heals_it() {
    let (program, layer) = rotten();
    scrub(&program);
    let path = format!("/v2/open/app/blobs/{layer}");
    assert_eq!(program.send("HEAD", &path).status, 404);
    program.push_blob("open/app", LAYER);
    let answer = program.send("GET", &path);
    assert_eq!((answer.status, answer.body.as_slice()), (200, LAYER));
}

#[test]
fn who_may_push_is_told_to_send_an_image_again_whose_layer_was_cut_short_while_it_was_pulled_and_so_of_what_is_above() {
    let program = Program::start_with(&["--scrub-bytes-per-second", "0"]);
    let (image, bytes) = program.push_image("open/app", "v1", LAYER);
    program.push_image("open/app", "other", b"another layer");
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"{MANIFEST}","digest":"{image}","size":{}}}]}}"#,
        bytes.len()
    );
    let of_index = [("content-type", "application/vnd.oci.image.index.v1+json")];
    assert_eq!(program.send_with("PUT", "/v2/open/app/manifests/list", &of_index, index.as_bytes()).status, 201);
    let layer = Digest::sha256(LAYER);
    let blob = format!("/v2/open/app/blobs/{layer}");
    assert_eq!(program.send("GET", &blob).body, LAYER);
    let heads = |expected: u16| {
        for path in [
            blob.clone(),
            "/v2/open/app/manifests/v1".to_owned(),
            format!("/v2/open/app/manifests/{image}"),
            "/v2/open/app/manifests/list".to_owned(),
        ] {
            assert_eq!(program.send("HEAD", &path).status, expected, "{path}");
        }
        assert_eq!(program.send("HEAD", "/v2/open/app/manifests/other").status, 200);
    };
    heads(200);
    let file = file_of(&program.folder().join("data"), &layer);
    fs::File::options().write(true).open(file).unwrap().set_len(3).unwrap();
    heads(404);
    assert_eq!(
        (program.send("GET", &blob).status, program.send("GET", "/v2/open/app/manifests/v1").body),
        (503, bytes)
    );
    program.push_blob("open/app", LAYER);
    heads(200);
    assert_eq!(program.send("GET", &blob).body, LAYER);
}

#[test]
fn an_image_that_names_a_quarantined_blob_is_404_and_names_it_until_the_blob_is_sent_again() {
    let (program, layer) = rotten();
    let image = program.send("GET", "/v2/open/app/manifests/v1").body;
    scrub(&program);
    let before = program.stored();
    let put = |name: &str| {
        program.send_with("PUT", &format!("/v2/open/app/manifests/{name}"), &[("content-type", MANIFEST)], &image)
    };
    for name in ["v1", "v2"] {
        let refused = put(name);
        assert_eq!((refused.status, refused.code().as_str()), (404, "MANIFEST_BLOB_UNKNOWN"), "{name}");
        assert_eq!(json(&refused.body)["errors"][0]["detail"], serde_json::json!([layer]), "{name}");
    }
    assert_eq!(program.stored(), before);
    program.push_blob("open/app", LAYER);
    assert_eq!(put("v2").status, 201);
    assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{layer}")).body, LAYER);
}

#[test]
fn a_quarantined_blob_is_not_mounted_but_uploaded() {
    let (program, layer) = rotten();
    scrub(&program);
    let mount = format!("/v2/open/other/blobs/uploads/?mount={layer}&from=open/app");
    assert_eq!(program.send("POST", &mount).status, 202);
    assert_eq!(program.send("HEAD", &format!("/v2/open/other/blobs/{layer}")).status, 404);
    program.push_blob("open/other", LAYER);
    assert_eq!(program.send("POST", &mount).status, 201);
}

#[test]
fn who_may_push_is_told_to_send_a_quarantined_manifest_again_and_that_heals_it() {
    let mut program = Program::start_with(&["--scrub-bytes-per-second", "0"]);
    let (digest, bytes) = program.push_image("open/app", "v1", LAYER);
    stop(&mut program);
    let data = program.folder().join("data");
    let database = rusqlite::Connection::open(data.join("_metadata.sqlite")).unwrap();
    assert_eq!(database.execute("UPDATE manifests SET bytes = x'7b7d'", []).unwrap(), 1);
    drop(database);
    let shown = data.join("open/app/blobs/sha256").join(digest.hex());
    fs::remove_file(shown).unwrap();
    program.start_again(&["--scrub-bytes-per-second", "0"]);
    for path in ["/v2/open/app/manifests/v1".to_owned(), format!("/v2/open/app/manifests/{digest}")] {
        assert_eq!(program.send("GET", &path).status, 503, "{path}");
        assert_eq!(program.send("HEAD", &path).status, 404, "{path}");
    }
    assert_eq!(
        program.send_with("PUT", "/v2/open/app/manifests/v1", &[("content-type", MANIFEST)], &bytes).status,
        201
    );
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").body, bytes);
}

#[test]
fn a_manifest_that_rotted_is_repaired_from_another_repository_s_copy() {
    let mut program = Program::start_with(&["--scrub-bytes-per-second", "0"]);
    let (digest, bytes) = program.push_image("open/app", "v1", LAYER);
    program.push_image("open/copy", "v1", LAYER);
    stop(&mut program);
    let data = program.folder().join("data");
    let database = rusqlite::Connection::open(data.join("_metadata.sqlite")).unwrap();
    let rotten = "UPDATE manifests SET bytes = x'7b7d'
                  WHERE repository = (SELECT id FROM repositories WHERE name = 'open/app')";
    assert_eq!(database.execute(rotten, []).unwrap(), 1);
    drop(database);
    // Without this its own layout would do.
    fs::remove_file(data.join("open/app/blobs/sha256").join(digest.hex())).unwrap();
    program.start_again(&["--scrub-bytes-per-second", "0"]);
    let status = scrub(&program);
    assert_eq!((&status["pass"]["quarantined"], &status["pass"]["repaired"]), (&1.into(), &1.into()), "{status}");
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").body, bytes);
    let audit = program.send("GET", "/_hallmark/audit").body;
    assert!(String::from_utf8_lossy(&audit).contains("another repository"), "{}", String::from_utf8_lossy(&audit));
}

#[test]
fn a_head_of_a_quarantined_blob_is_503_to_who_may_only_pull() {
    let (program, layer) = rotten();
    scrub(&program);
    let readers = "p, anonymous, open/**, pull, unverified, allow\np, anonymous, **, admin, unverified, allow\n";
    put(program.folder(), "policies/policy.csv", readers);
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    assert_eq!(program.send("HEAD", &format!("/v2/open/app/blobs/{layer}")).status, 503);
}

#[test]
fn what_rotted_is_an_event_and_a_metric() {
    let (program, layer) = rotten();
    scrub(&program);
    let page = program.send("GET", "/metrics");
    for line in ["hallmark_scrub_quarantined 1", "hallmark_scrub_quarantined_total 1", "hallmark_scrub_objects_total 3"]
    {
        assert!(page.text().lines().any(|found| found == line), "{line}");
    }
    std::thread::sleep(Duration::from_millis(200));
    let log = program.log();
    let event = log.lines().find(|line| line.contains("\"event\":\"quarantine\"")).expect("an event");
    assert!(event.contains(&layer.to_string()) && event.contains("\"repository\":\"open/app\""), "{event}");
}

#[test]
fn scrub_and_collection_need_the_right_to_administer() {
    let program = Program::start();
    put(program.folder(), "policies/policy.csv", "p, anonymous, open/**, pull, unverified, allow\n");
    let began = Instant::now();
    while program.send("POST", "/_hallmark/flush").status != 401 {
        assert!(began.elapsed() < Duration::from_secs(20), "expected the files to be read anew");
        std::thread::sleep(Duration::from_millis(50));
    }
    for (method, path) in [("GET", "scrub"), ("POST", "scrub"), ("POST", "gc"), ("POST", "gc?dry_run=true")] {
        assert_eq!(program.send(method, &format!("/_hallmark/{path}")).status, 401, "{method} {path}");
    }
}

#[test]
fn a_collection_that_is_asked_for_by_another_word_is_refused() {
    let program = Program::start();
    for query in
        ["dry_run=yes", "danger_now=1", "danger_now=true&dry_run=true", "dryrun=true", "dry_run=true&dry_run=true"]
    {
        assert_eq!(program.send("POST", &format!("/_hallmark/gc?{query}")).status, 400, "{query}");
    }
}

#[test]
fn a_collection_is_told_as_json() {
    let program = Program::start();
    program.push_image("open/app", "v1", LAYER);
    for (query, dry_run) in [("?dry_run=true", true), ("?dry_run=false", false), ("", false)] {
        let told = json(&program.send("POST", &format!("/_hallmark/gc{query}")).body);
        let nothing = serde_json::json!({
            "dry_run": dry_run, "more": false, "truncated": false, "bytes": 0,
            "waiting": {"blobs": 0, "bytes": 0, "unheld": {"blobs": 0, "bytes": 0}}, "blobs": [], "uploads": [], "evidence": [], "trash": []
        });
        assert_eq!(told, nothing, "{query}");
    }
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").status, 200);
}

fn stop(program: &mut Program) {
    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn a_dry_run_lists_and_leaves_and_a_collection_takes() {
    let mut program = Program::start_with(&["--blob-lease-seconds", "4"]);
    program.push_image("open/app", "v1", LAYER);
    let garbage = program.push_blob("open/app", b"nobody wants this");
    stop(&mut program);
    let file = file_of(&program.folder().join("data"), &garbage);
    std::thread::sleep(Duration::from_secs(5));
    let told = json(&hallmark(program.folder(), &["gc", "--dry-run", "--json"]).stdout);
    assert_eq!((&told["blobs"][0]["digest"], &told["bytes"]), (&garbage.to_string().into(), &17.into()));
    assert!(file.exists());
    let taken = hallmark(program.folder(), &["gc"]);
    let text = String::from_utf8_lossy(&taken.stdout);
    assert!(text.ends_with("took 1 things of 17 bytes\n"), "{taken:?}");
    assert!(!file.exists() && file_of(&program.folder().join("data"), &Digest::sha256(LAYER)).exists());
}

#[test]
fn the_commands_ask_the_server_that_serves_the_root() {
    let program = Program::start_with(&["--scrub-bytes-per-second", "0"]);
    program.push_image("open/app", "v1", LAYER);
    rot(&file_of(&program.folder().join("data"), &Digest::sha256(LAYER)));
    scrub(&program);
    let told = hallmark(program.folder(), &["scrub", "--status", "--json"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert_eq!(json(&told.stdout)["quarantined"], 1);
    let told = hallmark(program.folder(), &["gc", "--dry-run", "--server", program.address()]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert_eq!(String::from_utf8_lossy(&told.stdout), "would take 0 things of 0 bytes\n");
}

#[test]
fn the_commands_work_on_a_root_that_nobody_serves() {
    let mut program = Program::start();
    program.push_image("open/app", "v1", LAYER);
    stop(&mut program);
    let clean = hallmark(program.folder(), &["scrub", "--now"]);
    assert_eq!(clean.status.code(), Some(0), "{clean:?}");
    rot(&file_of(&program.folder().join("data"), &Digest::sha256(LAYER)));
    let told = hallmark(program.folder(), &["scrub", "--now"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(
        text.contains("1 not what their names say") && text.ends_with("  in open/app\n1 are quarantined now\n"),
        "{text}"
    );
    // The layout shows no rotten bytes either.
    let shown = program.folder().join("data/open/app/blobs/sha256").join(Digest::sha256(LAYER).hex());
    assert!(!shown.exists());
    let collected = hallmark(program.folder(), &["gc", "--json"]);
    assert_eq!(json(&collected.stdout)["more"], false, "{collected:?}");
}

#[test]
fn a_collection_of_a_root_that_nobody_serves_gives_the_room_back() {
    let mut program = Program::start();
    let (image, _) = program.push_image("open/app", "v1", LAYER);
    assert_eq!(program.send("POST", "/_hallmark/flush").status, 204);
    assert_eq!(program.send("DELETE", &format!("/v2/open/app/manifests/{image}")).status, 202);
    stop(&mut program);
    let data = program.folder().join("data");
    let shown = data.join("open/app/blobs/sha256").join(Digest::sha256(LAYER).hex());
    assert!(shown.exists());
    let collected = hallmark(program.folder(), &["gc", "--danger-now"]);
    assert_eq!(collected.status.code(), Some(0), "{collected:?}");
    // Its link would keep the bytes.
    assert!(!shown.exists());
}

#[test]
fn a_root_that_is_not_there_is_not_made() {
    let folder = TempDir::new().unwrap();
    let asked = |command: &str| hallmark(folder.path(), &[command]);
    for command in ["gc", "scrub", "audit"] {
        assert_eq!(asked(command).status.code(), Some(2), "{command}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // A folder that is no root is not made one either.
    fs::create_dir(folder.path().join("data")).unwrap();
    for command in ["gc", "scrub", "audit"] {
        let told = asked(command);
        assert_eq!(told.status.code(), Some(2), "{command}");
        assert!(String::from_utf8_lossy(&told.stderr).contains("a folder without _cas"), "{told:?}");
    }
    assert_eq!(fs::read_dir(folder.path().join("data")).unwrap().count(), 0);
}

/// A server whose only image was deleted, and the file of its layer, which waits.
fn with_waiting() -> (Program, PathBuf) {
    let program = Program::start();
    let (image, _) = program.push_image("open/app", "v1", LAYER);
    assert_eq!(program.send("DELETE", &format!("/v2/open/app/manifests/{image}")).status, 202);
    let file = file_of(&program.folder().join("data"), &Digest::sha256(LAYER));
    (program, file)
}

#[test]
fn beside_two_servers_the_commands_ask_the_one_that_serves_the_root() {
    let (one, (other, garbage)) = (Program::start(), with_waiting());
    // What another root's server would be asked for by its name.
    put(one.folder(), "hallmark.toml", &format!("hostname = \"{}\"\n", other.address()));
    let told = hallmark(one.folder(), &["gc", "--danger-now", "--json"]);
    assert_eq!((told.status.code(), &json(&told.stdout)["bytes"]), (Some(0), &0.into()), "{told:?}");
    assert!(garbage.exists());
    let root = other.folder().join("data");
    let told = hallmark(one.folder(), &["gc", "--danger-now", "--json", "--root", root.to_str().unwrap()]);
    assert_eq!((told.status.code(), &json(&told.stdout)["bytes"]), (Some(0), &9.into()), "{told:?}");
    assert!(!garbage.exists());
}

/// The lock of a root, and what its holder wrote into it.
fn note(program: &Program) -> (PathBuf, String) {
    let lock = program.folder().join("data/_hallmark.lock");
    let note = fs::read_to_string(&lock).unwrap();
    (lock, note)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "stands for another process")]
fn a_server_of_another_root_refuses_and_does_nothing() {
    let (one, (other, garbage)) = (Program::start(), with_waiting());
    // The lock's address is another server's by now.
    let (lock, note) = note(&one);
    fs::write(lock, note.replace(one.address(), other.address())).unwrap();
    for args in [&["gc", "--danger-now"][..], &["scrub", "--now"], &["audit"]] {
        let told = hallmark(one.folder(), args);
        let complaint = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.status.code(), Some(2), "{told:?}");
        let expected = format!("the server of the root at {}, found a server of another root", other.address());
        assert!(complaint.contains(&expected), "{complaint}");
    }
    assert!(garbage.exists());
    let refused = other.send_with("POST", "/_hallmark/gc", &[("hallmark-root", "another")], b"");
    assert_eq!((refused.status, refused.code().as_str()), (421, "DENIED"), "{refused:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "stands for another process")]
fn a_root_that_another_command_owns_is_refused_by_its_name() {
    let program = Program::start();
    let (lock, _) = note(&program);
    fs::write(lock, r#"{"command":"import","process":7}"#).unwrap();
    let told = hallmark(program.folder(), &["gc"]);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    let complaint = String::from_utf8_lossy(&told.stderr);
    assert!(complaint.contains("found its lock taken by `hallmark import` (process 7)"), "{complaint}");
}

#[test]
fn the_commands_ask_a_server_that_speaks_tls_by_its_name() {
    let made = rcgen::generate_simple_self_signed(["registry.test".to_owned()]).unwrap();
    let folder = TempDir::new().unwrap();
    put(folder.path(), "chain.pem", &made.cert.pem());
    put(folder.path(), "key.pem", &made.signing_key.serialize_pem());
    let flags = ["--tls-certificate", "chain.pem", "--tls-key", "key.pem", "--hostname", "registry.test"];
    let program = Program::start_in(folder, &flags);
    let told = hallmark(program.folder(), &["gc", "--ca-certificate", "chain.pem"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert_eq!(hallmark(program.folder(), &["gc"]).status.code(), Some(2));
}

#[test]
fn what_was_deleted_waits_and_says_so_and_goes_at_once_by_danger_now() {
    let (program, file) = with_waiting();
    let told = hallmark(program.folder(), &["gc"]);
    let text = String::from_utf8_lossy(&told.stdout);
    let expected = "took 0 things of 0 bytes\n2 blobs of 9 bytes wait, the last until 2";
    assert!(text.starts_with(expected) && text.contains("--danger-now"), "{told:?}");
    let told = hallmark(program.folder(), &["gc", "--danger-now"]);
    assert!(String::from_utf8_lossy(&told.stdout).ends_with("took 2 things of 9 bytes\n"), "{told:?}");
    assert!(!file.exists());
}

#[test]
fn what_no_manifest_holds_yet_is_told_and_goes_at_once_when_it_is_deleted_by_its_digest() {
    let program = Program::start();
    program.push_blob("open/app", LAYER);
    let digest = Digest::sha256(LAYER);
    let file = file_of(&program.folder().join("data"), &digest);
    let told = hallmark(program.folder(), &["gc", "--danger-now"]);
    let text = String::from_utf8_lossy(&told.stdout);
    let size = LAYER.len();
    let expected =
        format!("took 0 things of 0 bytes\n1 blobs of {size} bytes that no manifest holds yet wait, the last until 2");
    assert!(text.starts_with(&expected) && text.contains("deleted by its digest"), "{told:?}");
    let told = hallmark(program.folder(), &["gc", "--dry-run", "--json"]);
    let waiting = &json(&told.stdout)["waiting"];
    assert_eq!((&waiting["blobs"], &waiting["unheld"]["bytes"]), (&0.into(), &size.into()), "{told:?}");
    assert_eq!(program.send("DELETE", &format!("/v2/open/app/blobs/{digest}")).status, 202);
    let told = hallmark(program.folder(), &["gc"]);
    let expected = format!("took 1 things of {size} bytes\n");
    assert!(String::from_utf8_lossy(&told.stdout).ends_with(&expected), "{told:?}");
    assert!(!file.exists());
}

#[test]
fn a_pass_beside_a_server_is_waited_for_unless_it_is_told_not_to() {
    let (program, layer) = rotten();
    let left = hallmark(program.folder(), &["scrub", "--now", "--no-wait"]);
    assert_eq!(left.status.code(), Some(0), "{left:?}");
    assert!(String::from_utf8_lossy(&left.stdout).starts_with("a pass was asked for"), "{left:?}");
    scrub(&program);
    program.push_blob("open/app", LAYER);
    rot(&file_of(&program.folder().join("data"), &layer));
    let told = hallmark(program.folder(), &["scrub", "--now"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(text.contains("found: 1 not what their names say") && text.ends_with("1 are quarantined now\n"), "{text}");
}

#[test]
fn who_may_not_administer_is_told_who_they_are_and_what_would_grant_it() {
    let folder = TempDir::new().unwrap();
    put(folder.path(), "users", &format!("ci:{}\n", bcrypt::hash("secret", 4).unwrap()));
    let program = Program::start_in(folder, &["--htpasswd", "users"]);
    put(program.folder(), "policies/policy.csv", "p, user:ci, open/**, pull, unverified, allow\n");
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    let told = |docker: &str| {
        put(program.folder(), "docker/config.json", docker);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        let command =
            command.arg("gc").current_dir(program.folder()).env("DOCKER_CONFIG", program.folder().join("docker"));
        let told = command.output().unwrap();
        assert_eq!(told.status.code(), Some(2), "{told:?}");
        String::from_utf8(told.stderr).unwrap()
    };
    let complaint = told("{}");
    assert!(
        complaint.contains("refuses anonymous") && complaint.contains("p, user:NAME, _registry, admin"),
        "{complaint}"
    );
    let auth = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "ci:secret");
    let address = program.address();
    let complaint = told(&format!(r#"{{"auths":{{"{address}":{{"auth":"{auth}"}}}}}}"#));
    let expected = ["`admin` to user:ci", "`p, user:ci, _registry, admin, unverified, allow`"];
    assert!(expected.iter().all(|text| complaint.contains(text)), "{complaint}");
}
