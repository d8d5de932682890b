//! Pushes that wait, and evidence that is judged under a new revision.

use super::*;
use crate::metadata::{Push, StoredRevision, WaitingIn, WaitingPush};

async fn waiting(m: &dyn Metadata) -> Vec<(String, Digest)> {
    let pushes = m.waiting_pushes(&repo("r"), at(0), None, 10).await.unwrap();
    let counted = m.waiting(None, at(0), 10).await.unwrap().first().map_or(0, |waiting| waiting.pushes);
    assert_eq!(counted, u64::try_from(pushes.len()).unwrap());
    pushes.into_iter().map(|waiting| (waiting.tag.to_string(), waiting.push.digest)).collect()
}

async fn meet(m: &dyn Metadata, name: &str) {
    m.record_met(&repo("r"), &digest(name), &["signed".parse().unwrap()], at(1)).await.unwrap();
}

fn under(tag: &str, name: &str) -> (String, Digest) {
    (tag.to_owned(), digest(name))
}

#[tokio::test]
async fn an_object_under_a_tag_waits_until_it_met_a_requirement() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        store(m, tagged("b", &["v2"])).await;
        assert_eq!(waiting(m).await, [under("v1", "a"), under("v2", "b")]);
        meet(m, "a").await;
        assert_eq!(waiting(m).await, [under("v2", "b")]);
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_push_of_a_tag_waits() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        meet(m, "a").await;
        store(m, tagged("b", &["v1"])).await;
        assert_eq!(waiting(m).await, [under("v1", "b")]);
        delete(m, "b").await;
        assert_eq!(waiting(m).await, []);
    })
    .await;
}

#[tokio::test]
async fn what_met_a_requirement_waits_under_no_tag() {
    each(async |m| {
        store(m, object("a")).await;
        meet(m, "a").await;
        let again = m.put_manifest(tagged("a", &["v1"])).await.unwrap();
        assert_eq!((again, waiting(m).await), (Put::Stored { existed: true }, Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn evidence_waits_for_nothing_until_it_is_pushed_as_an_object() {
    each(async |m| {
        store(m, PutManifest { tags: vec![tag("v1")], ..bundle("e", "a") }).await;
        assert_eq!(waiting(m).await, []);
        m.put_manifest(tagged("e", &["v1"])).await.unwrap();
        assert_eq!(waiting(m).await, [under("v1", "e")]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_tag_waits_no_more() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        assert_eq!(m.delete_tag(deletion("v1")).await.unwrap(), TagDeleted::Deleted);
        assert_eq!(waiting(m).await, []);
        assert_eq!(m.waiting(None, at(0), 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn pushes_that_wait_are_read_page_by_page_oldest_first() {
    each(async |m| {
        store(m, PutManifest { at: at(2), ..tagged("b", &["x", "y"]) }).await;
        store(m, PutManifest { at: at(1), ..tagged("a", &["z"]) }).await;
        let mut found = Vec::new();
        let mut after: (Timestamp, Option<Tag>) = (at(0), None);
        loop {
            let next = m.waiting_pushes(&repo("r"), after.0, after.1.as_ref(), 1).await.unwrap().pop();
            let Some(WaitingPush { tag, push: Push { digest, at, .. } }) = next else { break };
            found.push((tag.to_string(), digest));
            after = (at, Some(tag));
        }
        assert_eq!(found, [under("z", "a"), under("x", "b"), under("y", "b")]);
        assert_eq!(m.waiting_pushes(&repo("r"), at(2), None, 10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn repositories_in_which_pushes_wait_are_read_page_by_page() {
    each(async |m| {
        for (name, pushed) in [("z", 1), ("met", 2), ("a", 3)] {
            store(m, PutManifest { repository: repo(name), at: at(pushed), ..tagged("i", &["v1", "v2"]) }).await;
        }
        m.record_met(&repo("met"), &digest("i"), &["signed".parse().unwrap()], at(1)).await.unwrap();
        let first = m.waiting(None, at(2), 1).await.unwrap();
        assert_eq!(first, [WaitingIn { repository: repo("z"), pushes: 2, oldest: at(1), next: None }]);
        let rest = m.waiting(Some(&repo("z")), at(2), 10).await.unwrap();
        assert_eq!(rest, [WaitingIn { repository: repo("a"), pushes: 2, oldest: at(3), next: Some(at(3)) }]);
    })
    .await;
}

#[tokio::test]
async fn subjects_of_evidence_are_read_once_each() {
    each(async |m| {
        store(m, bundle("one", "a")).await;
        store(m, bundle("two", "a")).await;
        store(m, bundle("three", "b")).await;
        store(m, data("sbom", "c")).await;
        let mut expected = digests(&["a", "b"]);
        expected.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
        let first = m.subjects_of_evidence(&repo("r"), None, 1).await.unwrap();
        let rest = m.subjects_of_evidence(&repo("r"), first.first(), 10).await.unwrap();
        assert_eq!([first, rest].concat(), expected);
    })
    .await;
}

#[tokio::test]
async fn referrers_of_one_type_are_read_page_by_page() {
    each(async |m| {
        let of = |name: &str, of: &str| PutManifest { artifact_type: Some(of.to_owned()), ..data(name, "i") };
        for (name, kind) in [("a", "x"), ("b", "y"), ("c", "x")] {
            store(m, of(name, kind)).await;
        }
        let first = m.referrers_of_type(&repo("r"), &digest("i"), "x", None, 1).await.unwrap();
        let cursor = first.first().map(|found| found.digest);
        let rest = m.referrers_of_type(&repo("r"), &digest("i"), "x", cursor.as_ref(), 10).await.unwrap();
        let found: Vec<_> = first.into_iter().chain(rest).map(|found| found.digest).collect();
        assert_eq!(found, digests(&["a", "c"]));
    })
    .await;
}

#[tokio::test]
async fn a_revision_is_judged_until_another_is_accepted() {
    each(async |m| {
        let accept = async || m.accept_revision(StoredRevision { files: BTreeMap::new(), at: at(1) }).await.unwrap();
        accept().await;
        assert!(!m.is_revision_judged().await.unwrap());
        m.note_revision_judged().await.unwrap();
        assert!(m.is_revision_judged().await.unwrap());
        accept().await;
        assert!(!m.is_revision_judged().await.unwrap());
    })
    .await;
}
