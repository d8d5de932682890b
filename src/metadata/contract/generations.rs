//! Generations: the number that a remembered verdict hangs on.

use super::*;

async fn generation(m: &dyn Metadata, name: &str) -> u64 {
    m.generation(&repo("r"), &digest(name), 8, 64).await.unwrap()
}

/// An image `i` under the index `x` under the index `top`, and a bystander.
async fn family(m: &dyn Metadata) {
    store(m, object("i")).await;
    store(m, index("x", &["i"])).await;
    store(m, index("top", &["x"])).await;
    store(m, object("bystander")).await;
}

#[tokio::test]
async fn evidence_that_comes_changes_its_subject_and_all_below_and_nothing_else() {
    each(async |m| {
        family(m).await;
        let before = [generation(m, "i").await, generation(m, "x").await, generation(m, "bystander").await];
        store(m, bundle("e", "top")).await;
        assert!(generation(m, "i").await > before[0]);
        assert!(generation(m, "x").await > before[1]);
        assert_eq!(generation(m, "bystander").await, before[2]);
    })
    .await;
}

#[tokio::test]
async fn evidence_that_goes_changes_its_subject() {
    each(async |m| {
        family(m).await;
        store(m, bundle("e", "top")).await;
        let before = generation(m, "i").await;
        delete(m, "e").await;
        assert!(generation(m, "i").await > before);
    })
    .await;
}

#[tokio::test]
async fn data_changes_its_subject() {
    each(async |m| {
        family(m).await;
        let before = generation(m, "i").await;
        store(m, data("d", "i")).await;
        assert!(generation(m, "i").await > before);
    })
    .await;
}

#[tokio::test]
async fn evidence_before_its_subject_is_seen_by_the_subject() {
    each(async |m| {
        store(m, object("bystander")).await;
        assert_eq!(generation(m, "i").await, 0);
        store(m, bundle("e", "i")).await;
        assert!(generation(m, "i").await > 0);
    })
    .await;
}

#[tokio::test]
async fn an_ancestor_that_comes_or_goes_changes_what_is_below() {
    each(async |m| {
        family(m).await;
        let before = generation(m, "i").await;
        store(m, index("second", &["i"])).await;
        let with = generation(m, "i").await;
        delete(m, "second").await;
        assert!(before < with && with < generation(m, "i").await);
    })
    .await;
}

#[tokio::test]
async fn a_far_ancestor_that_goes_changes_what_is_below() {
    each(async |m| {
        family(m).await;
        let before = generation(m, "i").await;
        delete(m, "top").await;
        assert!(generation(m, "i").await > before);
    })
    .await;
}

#[tokio::test]
async fn a_second_push_changes_nothing() {
    each(async |m| {
        family(m).await;
        let before = generation(m, "i").await;
        m.put_manifest(tagged("i", &["v1"])).await.unwrap();
        assert_eq!(generation(m, "i").await, before);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_comes_back_has_a_number_it_never_had() {
    each(async |m| {
        family(m).await;
        let before = generation(m, "bystander").await;
        delete(m, "bystander").await;
        let absent = generation(m, "bystander").await;
        store(m, object("bystander")).await;
        assert!(before < absent && absent < generation(m, "bystander").await);
    })
    .await;
}

#[tokio::test]
async fn evidence_that_becomes_an_object_changes_what_it_was_about() {
    each(async |m| {
        family(m).await;
        store(m, bundle("e", "i")).await;
        let before = generation(m, "i").await;
        m.put_manifest(object("e")).await.unwrap();
        assert!(generation(m, "i").await > before);
    })
    .await;
}

#[tokio::test]
async fn changes_beyond_the_depth_are_not_seen() {
    each(async |m| {
        family(m).await;
        let near = async || m.generation(&repo("r"), &digest("i"), 1, 64).await.unwrap();
        let before = near().await;
        store(m, bundle("e", "top")).await;
        assert_eq!(near().await, before);
    })
    .await;
}
