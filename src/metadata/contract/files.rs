//! The database as a file, of the embedded engine alone: left by a process that died, refused at the door, copied while
//! it is in use, made afresh, put in the place of another, read beside its owner.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::metadata::Reserved;

fn place() -> (TempDir, impl Fn(&str) -> PathBuf) {
    let folder = TempDir::new().unwrap();
    let root = folder.path().to_owned();
    (folder, move |name| root.join(name))
}

async fn has(m: &Sqlite, name: &str) -> bool {
    m.manifest(&repo("r"), &digest(name)).await.unwrap().is_some()
}

#[tokio::test]
async fn a_snapshot_is_of_one_moment() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("live")).unwrap();
    store_blob(&m, "a").await;
    store(&m, PutManifest { tags: vec![tag("v1")], ..image("before", &["a"]) }).await;
    Sqlite::snapshot(&path("live"), &path("copy"), false).unwrap();
    store(&m, object("after")).await;
    let copy = Sqlite::open(&path("copy")).unwrap();
    assert!(has(&copy, "before").await && !has(&copy, "after").await);
    assert_eq!(copy.pushes(&repo("r"), &tag("v1")).await.unwrap()[0].digest, digest("before"));
    assert!(has(&m, "after").await);
}

#[tokio::test]
async fn every_layout_of_a_snapshot_is_to_be_written() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("live")).unwrap();
    store_blob(&m, "a").await;
    store(&m, image("i", &["a"])).await;
    let view = first_dirty(&m).await.unwrap();
    m.clean_view(&repo("r"), view.sequence).await.unwrap();
    assert_eq!(first_dirty(&m).await, None);
    Sqlite::snapshot(&path("live"), &path("copy"), false).unwrap();
    let copy = Sqlite::open(&path("copy")).unwrap();
    let view = first_dirty(&copy).await.unwrap();
    assert_eq!((view.changes.len(), view.entries.len()), (2, 1));
    // A change after it is not taken for one that the layout shows.
    store(&copy, object("later")).await;
    copy.clean_view(&repo("r"), view.sequence).await.unwrap();
    assert_eq!(first_dirty(&copy).await.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_snapshot_leaves_trash_behind() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("live")).unwrap();
    store_blob(&m, "a").await;
    assert_eq!(m.sweep(at(LEASE + 1), at(0), 10).await.unwrap().trash, ["key/a"]);
    Sqlite::snapshot(&path("live"), &path("copy"), false).unwrap();
    let copy = Sqlite::open(&path("copy")).unwrap();
    assert!(copy.sweep(at(LEASE + 2), at(0), 10).await.unwrap().trash.is_empty());
    assert_eq!(m.sweep(at(LEASE + 2), at(0), 10).await.unwrap().trash, ["key/a"]);
}

#[tokio::test]
async fn what_is_no_database_of_ours_gives_no_snapshot() {
    let (_folder, path) = place();
    assert!(Sqlite::snapshot(&path("absent"), &path("copy"), false).is_err());
    Connection::open(path("other")).unwrap().execute_batch("CREATE TABLE t (c)").unwrap();
    assert!(Sqlite::snapshot(&path("other"), &path("copy"), false).is_err());
    assert!(!path("copy").exists());
}

#[tokio::test]
async fn a_database_made_anew_is_empty_and_hands_out_generations_above_the_given() {
    let (_folder, path) = place();
    store(&Sqlite::open(&path("new")).unwrap(), object("left by another attempt")).await;
    let given = (7 << 32) + 5;
    let m = Sqlite::create(&path("new"), given).unwrap();
    assert_eq!(m.totals().await.unwrap().manifests, 0);
    let reserved = m.reserve(digest("a")).await.unwrap();
    assert!(matches!(reserved, Reserved::Fresh(generation) if generation > given), "{reserved:?}");
}

#[tokio::test]
async fn a_database_that_is_replaced_is_kept_with_what_is_in_its_log() {
    let (_folder, path) = place();
    let old = Sqlite::open(&path("m")).unwrap();
    store(&old, object("old")).await;
    // As a crash leaves it: the log is still beside it.
    let crashed = path("crashed");
    for suffix in ["", "-wal"] {
        let file = |path: &PathBuf| PathBuf::from(format!("{}{suffix}", path.display()));
        fs::copy(file(&path("m")), file(&crashed)).unwrap();
    }
    let new = Sqlite::create(&path("new"), 0).unwrap();
    store(&new, object("new")).await;
    new.close().await.unwrap();
    drop(new);
    Sqlite::replace(&crashed, &path("new"), &path("kept")).unwrap();
    assert!(has(&Sqlite::open(&path("kept")).unwrap(), "old").await);
    let placed = Sqlite::open(&crashed).unwrap();
    assert!(has(&placed, "new").await && !has(&placed, "old").await);
    assert!(!path("new").exists());
}

#[tokio::test]
async fn a_log_that_lost_its_database_is_not_taken_for_the_new_ones() {
    let (_folder, path) = place();
    let old = Sqlite::open(&path("m")).unwrap();
    store(&old, object("old")).await;
    fs::copy(path("m-wal"), path("lost-wal")).unwrap();
    let new = Sqlite::create(&path("new"), 0).unwrap();
    store(&new, object("new")).await;
    new.close().await.unwrap();
    drop(new);
    Sqlite::replace(&path("lost"), &path("new"), &path("kept")).unwrap();
    assert!(path("kept-wal").exists() && !path("kept").exists());
    let placed = Sqlite::open(&path("lost")).unwrap();
    assert!(has(&placed, "new").await && !has(&placed, "old").await);
}

#[tokio::test]
async fn a_database_is_blank_until_its_schema_is_made_and_never_if_it_can_not_be_told() {
    let (_folder, path) = place();
    assert!(Sqlite::is_blank(&path("m")));
    fs::File::create(path("empty")).unwrap();
    assert!(Sqlite::is_blank(&path("empty")));
    let interrupted = Connection::open(path("interrupted")).unwrap();
    interrupted.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    drop(interrupted);
    assert!(fs::metadata(path("interrupted")).unwrap().len() > 0);
    assert!(Sqlite::is_blank(&path("interrupted")));
    let m = Sqlite::open(&path("m")).unwrap();
    for suffix in ["", "-wal"] {
        fs::copy(format!("{}{suffix}", path("m").display()), format!("{}{suffix}", path("crashed").display())).unwrap();
    }
    assert!(!Sqlite::is_blank(&path("crashed")), "its schema is in the log yet");
    drop(m);
    assert!(!Sqlite::is_blank(&path("m")));
    fs::File::create(path("another")).unwrap().set_len(4096).unwrap();
    assert!(!Sqlite::is_blank(&path("another")), "it is no database");
}

#[tokio::test]
async fn a_database_that_is_open_is_not_put_in_place() {
    let (_folder, path) = place();
    let new = Sqlite::create(&path("new"), 0).unwrap();
    store(&new, object("new")).await;
    assert!(Sqlite::replace(&path("m"), &path("new"), &path("kept")).is_err());
    assert!(!path("m").exists());
}

#[tokio::test]
async fn beside_its_owner_a_database_is_read_and_not_changed() {
    let (_folder, path) = place();
    let owner = Sqlite::open(&path("m")).unwrap();
    store(&owner, object("i")).await;
    let beside = Sqlite::open_beside(&path("m"), false).unwrap();
    assert!(has(&beside, "i").await);
    assert!(beside.put_manifest(object("j")).await.is_err());
    assert!(beside.reserve(digest("a")).await.is_err());
    assert!(!has(&owner, "j").await);
    store(&owner, object("k")).await;
    assert!(has(&beside, "k").await);
}

#[tokio::test]
async fn beside_nothing_there_is_nothing_to_open() {
    let (_folder, path) = place();
    assert!(Sqlite::open_beside(&path("m"), false).is_err());
    assert!(!path("m").exists());
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn what_nobody_changes_is_read_and_copied_without_a_file_beside_it() {
    let folder = TempDir::new().unwrap();
    // Each of these means something in the name of a database.
    let root = folder.path().join("a?b#c%20 d\u{e9}");
    fs::create_dir(&root).unwrap();
    let m = Sqlite::open(&root.join("m")).unwrap();
    store(&m, object("i")).await;
    m.close().await.unwrap();
    drop(m);
    assert_eq!(names(&root), ["m"]);
    let still = Sqlite::open_beside(&root.join("m"), true).unwrap();
    assert!(has(&still, "i").await);
    assert_eq!(names(&root), ["m"]);
    assert!(still.put_manifest(object("j")).await.is_err());
    Sqlite::snapshot(&root.join("m"), &folder.path().join("copy"), true).unwrap();
    assert_eq!(names(&root), ["m"]);
    assert!(has(&Sqlite::open(&folder.path().join("copy")).unwrap(), "i").await);
    let beside = Sqlite::open_beside(&root.join("m"), false).unwrap();
    assert!(has(&beside, "i").await);
    assert_eq!(names(&root), ["m", "m-shm", "m-wal"], "beside an owner the engine needs its files");
}

#[tokio::test]
async fn a_log_that_has_something_is_read_though_nobody_changes_it() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("m")).unwrap();
    store(&m, object("i")).await;
    fs::copy(path("m"), path("copy")).unwrap();
    fs::copy(path("m-wal"), path("copy-wal")).unwrap();
    assert!(has(&Sqlite::open_beside(&path("copy"), true).unwrap(), "i").await);
}

#[tokio::test]
async fn an_empty_log_is_none() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("m")).unwrap();
    store(&m, object("i")).await;
    m.close().await.unwrap();
    fs::copy(path("m"), path("copy")).unwrap();
    fs::File::create(path("copy-wal")).unwrap();
    assert!(has(&Sqlite::open_beside(&path("copy"), true).unwrap(), "i").await);
    assert!(!path("copy-shm").exists());
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_before_the_process_ends() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("m")).unwrap();
    store(&m, object("i")).await;
    // What a killed process leaves behind: the files as they are, without any orderly end.
    fs::copy(path("m"), path("copy")).unwrap();
    fs::copy(path("m-wal"), path("copy-wal")).unwrap();
    assert!(has(&Sqlite::open(&path("copy")).unwrap(), "i").await);
}

#[tokio::test]
async fn close_writes_the_log_back() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("m")).unwrap();
    store(&m, object("i")).await;
    m.close().await.unwrap();
    assert_eq!(fs::metadata(path("m-wal")).unwrap().len(), 0);
    assert!(has(&m, "i").await);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_folder, path) = place();
    drop(Sqlite::open(&path("m")).unwrap());
    Connection::open(path("m")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Sqlite::open(&path("m")).unwrap_err().to_string();
    assert_eq!(refused, "the metadata can't answer: expected schema version 1 or older, found 99");
}

#[tokio::test]
async fn a_database_that_is_not_hallmarks_is_refused() {
    let (_folder, path) = place();
    Connection::open(path("m")).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(Sqlite::open(&path("m")).is_err());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let (_folder, path) = place();
    fs::copy(file!(), path("m")).unwrap();
    assert!(Sqlite::open(&path("m")).is_err());
}

#[tokio::test]
async fn a_stored_value_that_cannot_be_read_is_unavailable_and_never_absent() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path("m")).unwrap();
    store(&m, object("i")).await;
    Connection::open(path("m")).unwrap().execute("UPDATE manifests SET kind = 'nonsense'", []).unwrap();
    assert!(m.manifest(&repo("r"), &digest("i")).await.is_err());
}
