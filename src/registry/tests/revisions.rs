//! What begins to be met when a revision comes is noted, though nobody pulls it.

use super::*;

const BY_RELEASE: &str = "[signed-release]\nsigned_by = \"release\"\n";
const BY_SECOND: &str = "[signed-release]\nsigned_by = \"second\"\n";

/// Whether `digest` is known to have met the requirement.
async fn is_known_to_have_met(house: &House, digest: Digest) -> bool {
    !house.metadata.met(&repository(), &digest).await.unwrap().is_empty()
}

/// An image with a signature that counts for nothing.
async fn signed_in_vain(house: &House) -> Digest {
    house.revise(&["release", "second"], POLICY, BY_RELEASE).await;
    let digest = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_second(digest).await;
    assert!(!is_known_to_have_met(house, digest).await);
    digest
}

#[tokio::test]
async fn a_swap_notes_what_its_revision_lets_be_met() {
    let house = House::new().await;
    house.registry.judge_unjudged().await.unwrap();
    let digest = signed_in_vain(&house).await;
    house.revise(&["release", "second"], POLICY, BY_SECOND).await;
    assert!(is_known_to_have_met(&house, digest).await);
    assert!(house.metadata.is_revision_judged().await.unwrap());
}

#[tokio::test]
async fn a_swap_notes_what_its_policy_begins_to_ask_for() {
    let house = House::new().await;
    let elsewhere = POLICY.replace(", signed-release,", ", unverified,");
    house.revise(&["release"], &elsewhere, BY_RELEASE).await;
    let digest = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(digest).await;
    assert!(!is_known_to_have_met(&house, digest).await);
    house.revise(&["release"], POLICY, BY_RELEASE).await;
    assert!(is_known_to_have_met(&house, digest).await);
}

#[tokio::test]
async fn a_start_on_another_revision_judges_under_it_in_the_background() {
    let house = House::new().await;
    let digest = signed_in_vain(&house).await;
    let registry = house.start_again(&["release", "second"], POLICY, BY_SECOND).await;
    assert!(!is_known_to_have_met(&house, digest).await);
    registry.judge_unjudged().await.unwrap();
    assert!(is_known_to_have_met(&house, digest).await);
    assert!(house.metadata.is_revision_judged().await.unwrap());
}

#[tokio::test]
async fn a_start_on_the_same_revision_judges_nothing() {
    let house = House::new().await;
    house.registry.judge_unjudged().await.unwrap();
    let registry = house.start_again(&["release", "second"], POLICY, REQUIREMENTS).await;
    assert!(registry.unjudged.lock().await.is_none());
}

#[tokio::test]
async fn a_start_goes_on_judging_what_the_last_one_left() {
    let house = House::new().await;
    let registry = house.start_again(&["release", "second"], POLICY, REQUIREMENTS).await;
    assert!(registry.unjudged.lock().await.is_some());
}

#[tokio::test]
async fn evidence_that_can_not_be_judged_holds_up_no_other() {
    let house = House::new().await;
    let mut signed = Vec::new();
    house.revise(&["release", "second"], POLICY, BY_RELEASE).await;
    for content in ["one", "two", "three"] {
        let digest = house.push_image("ci", content, None).await.unwrap();
        house.sign_second(digest).await;
        signed.push(digest);
    }
    signed.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    let evidence = house.metadata.evidence(&repository(), signed.first().unwrap(), 1).await.unwrap().remove(0);
    let stored = house.metadata.manifest(&repository(), &evidence).await.unwrap().unwrap();
    let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap();
    house.lose(manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap());
    let registry = house.start_again(&["release", "second"], POLICY, BY_SECOND).await;
    assert!(registry.judge_unjudged().await.is_err());
    let [lost, one, other] = signed.try_into().unwrap();
    assert!(!is_known_to_have_met(&house, lost).await);
    assert!(is_known_to_have_met(&house, one).await && is_known_to_have_met(&house, other).await);
}
