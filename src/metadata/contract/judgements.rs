//! What was met, and what is to be judged.

use super::*;
use crate::gate::RequirementName;
use crate::metadata::StoredRevision;

fn requirements(names: &[&str]) -> Vec<RequirementName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn waiting(m: &dyn Metadata) -> Vec<Digest> {
    m.to_judge(10).await.unwrap().into_iter().map(|(_, digest, _)| digest).collect()
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
        assert_eq!(m.to_judge(1).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_judged_waits_no_more() {
    each(async |m| {
        store(m, object("i")).await;
        let (repository, judged, ticket) = m.to_judge(1).await.unwrap().remove(0);
        m.judged(&repository, &judged, ticket).await.unwrap();
        assert!(waiting(m).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_void_when_something_came_after_it() {
    each(async |m| {
        store(m, object("i")).await;
        let (repository, judged, ticket) = m.to_judge(1).await.unwrap().remove(0);
        store(m, bundle("e", "i")).await;
        m.judged(&repository, &judged, ticket).await.unwrap();
        assert_eq!(waiting(m).await, digests(&["i"]));
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
