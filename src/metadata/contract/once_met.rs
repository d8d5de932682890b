//! Tags that may resolve under a requirement.

use super::*;

/// Makes a manifest.
type Part = fn() -> PutManifest;

/// The tags of `r` that are listed under `signed`.
async fn listed(m: &dyn Metadata) -> Vec<String> {
    let found = m.tags_once_met(&repo("r"), &"signed".parse().unwrap(), None, 100).await.unwrap();
    found.into_iter().map(|(tag, _)| tag.to_string()).collect()
}

async fn meet(m: &dyn Metadata, name: &str) {
    m.record_met(&repo("r"), &digest(name), &["signed".parse().unwrap()], at(1)).await.unwrap();
}

fn under(manifest: PutManifest, name: &str) -> PutManifest {
    PutManifest { tags: vec![tag(name)], ..manifest }
}

#[tokio::test]
async fn a_tag_is_listed_once_a_push_of_it_met_the_requirement_whichever_came_first() {
    each(async |m| {
        store(m, tagged("a", &["v1", "v2"])).await;
        store(m, tagged("b", &["v1", "v3"])).await;
        assert_eq!(listed(m).await, [""; 0]);
        meet(m, "a").await;
        assert_eq!(listed(m).await, ["v1", "v2"]);
        m.put_manifest(tagged("a", &["v4"])).await.unwrap();
        assert_eq!(listed(m).await, ["v1", "v2", "v4"]);
        let other = m.tags_once_met(&repo("r"), &"other".parse().unwrap(), None, 100).await.unwrap();
        assert_eq!(other, []);
    })
    .await;
}

#[tokio::test]
async fn they_are_read_page_by_page_in_the_order_of_all_tags_with_their_newest_push() {
    each(async |m| {
        store(m, tagged("a", &["b", "B", "a", "C", "_"])).await;
        meet(m, "a").await;
        store(m, tagged("new", &["b", "none"])).await;
        let all = m.tags(&repo("r"), None, 10).await.unwrap();
        let all: Vec<_> = all.into_iter().filter(|(name, _)| name.as_str() != "none").collect();
        let signed = "signed".parse().unwrap();
        for (place, (name, _)) in all.iter().enumerate() {
            let after = m.tags_once_met(&repo("r"), &signed, Some(name.as_str()), 10).await.unwrap();
            assert_eq!(after, all[place + 1..], "after {name}");
        }
        assert_eq!(m.tags_once_met(&repo("r"), &signed, None, 2).await.unwrap(), all[..2]);
    })
    .await;
}

#[tokio::test]
async fn evidence_and_data_are_listed_with_what_they_are_about_at_any_remove_in_any_order() {
    each(async |m| {
        let parts: [(&str, Part); 3] = [
            ("image", || object("image")),
            ("signature", || under(bundle("signature", "image"), "signature")),
            ("note", || under(data("note", "signature"), "note")),
        ];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for place in order {
                let (name, part) = parts[place];
                store(m, part()).await;
                if name == "image" {
                    meet(m, name).await;
                }
            }
            assert_eq!(listed(m).await, ["note", "signature"], "{order:?}");
            for (name, _) in parts {
                delete(m, name).await;
            }
            assert_eq!(listed(m).await, [""; 0], "{order:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn evidence_about_what_is_not_stored_is_listed_when_that_would_have_met_it() {
    each(async |m| {
        store(m, under(bundle("signature", "image"), "signature")).await;
        meet(m, "image").await;
        assert_eq!(listed(m).await, ["signature"]);
        assert_eq!(m.met(&repo("r"), &digest("image")).await.unwrap(), []);
        store(m, under(bundle("other", "image"), "other")).await;
        meet(m, "image").await;
        assert_eq!(listed(m).await, ["other", "signature"]);
    })
    .await;
}

#[tokio::test]
async fn what_comes_to_be_about_something_else_is_listed_with_that() {
    each(async |m| {
        store(m, object("image")).await;
        meet(m, "image").await;
        store(m, under(bundle("e", "other"), "e")).await;
        assert_eq!(listed(m).await, [""; 0]);
        m.put_manifest(data("e", "image")).await.unwrap();
        assert_eq!(listed(m).await, ["e"]);
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_went_is_listed_no_more_though_it_comes_back() {
    each(async |m| {
        store(m, tagged("a", &["v1", "v2"])).await;
        meet(m, "a").await;
        assert_eq!(m.delete_tag(deletion("v1")).await.unwrap(), TagDeleted::Deleted);
        assert_eq!(listed(m).await, ["v2"]);
        delete(m, "a").await;
        store(m, tagged("a", &["v1"])).await;
        assert_eq!(listed(m).await, [""; 0]);
    })
    .await;
}
