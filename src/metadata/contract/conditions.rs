//! Changes under a condition: decided in the transaction that makes them, and without effect where it does not hold.

use super::*;
use crate::metadata::{OnlyIf, Trail};
use crate::oci::Reference;

/// That what is there is what is called `name` here; with none, that nothing is.
fn expecting(name: Option<&str>) -> Precondition {
    match name {
        Some(name) => Precondition::parse([format!("\"{}\"", digest(name)).as_bytes()], []),
        None => Precondition::parse([], [&b"*"[..]]),
    }
    .unwrap()
}

/// A push of `name` under the tag `v1`, if that names `current`.
fn moved(name: &str, current: Option<&str>) -> PutManifest {
    let only_if = OnlyIf { reference: Reference::Tag(tag("v1")), precondition: expecting(current) };
    PutManifest { only_if: Some(only_if), ..tagged(name, &["v1"]) }
}

async fn named(m: &dyn Metadata) -> Option<Digest> {
    m.pushes(&repo("r"), &tag("v1")).await.unwrap().first().map(|push| push.digest)
}

#[tokio::test]
async fn a_tag_is_set_where_its_newest_push_is_what_is_expected() {
    each(async |m| {
        assert_eq!(m.put_manifest(moved("a", None)).await.unwrap(), Put::Stored { existed: false });
        assert_eq!(m.put_manifest(moved("b", Some("a"))).await.unwrap(), Put::Stored { existed: false });
        assert_eq!(named(m).await, Some(digest("b")));
    })
    .await;
}

#[tokio::test]
async fn a_push_whose_condition_does_not_hold_changes_nothing() {
    each(async |m| {
        assert_eq!(m.put_manifest(moved("a", Some("a"))).await.unwrap(), Put::Unlike(None));
        assert!(!m.repository_exists(&repo("r")).await.unwrap());
        store(m, tagged("a", &["v1"])).await;
        store(m, tagged("b", &["v1"])).await;
        let before = m.audit(Trail::Changes, 0, 100).await.unwrap();
        for current in [None, Some("a"), Some("c")] {
            assert_eq!(m.put_manifest(moved("c", current)).await.unwrap(), Put::Unlike(Some(digest("b"))));
        }
        assert_eq!(named(m).await, Some(digest("b")));
        assert!(m.manifest(&repo("r"), &digest("c")).await.unwrap().is_none());
        assert_eq!(m.audit(Trail::Changes, 0, 100).await.unwrap(), before);
    })
    .await;
}

#[tokio::test]
async fn a_condition_of_a_digest_asks_whether_the_manifest_is_there() {
    each(async |m| {
        let put = |precondition| {
            let only_if = OnlyIf { reference: Reference::Digest(digest("a")), precondition };
            m.put_manifest(PutManifest { only_if: Some(only_if), ..tagged("a", &["v1"]) })
        };
        assert_eq!(put(expecting(Some("a"))).await.unwrap(), Put::Unlike(None));
        assert_eq!(put(expecting(None)).await.unwrap(), Put::Stored { existed: false });
        assert_eq!(put(expecting(None)).await.unwrap(), Put::Unlike(Some(digest("a"))));
        assert_eq!(put(expecting(Some("a"))).await.unwrap(), Put::Stored { existed: true });
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_who_expect_the_same_one_wins() {
    each(async |m| {
        store(m, tagged("start", &["v1"])).await;
        let names: Vec<String> = (0..16).map(|number| number.to_string()).collect();
        let pushes = names.iter().map(|name| m.put_manifest(moved(name, Some("start"))));
        let answers = futures_of(pushes).await;
        let won = answers.iter().filter(|put| matches!(put, Put::Stored { .. })).count();
        assert_eq!(won, 1, "{answers:?}");
        assert_eq!(m.pushes(&repo("r"), &tag("v1")).await.unwrap().len(), 2);
        let winner = answers.iter().position(|put| matches!(put, Put::Stored { .. })).unwrap();
        assert_eq!(named(m).await, Some(digest(&names[winner])));
    })
    .await;
}

/// All of them at once.
async fn futures_of<T, E: std::fmt::Debug>(all: impl Iterator<Item = impl Future<Output = Result<T, E>>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in all.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(answer) = one.as_mut().poll(context) {
                *done = Some(answer.unwrap());
            }
        }
        if all.iter().all(|(_, done)| done.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_tag_is_deleted_where_its_newest_push_is_what_is_expected() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        store(m, tagged("b", &["v1"])).await;
        let delete =
            async |name| m.delete_tag(DeleteTag { precondition: expecting(name), ..deletion("v1") }).await.unwrap();
        for current in [None, Some("a")] {
            assert_eq!(delete(current).await, TagDeleted::Unlike(Some(digest("b"))));
        }
        assert_eq!(m.pushes(&repo("r"), &tag("v1")).await.unwrap().len(), 2);
        assert_eq!(delete(Some("b")).await, TagDeleted::Deleted);
        assert_eq!(delete(Some("b")).await, TagDeleted::Absent);
    })
    .await;
}

/// A cosign signature of `i` that has no subject of its own.
fn signature(name: &str) -> PutManifest {
    PutManifest { kind: Kind::Evidence(Shape::CosignSignature), is_referrer: false, ..bundle(name, "i") }
}

fn signature_tag() -> String {
    format!("sha256-{}.sig", digest("i").hex())
}

#[tokio::test]
async fn evidence_goes_with_its_tag_or_not_at_all_and_what_has_another_handle_stays() {
    each(async |m| {
        let under = signature_tag();
        store(m, object("i")).await;
        store(m, PutManifest { tags: vec![tag(&under)], ..object("o") }).await;
        store(m, PutManifest { tags: vec![tag(&under)], ..signature("e") }).await;
        store(m, signature("older")).await;
        store(m, PutManifest { is_referrer: true, ..signature("referrer") }).await;
        store(m, PutManifest { is_referrer: false, ..bundle("other-shape", "i") }).await;
        let delete =
            async |name| m.delete_tag(DeleteTag { precondition: expecting(name), ..deletion(&under) }).await.unwrap();
        let there = async || {
            let all = m.manifests(&repo("r"), None, 10).await.unwrap();
            all.into_iter().map(|stored| stored.digest).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(delete(Some("older")).await, TagDeleted::Unlike(Some(digest("e"))));
        assert_eq!(there().await.len(), 6);
        assert_eq!(delete(Some("e")).await, TagDeleted::Deleted);
        assert_eq!(there().await, digests(&["i", "o", "referrer", "other-shape"]).into_iter().collect());
        assert!(m.pushes(&repo("r"), &tag(&under)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn evidence_that_lost_its_tag_is_withdrawn_by_it() {
    each(async |m| {
        store(m, signature("e")).await;
        let delete = async || m.delete_tag(deletion(&signature_tag())).await.unwrap();
        assert_eq!(delete().await, TagDeleted::Deleted);
        assert_eq!(delete().await, TagDeleted::Absent);
    })
    .await;
}
