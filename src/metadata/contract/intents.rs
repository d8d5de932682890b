//! Intents, and what is told of bytes that were lost.

use uuid::Uuid;

use super::*;
use crate::metadata::{Blob, Intent, Reserved, Upload};
use crate::oci::{Algorithm, Hasher};

const UPLOAD: Uuid = Uuid::from_u128(7);

async fn intend(m: &dyn Metadata, name: &str) {
    m.intend(format!("key/{name}"), UPLOAD).await.unwrap();
}

async fn intended(m: &dyn Metadata) -> Vec<String> {
    m.intents(100).await.unwrap().into_iter().map(|intent| intent.key).collect()
}

fn session(number: u128, whole: bool) -> Upload {
    Upload {
        id: Uuid::from_u128(number),
        repository: repo("r"),
        who: who("ci"),
        sign_only: false,
        whole,
        offset: 0,
        algorithm: Algorithm::Sha256,
        hash: Hasher::new(Algorithm::Sha256).save(),
        at: at(1),
    }
}

#[tokio::test]
async fn an_intent_is_told_with_its_upload_until_it_is_forgotten() {
    each(async |m| {
        intend(m, "a").await;
        assert_eq!(m.intents(100).await.unwrap(), [Intent { key: "key/a".to_owned(), upload: UPLOAD }]);
        m.forget_intents(&["key/a".to_owned()]).await.unwrap();
        assert_eq!(m.intents(100).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn intents_are_told_no_more_than_the_limit() {
    each(async |m| {
        for name in ["a", "b", "c"] {
            intend(m, name).await;
        }
        assert_eq!(m.intents(2).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_commit_forgets_the_intent_of_its_key_and_no_other() {
    each(async |m| {
        intend(m, "a").await;
        intend(m, "b").await;
        store_blob(m, "a").await;
        assert_eq!(intended(m).await, ["key/b"]);
    })
    .await;
}

#[tokio::test]
async fn a_surplus_key_is_intended_no_more_and_in_the_trash() {
    each(async |m| {
        store_blob(m, "a").await;
        intend(m, "second").await;
        let second = CommitBlob { key: "key/second".to_owned(), ..blob("a") };
        assert_eq!(m.commit_blob(second).await.unwrap(), Committed::Surplus);
        assert!(intended(m).await.is_empty());
        assert_eq!(m.sweep(at(1), at(0), 100).await.unwrap().trash, ["key/second"]);
    })
    .await;
}

#[tokio::test]
async fn a_capped_commit_leaves_its_intent() {
    each(async |m| {
        intend(m, "a").await;
        let capped = CommitBlob { unheld_cap: Some(0), ..blob("a") };
        assert_eq!(m.commit_blob(capped).await.unwrap(), Committed::Capped);
        assert_eq!(intended(m).await, ["key/a"]);
    })
    .await;
}

#[tokio::test]
async fn a_live_key_is_never_told_as_intended() {
    each(async |m| {
        store_blob(m, "a").await;
        intend(m, "a").await;
        assert!(intended(m).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_fresh_generation_is_no_other() {
    each(async |m| {
        let Reserved::Fresh(reserved) = m.reserve(digest("a")).await.unwrap() else { panic!("expected none stored") };
        let [first, second] = [m.fresh_generation().await.unwrap(), m.fresh_generation().await.unwrap()];
        assert!(reserved < first && first < second);
    })
    .await;
}

#[tokio::test]
async fn a_key_takes_the_place_of_one_whose_bytes_were_lost() {
    each(async |m| {
        store_blob(m, "a").await;
        let heals = CommitBlob { key: "key/again".to_owned(), lost: Some("key/a".to_owned()), ..blob("a") };
        assert_eq!(m.commit_blob(heals).await.unwrap(), Committed::Stored);
        let healed = m.blob(&repo("r"), &digest("a")).await.unwrap();
        assert_eq!(healed, Some(Blob { key: "key/again".to_owned(), size: 10, quarantined: false }));
        assert_eq!(m.sweep(at(1), at(0), 100).await.unwrap().trash, ["key/a"]);
        assert_eq!(m.totals().await.unwrap().blobs, 1);
    })
    .await;
}

#[tokio::test]
async fn every_layout_that_shows_lost_bytes_is_behind_when_they_come_back() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { repository: repo("s"), ..blob("a") }).await.unwrap();
        while let Some(view) = first_dirty(m).await {
            m.clean_view(&view.repository, view.sequence).await.unwrap();
        }
        let heals = CommitBlob { key: "key/again".to_owned(), lost: Some("key/a".to_owned()), ..blob("a") };
        m.commit_blob(heals).await.unwrap();
        let mut behind = Vec::new();
        while let Some(view) = first_dirty(m).await {
            m.clean_view(&view.repository, view.sequence).await.unwrap();
            behind.push(view.repository);
        }
        behind.sort();
        assert_eq!(behind, [repo("r"), repo("s")]);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_someone_else_healed_first_stays() {
    each(async |m| {
        store_blob(m, "a").await;
        let lost = Some("key/a".to_owned());
        let first = CommitBlob { key: "key/first".to_owned(), lost: lost.clone(), ..blob("a") };
        assert_eq!(m.commit_blob(first).await.unwrap(), Committed::Stored);
        let second = CommitBlob { key: "key/second".to_owned(), lost, ..blob("a") };
        assert_eq!(m.commit_blob(second).await.unwrap(), Committed::Surplus);
        assert_eq!(m.blob(&repo("r"), &digest("a")).await.unwrap().unwrap().key, "key/first");
    })
    .await;
}

#[tokio::test]
async fn sessions_that_are_whole_or_nothing_end_and_others_stay() {
    each(async |m| {
        m.begin_upload(session(1, true), None).await.unwrap();
        m.begin_upload(session(2, false), None).await.unwrap();
        m.end_whole_uploads().await.unwrap();
        assert_eq!(m.upload(Uuid::from_u128(1)).await.unwrap(), None);
        assert_eq!(m.upload(Uuid::from_u128(2)).await.unwrap(), Some(session(2, false)));
    })
    .await;
}
