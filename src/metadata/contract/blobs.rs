//! Blobs, their leases, and the contents behind them.

use super::*;
use crate::metadata::{Blob, BlobDeleted, Swept};

async fn has(m: &dyn Metadata, repository: &str, name: &str) -> bool {
    m.blob(&repo(repository), &digest(name)).await.unwrap().is_some()
}

async fn sweep(m: &dyn Metadata, seconds: u64) -> Swept {
    m.sweep(at(seconds), at(0), 100).await.unwrap()
}

#[tokio::test]
async fn a_blob_belongs_to_its_repository_alone() {
    each(async |m| {
        store_blob(m, "a").await;
        let stored = m.blob(&repo("r"), &digest("a")).await.unwrap();
        assert_eq!(stored, Some(Blob { key: "key/a".to_owned(), size: 10, quarantined: false }));
        assert!(!has(m, "other", "a").await);
    })
    .await;
}

#[tokio::test]
async fn a_second_key_for_the_same_content_is_surplus() {
    each(async |m| {
        store_blob(m, "a").await;
        let second = CommitBlob { repository: repo("s"), key: "key/second".to_owned(), ..blob("a") };
        assert_eq!(m.commit_blob(second).await.unwrap(), Committed::Surplus);
        assert_eq!(m.blob(&repo("s"), &digest("a")).await.unwrap().unwrap().key, "key/a");
        assert_eq!(sweep(m, 1).await.trash, ["key/second"]);
    })
    .await;
}

#[tokio::test]
async fn a_live_key_that_was_trashed_is_gone() {
    each(async |m| {
        store_blob(m, "a").await;
        m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap();
        assert_eq!(m.commit_blob(blob("a")).await.unwrap(), Committed::Gone);
        assert!(!has(m, "r", "a").await);
    })
    .await;
}

#[tokio::test]
async fn a_live_key_whose_bytes_were_removed_is_gone() {
    each(async |m| {
        store_blob(m, "a").await;
        m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap();
        let swept = sweep(m, 1).await;
        m.forget_trash(&swept.trash).await.unwrap();
        assert_eq!(sweep(m, 2).await, Swept::default());
        assert_eq!(m.commit_blob(blob("a")).await.unwrap(), Committed::Gone);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_told_as_live_is_gone_however_late_the_commit_comes() {
    each(async |m| {
        store_blob(m, "a").await;
        let told = CommitBlob { repository: repo("s"), sealed: false, ..blob("a") };
        assert_eq!(m.commit_blob(told.clone()).await.unwrap(), Committed::Stored);
        for name in ["r", "s"] {
            m.delete_blob(&repo(name), &digest("a"), &by(0)).await.unwrap();
        }
        let swept = sweep(m, 1).await;
        m.forget_trash(&swept.trash).await.unwrap();
        // The first notes since when the key is remembered, the second comes years later, by its clock.
        for seconds in [2, 100_000_000] {
            assert_eq!(sweep(m, seconds).await, Swept::default());
        }
        assert_eq!(m.commit_blob(told).await.unwrap(), Committed::Gone);
        assert!(!has(m, "s", "a").await);
    })
    .await;
}

#[tokio::test]
async fn content_comes_back_under_a_fresh_key() {
    each(async |m| {
        store_blob(m, "a").await;
        m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap();
        let again = CommitBlob { key: "key/again".to_owned(), ..blob("a") };
        assert_eq!(m.commit_blob(again).await.unwrap(), Committed::Stored);
        assert_eq!(m.blob(&repo("r"), &digest("a")).await.unwrap().unwrap().key, "key/again");
        assert_eq!(sweep(m, 1).await.trash, ["key/a"]);
    })
    .await;
}

#[tokio::test]
async fn the_cap_on_unheld_blobs_refuses_and_changes_nothing() {
    each(async |m| {
        let capped = |name| CommitBlob { unheld_cap: Some(1), ..blob(name) };
        assert_eq!(m.commit_blob(capped("a")).await.unwrap(), Committed::Stored);
        assert_eq!(m.commit_blob(capped("a")).await.unwrap(), Committed::Stored);
        assert_eq!(m.commit_blob(capped("b")).await.unwrap(), Committed::Capped);
        assert!(!has(m, "r", "b").await);
        assert_eq!(m.totals().await.unwrap().blobs, 1);
    })
    .await;
}

#[tokio::test]
async fn held_blobs_do_not_count_against_the_cap() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        let capped = CommitBlob { unheld_cap: Some(1), ..blob("b") };
        assert_eq!(m.commit_blob(capped).await.unwrap(), Committed::Stored);
    })
    .await;
}

#[tokio::test]
async fn a_blob_that_came_after_its_manifest_does_not_count_against_the_cap() {
    each(async |m| {
        store(m, index("x", &["late"])).await;
        store_blob(m, "late").await;
        let capped = CommitBlob { unheld_cap: Some(1), ..blob("b") };
        assert_eq!(m.commit_blob(capped).await.unwrap(), Committed::Stored);
    })
    .await;
}

#[tokio::test]
async fn who_uploaded_is_noted_for_each_repository() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { repository: repo("s"), who: who("other"), ..blob("a") }).await.unwrap();
        let by = async |repository, name| m.uploaded_by(&repo(repository), &digest("a"), &who(name)).await.unwrap();
        assert!(by("r", "ci").await && by("s", "other").await);
        assert!(!by("r", "other").await && !by("s", "ci").await);
    })
    .await;
}

#[tokio::test]
async fn repositories_with_a_blob_are_found() {
    each(async |m| {
        for name in ["r", "s", "t"] {
            m.commit_blob(CommitBlob { repository: repo(name), ..blob("a") }).await.unwrap();
        }
        assert_eq!(m.repositories_with(&digest("a"), 2).await.unwrap(), [repo("r"), repo("s")]);
        assert!(m.repositories_with(&digest("b"), 2).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_held_blob_is_not_deleted() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        assert_eq!(m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap(), BlobDeleted::Held);
        assert!(has(m, "r", "a").await);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_blob_is_gone_here_and_stays_elsewhere() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { repository: repo("s"), ..blob("a") }).await.unwrap();
        assert_eq!(m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap(), BlobDeleted::Deleted);
        assert_eq!(m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap(), BlobDeleted::Absent);
        assert!(!has(m, "r", "a").await && has(m, "s", "a").await);
        assert!(sweep(m, 1).await.trash.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_touch_extends_a_lease_that_is_more_than_half_over() {
    each(async |m| {
        store_blob(m, "a").await;
        m.touch_blob(&repo("r"), &digest("a"), at(LEASE + 600), at(600)).await.unwrap();
        sweep(m, LEASE).await;
        assert!(has(m, "r", "a").await);
    })
    .await;
}

#[tokio::test]
async fn a_touch_leaves_a_lease_alone_that_is_less_than_half_over() {
    each(async |m| {
        store_blob(m, "a").await;
        m.touch_blob(&repo("r"), &digest("a"), at(LEASE + 400), at(400)).await.unwrap();
        sweep(m, LEASE).await;
        assert!(!has(m, "r", "a").await);
    })
    .await;
}

#[tokio::test]
async fn a_second_commit_extends_the_lease() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { lease: at(LEASE * 2), ..blob("a") }).await.unwrap();
        sweep(m, LEASE).await;
        assert!(has(m, "r", "a").await);
    })
    .await;
}
