//! Tags and the pushes they remember.

use super::*;
use crate::metadata::Push;

async fn pushes(m: &dyn Metadata, name: &str) -> Vec<Digest> {
    m.pushes(&repo("r"), &tag(name)).await.unwrap().into_iter().map(|push| push.digest).collect()
}

#[tokio::test]
async fn pushes_are_remembered_newest_first() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        store(m, PutManifest { who: who("other"), at: at(5), ..tagged("b", &["v1"]) }).await;
        let expected = [
            Push { digest: digest("b"), who: "user:other".to_owned(), at: at(5) },
            Push { digest: digest("a"), who: "user:ci".to_owned(), at: at(0) },
        ];
        assert_eq!(m.pushes(&repo("r"), &tag("v1")).await.unwrap(), expected);
        assert!(pushes(m, "v2").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_newest_push_again_adds_nothing() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        m.put_manifest(PutManifest { at: at(9), ..tagged("a", &["v1"]) }).await.unwrap();
        assert_eq!(m.pushes(&repo("r"), &tag("v1")).await.unwrap()[0].at, at(0));
        assert_eq!(pushes(m, "v1").await, digests(&["a"]));
    })
    .await;
}

#[tokio::test]
async fn an_older_push_again_is_the_newest() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        store(m, tagged("b", &["v1"])).await;
        m.put_manifest(tagged("a", &["v1"])).await.unwrap();
        assert_eq!(pushes(m, "v1").await, digests(&["a", "b", "a"]));
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_pushes_are_kept() {
    each(async |m| {
        for name in ["a", "b", "c", "d"] {
            store(m, PutManifest { tag_history: 2, ..tagged(name, &["v1"]) }).await;
        }
        assert_eq!(pushes(m, "v1").await, digests(&["d", "c"]));
        assert!(m.tags_of(&repo("r"), &digest("a")).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_manifest_leaves_every_history() {
    each(async |m| {
        store(m, tagged("a", &["v1", "only"])).await;
        store(m, tagged("b", &["v1"])).await;
        store(m, tagged("c", &["v1"])).await;
        delete(m, "c").await;
        delete(m, "a").await;
        assert_eq!(pushes(m, "v1").await, digests(&["b"]));
        assert_eq!(m.tags(&repo("r"), None, 10).await.unwrap(), [(tag("v1"), digest("b"))]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_tag_is_gone_with_its_history_and_leaves_the_manifest() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        assert_eq!(m.delete_tag(deletion("v1")).await.unwrap(), TagDeleted::Deleted);
        assert_eq!(m.delete_tag(deletion("v1")).await.unwrap(), TagDeleted::Absent);
        assert!(pushes(m, "v1").await.is_empty());
        assert!(m.tags(&repo("r"), None, 10).await.unwrap().is_empty());
        assert!(m.manifest(&repo("r"), &digest("a")).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn tags_of_a_digest_are_found_anywhere_in_history() {
    each(async |m| {
        store(m, tagged("a", &["v2", "v1"])).await;
        store(m, tagged("b", &["v1"])).await;
        assert_eq!(m.tags_of(&repo("r"), &digest("a")).await.unwrap(), [tag("v1"), tag("v2")]);
    })
    .await;
}

#[tokio::test]
async fn tags_are_listed_in_lexical_order_with_their_newest_push() {
    each(async |m| {
        store(m, tagged("a", &["b", "B", "a", "C", "_"])).await;
        store(m, tagged("new", &["b"])).await;
        let all = [("_", "a"), ("a", "a"), ("B", "a"), ("b", "new"), ("C", "a")].map(|(t, d)| (tag(t), digest(d)));
        assert_eq!(m.tags(&repo("r"), None, 10).await.unwrap(), all);
        for (place, (name, _)) in all.iter().enumerate() {
            let after = m.tags(&repo("r"), Some(name.as_str()), 10).await.unwrap();
            assert_eq!(after, all[place + 1..], "after {name}");
        }
        assert_eq!(m.tags(&repo("r"), Some("A"), 1).await.unwrap(), all[1..2]);
        assert_eq!(m.tags(&repo("r"), Some("b2"), 1).await.unwrap(), all[4..]);
    })
    .await;
}
