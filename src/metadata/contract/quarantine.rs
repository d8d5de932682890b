//! What was found not to be what its name says, and how it is healed.

use super::*;
use crate::metadata::{Reserved, ViewChange};

async fn hold(m: &dyn Metadata, name: &str) -> Option<Vec<RepositoryName>> {
    m.quarantine_content(&digest(name), &format!("key/{name}"), "why", at(7)).await.unwrap()
}

async fn is_held(m: &dyn Metadata, repository: &str, name: &str) -> bool {
    m.blob(&repo(repository), &digest(name)).await.unwrap().unwrap().quarantined
}

/// What the layout of `r` is told now; then it shows it.
async fn shown(m: &dyn Metadata) -> Vec<ViewChange> {
    let Some(view) = first_dirty(m).await else { return Vec::new() };
    m.clean_view(&view.repository, view.sequence).await.unwrap();
    view.changes
}

#[tokio::test]
async fn quarantined_content_is_told_to_every_repository_that_has_it() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { repository: repo("s"), ..blob("a") }).await.unwrap();
        assert_eq!(hold(m, "a").await, Some(vec![repo("r"), repo("s")]));
        assert!(is_held(m, "r", "a").await && is_held(m, "s", "a").await);
        let held = m.quarantined(10).await.unwrap();
        let told = (held[0].repository.as_ref(), held[0].digest, held[0].key.as_deref(), held[0].at);
        assert_eq!(told, (None, digest("a"), Some("key/a"), at(7)));
        assert_eq!((held.len(), m.quarantined_count().await.unwrap()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn content_is_quarantined_once() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        assert_eq!(hold(m, "a").await, None);
    })
    .await;
}

#[tokio::test]
async fn content_under_another_key_is_not_quarantined() {
    each(async |m| {
        store_blob(m, "a").await;
        let held = m.quarantine_content(&digest("a"), "key/older", "why", at(7)).await.unwrap();
        assert_eq!((held, is_held(m, "r", "a").await), (None, false));
    })
    .await;
}

#[tokio::test]
async fn quarantined_content_is_reserved_as_if_it_were_not_stored() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        assert!(matches!(m.reserve(digest("a")).await.unwrap(), Reserved::Fresh(_)));
    })
    .await;
}

#[tokio::test]
async fn a_push_under_a_fresh_key_heals_content_everywhere() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        shown(m).await;
        let again = CommitBlob { repository: repo("s"), key: "key/again".to_owned(), ..blob("a") };
        assert_eq!(m.commit_blob(again).await.unwrap(), Committed::Stored);
        let healed = m.blob(&repo("r"), &digest("a")).await.unwrap().unwrap();
        assert_eq!((healed.key.as_str(), healed.quarantined), ("key/again", false));
        assert_eq!(m.quarantined_count().await.unwrap(), 0);
        assert_eq!(m.totals().await.unwrap().blobs, 1);
        assert_eq!(shown(m).await, [ViewChange::Link(digest("a"), "key/again".to_owned())]);
        assert_eq!(m.sweep(at(0), at(0), 10).await.unwrap().trash, ["key/a"]);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_must_have_quarantined_content_is_refused_until_that_is_healed() {
    each(async |m| {
        store_blob(m, "a").await;
        store_blob(m, "b").await;
        store(m, image("before", &["a", "b"])).await;
        hold(m, "a").await;
        for manifest in [image("i", &["b", "a", "a"]), image("before", &["a", "b"])] {
            assert_eq!(m.put_manifest(manifest).await.unwrap(), Put::Absent(digests(&["a"])));
        }
        assert!(m.manifest(&repo("r"), &digest("i")).await.unwrap().is_none());
        m.commit_blob(CommitBlob { key: "key/again".to_owned(), ..blob("a") }).await.unwrap();
        store(m, image("i", &["a", "b"])).await;
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_may_do_without_quarantined_content_is_stored() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        store(m, PutManifest { links: vec![link(LinkKind::Layer, "a", false)], ..object("i") }).await;
        store(m, index("index", &["a"])).await;
    })
    .await;
}

#[tokio::test]
async fn a_commit_of_the_key_that_is_quarantined_is_told_that_it_is_gone() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        let again = CommitBlob { repository: repo("s"), ..blob("a") };
        assert_eq!(m.commit_blob(again.clone()).await.unwrap(), Committed::Gone);
        let stale = CommitBlob { key: "key/older".to_owned(), sealed: false, ..again };
        assert_eq!(m.commit_blob(stale).await.unwrap(), Committed::Gone);
        assert!(m.blob(&repo("s"), &digest("a")).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_repair_takes_the_place_of_quarantined_content_alone() {
    each(async |m| {
        store_blob(m, "a").await;
        let repair = async || m.replace_content(&digest("a"), "key/a", "key/sound", "a copy", at(8)).await.unwrap();
        assert!(!repair().await);
        hold(m, "a").await;
        assert!(repair().await);
        let repaired = m.blob(&repo("r"), &digest("a")).await.unwrap().unwrap();
        assert_eq!((repaired.key.as_str(), repaired.size, repaired.quarantined), ("key/sound", 10, false));
    })
    .await;
}

#[tokio::test]
async fn content_whose_own_bytes_came_back_is_repaired_under_its_own_key() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        assert!(m.replace_content(&digest("a"), "key/a", "key/a", "a copy", at(8)).await.unwrap());
        assert_eq!(m.reserve(digest("a")).await.unwrap(), Reserved::Live("key/a".to_owned()));
        assert!(m.sweep(at(0), at(0), 10).await.unwrap().trash.is_empty());
    })
    .await;
}

/// Looked at under `key/a`, given up, pushed again under `key/again`, and quarantined there.
async fn hold_another(m: &dyn Metadata) {
    store_blob(m, "a").await;
    hold(m, "a").await;
    m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap();
    let again = CommitBlob { key: "key/again".to_owned(), ..blob("a") };
    assert_eq!(m.commit_blob(again).await.unwrap(), Committed::Stored);
    assert!(m.quarantine_content(&digest("a"), "key/again", "why", at(7)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_repair_of_what_was_under_a_key_that_was_given_up_changes_nothing() {
    each(async |m| {
        hold_another(m).await;
        for key in ["key/a", "key/sound"] {
            assert!(!m.replace_content(&digest("a"), "key/a", key, "a copy", at(8)).await.unwrap());
        }
        assert_eq!(m.blob(&repo("r"), &digest("a")).await.unwrap().unwrap().key, "key/again");
        assert_eq!(m.sweep(at(0), at(0), 10).await.unwrap().trash, ["key/a"]);
    })
    .await;
}

#[tokio::test]
async fn concealed_content_leaves_the_layouts() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        shown(m).await;
        m.conceal_content(&digest("a")).await.unwrap();
        assert_eq!(shown(m).await, [ViewChange::Unlink(digest("a"))]);
    })
    .await;
}

#[tokio::test]
async fn quarantined_content_that_nobody_wants_is_swept_and_forgotten() {
    each(async |m| {
        store_blob(m, "a").await;
        hold(m, "a").await;
        assert_eq!(m.sweep(at(LEASE), at(0), 10).await.unwrap().trash, ["key/a"]);
        assert_eq!(m.quarantined_count().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_is_quarantined_in_its_repository() {
    each(async |m| {
        store(m, rotten()).await;
        store(m, PutManifest { repository: repo("s"), ..rotten() }).await;
        assert!(hold_manifest(m).await && !hold_manifest(m).await);
        let held = m.quarantined(10).await.unwrap();
        assert_eq!((held.len(), held[0].repository.as_ref(), &held[0].key), (1, Some(&repo("r")), &None));
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_is_absent_is_not_quarantined() {
    each(async |m| {
        store(m, rotten()).await;
        assert!(!m.quarantine_manifest(&repo("r"), &digest("j"), b"rot", "why", at(7)).await.unwrap());
        assert!(!m.quarantine_manifest(&repo("t"), &digest("i"), b"rot", "why", at(7)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_was_healed_since_it_was_read_is_not_quarantined() {
    each(async |m| {
        store(m, rotten()).await;
        m.put_manifest(object("i")).await.unwrap();
        assert!(!hold_manifest(m).await);
        assert_eq!(m.quarantined_count().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn copies_of_a_manifest_are_those_of_other_repositories() {
    each(async |m| {
        store(m, object("i")).await;
        assert!(m.manifest_copies(&repo("r"), &digest("i"), 10).await.unwrap().is_empty());
        store(m, PutManifest { repository: repo("s"), ..object("i") }).await;
        assert_eq!(m.manifest_copies(&repo("r"), &digest("i"), 10).await.unwrap(), [repo("s")]);
    })
    .await;
}

/// The manifest `i` with other bytes than those of its name.
fn rotten() -> PutManifest {
    PutManifest { bytes: Bytes::from_static(b"rot"), ..object("i") }
}

/// Notes that it is not what its name says.
async fn hold_manifest(m: &dyn Metadata) -> bool {
    m.quarantine_manifest(&repo("r"), &digest("i"), b"rot", "why", at(7)).await.unwrap()
}

async fn bytes(m: &dyn Metadata) -> Bytes {
    m.manifest(&repo("r"), &digest("i")).await.unwrap().unwrap().bytes
}

#[tokio::test]
async fn the_bytes_of_a_quarantined_manifest_are_replaced() {
    each(async |m| {
        store(m, rotten()).await;
        let sound =
            async || m.replace_manifest(&repo("r"), &digest("i"), Bytes::from_static(b"i"), "a copy", at(8)).await;
        assert!(!sound().await.unwrap());
        hold_manifest(m).await;
        shown(m).await;
        assert!(sound().await.unwrap());
        assert_eq!((bytes(m).await, m.quarantined_count().await.unwrap()), (Bytes::from_static(b"i"), 0));
        assert_eq!(shown(m).await, [ViewChange::Write(digest("i"))]);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_is_pushed_again_is_healed() {
    each(async |m| {
        store(m, rotten()).await;
        hold_manifest(m).await;
        assert_eq!(m.put_manifest(object("i")).await.unwrap(), Put::Stored { existed: true });
        assert_eq!((bytes(m).await, m.quarantined_count().await.unwrap()), (Bytes::from_static(b"i"), 0));
    })
    .await;
}

#[tokio::test]
async fn a_quarantined_manifest_that_is_deleted_is_forgotten() {
    each(async |m| {
        store(m, rotten()).await;
        hold_manifest(m).await;
        delete(m, "i").await;
        assert_eq!(m.quarantined_count().await.unwrap(), 0);
    })
    .await;
}
