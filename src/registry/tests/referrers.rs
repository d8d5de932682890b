//! Lists of referrers: how much of them is held and answered at once, and what a page gives away.

use serde_json::{Value, json};

use super::{House, bare, digest_of, image};
use crate::clock::Clock as _;
use crate::config::Limits;
use crate::metadata::{Kind, Metadata as _, PutManifest};
use crate::oci::{Digest, Reference, media_type};
use crate::registry::Next;
use crate::registry::list::LOOKED_AT;

/// An image about `subject`: as much an object as any.
async fn refer(house: &House, name: &str, subject: Digest, text: &str) -> Digest {
    let config = house.upload("ci", format!("{{\"config of\": \"{name}\"}}").as_bytes()).await.unwrap();
    let layer = house.upload("ci", name.as_bytes()).await.unwrap();
    let mut referrer = image(config, layer);
    referrer["subject"] = json!({"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1});
    referrer["annotations"] = json!({"text": text});
    let digest = digest_of(&referrer);
    house.put("ci", &Reference::Digest(digest), media_type::OCI_MANIFEST, &referrer).await.unwrap();
    digest
}

impl House {
    /// The digests on each page, and how many bytes the largest page has.
    async fn pages_of_referrers(
        &self,
        name: &str,
        subject: Digest,
        first: Option<Digest>,
    ) -> (Vec<Vec<String>>, usize) {
        let allowed = self.pulls(name).unwrap();
        let (mut pages, mut largest, mut after) = (Vec::new(), 0, first.map(Next::Listed));
        loop {
            let page = self.registry.referrers(&allowed, &subject, None, after.as_ref()).await.unwrap();
            largest = largest.max(page.index.len());
            let index: Value = serde_json::from_slice(&page.index).unwrap();
            let entries = index["manifests"].as_array().unwrap();
            pages.push(entries.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect());
            after = page.next;
            if after.is_none() {
                return (pages, largest);
            }
        }
    }
}

#[tokio::test]
async fn a_list_with_large_annotations_comes_in_pages_of_bounded_bytes() {
    let limits = Limits { manifest_bytes: 100_000, ..Limits::default() };
    let house = House::with(super::POLICY, super::REQUIREMENTS, limits).await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(refer(&house, &number.to_string(), subject, &"x".repeat(40_000)).await.to_string());
    }
    let (pages, largest) = house.pages_of_referrers("ci", subject, None).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), all);
    assert!(largest <= 100_000, "{largest}");
}

#[tokio::test]
async fn an_entry_that_is_a_page_by_itself_is_listed() {
    let limits = Limits { manifest_bytes: 10_000, ..Limits::default() };
    let house = House::with(super::POLICY, super::REQUIREMENTS, limits).await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    for number in 0..2 {
        refer(&house, &number.to_string(), subject, &"x".repeat(9_000)).await;
    }
    let (pages, _) = house.pages_of_referrers("ci", subject, None).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn a_page_after_what_is_withheld_is_the_first_as_after_what_is_absent() {
    let house = House::new().await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let shown = refer(&house, "shown", subject, "").await;
    let withheld = refer(&house, "withheld", subject, "").await;
    house.sign_release(shown).await;
    assert!(house.pull("deploy", &Reference::Digest(withheld)).await.is_err());
    for after in [None, Some(withheld), Some(Digest::sha256(b"absent"))] {
        let (pages, _) = house.pages_of_referrers("deploy", subject, after).await;
        assert_eq!(pages, [[shown.to_string()]], "{after:?}");
    }
    let (rest, _) = house.pages_of_referrers("deploy", subject, Some(shown)).await;
    assert_eq!(rest, [[""; 0]]);
}

/// Objects or evidence about `subject` that meet nothing.
async fn refer_many(house: &House, subject: Digest, kind: Kind, count: usize) {
    for number in 0..count {
        let put = PutManifest {
            subject: Some(subject),
            is_referrer: true,
            kind,
            ..bare(format!("object {number}"), house.clock.now())
        };
        house.metadata.put_manifest(put).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_that_passes_many_by_ends_early_and_the_next_goes_on_there() {
    let house = House::in_memory(Limits::default()).await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let first = refer(&house, "first", subject, "").await;
    house.sign_release(first).await;
    refer_many(&house, subject, Kind::Object, LOOKED_AT).await;
    let (pages, _) = house.pages_of_referrers("deploy", subject, None).await;
    assert_eq!(pages, [[first.to_string()]], "as many as a page may pass by");

    refer_many(&house, subject, Kind::Object, LOOKED_AT + 1).await;
    let last = refer(&house, "last", subject, "").await;
    house.sign_release(last).await;
    let (pages, _) = house.pages_of_referrers("deploy", subject, None).await;
    assert_eq!(pages, [[first.to_string()], [last.to_string()]]);
    let page = house.registry.referrers(&house.pulls("deploy").unwrap(), &subject, None, None).await.unwrap();
    let place = Digest::sha256(format!("object {}", LOOKED_AT - 1).as_bytes());
    assert_eq!((page.last, page.next), (Some(first), Some(Next::Unlisted(place))));
    let (pages, _) = house.pages_of_referrers("ci", subject, None).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [LOOKED_AT + 3], "who is shown all has it whole");
}

#[tokio::test]
async fn evidence_about_what_is_withheld_is_passed_by_as_objects_are() {
    let house = House::in_memory(Limits::default()).await;
    let subject = house.push_image("ci", "one", Some("v1")).await.unwrap();
    refer_many(&house, subject, Kind::Data, LOOKED_AT + 1).await;
    let (pages, _) = house.pages_of_referrers("deploy", subject, None).await;
    assert_eq!(pages, [[""; 0], [""; 0]]);
    let (pages, _) = house.pages_of_referrers("ci", subject, None).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [LOOKED_AT + 1]);
}
