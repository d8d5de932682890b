//! What a sweep would take is what it takes.

use uuid::Uuid;

use super::*;
use crate::metadata::{Garbage, GarbageBlob, Graced, Leased, Upload};
use crate::oci::{Algorithm, Hasher};

async fn garbage(m: &dyn Metadata, seconds: u64) -> Garbage {
    m.garbage(at(seconds), at(0), 100).await.unwrap()
}

fn listed(repository: &str, name: &str, last: bool) -> GarbageBlob {
    GarbageBlob { repository: repo(repository), digest: digest(name), size: 10, last }
}

#[tokio::test]
async fn what_is_wanted_is_not_listed() {
    each(async |m| {
        store_blob(m, "held").await;
        store_blob(m, "leased").await;
        store(m, image("i", &["held"])).await;
        store(m, bundle("e", "i")).await;
        assert_eq!(garbage(m, LEASE - 1).await, Garbage::default());
    })
    .await;
}

#[tokio::test]
async fn an_untagged_manifest_is_never_garbage() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        assert_eq!(garbage(m, LEASE * 1_000_000).await, Garbage::default());
        m.sweep(at(LEASE * 1_000_000), at(0), 100).await.unwrap();
        assert!(m.manifest(&repo("r"), &digest("i")).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_blob_whose_lease_ended_is_listed_with_whether_its_bytes_go() {
    each(async |m| {
        store_blob(m, "a").await;
        store_blob(m, "b").await;
        m.commit_blob(CommitBlob { repository: repo("s"), lease: at(LEASE * 2), ..blob("b") }).await.unwrap();
        let mut blobs = garbage(m, LEASE).await.blobs;
        blobs.sort_unstable_by_key(|blob| !blob.last);
        assert_eq!(blobs, [listed("r", "a", true), listed("r", "b", false)]);
        assert_eq!(m.sweep(at(LEASE), at(0), 10).await.unwrap().trash, ["key/a"]);
    })
    .await;
}

#[tokio::test]
async fn evidence_without_a_subject_and_trash_are_listed() {
    each(async |m| {
        store(m, bundle("e", "i")).await;
        store_blob(m, "a").await;
        m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap();
        let listed = garbage(m, ORPHAN_LEASE).await;
        assert_eq!((listed.orphans, listed.trash), (vec![(repo("r"), digest("e"))], vec!["key/a".to_owned()]));
    })
    .await;
}

#[tokio::test]
async fn what_a_deletion_leaves_for_a_while_is_counted_once_and_its_wait_can_be_ended() {
    each(async |m| {
        for repository in ["r", "s"] {
            for name in ["a", "held", "leased"] {
                let lease = at(if name == "leased" { LEASE * 1_000_000 } else { 20 });
                let blob = CommitBlob { repository: repo(repository), lease, ..blob(name) };
                m.commit_blob(blob).await.unwrap();
            }
        }
        store(m, image("i", &["held"])).await;
        let one = |until| Leased { blobs: 1, bytes: 10, until: Some(at(until)) };
        let leased = one(LEASE * 1_000_000);
        assert_eq!(m.graced(at(10)).await.unwrap(), Graced { graced: one(20), leased });
        let leased_alone = Graced { graced: Leased::default(), leased };
        assert_eq!(m.graced(at(20)).await.unwrap(), leased_alone);
        assert_eq!(garbage(m, 10).await, Garbage::default());
        // `a` twice, and `held` where nothing holds it.
        assert_eq!((m.end_grace(at(10), 2).await.unwrap(), m.end_grace(at(10), 9).await.unwrap()), (2, 1));
        assert_eq!((m.end_grace(at(10), 9).await.unwrap(), m.graced(at(10)).await.unwrap()), (0, leased_alone));
        assert_eq!(m.sweep(at(10), at(0), 10).await.unwrap().trash, ["key/a"]);
    })
    .await;
}

/// Longer than the grace that a deletion leaves.
const FAR: u64 = LEASE * 1_000;

#[tokio::test]
async fn what_no_manifest_holds_yet_is_counted_once_until_its_last_lease_ends() {
    each(async |m| {
        for (repository, name, lease) in [("r", "a", FAR * 3), ("s", "a", FAR * 4), ("r", "b", FAR * 2)] {
            let blob = CommitBlob { repository: repo(repository), lease: at(lease), ..blob(name) };
            m.commit_blob(blob).await.unwrap();
        }
        let leased = Leased { blobs: 2, bytes: 20, until: Some(at(FAR * 4)) };
        assert_eq!(m.graced(at(10)).await.unwrap(), Graced { graced: Leased::default(), leased });
        store(m, image("i", &["a"])).await;
        let leased = Leased { blobs: 1, bytes: 10, until: Some(at(FAR * 2)) };
        assert_eq!(m.graced(at(10)).await.unwrap().leased, leased);
        m.delete_blob(&repo("r"), &digest("b"), &by(0)).await.unwrap();
        assert_eq!(m.graced(at(10)).await.unwrap(), Graced::default());
    })
    .await;
}

#[tokio::test]
async fn a_session_that_nobody_went_on_with_is_listed() {
    each(async |m| {
        let upload = Upload {
            id: Uuid::from_u128(1),
            repository: repo("r"),
            who: who("ci"),
            sign_only: false,
            whole: false,
            offset: 5,
            algorithm: Algorithm::Sha256,
            hash: Hasher::new(Algorithm::Sha256).save(),
            at: at(10),
        };
        m.begin_upload(upload, None).await.unwrap();
        assert!(m.garbage(at(30), at(10), 10).await.unwrap().uploads.is_empty());
        let listed = m.garbage(at(30), at(11), 10).await.unwrap().uploads;
        assert_eq!(listed, [(Uuid::from_u128(1), repo("r"), 5)]);
    })
    .await;
}

#[tokio::test]
async fn a_list_of_garbage_has_no_more_than_its_limit_of_each() {
    each(async |m| {
        store_blob(m, "a").await;
        store_blob(m, "b").await;
        assert_eq!(m.garbage(at(LEASE), at(0), 1).await.unwrap().blobs.len(), 1);
    })
    .await;
}
