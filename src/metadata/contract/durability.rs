//! What outlives the process, and what many callers at once see.

use std::sync::Arc;

use super::*;
use crate::metadata::Reserved;

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    each_opened(async |open| {
        let m = open();
        store_blob(&*m, "a").await;
        store(&*m, PutManifest { tags: vec![tag("v1")], ..image("i", &["a"]) }).await;
        drop(m);
        let m = open();
        assert!(m.blob(&repo("r"), &digest("a")).await.unwrap().is_some());
        assert_eq!(m.pushes(&repo("r"), &tag("v1")).await.unwrap()[0].digest, digest("i"));
        assert_eq!(m.totals().await.unwrap().manifests, 1);
    })
    .await;
}

#[tokio::test]
async fn generations_do_not_return_after_reopening() {
    each_opened(async |open| {
        let first = open().reserve(digest("a")).await.unwrap();
        let second = open().reserve(digest("a")).await.unwrap();
        assert!(matches!((&first, &second), (Reserved::Fresh(a), Reserved::Fresh(b)) if a < b), "{first:?} {second:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_closed_is_there_and_goes_on() {
    each_opened(async |open| {
        let m = open();
        store(&*m, object("i")).await;
        m.close().await.unwrap();
        store(&*m, object("j")).await;
        drop(m);
        assert_eq!(open().totals().await.unwrap().manifests, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_pushes_at_once_are_all_seen_by_those_who_made_them() {
    each_opened(async |open| {
        let m: Arc<dyn Metadata> = Arc::from(open());
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
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_that_fails_undoes_itself_and_nothing_else() {
    each_opened(async |open| {
        let m: Arc<dyn Metadata> = Arc::from(open());
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
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_harms_nobody() {
    each_opened(async |open| {
        let m = open();
        tokio::select! {
            biased;
            _ = m.put_manifest(object("i")) => {}
            () = std::future::ready(()) => {}
        }
        store(&*m, object("j")).await;
        assert!(m.manifest(&repo("r"), &digest("i")).await.unwrap().is_some());
    })
    .await;
}
