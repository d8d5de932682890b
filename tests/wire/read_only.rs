//! Data and folders that can't be written to or read, as the commands that work on a root find them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use hallmark::oci::Digest;

use super::offline::{hallmark, json, stopped, told};
use super::program::{Program, own_mounts, put, under_modes};

/// `hallmark` with these arguments where `data` can't be written to, in one way or another; nothing if this machine has not
/// that way.
type ReadOnly = fn(&Path, &[&str]) -> Option<Output>;

/// Where `data` is mounted read-only.
fn on_read_only_mount(folder: &Path, args: &[&str]) -> Option<Output> {
    let mounts = own_mounts()?;
    let script = "mount --bind data data && mount -o remount,bind,ro data && exec \"$0\" \"$@\"";
    let mut command = Command::new(&mounts[0]);
    command.args(&mounts[1..]).args(["sh", "-c", script, env!("CARGO_BIN_EXE_hallmark")]).args(args);
    Some(command.current_dir(folder).output().unwrap())
}

/// Where the mode of `data` lets nobody write.
fn in_read_only_mode(folder: &Path, args: &[&str]) -> Option<Output> {
    let data = folder.join("data");
    mode(&data, 0o555);
    let done = hallmark_under_modes(folder, args);
    mode(&data, 0o755);
    done
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// `hallmark` with these arguments, by somebody whom the modes of files hold for; nothing if this machine can't.
#[expect(clippy::print_stderr, reason = "what was not tried is told")]
fn hallmark_under_modes(folder: &Path, args: &[&str]) -> Option<Output> {
    let Some(modes) = under_modes() else {
        eprintln!("not tried: on this machine modes hold for nobody");
        return None;
    };
    let mut command = Command::new(&modes[0]);
    command.args(&modes[1..]).arg(env!("CARGO_BIN_EXE_hallmark")).args(args);
    Some(command.current_dir(folder).output().unwrap())
}

/// Exports and backs up from data that can't be written to, and looks at what is there afterwards.
fn reads_what_can_not_be_written_to(folder: &Path, digest: &Digest, on: ReadOnly) {
    let database = || {
        let names = std::fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("_metadata")).collect::<BTreeSet<_>>()
    };
    let before = database();
    for (args, place) in [(&["export", "open/app"][..], "out"), (&["backup"], "saved")] {
        drop(std::fs::remove_dir_all(folder.join(place)));
        let args: Vec<&str> = args.iter().copied().chain([place]).collect();
        let Some(done) = on(folder, &args) else { return };
        assert_eq!(done.status.code(), Some(0), "{args:?}: {done:?}");
    }
    assert_eq!(database(), before);
    let index = std::fs::read_to_string(folder.join("out/index.json")).unwrap();
    assert!(index.contains(&digest.to_string()), "{index}");
    let copied = hallmark(folder, &["export", "open/app", "again", "--root", "saved"]);
    assert_eq!(copied.status.code(), Some(0), "{copied:?}");
    std::fs::remove_dir_all(folder.join("again")).unwrap();
}

#[test]
fn folders_that_can_not_be_read_are_told_by_an_import_that_takes_the_others() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["zot/open/app", "zot/open/closed/app"] {
        put(folder.path(), &format!("{name}/oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#);
        put(folder.path(), &format!("{name}/index.json"), r#"{"schemaVersion": 2, "manifests": []}"#);
    }
    let closed = folder.path().join("zot/open/closed");
    mode(&closed, 0);
    let done = hallmark_under_modes(folder.path(), &["import", "zot", "--json"]);
    mode(&closed, 0o755);
    let Some(done) = done else { return };
    let document = json(&done, 1);
    assert_eq!(document["repositories"], 1);
    let refused = document["refused"].as_array().unwrap();
    assert!(refused.len() == 1 && refused[0]["what"] == "zot/open/closed", "{document}");
    assert!(refused[0]["why"].as_str().unwrap().contains("Permission denied"), "{document}");
}

#[test]
fn folders_that_can_not_be_read_keep_a_rebuild_from_its_place_unless_it_may_leave_them_out() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"a layer");
    program.push_image("open/closed/app", "v1", b"a layer of another");
    let folder = stopped(program);
    let closed = folder.path().join("data/open/closed");
    mode(&closed, 0);
    for (args, in_place) in [(&["rebuild", "--json"][..], false), (&["rebuild", "--partial", "--json"], true)] {
        let done = hallmark_under_modes(folder.path(), args);
        let Some(done) = done else { break };
        let document = json(&done, 1);
        assert_eq!((&document["in_place"], &document["taken"]["repositories"]), (&in_place.into(), &1.into()));
        let refused = &document["taken"]["refused"][0];
        assert!(refused["what"].as_str().unwrap().ends_with("data/open/closed"), "{document}");
        assert!(refused["why"].as_str().unwrap().contains("Permission denied"), "{document}");
        assert_eq!(document["taken"]["refused"].as_array().unwrap().len(), 1, "{document}");
        assert_eq!(document["kept"].is_string(), in_place, "{document}");
    }
    mode(&closed, 0o755);
}

#[test]
fn data_that_can_not_be_written_to_is_exported_and_backed_up() {
    let program = Program::start();
    let (digest, _) = program.push_image("open/app", "v1", b"a layer");
    let ways: [ReadOnly; 2] = [on_read_only_mount, in_read_only_mode];
    reads_what_can_not_be_written_to(program.folder(), &digest, on_read_only_mount);
    let folder = stopped(program);
    assert!(!folder.path().join("data/_metadata.sqlite-wal").exists());
    for way in ways {
        reads_what_can_not_be_written_to(folder.path(), &digest, way);
    }
}

#[test]
fn data_of_a_server_that_died_is_read_where_it_can_not_be_written_to_or_it_is_said_what_is_missing() {
    let mut program = Program::start();
    let (digest, _) = program.push_image("open/app", "v1", b"a layer");
    let pid = rustix::process::Pid::from_raw(program.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(program.wait(), None);
    let folder = program.into_folder();
    let companion = |suffix: &str| folder.path().join(format!("data/_metadata.sqlite-{suffix}"));
    assert!(std::fs::metadata(companion("wal")).unwrap().len() > 0);
    reads_what_can_not_be_written_to(folder.path(), &digest, on_read_only_mount);
    std::fs::remove_file(companion("shm")).unwrap();
    let ways: [ReadOnly; 2] = [on_read_only_mount, in_read_only_mode];
    for (args, way) in [&["export", "open/app", "more"][..], &["backup", "more"]].into_iter().zip(ways) {
        let Some(refused) = way(folder.path(), args) else { continue };
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let said = told(&refused);
        assert!(said.contains("_metadata.sqlite-wal of no bytes") && said.contains("found"), "{said}");
    }
}
