//! What outlives the process, what many callers at once see, and what is refused at the door. For the embedded engine.

use std::sync::Arc;

use rusqlite::Connection;

use super::*;
use crate::metadata::{Failing, Reserved};

fn place() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("metadata");
    (folder, path)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path).unwrap();
    store_blob(&m, "a").await;
    store(&m, PutManifest { tags: vec![tag("v1")], ..image("i", &["a"]) }).await;
    drop(m);
    let m = Sqlite::open(&path).unwrap();
    assert!(m.blob(&repo("r"), &digest("a")).await.unwrap().is_some());
    assert_eq!(m.pushes(&repo("r"), &tag("v1")).await.unwrap()[0].digest, digest("i"));
    assert_eq!(m.totals().await.unwrap().manifests, 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_before_the_process_ends() {
    let (folder, path) = place();
    let m = Sqlite::open(&path).unwrap();
    store(&m, object("i")).await;
    // What a killed process leaves behind: the files as they are, without any orderly end.
    let copy = folder.path().join("copy");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(path.with_extension("").with_file_name("metadata-wal"), copy.with_file_name("copy-wal")).unwrap();
    let m = Sqlite::open(&copy).unwrap();
    assert!(m.manifest(&repo("r"), &digest("i")).await.unwrap().is_some());
}

#[tokio::test]
async fn generations_do_not_return_after_reopening() {
    let (_folder, path) = place();
    let first = Sqlite::open(&path).unwrap().reserve(digest("a")).await.unwrap();
    let second = Sqlite::open(&path).unwrap().reserve(digest("a")).await.unwrap();
    assert!(matches!((&first, &second), (Reserved::Fresh(a), Reserved::Fresh(b)) if a < b), "{first:?} {second:?}");
}

#[tokio::test]
async fn close_writes_the_log_back() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path).unwrap();
    store(&m, object("i")).await;
    m.close().await.unwrap();
    assert_eq!(std::fs::metadata(path.with_file_name("metadata-wal")).unwrap().len(), 0);
    assert!(m.manifest(&repo("r"), &digest("i")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_pushes_at_once_are_all_seen_by_those_who_made_them() {
    let (_folder, path) = place();
    let m = Arc::new(Sqlite::open(&path).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let m = m.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let name = format!("{task}-{round}");
                store(&*m, tagged(&name, &[&name, "shared"])).await;
                assert_eq!(m.pushes(&repo("r"), &tag(&name)).await.unwrap().len(), 1);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(m.totals().await.unwrap().manifests, 320);
    assert_eq!(m.pushes(&repo("r"), &tag("shared")).await.unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_that_fails_undoes_itself_and_nothing_else() {
    let (_folder, path) = place();
    let m = Arc::new(Sqlite::open(&path).unwrap());
    store_blob(&*m, "taken").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let m = m.clone();
        tasks.spawn(async move {
            let name = format!("b{number}");
            let clash = number % 2 == 0;
            // A key that names another content already can't be committed.
            let key = if clash { "key/taken".to_owned() } else { format!("key/{name}") };
            let repository = repo(&format!("r{number}"));
            assert_eq!(m.commit_blob(CommitBlob { repository, key, ..blob(&name) }).await.is_err(), clash);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let totals = m.totals().await.unwrap();
    assert_eq!((totals.blobs, totals.repositories), (33, 33));
}

#[tokio::test]
async fn a_caller_that_goes_away_harms_nobody() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path).unwrap();
    tokio::select! {
        biased;
        _ = m.put_manifest(object("i")) => {}
        () = std::future::ready(()) => {}
    }
    store(&m, object("j")).await;
    assert!(m.manifest(&repo("r"), &digest("i")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_folder, path) = place();
    drop(Sqlite::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Sqlite::open(&path).unwrap_err().to_string();
    assert_eq!(refused, "the metadata can't answer: expected schema version 1 or older, found 99");
}

#[tokio::test]
async fn a_database_that_is_not_hallmarks_is_refused() {
    let (_folder, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(Sqlite::open(&path).is_err());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let (_folder, path) = place();
    std::fs::copy(file!(), &path).unwrap();
    assert!(Sqlite::open(&path).is_err());
}

#[tokio::test]
async fn a_stored_value_that_cannot_be_read_is_unavailable_and_never_absent() {
    let (_folder, path) = place();
    let m = Sqlite::open(&path).unwrap();
    store(&m, object("i")).await;
    Connection::open(&path).unwrap().execute("UPDATE manifests SET kind = 'nonsense'", []).unwrap();
    assert!(m.manifest(&repo("r"), &digest("i")).await.is_err());
}

#[tokio::test]
async fn switched_off_metadata_answers_nothing_and_changes_nothing() {
    let (_folder, path) = place();
    let m = Failing::new(Sqlite::open(&path).unwrap());
    m.fail(true);
    assert!(m.put_manifest(object("i")).await.is_err());
    assert!(m.manifest(&repo("r"), &digest("i")).await.is_err());
    m.fail(false);
    assert_eq!(m.manifest(&repo("r"), &digest("i")).await.unwrap(), None);
}
