//! `import`, `export`, `rebuild` and `backup` by the program itself, beside one that serves.

use std::path::Path;
use std::process::{Command, Output};

use hallmark::oci::Digest;
use serde_json::Value;
use tempfile::TempDir;

use super::program::{Program, put};

/// `hallmark` with these arguments, in this folder.
pub(crate) fn hallmark(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hallmark")).args(args).current_dir(folder).output().unwrap()
}

pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The document that `--json` writes, after this exit code.
#[track_caller]
pub(crate) fn json(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A program whose server ended in good order: its folder.
pub(crate) fn stopped(mut program: Program) -> TempDir {
    assert_eq!(program.send("POST", "/_hallmark/flush").status / 100, 2);
    let pid = rustix::process::Pid::from_raw(program.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(program.wait(), Some(0));
    program.into_folder()
}

#[test]
fn what_is_exported_beside_a_server_is_imported_by_another() {
    let (program, to) = (Program::start(), tempfile::tempdir().unwrap());
    let (digest, manifest) = program.push_image("open/app", "v1", b"a layer");
    let out = to.path().join("out");
    let done = hallmark(program.folder(), &["export", "open/app:v1", out.to_str().unwrap(), "--json"]);
    assert_eq!(json(&done, 0)["manifests"], 1);
    let done = hallmark(to.path(), &["import", "out", "--into", "open/copy", "--json"]);
    let document = json(&done, 0);
    assert_eq!((&document["manifests"], &document["linked"]), (&1.into(), &2.into()));
    let other = Program::start_in(to, &[]);
    let pulled = other.send("GET", "/v2/open/copy/manifests/v1");
    assert_eq!((pulled.status, pulled.header("docker-content-digest")), (200, Some(digest.to_string().as_str())));
    assert_eq!(pulled.body, manifest);
}

#[test]
fn an_import_that_leaves_something_out_ends_with_1_and_says_what() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "zot/open/app/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    put(folder.path(), "zot/open/app/index.json", r#"{"schemaVersion": 1}"#);
    let done = hallmark(folder.path(), &["import", "zot"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(told(&done).contains("not taken: open/app: expected an OCI image layout"), "{done:?}");
}

#[test]
fn beside_a_server_nothing_is_imported_or_rebuilt() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"a layer");
    let stored = program.stored();
    put(program.folder(), "zot/open/more/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    put(program.folder(), "zot/open/more/index.json", r#"{"schemaVersion": 2, "manifests": []}"#);
    for args in [&["import", "zot"][..], &["rebuild"]] {
        let refused = hallmark(program.folder(), args);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let expected = format!(
            "found its lock taken by `hallmark serve` (process {}) at http://{}",
            program.id(),
            program.address()
        );
        assert!(told(&refused).contains(&expected), "{refused:?}");
    }
    assert_eq!(program.stored(), stored);
}

#[test]
fn a_folder_inside_the_root_is_not_imported() {
    let folder = stopped(Program::start());
    put(folder.path(), "data/zot/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    let refused = hallmark(folder.path(), &["import", "data/zot", "--into", "open/app"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(told(&refused).contains("expected a folder apart from data"), "{refused:?}");
}

#[test]
fn a_root_without_its_database_is_rebuilt_and_served() {
    let program = Program::start();
    let (digest, _) = program.push_image("open/app", "v1", b"a layer");
    let folder = stopped(program);
    std::fs::remove_file(folder.path().join("data/_metadata.sqlite")).unwrap();
    let done = hallmark(folder.path(), &["rebuild"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(told(&done).contains("rebuilt 1 manifests, 1 tags and 2 blobs in 1 repositories"), "{done:?}");
    assert!(told(&done).contains("older pushes of tags"), "{done:?}");
    assert!(told(&done).contains("hashed 2 objects of 9 bytes"), "{done:?}");
    let program = Program::start_in(folder, &[]);
    let pulled = program.send("HEAD", "/v2/open/app/manifests/v1");
    assert_eq!(pulled.header("docker-content-digest"), Some(digest.to_string().as_str()));
}

#[test]
fn a_root_without_its_database_is_not_served_before_it_is_rebuilt() {
    let program = Program::start();
    let (digest, _) = program.push_image("open/app", "v1", b"a layer");
    let folder = stopped(program);
    let database = folder.path().join("data/_metadata.sqlite");
    std::fs::remove_file(&database).unwrap();
    for (args, code) in [
        (&["serve", "--listen", "127.0.0.1:0"][..], 1),
        (&["check"], 1),
        (&["gc"], 2),
        (&["scrub", "--now"], 2),
        (&["import", "policies"], 2),
    ] {
        let refused = hallmark(folder.path(), args);
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {refused:?}");
        let said = format!("{}{}", told(&refused), String::from_utf8_lossy(&refused.stderr));
        assert!(said.contains("found no _metadata.sqlite and the object _cas/sha256/"), "{args:?}: {said}");
        assert!(said.contains("`hallmark rebuild`"), "{args:?}: {said}");
        assert!(!database.exists(), "{args:?}");
    }
    assert_eq!(hallmark(folder.path(), &["rebuild"]).status.code(), Some(0));
    let program = Program::start_in(folder, &[]);
    let pulled = program.send("HEAD", "/v2/open/app/manifests/v1");
    assert_eq!(pulled.header("docker-content-digest"), Some(digest.to_string().as_str()));
}

#[test]
fn a_rebuild_names_what_rotted_and_leaves_it_out_only_if_it_may() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"a layer");
    let folder = stopped(program);
    let layer = Digest::sha256(b"a layer");
    let shard = folder.path().join("data/_cas/sha256").join(layer.hex().get(..2).unwrap());
    let object = std::fs::read_dir(&shard).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let mut file = std::fs::File::options().write(true).open(object).unwrap();
    std::io::Write::write_all(&mut file, b"rotten!").unwrap();
    let told_json = json(&hallmark(folder.path(), &["rebuild", "--json"]), 1);
    assert_eq!((&told_json["in_place"], &told_json["hashed"]["objects"]), (&false.into(), &2.into()));
    assert_eq!(told_json["rotten"][0]["digest"], layer.to_string());
    let partial = hallmark(folder.path(), &["rebuild", "--partial"]);
    assert_eq!(partial.status.code(), Some(1), "{partial:?}");
    let line = format!("rotten: {layer}, quarantined: sha256/{}", layer.hex().get(..2).unwrap());
    assert!(told(&partial).contains(&line), "{partial:?}");
    let again = hallmark(folder.path(), &["rebuild", "--unhashed", "--partial"]);
    assert!(told(&again).contains("hashed 0 objects of 0 bytes"), "{again:?}");
}

#[test]
fn a_backup_beside_a_server_is_a_root_that_is_served() {
    let (program, to) = (Program::start(), tempfile::tempdir().unwrap());
    let (digest, _) = program.push_image("open/app", "v1", b"a layer");
    let root = to.path().join("data");
    let done = hallmark(program.folder(), &["backup", root.to_str().unwrap(), "--json"]);
    assert_eq!(json(&done, 0)["blobs"], 2);
    program.push_image("open/app", "v2", b"another layer");
    let again = hallmark(program.folder(), &["backup", root.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert!(told(&again).contains("not to exist"), "{again:?}");
    let restored = Program::start_in(to, &[]);
    let pulled = restored.send("HEAD", "/v2/open/app/manifests/v1");
    assert_eq!(pulled.header("docker-content-digest"), Some(digest.to_string().as_str()));
    assert_eq!(restored.send("HEAD", "/v2/open/app/manifests/v2").status, 404);
    assert_eq!(program.send("HEAD", "/v2/open/app/manifests/v2").status, 200);
}

/// The one file of a blob's bytes.
fn file_of(root: &Path, content: &[u8]) -> std::path::PathBuf {
    let hex = Digest::sha256(content).hex();
    let shard = root.join("_cas/sha256").join(hex.get(..2).unwrap());
    let mut files = std::fs::read_dir(shard).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| file.file_stem().unwrap().to_string_lossy() == hex).unwrap()
}

#[test]
fn a_backup_names_what_is_lost_and_goes_on_without_it_only_if_it_may() {
    let (program, to) = (Program::start(), tempfile::tempdir().unwrap());
    program.push_image("open/app", "v1", b"a layer");
    let (whole, _) = program.push_image("open/app", "v2", b"another layer");
    std::fs::remove_file(file_of(&program.folder().join("data"), b"a layer")).unwrap();
    let (root, lost) = (to.path().join("data"), Digest::sha256(b"a layer"));
    let refused = hallmark(program.folder(), &["backup", root.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let expected = format!("{lost} in open/app: expected a file, found none");
    assert!(told(&refused).lines().any(|line| line == expected), "{refused:?}");
    assert!(told(&refused).contains("let --partial back up the rest") && !root.exists(), "{refused:?}");
    let partial = hallmark(program.folder(), &["backup", "--partial", root.to_str().unwrap()]);
    assert_eq!(partial.status.code(), Some(1), "{partial:?}");
    assert!(told(&partial).contains(&format!("missing: {expected}")), "{partial:?}");
    let other = to.path().join("other");
    let document = json(&hallmark(program.folder(), &["backup", "--partial", other.to_str().unwrap(), "--json"]), 1);
    assert_eq!(document["missing"][0]["digest"], lost.to_string());
    assert_eq!(document["missing"][0]["repositories"], serde_json::json!(["open/app"]));
    let restored = Program::start_in(to, &[]);
    let pulled = restored.send("HEAD", "/v2/open/app/manifests/v2");
    assert_eq!(pulled.header("docker-content-digest"), Some(whole.to_string().as_str()));
    let blob = |content: &[u8]| restored.send("GET", &format!("/v2/open/app/blobs/{}", Digest::sha256(content)));
    assert_eq!((blob(b"another layer").status, blob(b"a layer").status), (200, 503));
    restored.push_blob("open/app", b"a layer");
    assert_eq!((blob(b"a layer").status, blob(b"a layer").body.as_slice()), (200, &b"a layer"[..]));
}

#[test]
fn a_path_that_leads_nowhere_is_named_as_such() {
    let folder = stopped(Program::start());
    for (args, said) in [
        (&["import", "nosuch"][..], "expected a folder of image layouts at nosuch, found none"),
        (
            &["export", "open/app", "out", "--root", "nowhere"],
            "expected the data of a registry in nowhere, found no folder",
        ),
        (
            &["backup", "out", "--root", "policies"],
            "expected the data of a registry in policies, found a folder without",
        ),
        (&["backup", "no/such/bk"], "expected a folder no/such to put it in, found none"),
        (&["backup", "policies"], "expected policies not to exist, found it there"),
        (&["rebuild", "--root", "typo"], "expected the data of a registry in typo, found no folder"),
    ] {
        let refused = hallmark(folder.path(), args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {refused:?}");
        assert!(told(&refused).starts_with(said), "{args:?}: {refused:?}");
    }
    assert!(!folder.path().join("nowhere").exists() && !folder.path().join("typo").exists());
}

#[test]
fn a_server_is_asked_by_who_may_only_read_its_root() {
    let Some(mounts) = super::program::own_mounts() else { return };
    let program = Program::start();
    program.push_image("open/app", "v1", b"a layer");
    put(program.folder(), "hallmark.toml", &format!("hostname = \"{}\"\n", program.address()));
    let script = "mount --bind data data && mount -o remount,bind,ro data && exec \"$0\" gc";
    let done = Command::new(&mounts[0])
        .args(&mounts[1..])
        .args(["sh", "-c", script, env!("CARGO_BIN_EXE_hallmark")])
        .current_dir(program.folder())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
}

#[test]
fn where_there_is_no_root_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["export", "open/app", "out"][..], &["backup", "out"], &["rebuild"]] {
        assert_eq!(hallmark(folder.path(), args).status.code(), Some(2));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
