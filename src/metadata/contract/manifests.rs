//! Manifests, what they hold, and what is about them.

use super::*;
use crate::metadata::{Holder, REFERRERS_BYTES, Referrer, StoredManifest};

async fn find(m: &dyn Metadata, name: &str) -> Option<StoredManifest> {
    m.manifest(&repo("r"), &digest(name)).await.unwrap()
}

fn listed(referrers: &[Referrer]) -> Vec<Digest> {
    referrers.iter().map(|referrer| referrer.digest).collect()
}

async fn evidence(m: &dyn Metadata, limit: usize) -> Vec<Digest> {
    m.evidence(&repo("r"), &digest("i"), limit).await.unwrap()
}

#[tokio::test]
async fn a_manifest_is_read_as_it_was_written() {
    each(async |m| {
        let put = PutManifest {
            artifact_type: Some("application/x".to_owned()),
            annotations: BTreeMap::from([("k\"".to_owned(), "é".to_owned())]),
            at: at(3),
            ..bundle("e", "i")
        };
        store(m, put.clone()).await;
        let expected = StoredManifest {
            digest: put.digest,
            bytes: put.bytes,
            media_type: put.media_type,
            artifact_type: put.artifact_type,
            annotations: put.annotations,
            kind: put.kind,
            subject: put.subject,
            at: put.at,
        };
        assert_eq!(find(m, "e").await, Some(expected));
        assert_eq!(m.manifest(&repo("other"), &digest("e")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_sha512_digest_names_a_manifest() {
    each(async |m| {
        let long = Digest::of(crate::oci::Algorithm::Sha512, b"i");
        store(m, PutManifest { digest: long, ..object("i") }).await;
        assert_eq!(m.manifest(&repo("r"), &long).await.unwrap().unwrap().digest, long);
    })
    .await;
}

#[tokio::test]
async fn absent_required_content_is_named_and_nothing_changes() {
    each(async |m| {
        store_blob(m, "a").await;
        let put = PutManifest { tags: vec![tag("v1")], ..image("i", &["a", "b", "c", "b"]) };
        assert_eq!(m.put_manifest(put).await.unwrap(), Put::Absent(digests(&["b", "c"])));
        assert_eq!(find(m, "i").await, None);
        assert!(m.pushes(&repo("r"), &tag("v1")).await.unwrap().is_empty());
        assert!(m.to_judge(at(0), 10).await.unwrap().is_empty());
        assert_eq!(
            m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap(),
            crate::metadata::BlobDeleted::Deleted
        );
    })
    .await;
}

#[tokio::test]
async fn content_of_another_repository_is_absent() {
    each(async |m| {
        m.commit_blob(CommitBlob { repository: repo("s"), ..blob("a") }).await.unwrap();
        assert_eq!(m.put_manifest(image("i", &["a"])).await.unwrap(), Put::Absent(digests(&["a"])));
        assert!(!m.repository_exists(&repo("r")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_required_child_may_be_a_manifest_or_a_blob() {
    each(async |m| {
        store(m, object("child")).await;
        store_blob(m, "cache").await;
        let links = vec![link(LinkKind::Manifest, "child", true), link(LinkKind::Manifest, "cache", true)];
        store(m, PutManifest { links, ..object("i") }).await;
    })
    .await;
}

#[tokio::test]
async fn a_manifest_is_no_layer() {
    each(async |m| {
        store(m, object("child")).await;
        assert_eq!(m.put_manifest(image("i", &["child"])).await.unwrap(), Put::Absent(digests(&["child"])));
    })
    .await;
}

#[tokio::test]
async fn a_second_push_existed_and_sets_its_tags() {
    each(async |m| {
        store(m, object("i")).await;
        let again = PutManifest { media_type: "other".to_owned(), ..tagged("i", &["v1"]) };
        assert_eq!(m.put_manifest(again).await.unwrap(), Put::Stored { existed: true });
        assert_eq!(find(m, "i").await.unwrap().media_type, object("i").media_type);
        assert_eq!(m.pushes(&repo("r"), &tag("v1")).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_an_object_stays_one() {
    each(async |m| {
        store(m, object("e")).await;
        m.put_manifest(bundle("e", "i")).await.unwrap();
        assert_eq!(find(m, "e").await.unwrap().kind, Kind::Object);
        assert!(evidence(m, 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_was_evidence_becomes_an_object() {
    each(async |m| {
        store_blob(m, "a").await;
        let links = image("", &["a"]).links;
        store(m, PutManifest { links: links.clone(), ..bundle("e", "i") }).await;
        m.put_manifest(PutManifest { links, ..object("e") }).await.unwrap();
        assert_eq!(find(m, "e").await.unwrap().kind, Kind::Object);
        assert!(evidence(m, 10).await.is_empty());
        assert_eq!(m.holders(&repo("r"), &digest("a"), 1).await.unwrap()[0].kind, Kind::Object);
    })
    .await;
}

#[tokio::test]
async fn the_cap_on_evidence_refuses_and_changes_nothing() {
    each(async |m| {
        let capped = |put| PutManifest { evidence_cap: Some(2), ..put };
        store(m, capped(bundle("e", "i"))).await;
        store(m, capped(data("d", "i"))).await;
        assert_eq!(m.put_manifest(capped(bundle("f", "i"))).await.unwrap(), Put::Capped);
        assert_eq!(find(m, "f").await, None);
    })
    .await;
}

#[tokio::test]
async fn evidence_about_what_is_not_there_is_capped_over_all_subjects() {
    each(async |m| {
        let capped = |name: &str, subject: &str| PutManifest { evidence_cap: Some(1), ..bundle(name, subject) };
        for n in 0..10 {
            store(m, capped(&format!("e{n}"), &format!("absent{n}"))).await;
        }
        assert_eq!(m.put_manifest(capped("one more", "absent")).await.unwrap(), Put::Capped);
        assert!(m.manifest(&repo("r"), &digest("one more")).await.unwrap().is_none());
        store(m, object("i")).await;
        store(m, capped("about what is there", "i")).await;
    })
    .await;
}

#[tokio::test]
async fn the_cap_counts_neither_what_is_stored_already_nor_others_nor_other_subjects() {
    each(async |m| {
        let capped = |put| PutManifest { evidence_cap: Some(1), ..put };
        store(m, capped(bundle("e", "i"))).await;
        assert_eq!(m.put_manifest(capped(bundle("e", "i"))).await.unwrap(), Put::Stored { existed: true });
        store(m, capped(bundle("other", "j"))).await;
        store(m, PutManifest { who: who("b"), ..capped(bundle("f", "i")) }).await;
    })
    .await;
}

#[tokio::test]
async fn evidence_that_verified_comes_first_then_the_newest() {
    each(async |m| {
        for name in ["a", "b", "c"] {
            store(m, bundle(name, "i")).await;
        }
        m.record_verified(&repo("r"), &digest("a")).await.unwrap();
        assert_eq!(evidence(m, 10).await, digests(&["a", "c", "b"]));
        assert_eq!(evidence(m, 1).await, digests(&["a"]));
    })
    .await;
}

#[tokio::test]
async fn the_junk_of_one_pusher_crowds_out_nobody_elses_evidence() {
    each(async |m| {
        store(m, bundle("good", "i")).await;
        for name in ["b", "c", "d"] {
            store(m, PutManifest { who: who("mallory"), ..bundle(name, "i") }).await;
        }
        assert_eq!(evidence(m, 2).await, digests(&["d", "good"]));
        assert_eq!(evidence(m, 10).await, digests(&["d", "good", "c", "b"]));
    })
    .await;
}

#[tokio::test]
async fn neither_data_nor_lists_of_referrers_nor_objects_are_evidence() {
    each(async |m| {
        store(m, data("d", "i")).await;
        store(m, PutManifest { kind: Kind::Evidence(Shape::ReferrersList), ..bundle("l", "i") }).await;
        store(m, PutManifest { kind: Kind::Object, ..bundle("o", "i") }).await;
        assert!(evidence(m, 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn referrers_are_listed_oldest_first_and_page_by_page() {
    each(async |m| {
        store(m, bundle("a", "i")).await;
        store(m, PutManifest { is_referrer: false, ..bundle("by-tag", "i") }).await;
        store(m, data("b", "i")).await;
        store(m, PutManifest { kind: Kind::Object, ..bundle("c", "i") }).await;
        let page = async |after: Option<&str>| {
            let after = after.map(digest);
            m.referrers(&repo("r"), &digest("i"), after.as_ref(), 2).await.unwrap()
        };
        assert_eq!(listed(&page(None).await), digests(&["a", "b"]));
        let rest = page(Some("b")).await;
        assert_eq!((listed(&rest), rest[0].size), (digests(&["c"]), 1));
        assert!(page(Some("c")).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_page_of_referrers_ends_where_annotations_are_large() {
    each(async |m| {
        let annotations = BTreeMap::from([("text".to_owned(), "x".repeat(REFERRERS_BYTES / 2))]);
        for name in ["a", "b", "c"] {
            store(
                m,
                PutManifest {
                    artifact_type: Some("x".to_owned()),
                    annotations: annotations.clone(),
                    ..data(name, "i")
                },
            )
            .await;
        }
        let (all, of_type) = (
            async |after: Option<&Digest>| m.referrers(&repo("r"), &digest("i"), after, 10).await.unwrap(),
            async |after: Option<&Digest>| m.referrers_of_type(&repo("r"), &digest("i"), "x", after, 10).await.unwrap(),
        );
        let first = all(None).await;
        assert_eq!(listed(&first), digests(&["a", "b"]));
        assert_eq!(serde_json::from_str::<BTreeMap<String, String>>(&first[0].annotations).unwrap(), annotations);
        assert_eq!(listed(&all(Some(&digest("b"))).await), digests(&["c"]));
        assert_eq!(listed(&of_type(None).await), digests(&["a", "b"]));
        assert_eq!(listed(&of_type(Some(&digest("b"))).await), digests(&["c"]));
    })
    .await;
}

#[tokio::test]
async fn holders_are_objects_first_and_each_once() {
    each(async |m| {
        store_blob(m, "a").await;
        let links = vec![link(LinkKind::Config, "a", true), link(LinkKind::Layer, "a", true)];
        store(m, PutManifest { links: links.clone(), ..bundle("e", "i") }).await;
        store(m, PutManifest { links, ..object("i") }).await;
        store(m, index("x", &["a"])).await;
        let found = m.holders(&repo("r"), &digest("a"), 10).await.unwrap();
        assert_eq!(found.iter().map(|h| h.digest).collect::<Vec<_>>(), digests(&["x", "i", "e"]));
        let kind = bundle("e", "i").kind;
        assert_eq!(found[2], Holder { digest: digest("e"), kind, subject: Some(digest("i")) });
        assert_eq!(m.holders(&repo("r"), &digest("a"), 2).await.unwrap(), found[..2]);
        assert!(m.holders(&repo("other"), &digest("a"), 2).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn holders_that_once_met_are_objects_with_the_newest_first() {
    each(async |m| {
        store_blob(m, "a").await;
        let links = vec![link(LinkKind::Layer, "a", true)];
        store(m, PutManifest { links: links.clone(), ..bundle("e", "i") }).await;
        for name in ["i", "j", "k"] {
            store(m, PutManifest { links: links.clone(), ..object(name) }).await;
        }
        let signed = "signed".parse().unwrap();
        for name in ["e", "i", "k"] {
            m.record_met(&repo("r"), &digest(name), std::slice::from_ref(&signed), at(0)).await.unwrap();
        }
        assert_eq!(m.holders_once_met(&repo("r"), &digest("a"), 10).await.unwrap(), digests(&["k", "i"]));
        assert_eq!(m.holders_once_met(&repo("r"), &digest("a"), 1).await.unwrap(), digests(&["k"]));
    })
    .await;
}

#[tokio::test]
async fn a_blob_that_comes_later_is_held_at_once() {
    each(async |m| {
        let links = vec![link(LinkKind::Layer, "late", false)];
        store(m, PutManifest { links, ..object("i") }).await;
        store_blob(m, "late").await;
        assert_eq!(m.holders(&repo("r"), &digest("late"), 10).await.unwrap().len(), 1);
        m.sweep(at(LEASE), at(0), 10).await.unwrap();
        assert!(m.blob(&repo("r"), &digest("late")).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn children_are_manifests_that_are_present() {
    each(async |m| {
        store(m, object("a")).await;
        store_blob(m, "cache").await;
        store(m, index("x", &["a", "cache", "sparse"])).await;
        assert_eq!(m.children(&repo("r"), &digest("x"), 10).await.unwrap(), digests(&["a"]));
        assert!(m.children(&repo("r"), &digest("a"), 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn ancestors_are_the_nearest_first_within_depth_and_limit() {
    each(async |m| {
        store(m, object("a")).await;
        store(m, index("x", &["a"])).await;
        store(m, index("top", &["x", "y"])).await;
        store(m, index("y", &["a"])).await;
        let found = async |depth, limit| m.ancestors(&repo("r"), &digest("a"), depth, limit).await.unwrap();
        assert_eq!(found(8, 8).await, digests(&["x", "y", "top"]));
        assert_eq!(found(1, 8).await, digests(&["x", "y"]));
        assert_eq!(found(8, 1).await, digests(&["x"]));
        assert!(found(0, 8).await.is_empty() && found(8, 0).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn only_objects_are_ancestors_and_only_through_manifests() {
    each(async |m| {
        store_blob(m, "a").await;
        let list = PutManifest { links: index("", &["a"]).links, ..bundle("list", "i") };
        store(m, list).await;
        store(m, image("i", &["a"])).await;
        assert!(m.ancestors(&repo("r"), &digest("a"), 8, 8).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_manifest_is_gone_with_its_links() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        delete(m, "i").await;
        assert!(!m.delete_manifest(&repo("r"), &digest("i"), &by(0)).await.unwrap());
        assert_eq!(find(m, "i").await, None);
        assert!(m.holders(&repo("r"), &digest("a"), 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn repositories_are_listed_in_byte_order() {
    each(async |m| {
        for name in ["b", "a/b", "a-b"] {
            store(m, PutManifest { repository: repo(name), ..object("i") }).await;
        }
        assert_eq!(m.repositories(None, 2).await.unwrap(), [repo("a-b"), repo("a/b")]);
        assert_eq!(m.repositories(Some("a/b"), 2).await.unwrap(), [repo("b")]);
    })
    .await;
}

#[tokio::test]
async fn a_repository_exists_even_when_all_in_it_was_deleted() {
    each(async |m| {
        assert!(!m.repository_exists(&repo("r")).await.unwrap());
        store(m, object("i")).await;
        delete(m, "i").await;
        assert!(m.repository_exists(&repo("r")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn totals_follow_what_comes_and_goes() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { repository: repo("s"), ..blob("a") }).await.unwrap();
        store(m, tagged("i", &["v1", "v2"])).await;
        store(m, tagged("j", &["v1"])).await;
        delete(m, "j").await;
        m.delete_tag(deletion("v2")).await.unwrap();
        let totals = m.totals().await.unwrap();
        let expected =
            crate::metadata::Totals { repositories: 2, manifests: 1, tags: 1, blobs: 1, blob_bytes: 10, uploads: 0 };
        assert_eq!(totals, expected);
        m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap();
        m.delete_blob(&repo("s"), &digest("a"), &by(0)).await.unwrap();
        assert_eq!(m.totals().await.unwrap().blob_bytes, 0);
    })
    .await;
}
