//! The pending view of a repository's layout.

use super::*;
use crate::metadata::{DirtyView, ViewChange};

async fn dirty(m: &dyn Metadata) -> DirtyView {
    first_dirty(m).await.unwrap()
}

async fn clean(m: &dyn Metadata) {
    while let Some(view) = first_dirty(m).await {
        m.clean_view(&view.repository, view.sequence).await.unwrap();
    }
}

fn entries(view: &DirtyView) -> Vec<(Option<&str>, Digest)> {
    view.entries.iter().map(|entry| (entry.tag.as_deref(), entry.digest)).collect()
}

#[tokio::test]
async fn a_view_shows_what_came() {
    each(async |m| {
        assert_eq!(first_dirty(m).await, None);
        store_blob(m, "a").await;
        store(m, PutManifest { tags: vec![tag("v1")], ..image("i", &["a"]) }).await;
        let view = dirty(m).await;
        assert_eq!(view.repository, repo("r"));
        let expected = [ViewChange::Link(digest("a"), "key/a".to_owned()), ViewChange::Write(digest("i"))];
        assert_eq!(view.changes, expected);
        assert_eq!(entries(&view), [(Some("v1"), digest("i"))]);
        assert_eq!((view.entries[0].size, &*view.entries[0].media_type), (1, object("i").media_type.as_str()));
    })
    .await;
}

#[tokio::test]
async fn a_digest_that_came_and_went_is_an_unlink() {
    each(async |m| {
        store(m, object("i")).await;
        delete(m, "i").await;
        let view = dirty(m).await;
        assert_eq!(view.changes, [ViewChange::Unlink(digest("i"))]);
        assert!(view.entries.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_swept_blob_is_an_unlink() {
    each(async |m| {
        store_blob(m, "a").await;
        clean(m).await;
        m.sweep(at(LEASE), at(0), 10).await.unwrap();
        assert_eq!(dirty(m).await.changes, [ViewChange::Unlink(digest("a"))]);
    })
    .await;
}

#[tokio::test]
async fn a_clean_view_is_not_dirty() {
    each(async |m| {
        store(m, object("i")).await;
        let view = dirty(m).await;
        m.clean_view(&view.repository, view.sequence).await.unwrap();
        assert_eq!(first_dirty(m).await, None);
    })
    .await;
}

#[tokio::test]
async fn what_changes_after_the_view_was_read_stays_pending() {
    each(async |m| {
        store(m, object("i")).await;
        let view = dirty(m).await;
        store(m, object("j")).await;
        delete(m, "i").await;
        m.clean_view(&view.repository, view.sequence).await.unwrap();
        let rest = dirty(m).await.changes;
        assert_eq!(rest, [ViewChange::Write(digest("j")), ViewChange::Unlink(digest("i"))]);
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_moves_or_goes_makes_the_view_dirty() {
    each(async |m| {
        store(m, object("i")).await;
        clean(m).await;
        m.put_manifest(tagged("i", &["v1"])).await.unwrap();
        assert_eq!(entries(&dirty(m).await), [(Some("v1"), digest("i"))]);
        clean(m).await;
        m.delete_tag(deletion("v1")).await.unwrap();
        assert_eq!(entries(&dirty(m).await), [(None, digest("i"))]);
    })
    .await;
}

#[tokio::test]
async fn entries_are_newest_pushes_and_what_nothing_leads_to() {
    each(async |m| {
        store(m, tagged("old", &["v1"])).await;
        store(m, object("child")).await;
        store(m, PutManifest { tags: vec![tag("v1"), tag("v2")], ..index("x", &["child"]) }).await;
        let found = dirty(m).await;
        assert_eq!(entries(&found), [(Some("v1"), digest("x")), (Some("v2"), digest("x")), (None, digest("old"))]);
    })
    .await;
}

#[tokio::test]
async fn the_repository_that_waited_longest_comes_first() {
    each(async |m| {
        store(m, PutManifest { repository: repo("z"), ..object("i") }).await;
        store(m, object("i")).await;
        assert_eq!(dirty(m).await.repository, repo("z"));
        m.clean_view(&repo("z"), dirty(m).await.sequence).await.unwrap();
        assert_eq!(dirty(m).await.repository, repo("r"));
    })
    .await;
}

#[tokio::test]
async fn what_is_to_be_shown_again_is_pending_as_it_is_now() {
    each(async |m| {
        m.show_again(&repo("r"), &[digest("i")]).await.unwrap();
        assert_eq!(m.dirty_views().await.unwrap(), [], "there is no such repository");
        store_blob(m, "a").await;
        store(m, tagged("i", &["v1"])).await;
        clean(m).await;
        m.show_again(&repo("r"), &[]).await.unwrap();
        let view = dirty(m).await;
        assert_eq!((view.changes.len(), entries(&view)), (0, vec![(Some("v1"), digest("i"))]));
        m.show_again(&repo("r"), &["i", "a", "gone"].map(digest)).await.unwrap();
        let expected = [
            ViewChange::Write(digest("i")),
            ViewChange::Link(digest("a"), "key/a".to_owned()),
            ViewChange::Unlink(digest("gone")),
        ];
        assert_eq!(dirty(m).await.changes, expected);
        m.clean_view(&repo("r"), view.sequence).await.unwrap();
        assert_eq!(dirty(m).await.changes, expected, "noted after the view was read");
        clean(m).await;
        assert_eq!(m.dirty_views().await.unwrap(), []);
    })
    .await;
}
