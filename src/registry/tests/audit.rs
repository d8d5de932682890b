//! What the audit trail tells of the verbs, and that nobody waits for it or fails because of it.

use super::{House, POLICY, REQUIREMENTS, digest_of, image, sig_tag, tag, who};
use crate::config::Limits;
use crate::metadata::{Metadata as _, Trail};
use crate::oci::{Digest, Precondition, Reference, Tag, media_type};
use crate::registry::{AuditRecord, Error};

/// With someone who administers.
async fn house() -> House {
    let policy = format!("{POLICY}p, user:admin, _registry, admin, unverified, allow\n");
    House::with(&policy, REQUIREMENTS, Limits::default()).await
}

impl House {
    async fn trail(&self, trail: Trail) -> Vec<AuditRecord> {
        let administrator = self.registry.allow_admin(&who("admin")).unwrap();
        self.registry.audit(&administrator, trail, 0).await.unwrap()
    }

    async fn refusals(&self) -> Vec<AuditRecord> {
        self.trail(Trail::Refusals).await
    }

    /// Each change in words.
    async fn changes(&self) -> Vec<String> {
        let words = |entry: AuditRecord| {
            let AuditRecord { event, what, tag, who, .. } = entry;
            format!("{who} {event} {} {}", what.unwrap_or_default(), tag.unwrap_or_default()).trim_end().to_owned()
        };
        self.trail(Trail::Changes).await.into_iter().map(words).collect()
    }
}

#[tokio::test]
async fn a_push_its_signature_and_their_deletion_are_told_with_who_did_it() {
    let house = house().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(image).await;
    let allowed = house.registry.allow_delete(&who("ci"), &super::repository()).unwrap();
    let signature: Tag = format!("sha256-{}.sig", image.hex()).parse().unwrap();
    house.registry.delete_tag(&allowed, &signature, &Precondition::default()).await.unwrap();
    house.registry.delete_manifest(&allowed, &image, &Precondition::default()).await.unwrap();
    let told = house.changes().await;
    let expected = [
        "user:ci push blob".to_owned(),
        "user:ci push blob".to_owned(),
        "user:ci push object v1".to_owned(),
        "user:signer push blob".to_owned(),
        "user:signer push blob".to_owned(),
        format!("user:signer sign cosign-signature {signature}"),
        "user:ci delete cosign-signature".to_owned(),
        format!("user:ci delete tag {signature}"),
        "user:ci delete object".to_owned(),
    ];
    assert_eq!(told, expected);
    let signed = &house.trail(Trail::Changes).await[5];
    assert_eq!((signed.subject, signed.repository.as_deref()), (Some(image), Some("prod/app")));
}

#[tokio::test]
async fn refused_pulls_are_told_with_whom_what_and_why_the_same_ones_as_one() {
    let house = house().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    for _ in 0..3 {
        assert!(house.pull("deploy", &tag("v1")).await.is_err());
    }
    assert!(house.pull("deploy", &Reference::Digest(image)).await.is_err());
    let mut refusals = house.refusals().await;
    refusals.sort_by_key(|refusal| refusal.tag.is_none());
    let [by_tag, by_digest] = &refusals[..] else { panic!("expected two, found {refusals:?}") };
    assert_eq!((by_tag.event, by_tag.who.as_str(), by_tag.times), ("pull-refused", "user:deploy", Some(3)));
    assert_eq!((by_tag.tag.as_deref(), by_tag.digest), (Some("v1"), Some(image)));
    assert!(by_tag.why.as_ref().unwrap().contains("no signature was found"), "{by_tag:?}");
    assert_eq!((by_digest.tag.as_deref(), by_digest.digest, by_digest.times), (None, Some(image), Some(1)));
}

#[tokio::test]
async fn a_tag_that_is_refused_is_told_with_the_digest_that_it_would_name() {
    let house = house().await;
    let config = house.upload("ci", b"{\"a\": \"config\"}").await.unwrap();
    let layer = house.upload("ci", b"a layer").await.unwrap();
    let image = image(config, layer);
    assert!(matches!(house.put("tagger", &tag("v1"), media_type::OCI_MANIFEST, &image).await, Err(Error::Withheld(_))));
    let refusals = house.refusals().await;
    assert_eq!((refusals.len(), refusals[0].event, refusals[0].who.as_str()), (1, "push-refused", "user:tagger"));
    assert_eq!((refusals[0].tag.as_deref(), refusals[0].digest), (Some("v1"), Some(digest_of(&image))));
    assert_eq!(house.changes().await.len(), 2);
}

#[tokio::test]
async fn a_pull_that_is_admitted_writes_nothing() {
    let house = house().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(image).await;
    let before = house.changes().await.len();
    for _ in 0..2 {
        assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), image);
        house.pull_blob("deploy", Digest::sha256(b"one")).await.unwrap();
    }
    assert!(house.refusals().await.is_empty());
    assert_eq!(house.changes().await.len(), before);
}

#[tokio::test]
async fn who_may_not_even_know_of_a_repository_is_no_entry() {
    let house = house().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    assert!(house.pull("stranger", &tag("v1")).await.is_err());
    assert!(house.refusals().await.is_empty());
}

#[tokio::test]
async fn a_refusal_is_the_same_answer_where_it_can_not_be_noted_and_is_counted() {
    let house = house().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let reason = super::reason(house.pull("deploy", &tag("v1")).await);
    assert_eq!(super::reason(house.pull("deploy", &tag("v1")).await), reason);
    house.metadata.fail(true);
    assert!(matches!(house.registry.note_refusals().await, Err(Error::Unavailable(_))));
    house.metadata.fail(false);
    assert_eq!(house.registry.counters().untold_refusals(), 2);
    assert!(house.refusals().await.is_empty());
}

#[tokio::test]
async fn the_trail_is_read_on_by_pages() {
    let policy = format!("{POLICY}p, user:admin, _registry, admin, unverified, allow\n");
    let house = House::with(&policy, REQUIREMENTS, Limits { page_max: 2, ..Limits::default() }).await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let administrator = house.registry.allow_admin(&who("admin")).unwrap();
    let (mut after, mut pages) = (0, Vec::new());
    loop {
        let page = house.registry.audit(&administrator, Trail::Changes, after).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        pages.push(page.len());
    }
    assert_eq!(pages, [2, 1]);
}

#[tokio::test]
async fn more_changes_than_are_kept_go_from_the_oldest_on() {
    let policy = format!("{POLICY}p, user:admin, _registry, admin, unverified, allow\n");
    let house = House::with(&policy, REQUIREMENTS, Limits { audit_entries: 2, ..Limits::default() }).await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.push_image("ci", "two", Some("v2")).await.unwrap();
    house.registry.housekeeping().prune_audit().await.unwrap();
    assert_eq!(house.changes().await, ["user:ci push blob", "user:ci push object v2"]);
}

#[tokio::test]
async fn only_administrators_read_the_trail() {
    let house = house().await;
    for name in ["ci", "signer", "deploy", "stranger"] {
        assert!(matches!(house.registry.allow_admin(&who(name)), Err(Error::NameUnknown)), "{name}");
    }
}

#[tokio::test]
async fn what_rots_and_what_heals_it_are_told() {
    let house = house().await;
    let layer = house.upload("ci", b"a layer").await.unwrap();
    super::scrub::flip(&house.files_of(layer)[0]);
    house.registry.housekeeping().scrub_at_once().await.unwrap();
    house.upload("signer", b"a layer").await.unwrap();
    let told = house.changes().await;
    assert_eq!(told[1..], ["hallmark quarantine blob", "user:signer repair blob"]);
    let why = house.metadata.audit(Trail::Changes, 1, 1).await.unwrap().remove(0).why.unwrap();
    assert!(why.contains("expected bytes that hash to their name, found"), "{why}");
}

#[tokio::test]
async fn what_is_collected_is_told() {
    let house = house().await;
    house.upload("ci", b"nobody wants this").await.unwrap();
    house.sign("signer", &house.keys.release, Digest::sha256(b"never pushed")).await.unwrap();
    house.clock.advance(std::time::Duration::from_hours(24 * 8));
    house.registry.sweep().await.unwrap();
    let told = house.changes().await;
    let signature = sig_tag(Digest::sha256(b"never pushed"));
    assert_eq!(told[3], format!("user:signer sign cosign-signature {signature}"));
    assert_eq!(told[4..], ["hallmark collect cosign-signature", "hallmark collect blob"]);
}
