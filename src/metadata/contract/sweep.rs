//! Collection.

use uuid::Uuid;

use super::*;
use crate::metadata::{Swept, Upload};
use crate::oci::{Algorithm, Hasher};

async fn sweep(m: &dyn Metadata, seconds: u64) -> Swept {
    m.sweep(at(seconds), at(0), 100).await.unwrap()
}

#[tokio::test]
async fn a_blob_whose_lease_ended_goes_to_the_trash() {
    each(async |m| {
        store_blob(m, "a").await;
        assert_eq!(sweep(m, LEASE - 1).await, Swept::default());
        let swept = sweep(m, LEASE).await;
        let expected = Swept { trash: vec!["key/a".to_owned()], repositories: vec![repo("r")], ..Swept::default() };
        assert_eq!(swept, expected);
        assert_eq!(m.blob(&repo("r"), &digest("a")).await.unwrap(), None);
        assert!(!m.uploaded_by(&repo("r"), &digest("a"), &who("ci")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_held_blob_is_never_swept() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        assert_eq!(sweep(m, LEASE * 1000).await, Swept::default());
    })
    .await;
}

#[tokio::test]
async fn a_blob_stays_while_one_of_two_holders_does() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        store(m, image("j", &["a"])).await;
        delete(m, "i").await;
        assert_eq!(sweep(m, LEASE * 1000).await, Swept::default());
    })
    .await;
}

#[tokio::test]
async fn a_blob_that_lost_its_last_holder_stays_for_an_hour() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        m.delete_manifest(&repo("r"), &digest("i"), &by(LEASE)).await.unwrap();
        assert!(sweep(m, LEASE + 3599).await.trash.is_empty());
        assert_eq!(sweep(m, LEASE + 3600).await.trash, ["key/a"]);
    })
    .await;
}

#[tokio::test]
async fn content_stays_while_another_repository_has_it() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { repository: repo("s"), lease: at(LEASE * 2), ..blob("a") }).await.unwrap();
        assert!(sweep(m, LEASE).await.trash.is_empty());
        assert_eq!(sweep(m, LEASE * 2).await.trash, ["key/a"]);
    })
    .await;
}

#[tokio::test]
async fn trash_is_handed_out_until_it_is_forgotten() {
    each(async |m| {
        store_blob(m, "a").await;
        sweep(m, LEASE).await;
        let again = sweep(m, LEASE).await.trash;
        assert_eq!(again, ["key/a"]);
        m.forget_trash(&again).await.unwrap();
        assert_eq!(sweep(m, LEASE).await, Swept::default());
    })
    .await;
}

#[tokio::test]
async fn a_sweep_takes_no_more_than_its_limit() {
    each(async |m| {
        store_blob(m, "a").await;
        store_blob(m, "b").await;
        m.sweep(at(LEASE), at(0), 1).await.unwrap();
        assert_eq!(m.totals().await.unwrap().blobs, 1);
    })
    .await;
}

#[tokio::test]
async fn sessions_that_nobody_went_on_with_end() {
    each(async |m| {
        for (number, seconds) in [(1, 10), (2, 20)] {
            let upload = Upload {
                id: Uuid::from_u128(number),
                repository: repo("r"),
                who: who("ci"),
                sign_only: false,
                whole: false,
                offset: 0,
                algorithm: Algorithm::Sha256,
                hash: Hasher::new(Algorithm::Sha256).save(),
                at: at(seconds),
            };
            m.begin_upload(upload, None).await.unwrap();
        }
        assert_eq!(m.sweep(at(30), at(20), 10).await.unwrap().uploads, [Uuid::from_u128(1)]);
        assert_eq!(m.totals().await.unwrap().uploads, 1);
    })
    .await;
}

#[tokio::test]
async fn evidence_whose_subject_never_came_expires() {
    each(async |m| {
        store(m, PutManifest { tags: vec![tag("sig")], ..bundle("e", "i") }).await;
        assert!(sweep(m, ORPHAN_LEASE - 1).await.orphans.is_empty());
        assert_eq!(sweep(m, ORPHAN_LEASE).await.orphans, [(repo("r"), digest("e"))]);
        assert_eq!(m.manifest(&repo("r"), &digest("e")).await.unwrap(), None);
        assert!(m.pushes(&repo("r"), &tag("sig")).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn evidence_whose_subject_came_stays() {
    each(async |m| {
        store(m, bundle("e", "i")).await;
        store(m, object("i")).await;
        store(m, bundle("f", "i")).await;
        assert_eq!(sweep(m, ORPHAN_LEASE * 2).await, Swept::default());
    })
    .await;
}

#[tokio::test]
async fn an_object_whose_subject_never_came_stays() {
    each(async |m| {
        store(m, PutManifest { kind: Kind::Object, ..bundle("o", "i") }).await;
        assert_eq!(sweep(m, ORPHAN_LEASE * 2).await, Swept::default());
    })
    .await;
}

#[tokio::test]
async fn a_push_and_a_sweep_meet_and_nothing_dangles() {
    each(async |m| {
        for round in 0..50 {
            let name = format!("blob{round}");
            store_blob(m, &name).await;
            let put = PutManifest { digest: digest(&format!("image{round}")), ..image("i", &[&name]) };
            let (put, _) = tokio::join!(m.put_manifest(put), m.sweep(at(LEASE), at(0), 100));
            let present = m.blob(&repo("r"), &digest(&name)).await.unwrap().is_some();
            assert_eq!(matches!(put.unwrap(), Put::Stored { .. }), present);
        }
    })
    .await;
}
