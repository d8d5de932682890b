//! The audit trail: what changes is in it, once, and what changes nothing is not.

use super::*;
use crate::metadata::{Audited, Event, Refusal, Trail};

async fn trail(m: &dyn Metadata) -> Vec<Audited> {
    m.audit(Trail::Changes, 0, 1000).await.unwrap()
}

/// Each entry in words: what happened, to what, in which repository, under which tag, by whom.
async fn told(m: &dyn Metadata) -> Vec<String> {
    let word = |entry: Audited| {
        let Audited { event, what, repository, tag, who, .. } = entry;
        let [what, who] = [what, who].map(|word| word.unwrap_or("-".to_owned()));
        let repository = repository.map_or("-".to_owned(), |name| name.to_string());
        let tag = tag.map_or("-".to_owned(), |tag| tag.to_string());
        format!("{} {what} {repository} {tag} {who}", event.as_str())
    };
    trail(m).await.into_iter().map(word).collect()
}

async fn last(m: &dyn Metadata) -> Audited {
    trail(m).await.pop().unwrap()
}

#[tokio::test]
async fn a_push_is_noted_with_its_blobs_and_tags() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, PutManifest { tags: vec![tag("v1"), tag("v2")], at: at(9), ..image("i", &["a"]) }).await;
        let expected = ["push blob r - user:ci", "push object r v1 user:ci", "push object r v2 user:ci"];
        assert_eq!(told(m).await, expected);
        let Audited { id, at: when, digest: named, .. } = last(m).await;
        assert_eq!((id, when, named), (3, at(9), Some(digest("i"))));
    })
    .await;
}

#[tokio::test]
async fn a_push_by_digest_is_noted_once() {
    each(async |m| {
        store(m, object("i")).await;
        m.put_manifest(object("i")).await.unwrap();
        assert_eq!(told(m).await, ["push object r - user:ci"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_there_already_is_not_noted_again() {
    each(async |m| {
        store_blob(m, "a").await;
        store_blob(m, "a").await;
        store(m, tagged("i", &["v1"])).await;
        m.put_manifest(PutManifest { who: who("other"), ..tagged("i", &["v1"]) }).await.unwrap();
        assert_eq!(told(m).await, ["push blob r - user:ci", "push object r v1 user:ci"]);
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_moves_back_is_noted() {
    each(async |m| {
        store(m, tagged("a", &["v1"])).await;
        store(m, tagged("b", &["v1"])).await;
        m.put_manifest(PutManifest { who: who("other"), ..tagged("a", &["v1"]) }).await.unwrap();
        let Audited { digest: named, who, .. } = last(m).await;
        assert_eq!((named, who.as_deref(), told(m).await.len()), (Some(digest("a")), Some("user:other"), 3));
    })
    .await;
}

#[tokio::test]
async fn a_push_that_is_refused_is_not_noted() {
    each(async |m| {
        assert!(matches!(m.put_manifest(image("i", &["absent"])).await.unwrap(), Put::Absent(_)));
        let capped = CommitBlob { unheld_cap: Some(0), ..blob("a") };
        assert_eq!(m.commit_blob(capped).await.unwrap(), Committed::Capped);
        assert!(trail(m).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_mount_is_noted_in_the_repository_that_it_is_into() {
    each(async |m| {
        store_blob(m, "a").await;
        m.commit_blob(CommitBlob { repository: repo("s"), ..blob("a") }).await.unwrap();
        assert_eq!(told(m).await[1], "push blob s - user:ci");
    })
    .await;
}

#[tokio::test]
async fn a_signature_is_noted_with_what_it_is_about() {
    each(async |m| {
        store(m, bundle("e", "i")).await;
        store(m, data("d", "i")).await;
        assert_eq!(told(m).await, ["sign sigstore-bundle r - user:ci", "sign data r - user:ci"]);
        assert_eq!(trail(m).await.iter().map(|it| it.subject).collect::<Vec<_>>(), [Some(digest("i")); 2]);
    })
    .await;
}

#[tokio::test]
async fn data_that_becomes_an_object_is_noted() {
    each(async |m| {
        store(m, data("d", "i")).await;
        m.put_manifest(object("d")).await.unwrap();
        assert_eq!(told(m).await, ["sign data r - user:ci", "push object r - user:ci"]);
    })
    .await;
}

#[tokio::test]
async fn deletions_are_noted_with_who_asked() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, tagged("i", &["v1", "v2"])).await;
        store(m, bundle("e", "i")).await;
        assert_eq!(m.delete_tag(deletion("v1")).await.unwrap(), TagDeleted::Deleted);
        delete(m, "i").await;
        delete(m, "e").await;
        m.delete_blob(&repo("r"), &digest("a"), &by(7)).await.unwrap();
        let expected = [
            "delete tag r v1 user:ci",
            "delete object r - user:ci",
            "delete sigstore-bundle r - user:ci",
            "delete blob r - user:ci",
        ];
        let trail = trail(m).await;
        assert_eq!(told(m).await[4..], expected);
        let named: Vec<_> = trail[4..].iter().map(|it| it.digest).collect();
        assert_eq!(named, ["i", "i", "e", "a"].map(|name| Some(digest(name))));
        assert_eq!((trail[6].subject, trail[7].at), (Some(digest("i")), at(7)));
    })
    .await;
}

#[tokio::test]
async fn a_deletion_of_nothing_is_not_noted() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, image("i", &["a"])).await;
        let before = trail(m).await.len();
        assert_eq!(m.delete_tag(deletion("v1")).await.unwrap(), TagDeleted::Absent);
        assert!(!m.delete_manifest(&repo("r"), &digest("j"), &by(0)).await.unwrap());
        m.delete_blob(&repo("r"), &digest("a"), &by(0)).await.unwrap();
        m.delete_blob(&repo("r"), &digest("b"), &by(0)).await.unwrap();
        assert_eq!(trail(m).await.len(), before);
    })
    .await;
}

#[tokio::test]
async fn what_is_collected_is_noted_with_why_and_as_nobodys_wish() {
    each(async |m| {
        store_blob(m, "a").await;
        store(m, bundle("e", "i")).await;
        m.sweep(at(ORPHAN_LEASE), at(0), 10).await.unwrap();
        assert_eq!(told(m).await[2..], ["collect sigstore-bundle r - -", "collect blob r - -"]);
        let whys: Vec<_> = trail(m).await.into_iter().filter_map(|it| it.why).collect();
        assert_eq!(whys, ["what it is about never came", "no manifest holds it and its lease ended"]);
        m.sweep(at(ORPHAN_LEASE), at(0), 10).await.unwrap();
        assert_eq!(trail(m).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn quarantine_and_repair_are_noted_with_why() {
    each(async |m| {
        store_blob(m, "a").await;
        for _ in 0..2 {
            m.quarantine_content(&digest("a"), "key/a", "it rotted", at(7)).await.unwrap();
        }
        for _ in 0..2 {
            m.replace_content(&digest("a"), "key/a", "key/sound", "a copy", at(8)).await.unwrap();
        }
        store(m, object("i")).await;
        m.quarantine_manifest(&repo("r"), &digest("i"), b"i", "it rotted too", at(9)).await.unwrap();
        m.replace_manifest(&repo("r"), &digest("i"), Bytes::from_static(b"i"), "a layout", at(10)).await.unwrap();
        let expected = [
            "push blob r - user:ci",
            "quarantine blob - - -",
            "repair blob - - -",
            "push object r - user:ci",
            "quarantine object r - -",
            "repair object r - -",
        ];
        assert_eq!(told(m).await, expected);
        let whys: Vec<_> = trail(m).await.into_iter().filter_map(|it| it.why).collect();
        let found =
            ["it rotted", "sound bytes were found in a copy", "it rotted too", "sound bytes were found in a layout"];
        assert_eq!(whys, found);
    })
    .await;
}

#[tokio::test]
async fn a_push_that_heals_is_noted_as_a_repair_by_its_pusher() {
    each(async |m| {
        store_blob(m, "a").await;
        m.quarantine_content(&digest("a"), "key/a", "why", at(7)).await.unwrap();
        m.commit_blob(CommitBlob { key: "key/again".to_owned(), who: who("other"), ..blob("a") }).await.unwrap();
        let lost = CommitBlob { key: "key/third".to_owned(), lost: Some("key/again".to_owned()), ..blob("a") };
        m.commit_blob(lost).await.unwrap();
        store(m, object("i")).await;
        m.quarantine_manifest(&repo("r"), &digest("i"), b"i", "why", at(9)).await.unwrap();
        m.put_manifest(object("i")).await.unwrap();
        let told = told(m).await;
        assert_eq!(told[2..4], ["repair blob r - user:other", "repair blob r - user:ci"]);
        assert_eq!(told[6..], ["repair object r - user:ci"]);
    })
    .await;
}

#[tokio::test]
async fn entries_are_read_on_from_a_number() {
    each(async |m| {
        for name in ["a", "b", "c"] {
            store_blob(m, name).await;
        }
        let page = m.audit(Trail::Changes, 1, 1).await.unwrap();
        assert_eq!(page.iter().map(|it| (it.id, it.digest)).collect::<Vec<_>>(), [(2, Some(digest("b")))]);
        assert!(m.audit(Trail::Changes, 3, 10).await.unwrap().is_empty());
        assert!(m.audit(Trail::Changes, u64::MAX, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_oldest_entries_go_where_there_are_more_than_are_kept() {
    each(async |m| {
        for name in ["a", "b", "c", "d"] {
            store_blob(m, name).await;
        }
        let numbers = async || trail(m).await.iter().map(|it| it.id).collect::<Vec<_>>();
        assert!(m.prune_audit(2, 1).await.unwrap());
        assert_eq!(numbers().await, [2, 3, 4]);
        assert!(!m.prune_audit(2, 10).await.unwrap());
        assert_eq!(numbers().await, [3, 4]);
        // The newest stays, so that no number is used twice.
        m.prune_audit(0, 10).await.unwrap();
        store_blob(m, "e").await;
        assert_eq!(numbers().await, [4, 5]);
    })
    .await;
}

fn refusal(why: &str) -> Refusal {
    Refusal {
        at: at(3),
        event: Event::PullRefused,
        who: who("deploy"),
        repository: repo("r"),
        digest: Some(digest("i")),
        tag: Some(tag("v1")),
        why: why.to_owned(),
        times: 5,
    }
}

#[tokio::test]
async fn refusals_are_a_trail_of_their_own() {
    each(async |m| {
        m.note_refusals(vec![refusal("unsigned")], 10).await.unwrap();
        assert!(trail(m).await.is_empty());
        let noted = m.audit(Trail::Refusals, 0, 10).await.unwrap();
        let expected = Audited {
            id: 1,
            at: at(3),
            event: Event::PullRefused,
            what: None,
            who: Some("user:deploy".to_owned()),
            repository: Some(repo("r")),
            digest: Some(digest("i")),
            tag: Some(tag("v1")),
            subject: None,
            why: Some("unsigned".to_owned()),
            times: Some(5),
        };
        assert_eq!(noted, [expected]);
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_refusals_are_kept_and_no_change_goes_for_them() {
    each(async |m| {
        store_blob(m, "a").await;
        for number in 0..4 {
            m.note_refusals(vec![refusal(&format!("{number} a")), refusal(&format!("{number} b"))], 3).await.unwrap();
        }
        let whys: Vec<_> = m.audit(Trail::Refusals, 0, 10).await.unwrap().into_iter().filter_map(|it| it.why).collect();
        assert_eq!(whys, ["2 b", "3 a", "3 b"]);
        assert_eq!(trail(m).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn refusals_of_whoever_has_the_most_go_first() {
    each(async |m| {
        let of = |name: &str, why: &str| Refusal { who: who(name), ..refusal(why) };
        m.note_refusals(vec![of("few", "1"), of("other", "1")], 6).await.unwrap();
        for number in 0..50 {
            m.note_refusals(vec![of("many", &format!("{number} a")), of("many", &format!("{number} b"))], 6)
                .await
                .unwrap();
        }
        m.note_refusals(vec![of("few", "2"), of("other", "2"), of("other", "3")], 6).await.unwrap();
        let kept = m.audit(Trail::Refusals, 0, 10).await.unwrap();
        let told: Vec<_> = kept.iter().map(|it| (it.who.as_deref().unwrap(), it.why.as_deref().unwrap())).collect();
        let [few, many, other] = ["user:few", "user:many", "user:other"];
        assert_eq!(told, [(few, "1"), (many, "49 a"), (many, "49 b"), (few, "2"), (other, "2"), (other, "3")]);
        let newest = kept.last().unwrap().id;
        m.note_refusals(vec![of("many", "last")], 0).await.unwrap();
        m.note_refusals(vec![of("few", "later")], 6).await.unwrap();
        let later = m.audit(Trail::Refusals, 0, 10).await.unwrap();
        // The newest stays, so that no number is used twice.
        assert_eq!(later.iter().map(|it| it.id).collect::<Vec<_>>(), [newest + 1, newest + 2]);
    })
    .await;
}
