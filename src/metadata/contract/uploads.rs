//! Upload sessions.

use uuid::Uuid;

use super::*;
use crate::metadata::{Reserved, Upload};
use crate::oci::{Algorithm, Hasher};

fn upload(number: u128, name: &str, sign_only: bool) -> Upload {
    Upload {
        id: Uuid::from_u128(number),
        repository: repo("r"),
        who: who(name),
        sign_only,
        whole: false,
        offset: 0,
        algorithm: Algorithm::Sha512,
        hash: Hasher::new(Algorithm::Sha512).save(),
        at: at(1),
    }
}

#[tokio::test]
async fn a_session_is_read_as_it_was_written() {
    each(async |m| {
        assert!(m.begin_upload(upload(1, "ci", false), None).await.unwrap());
        assert!(m.progress_upload(Uuid::from_u128(1), 7, vec![1, 2], at(2)).await.unwrap());
        let expected = Upload { offset: 7, hash: vec![1, 2], at: at(2), ..upload(1, "ci", false) };
        assert_eq!(m.upload(Uuid::from_u128(1)).await.unwrap(), Some(expected));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_session_is_gone() {
    each(async |m| {
        m.begin_upload(upload(1, "ci", false), None).await.unwrap();
        assert!(m.cancel_upload(Uuid::from_u128(1)).await.unwrap());
        assert!(!m.cancel_upload(Uuid::from_u128(1)).await.unwrap());
        assert!(!m.progress_upload(Uuid::from_u128(1), 7, Vec::new(), at(2)).await.unwrap());
        assert_eq!(m.upload(Uuid::from_u128(1)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_cap_counts_sessions_under_sign_alone_of_the_same_person() {
    each(async |m| {
        assert!(m.begin_upload(upload(1, "signer", false), Some(1)).await.unwrap());
        assert!(m.begin_upload(upload(2, "other", true), Some(1)).await.unwrap());
        assert!(m.begin_upload(upload(3, "signer", true), Some(1)).await.unwrap());
        assert!(!m.begin_upload(upload(4, "signer", true), Some(1)).await.unwrap());
        assert_eq!(m.upload(Uuid::from_u128(4)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_session_alone_makes_no_repository() {
    each(async |m| {
        m.begin_upload(upload(1, "ci", false), None).await.unwrap();
        assert!(!m.repository_exists(&repo("r")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_committed_blob_ends_its_session() {
    each(async |m| {
        m.begin_upload(upload(1, "ci", false), None).await.unwrap();
        m.commit_blob(CommitBlob { upload: Some(Uuid::from_u128(1)), ..blob("a") }).await.unwrap();
        assert_eq!(m.upload(Uuid::from_u128(1)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn fresh_generations_differ() {
    each(async |m| {
        let [first, second] = [m.reserve(digest("a")).await.unwrap(), m.reserve(digest("a")).await.unwrap()];
        assert!(
            matches!((&first, &second), (Reserved::Fresh(a), Reserved::Fresh(b)) if a != b),
            "{first:?} {second:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn stored_content_is_reserved_as_live() {
    each(async |m| {
        store_blob(m, "a").await;
        assert_eq!(m.reserve(digest("a")).await.unwrap(), Reserved::Live("key/a".to_owned()));
    })
    .await;
}
