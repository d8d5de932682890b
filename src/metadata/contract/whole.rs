//! What is read of a whole repository, or of all of them.

use super::*;
use crate::metadata::{Content, MANIFESTS_BYTES, StoredManifest};

/// These names in the order of their digests' bytes.
fn in_order(names: &[&'static str]) -> Vec<&'static str> {
    let mut names = names.to_vec();
    names.sort_by_key(|name| digest(name).as_bytes().to_vec());
    names
}

fn names(manifests: &[StoredManifest]) -> Vec<&str> {
    manifests.iter().map(|stored| std::str::from_utf8(&stored.bytes).unwrap()).collect()
}

#[tokio::test]
async fn manifests_come_page_by_page_in_the_order_of_their_digests() {
    each(async |m| {
        for name in ["a", "b", "c"] {
            store(m, object(name)).await;
        }
        store(m, PutManifest { repository: repo("s"), ..object("elsewhere") }).await;
        let order = in_order(&["a", "b", "c"]);
        let first = m.manifests(&repo("r"), None, 2).await.unwrap();
        assert_eq!(names(&first), order[..2]);
        let rest = m.manifests(&repo("r"), Some(&digest(order[1])), 2).await.unwrap();
        assert_eq!(names(&rest), order[2..]);
        assert!(m.manifests(&repo("r"), Some(&digest(order[2])), 2).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_page_of_manifests_ends_where_they_are_large() {
    each(async |m| {
        let large = Bytes::from(vec![b'x'; MANIFESTS_BYTES / 2]);
        for name in ["a", "b", "c"] {
            store(m, PutManifest { bytes: large.clone(), ..object(name) }).await;
        }
        let order = in_order(&["a", "b", "c"]);
        let page = async |after| {
            let page = m.manifests(&repo("r"), after, 10).await.unwrap();
            page.into_iter().map(|stored| stored.digest).collect::<Vec<_>>()
        };
        assert_eq!(page(None).await, digests(&order[..2]));
        assert_eq!(page(Some(&digest(order[1]))).await, digests(&order[2..]));
        let placed = m.placed_manifests(0, 10).await.unwrap();
        assert_eq!(placed.iter().map(|placed| placed.digest).collect::<Vec<_>>(), digests(&["a", "b"]));
        assert_eq!(m.placed_manifests(placed[1].place, 10).await.unwrap()[0].digest, digest("c"));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_manifests_goes_on_after_one_that_went() {
    each(async |m| {
        for name in ["a", "b"] {
            store(m, object(name)).await;
        }
        let order = in_order(&["a", "b"]);
        delete(m, order[0]).await;
        assert_eq!(names(&m.manifests(&repo("r"), Some(&digest(order[0])), 2).await.unwrap()), order[1..]);
    })
    .await;
}

#[tokio::test]
async fn a_repository_that_does_not_exist_has_no_manifests() {
    each(async |m| assert!(m.manifests(&repo("r"), None, 2).await.unwrap().is_empty())).await;
}

#[tokio::test]
async fn contents_come_once_however_many_repositories_have_them() {
    each(async |m| {
        for name in ["a", "b", "c"] {
            store_blob(m, name).await;
        }
        assert_eq!(m.commit_blob(CommitBlob { repository: repo("s"), ..blob("a") }).await.unwrap(), Committed::Stored);
        let order = in_order(&["a", "b", "c"]);
        let content =
            |name: &&str| Content { digest: digest(name), key: format!("key/{name}"), size: 10, quarantined: false };
        let expected: Vec<_> = order.iter().map(content).collect();
        assert_eq!(m.contents(None, 2).await.unwrap(), expected[..2]);
        assert_eq!(m.contents(Some(&digest(order[1])), 2).await.unwrap(), expected[2..]);
    })
    .await;
}

#[tokio::test]
async fn content_that_was_collected_is_listed_no_more() {
    each(async |m| {
        store_blob(m, "a").await;
        m.sweep(at(LEASE + 1), at(0), 10).await.unwrap();
        assert!(m.contents(None, 2).await.unwrap().is_empty());
    })
    .await;
}
