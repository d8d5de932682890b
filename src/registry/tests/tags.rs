//! Tags that resolve per caller, and tags that are judged when they are set.

use super::{House, index, reason, tag};
use crate::config::Limits;
use crate::metadata::Metadata as _;
use crate::oci::{Precondition, Reference, media_type};
use crate::registry::waiting::TOLD_AT_ONCE;
use crate::registry::{Begin, Error, ManifestPut};

#[tokio::test]
async fn an_unsigned_image_is_withheld_and_says_that_no_signature_was_found() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("no signature was found"));
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), first);
    house.sign_release(first).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
}

#[tokio::test]
async fn a_pending_push_is_skipped_until_it_is_signed() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), second);
    house.sign_release(second).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), second);
}

#[tokio::test]
async fn a_push_that_lost_its_signer_is_refused_and_nobody_is_taken_back() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    // Nobody pulled it while it was met: that it was is known all the same.
    house.sign_second(second).await;
    house.distrust_second().await;
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("no longer does"));
    assert_eq!(house.pull("deploy", &Reference::Digest(first)).await.unwrap(), first);
    let third = house.push_image("ci", "three", Some("v1")).await.unwrap();
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("no older push is served"));
    house.sign_release(third).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), third);
}

#[tokio::test]
async fn deny_skips_nothing() {
    let requirements = "[signed-release]\nsigned_by = \"release\"\ntag_fallback = \"deny\"\n";
    let house = House::with(super::POLICY, requirements, Limits::default()).await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    house.push_image("ci", "two", Some("v1")).await.unwrap();
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("no signature was found"));
}

#[tokio::test]
async fn a_tag_is_judged_when_it_is_set() {
    let house = House::new().await;
    let refused = house.push_image("tagger", "one", Some("v1")).await;
    assert!(reason(refused).contains("push it by digest, sign it, then tag it"));
    assert!(matches!(house.pull("ci", &tag("v1")).await, Err(Error::ManifestUnknown(_) | Error::NameUnknown)));
    let digest = house.push_image("tagger", "one", None).await.unwrap();
    house.sign_release(digest).await;
    assert_eq!(house.push_image("tagger", "one", Some("v1")).await.unwrap(), digest);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), digest);
}

#[tokio::test]
async fn a_digest_that_a_tag_needs_while_its_newer_push_is_pending_is_not_deleted() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    let tagger = house.registry.allow_delete(&super::who("tagger"), &super::repository()).unwrap();
    assert!(matches!(
        house.registry.delete_manifest(&tagger, &first, &Precondition::default()).await,
        Err(Error::Conflict(_))
    ));
    house.sign_release(second).await;
    house.registry.delete_manifest(&tagger, &first, &Precondition::default()).await.unwrap();
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), second);
}

#[tokio::test]
async fn a_list_shows_what_resolves_for_the_caller() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("signed")).await.unwrap();
    house.sign_release(first).await;
    house.push_image("ci", "two", Some("unsigned")).await.unwrap();
    let names = async |who: &str| {
        let page = house.registry.tags(&house.pulls(who).unwrap(), Begin::default(), 100).await.unwrap();
        page.entries.iter().map(ToString::to_string).filter(|tag| !tag.starts_with("sha256-")).collect::<Vec<_>>()
    };
    assert_eq!(names("ci").await, ["signed", "unsigned"]);
    assert_eq!(names("deploy").await, ["signed"]);
}

#[tokio::test]
async fn an_index_admits_what_it_reaches_and_signed_children_never_admit_it() {
    let house = House::new().await;
    let one = house.push_image("ci", "one", None).await.unwrap();
    let two = house.push_image("ci", "two", None).await.unwrap();
    let beside = house.push_image("ci", "beside", None).await.unwrap();
    let index = index(&[one, two]);
    let digest = house.put("ci", &tag("v1"), media_type::OCI_INDEX, &index).await.unwrap().digest;
    house.sign_release(one).await;
    house.sign_release(two).await;
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("sign the index"));
    house.sign_release(digest).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), digest);
    assert!(reason(house.pull("deploy", &Reference::Digest(beside)).await).contains("no signature was found"));
}

#[tokio::test]
async fn a_child_is_pulled_through_its_signed_index_until_the_index_goes() {
    let house = House::new().await;
    let child = house.push_image("ci", "one", None).await.unwrap();
    let digest = house.put("ci", &tag("v1"), media_type::OCI_INDEX, &index(&[child])).await.unwrap().digest;
    house.sign_release(digest).await;
    assert_eq!(house.pull("deploy", &Reference::Digest(child)).await.unwrap(), child);
    let ci = house.registry.allow_delete(&super::who("ci"), &super::repository()).unwrap();
    house.registry.delete_manifest(&ci, &digest, &Precondition::default()).await.unwrap();
    assert!(reason(house.pull("deploy", &Reference::Digest(child)).await).contains("no signature was found"));
}

#[tokio::test]
async fn a_manifest_within_an_index_of_a_signed_index_lost_it_too() {
    let house = House::new().await;
    let child = house.push_image("ci", "one", Some("child")).await.unwrap();
    let inner = house.put("ci", &tag("inner"), media_type::OCI_INDEX, &index(&[child])).await.unwrap().digest;
    let outer = house.put("ci", &tag("outer"), media_type::OCI_INDEX, &index(&[inner])).await.unwrap().digest;
    house.sign_second(outer).await;
    house.distrust_second().await;
    for name in ["child", "inner", "outer"] {
        assert!(reason(house.pull("deploy", &tag(name)).await).contains("no longer does"), "{name}");
    }
}

#[tokio::test]
async fn a_push_without_evidence_waits_until_it_is_signed() {
    let house = House::new().await;
    let digest = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let look = async || house.registry.look_at_waiting(&house.registry.current()).await.unwrap();
    assert_eq!(look().await.overdue, []);
    assert_eq!(house.registry.waits().pushes, 1);
    house.clock.advance(Limits::default().pending_evidence);
    assert_eq!(look().await.overdue.len(), 1);
    assert_eq!(look().await.overdue, [], "each is told once");
    house.sign_release(digest).await;
    assert_eq!(look().await.overdue, []);
    assert_eq!(house.registry.waits().pushes, 0);
}

#[tokio::test]
async fn a_look_tells_when_the_next_push_waits_for_too_long() {
    let house = House::new().await;
    let (look, patience) = (
        async || house.registry.look_at_waiting(&house.registry.current()).await.unwrap(),
        Limits::default().pending_evidence,
    );
    assert_eq!(look().await.next, None);
    let moment = std::time::Duration::from_secs(100);
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.clock.advance(moment);
    house.push_image("ci", "two", Some("v2")).await.unwrap();
    assert_eq!(look().await.next, patience.checked_sub(moment));
    house.clock.advance(patience.checked_sub(moment).unwrap());
    let found = look().await;
    assert_eq!((found.overdue.len(), found.next), (1, Some(moment)));
    house.clock.advance(moment);
    let found = look().await;
    assert_eq!((found.overdue.len(), found.next), (1, None));
}

#[tokio::test]
async fn of_many_that_wait_for_too_long_at_once_a_bounded_number_is_told() {
    let house = House::in_memory(Limits::default()).await;
    let image = house.push_image("ci", "one", None).await.unwrap();
    let stored = house.metadata.manifest(&super::repository(), &image).await.unwrap().unwrap();
    let tags: Vec<_> = (0..=TOLD_AT_ONCE).map(|number| format!("v{number:04}").parse().unwrap()).collect();
    for tags in tags.chunks(100) {
        let put = ManifestPut {
            reference: Reference::Digest(image),
            tags: tags.to_vec(),
            content_type: stored.media_type.clone(),
            bytes: stored.bytes.clone(),
            precondition: Precondition::default(),
        };
        let ci = house.registry.allow_sign(&super::who("ci"), &super::repository()).unwrap();
        house.registry.put_manifest(&ci, put).await.unwrap();
    }
    house.clock.advance(Limits::default().pending_evidence);
    let look = house.registry.look_at_waiting(&house.registry.current()).await.unwrap();
    assert_eq!((look.overdue.len(), look.more, look.next), (TOLD_AT_ONCE, true, None));
    let look = house.registry.look_at_waiting(&house.registry.current()).await.unwrap();
    assert_eq!((look.overdue.len(), look.more), (0, false));
    assert_eq!(house.registry.waits().pushes, u64::try_from(tags.len()).unwrap());
}

#[tokio::test]
async fn a_push_that_met_what_no_line_asks_for_any_more_is_not_skipped_either() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    house.sign_second(second).await;
    // The same table, under another name, which the second push does not meet.
    let policy = super::POLICY.replace("signed-release", "signed-by-release");
    house.revise(&["release", "second"], &policy, "[signed-by-release]\nsigned_by = \"release\"\n").await;
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("no older push is served"));
}

#[tokio::test]
async fn what_only_warns_or_is_audited_is_served_and_says_what_is_unmet() {
    for (mode, warns) in [("warn", true), ("audit", false)] {
        let requirements = format!("[signed-release]\nsigned_by = \"release\"\nmode = \"{mode}\"\n");
        let house = House::with(super::POLICY, &requirements, Limits::default()).await;
        let digest = house.push_image("ci", "one", Some("v1")).await.unwrap();
        let allowed = house.pulls("deploy").unwrap();
        let admitted = house.registry.manifest(&allowed, &tag("v1")).await.unwrap();
        let lenience = admitted.lenience().unwrap();
        assert_eq!(lenience.warns, warns);
        assert!(lenience.reason.contains("no signature was found"), "{mode}: {}", lenience.reason);
        house.sign_release(digest).await;
        let admitted = house.registry.manifest(&house.pulls("deploy").unwrap(), &tag("v1")).await.unwrap();
        assert_eq!(admitted.lenience(), None, "{mode}");
    }
}

#[tokio::test]
async fn a_signed_index_admits_only_as_deep_as_the_limit() {
    let limits = Limits { reach_depth: 1, ..Limits::default() };
    let house = House::with(super::POLICY, super::REQUIREMENTS, limits).await;
    let child = house.push_image("ci", "one", None).await.unwrap();
    let inner = house.put("ci", &tag("inner"), media_type::OCI_INDEX, &index(&[child])).await.unwrap().digest;
    let outer = house.put("ci", &tag("outer"), media_type::OCI_INDEX, &index(&[inner])).await.unwrap().digest;
    house.sign_release(outer).await;
    assert_eq!(house.pull("deploy", &Reference::Digest(inner)).await.unwrap(), inner);
    assert!(reason(house.pull("deploy", &Reference::Digest(child)).await).contains("no signature was found"));
}

#[tokio::test]
async fn a_push_that_meets_what_skips_nothing_is_not_stepped_over_for_another_requirement() {
    let requirements =
        "[signed-release]\nsigned_by = \"second\"\ntag_fallback = \"deny\"\n[older]\nsigned_by = \"release\"\n";
    let policy = format!("{}p, role:cluster, prod/**, pull, older, allow\n", super::POLICY);
    let house = House::with(&policy, requirements, Limits::default()).await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    house.sign_second(second).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), second);
    house.push_image("ci", "three", Some("v1")).await.unwrap();
    assert!(reason(house.pull("deploy", &tag("v1")).await).contains("met signed-release, which skips no newer push"));
}
