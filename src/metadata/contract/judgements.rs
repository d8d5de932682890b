//! What was met, and what is to be judged.

use super::*;
use crate::gate::RequirementName;
use crate::metadata::StoredRevision;

fn requirements(names: &[&str]) -> Vec<RequirementName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn waiting(m: &dyn Metadata) -> Vec<Digest> {
    due(m, 0).await
}

/// What is to be judged at that moment.
async fn due(m: &dyn Metadata, seconds: u64) -> Vec<Digest> {
    let all = m.to_judge(at(seconds), 10).await.unwrap();
    let mut here = m.to_judge_in(&repo("r"), at(seconds), 10).await.unwrap();
    here.sort_by_key(|one| all.iter().position(|other| one == other));
    assert_eq!(here, all);
    all.into_iter().map(|one| one.digest).collect()
}

/// Judges what is to be judged first.
async fn judge(m: &dyn Metadata, again: Option<Timestamp>) {
    let first = m.to_judge(at(0), 1).await.unwrap().remove(0);
    m.judged(&[(first, again)]).await.unwrap();
}

#[tokio::test]
async fn what_was_met_is_remembered_by_name() {
    each(async |m| {
        store(m, object("i")).await;
        m.record_met(&repo("r"), &digest("i"), &requirements(&["b"]), at(1)).await.unwrap();
        m.record_met(&repo("r"), &digest("i"), &requirements(&["a", "b"]), at(2)).await.unwrap();
        assert_eq!(m.met(&repo("r"), &digest("i")).await.unwrap(), requirements(&["a", "b"]));
        assert!(m.met(&repo("s"), &digest("i")).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_was_met_is_forgotten_with_the_manifest() {
    each(async |m| {
        store(m, object("i")).await;
        m.record_met(&repo("r"), &digest("i"), &requirements(&["a"]), at(1)).await.unwrap();
        delete(m, "i").await;
        m.record_met(&repo("r"), &digest("i"), &requirements(&["b"]), at(1)).await.unwrap();
        store(m, object("i")).await;
        assert!(m.met(&repo("r"), &digest("i")).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn objects_and_subjects_of_evidence_are_to_be_judged_oldest_first() {
    each(async |m| {
        store(m, object("i")).await;
        store(m, object("j")).await;
        store(m, bundle("e", "i")).await;
        assert_eq!(waiting(m).await, digests(&["j", "i"]));
        assert_eq!(m.to_judge(at(0), 1).await.unwrap().len(), 1);
        assert_eq!(m.to_judge_in(&repo("r"), at(0), 1).await.unwrap().len(), 1);
        assert_eq!(m.to_judge_in(&repo("s"), at(0), 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_was_judged_waits_no_more() {
    each(async |m| {
        store(m, object("i")).await;
        judge(m, None).await;
        assert!(due(m, 1000).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_void_when_something_came_after_it() {
    each(async |m| {
        store(m, object("i")).await;
        let first = m.to_judge(at(0), 1).await.unwrap().remove(0);
        store(m, bundle("e", "i")).await;
        m.judged(&[(first.clone(), None)]).await.unwrap();
        assert_eq!(waiting(m).await, digests(&["i"]));
        m.judged(&[(first, Some(at(9)))]).await.unwrap();
        assert_eq!(waiting(m).await, digests(&["i"]));
    })
    .await;
}

#[tokio::test]
async fn what_was_judged_for_a_time_waits_again_when_that_is_over() {
    each(async |m| {
        store(m, object("i")).await;
        judge(m, Some(at(9))).await;
        assert_eq!((due(m, 8).await, due(m, 9).await), (Vec::new(), digests(&["i"])));
        assert_eq!(m.next_to_judge().await.unwrap(), Some(at(9)));
        store(m, bundle("e", "i")).await;
        assert_eq!(waiting(m).await, digests(&["i"]));
    })
    .await;
}

#[tokio::test]
async fn what_is_to_be_judged_again_is_so_at_the_earliest_of_its_moments() {
    each(async |m| {
        assert_eq!(m.next_to_judge().await.unwrap(), None);
        store(m, object("i")).await;
        judge(m, None).await;
        for seconds in [7, 5, 6] {
            m.judge_again(&repo("r"), &digest("i"), at(seconds)).await.unwrap();
        }
        m.judge_again(&repo("none"), &digest("i"), at(1)).await.unwrap();
        assert_eq!(m.next_to_judge().await.unwrap(), Some(at(5)));
        assert_eq!((due(m, 4).await, due(m, 5).await), (Vec::new(), digests(&["i"])));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_manifest_waits_for_no_judgement() {
    each(async |m| {
        store(m, object("i")).await;
        delete(m, "i").await;
        assert!(waiting(m).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_last_accepted_revision_is_kept_whole() {
    each(async |m| {
        assert_eq!(m.accepted_revision().await.unwrap(), None);
        let revision = |name: &str, seconds| StoredRevision {
            files: BTreeMap::from([(name.to_owned(), vec![0, 255])]),
            at: at(seconds),
        };
        m.accept_revision(revision("policies/policy.csv", 1)).await.unwrap();
        m.accept_revision(revision("trust/signers.toml", 2)).await.unwrap();
        assert_eq!(m.accepted_revision().await.unwrap(), Some(revision("trust/signers.toml", 2)));
    })
    .await;
}
