//! What a pass of the scrub goes through, and how far it is.

use super::*;
use crate::metadata::ScrubPass;

#[tokio::test]
async fn every_content_is_met_once_in_pages() {
    each(async |m| {
        for name in ["a", "b", "c"] {
            store_blob(m, name).await;
        }
        let first = m.contents(None, 2).await.unwrap();
        let rest = m.contents(first.last().map(|content| &content.digest), 2).await.unwrap();
        let mut found: Vec<_> = first.iter().chain(&rest).map(|content| content.digest).collect();
        let mut expected = digests(&["a", "b", "c"]);
        expected.sort_unstable_by_key(ToString::to_string);
        assert_eq!((first.len(), rest.len()), (2, 1));
        assert_eq!(found, expected);
        found.dedup();
        assert_eq!(found.len(), 3);
        assert_eq!((first[0].size, first[0].quarantined), (10, false));
    })
    .await;
}

#[tokio::test]
async fn every_manifest_is_met_in_the_order_in_which_it_came() {
    each(async |m| {
        for name in ["i", "j"] {
            store(m, object(name)).await;
        }
        store(m, PutManifest { repository: repo("s"), ..object("i") }).await;
        let first = m.placed_manifests(0, 2).await.unwrap();
        let rest = m.placed_manifests(first[1].place, 2).await.unwrap();
        let met = first.iter().chain(&rest).map(|found| (found.repository.clone(), found.digest, found.bytes.clone()));
        let expected = [("r", "i"), ("r", "j"), ("s", "i")]
            .map(|(repository, name)| (repo(repository), digest(name), Bytes::from_static(name.as_bytes())));
        assert_eq!(met.collect::<Vec<_>>(), expected);
    })
    .await;
}

#[tokio::test]
async fn a_pass_is_noted_as_it_stands() {
    each(async |m| {
        assert_eq!(m.scrub_pass().await.unwrap(), None);
        let mut pass =
            ScrubPass { content: Some(digest("a")), manifest: 3, objects: 4, unchecked: 2, ..ScrubPass::begin(at(5)) };
        m.note_scrub_pass(pass.clone()).await.unwrap();
        assert_eq!(m.scrub_pass().await.unwrap(), Some(pass.clone()));
        pass.ended = Some(at(9));
        m.note_scrub_pass(pass.clone()).await.unwrap();
        assert_eq!(m.scrub_pass().await.unwrap(), Some(pass));
    })
    .await;
}

#[tokio::test]
async fn only_keys_that_nothing_names_go_to_the_trash() {
    each(async |m| {
        store_blob(m, "a").await;
        store_blob(m, "b").await;
        m.delete_blob(&repo("r"), &digest("b"), &by(0)).await.unwrap();
        let keys = ["key/a", "key/b", "key/nobody"].map(str::to_owned);
        assert_eq!(m.trash_unnamed(&keys).await.unwrap(), 1);
        assert_eq!(m.sweep(at(0), at(0), 10).await.unwrap().trash, ["key/b", "key/nobody"]);
        assert!(m.blob(&repo("r"), &digest("a")).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_intended_is_named() {
    each(async |m| {
        m.intend("key/soon".to_owned(), uuid::Uuid::from_u128(1)).await.unwrap();
        assert_eq!(m.trash_unnamed(&["key/soon".to_owned()]).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_commit_of_a_key_that_went_to_the_trash_unnamed_is_told_so() {
    each(async |m| {
        m.trash_unnamed(&["key/a".to_owned()]).await.unwrap();
        assert_eq!(m.commit_blob(blob("a")).await.unwrap(), Committed::Gone);
    })
    .await;
}
