//! Explanations: that they agree with the gate, and who is told what.

use super::{House, POLICY, REQUIREMENTS, index, repository, tag, who};
use crate::authz::PullTerms;
use crate::config::Limits;
use crate::gate::{Action, Explanation, Mode, Who};
use crate::oci::{Digest, Reference, media_type};
use crate::registry::{Account, Error, Withheld};

/// The table of the other tests, with an administrator.
const ADMIN: &str = "p, user:root, _registry, admin, unverified, allow\n";

async fn house() -> House {
    House::with(&format!("{POLICY}{ADMIN}"), REQUIREMENTS, Limits::default()).await
}

/// What `asking` is told about `about`.
async fn ask(
    house: &House,
    asking: &str,
    about: Option<&str>,
    action: Action,
    reference: Option<&Reference>,
) -> Result<Account, Error> {
    let about = about.map(who);
    let insight = house.registry.allow_explain(&who(asking), about.as_ref(), &repository())?;
    house.registry.explain(&insight, action, reference).await
}

async fn own_pull(house: &House, name: &str, reference: &Reference) -> Account {
    ask(house, name, None, Action::Pull, Some(reference)).await.unwrap()
}

fn withheld<T: std::fmt::Debug>(result: Result<T, Error>) -> Withheld {
    match result {
        Err(Error::Withheld(withheld)) => *withheld,
        other => panic!("expected to be withheld, found {other:?}"),
    }
}

/// Asks gate and explanation the same, and checks that they say the same.
async fn agrees(house: &House, name: &str, reference: &Reference) -> Account {
    let told = own_pull(house, name, reference).await;
    match house.pull(name, reference).await {
        Ok(digest) => {
            assert_eq!((told.allowed, told.digest), (Some(true), Some(digest)), "{name} {reference}: {told:?}");
            let terms = house.pulls(name).unwrap().access().terms().clone();
            if let PullTerms::Conditional { mode: Mode::Enforce, .. } = terms {
                assert!(told.requirements.iter().any(|one| one.met), "{told:?}");
            }
        }
        Err(Error::Withheld(withheld)) => {
            assert_eq!((told.allowed, &told.reason), (Some(false), &withheld.reason));
            let words = withheld.requirements.into_iter();
            let words: Vec<_> = words.map(|unmet| Explanation::of_refusal(unmet, Mode::Enforce)).collect();
            assert_eq!(told.requirements, words);
        }
        Err(error) => assert_eq!((told.allowed, told.reason.clone()), (Some(false), error.to_string())),
    }
    told
}

#[tokio::test]
async fn it_agrees_with_the_gate_before_and_after_a_signature() {
    let house = house().await;
    let digest = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let told = agrees(&house, "deploy", &tag("v1")).await;
    let hint = told.requirements[0].hint.clone().unwrap();
    assert!(hint.starts_with(&format!("a signature of {digest} by release (key ")), "{hint}");
    assert_eq!(agrees(&house, "ci", &tag("v1")).await.requirements, []);
    house.sign("signer", &house.keys.stranger.clone(), digest).await.unwrap();
    assert_eq!(agrees(&house, "deploy", &Reference::Digest(digest)).await.requirements[0].evidence.len(), 1);
    house.sign_release(digest).await;
    let told = agrees(&house, "deploy", &tag("v1")).await;
    assert_eq!((told.requirements[0].through, told.requirements[0].hint.as_ref()), (digest, None));
}

#[tokio::test]
async fn it_agrees_with_the_gate_about_what_met_and_lost_it() {
    let house = house().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    house.sign_second(second).await;
    house.distrust_second().await;
    let told = agrees(&house, "deploy", &tag("v1")).await;
    assert!(told.reason.contains("no longer does"), "{}", told.reason);
    assert_eq!(told.digest, Some(second));
    agrees(&house, "deploy", &Reference::Digest(first)).await;
}

#[tokio::test]
async fn it_says_why_newer_pushes_are_skipped_and_names_them_to_administrators_only() {
    let house = house().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    let second = house.push_image("ci", "two", Some("v1")).await.unwrap();
    let told = agrees(&house, "deploy", &tag("v1")).await;
    assert_eq!(told.digest, Some(first));
    assert_eq!((told.passed.len(), told.passed[0].digest, told.passed[0].at), (1, None, None));
    assert!(told.passed[0].reason.contains("no signature was found"), "{told:?}");
    let full = ask(&house, "root", Some("deploy"), Action::Pull, Some(&tag("v1"))).await.unwrap();
    assert_eq!((full.digest, full.passed[0].digest), (Some(first), Some(second)));
    assert!(!serde_json::to_string(&told).unwrap().contains(&second.to_string()));
}

#[tokio::test]
async fn it_agrees_with_the_gate_about_an_index_and_its_children() {
    let house = house().await;
    let child = house.push_image("ci", "one", None).await.unwrap();
    let digest = house.put("ci", &tag("v1"), media_type::OCI_INDEX, &index(&[child])).await.unwrap().digest;
    house.sign_release(child).await;
    let told = agrees(&house, "deploy", &tag("v1")).await;
    let hint = told.requirements[0].hint.clone().unwrap();
    assert!(hint.starts_with("sign the index: 1 of its manifests") && hint.contains("; a signature of "), "{hint}");
    let other = house.push_image("ci", "two", None).await.unwrap();
    let both = house.put("ci", &tag("v2"), media_type::OCI_INDEX, &index(&[child, other])).await.unwrap().digest;
    house.sign_release(both).await;
    let told = agrees(&house, "deploy", &Reference::Digest(other)).await;
    assert_eq!((told.requirements[0].met, told.requirements[0].through), (true, both));
    assert_ne!(digest, both);
}

#[tokio::test]
async fn what_is_not_enforced_is_served_and_told() {
    for (word, mode) in [("warn", Mode::Warn), ("audit", Mode::Audit)] {
        let requirements = format!("[signed-release]\nsigned_by = \"release\"\nmode = \"{word}\"\n");
        let house = House::with(POLICY, &requirements, Limits::default()).await;
        house.push_image("ci", "one", Some("v1")).await.unwrap();
        let told = agrees(&house, "deploy", &tag("v1")).await;
        assert!(told.reason.contains("no signature was found; served all the same"), "{}", told.reason);
        assert_eq!((told.requirements[0].met, told.requirements[0].mode), (false, mode));
        assert_eq!((told.grants[0].mode, told.grants[0].decides), (Some(mode), true));
        let push = ask(&house, "tagger", None, Action::Push, Some(&tag("v1"))).await.unwrap();
        assert_eq!((push.allowed, push.grants[0].decides), (Some(false), false));
        assert!(push.reason.starts_with("expected an enforced requirement to judge the tag by"), "{}", push.reason);
    }
}

#[tokio::test]
async fn what_is_not_enforced_does_not_decide_beside_what_is() {
    let policy = format!("{POLICY}p, role:cluster, prod/**, pull, lax, allow\n");
    let requirements = format!("{REQUIREMENTS}[lax]\nsigned_by = \"release\"\nmode = \"audit\"\n");
    let house = House::with(&policy, &requirements, Limits::default()).await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let told = agrees(&house, "deploy", &tag("v1")).await;
    let grants: Vec<_> = told.grants.iter().map(|grant| (grant.requirement.as_str(), grant.decides)).collect();
    assert_eq!(grants, [("lax", false), ("signed-release", true)]);
}

#[tokio::test]
async fn what_is_unknown_is_told_as_the_gate_tells_it() {
    let house = house().await;
    let absent = Reference::Digest(Digest::sha256(b"absent"));
    assert_eq!(agrees(&house, "deploy", &tag("v1")).await.reason, "repository name not known to registry");
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    for reference in [tag("v2"), absent] {
        let told = agrees(&house, "deploy", &reference).await;
        assert_eq!(told.reason, format!("manifest {reference} is unknown"));
    }
}

#[tokio::test]
async fn whoever_only_signs_is_told_what_sign_reads() {
    let house = house().await;
    let digest = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let told = agrees(&house, "signer", &tag("v1")).await;
    assert_eq!((told.digest, told.grants.len()), (Some(digest), 0));
    let sign = ask(&house, "signer", None, Action::Sign, None).await.unwrap();
    assert_eq!((sign.allowed, sign.grants[0].decides), (Some(true), true));
    let push = ask(&house, "signer", None, Action::Push, Some(&tag("v1"))).await.unwrap();
    assert_eq!(push.allowed, Some(false));
    assert!(push.reason.starts_with("expected the right to push to set a tag; found `sign`"), "{}", push.reason);
}

#[tokio::test]
async fn evidence_is_told_with_the_subject_that_is_judged() {
    let house = house().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let stored = house.sign("signer", &house.keys.stranger.clone(), image).await.unwrap();
    let reference = Reference::Digest(stored.digest);
    let told = agrees(&house, "deploy", &reference).await;
    assert_eq!((told.digest, told.judged_as), (Some(stored.digest), Some(image)));
    house.sign_release(image).await;
    let told = agrees(&house, "deploy", &reference).await;
    assert_eq!((told.digest, told.judged_as), (Some(stored.digest), Some(image)));
}

#[tokio::test]
async fn a_blob_is_told_as_the_gate_shows_it_and_withheld_ones_as_absent() {
    let house = house().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let layer = Digest::sha256(b"one");
    let unknown = own_pull(&house, "deploy", &Reference::Digest(Digest::sha256(b"absent"))).await;
    let told = own_pull(&house, "deploy", &Reference::Digest(layer)).await;
    let likewise = told.reason.replace(&layer.to_string(), &Digest::sha256(b"absent").to_string());
    assert_eq!((likewise, told.digest, told.allowed), (unknown.reason, None, Some(false)));
    let full = ask(&house, "root", Some("deploy"), Action::Pull, Some(&Reference::Digest(layer))).await.unwrap();
    assert!(full.reason.contains("no manifest that holds it is admitted"), "{}", full.reason);
    assert_eq!(full.allowed, Some(false));
    house.sign_release(image).await;
    let told = own_pull(&house, "deploy", &Reference::Digest(layer)).await;
    assert_eq!((told.allowed, told.digest), (Some(true), Some(layer)));
}

#[tokio::test]
async fn a_push_is_judged_on_what_is_stored_in_the_words_of_its_refusal() {
    let house = house().await;
    let digest = house.push_image("tagger", "one", None).await.unwrap();
    let refusal = withheld(house.push_image("tagger", "one", Some("v1")).await);
    let by_digest = Reference::Digest(digest);
    let told = ask(&house, "tagger", None, Action::Push, Some(&by_digest)).await.unwrap();
    assert_eq!((told.allowed, &told.reason), (Some(false), &refusal.reason));
    let words = refusal.requirements.into_iter();
    assert_eq!(told.requirements, words.map(|one| Explanation::of_refusal(one, Mode::Enforce)).collect::<Vec<_>>());
    let nothing_yet = ask(&house, "tagger", None, Action::Push, Some(&tag("v1"))).await.unwrap();
    assert_eq!((nothing_yet.allowed, nothing_yet.digest), (None, None));
    house.sign_release(digest).await;
    let told = ask(&house, "tagger", None, Action::Push, Some(&by_digest)).await.unwrap();
    assert_eq!((told.allowed, told.requirements[0].met), (Some(true), true));
    assert_eq!(house.push_image("tagger", "one", Some("v1")).await.unwrap(), digest);
    let told = ask(&house, "tagger", None, Action::Push, Some(&tag("v1"))).await.unwrap();
    assert_eq!((told.allowed, told.digest), (Some(true), Some(digest)));
}

#[tokio::test]
async fn a_deny_line_wins_and_administrators_see_it_with_the_role_through_which_it_came() {
    let policy = format!(
        "{POLICY}{ADMIN}p, role:cluster, prod/**, pull, *, deny\np, user:deploy, prod/**, delete, unverified, allow\n"
    );
    let house = House::with(&policy, REQUIREMENTS, Limits::default()).await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let own = own_pull(&house, "deploy", &tag("v1")).await;
    assert_eq!((own.allowed, own.grants.len(), &own.lines, own.digest), (Some(false), 0, &None, None));
    assert!(matches!(house.pulls("deploy").map(drop), Err(error) if error.to_string() == own.reason));
    let full = ask(&house, "root", Some("deploy"), Action::Pull, Some(&tag("v1"))).await.unwrap();
    let lines = full.lines.unwrap();
    let told: Vec<_> = lines.iter().map(|line| (line.place.as_str(), line.denies)).collect();
    assert_eq!(told, [("policies/policy.csv:5", false), ("policies/policy.csv:14", true)]);
    assert_eq!(lines[1].text, "p, role:cluster, prod/**, pull, *, deny");
    assert_eq!(lines[1].through, ["policies/policy.csv:11: g, user:deploy, role:cluster"]);
}

#[tokio::test]
async fn actions_that_are_never_judged_are_granted_or_not() {
    let house = house().await;
    for (name, action, allowed) in [
        ("ci", Action::Delete, true),
        ("ci", Action::Admin, false),
        ("ci", Action::Promote, false),
        ("deploy", Action::Delete, false),
        ("deploy", Action::Sign, false),
        ("root", Action::Admin, true),
    ] {
        let told = ask(&house, name, None, action, None).await.unwrap();
        assert_eq!(told.allowed, Some(allowed), "{name} {action}: {}", told.reason);
        assert_eq!(told.grants.is_empty(), !allowed, "{name} {action}");
    }
}

#[tokio::test]
async fn without_a_grant_an_explanation_does_not_exist() {
    let house = house().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let own = |name: &Who| house.registry.allow_explain(name, None, &repository()).map(drop);
    assert!(matches!(own(&who("nobody")), Err(Error::NameUnknown)));
    assert!(matches!(own(&Who::Anonymous), Err(Error::Unauthorized)));
    assert!(own(&who("deploy")).is_ok());
}

#[tokio::test]
async fn other_people_are_explained_to_administrators_only() {
    let house = house().await;
    let ask = |asking: &Who, about: &Who| house.registry.allow_explain(asking, Some(about), &repository()).map(drop);
    assert!(matches!(ask(&who("ci"), &who("deploy")), Err(Error::NameUnknown)));
    assert!(matches!(ask(&who("ci"), &who("nobody")), Err(Error::NameUnknown)));
    assert!(matches!(ask(&Who::Anonymous, &who("deploy")), Err(Error::Unauthorized)));
    assert!(ask(&who("ci"), &who("ci")).is_ok());
    assert!(ask(&who("root"), &who("deploy")).is_ok());
}

#[tokio::test]
async fn someone_unknown_to_the_policy_is_explained_to_an_administrator() {
    let house = house().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    let told = ask(&house, "root", Some("nobody"), Action::Pull, Some(&tag("v1"))).await.unwrap();
    assert_eq!((told.allowed, told.grants.len(), told.digest), (Some(false), 0, None));
    assert_eq!(told.reason, "repository name not known to registry");
    assert_eq!(told.lines, Some(Vec::new()));
}

#[tokio::test]
async fn an_explanation_writes_nothing() {
    let house = house().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(image).await;
    let unheld = Reference::Digest(house.upload("ci", b"held by nothing").await.unwrap());
    house.clock.advance(Limits::default().blob_lease.mul_f32(0.75));
    let beside = rusqlite::Connection::open(house.folder.path().join("_metadata.sqlite")).unwrap();
    let version = || beside.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    for name in ["deploy", "ci", "signer", "tagger"] {
        for (action, reference) in
            Action::ALL.into_iter().flat_map(|action| [(action, tag("v1")), (action, unheld.clone())])
        {
            ask(&house, "root", Some(name), action, Some(&reference)).await.unwrap();
        }
    }
    assert_eq!(version(), before);
    house.pull_blob("ci", Digest::sha256(b"held by nothing")).await.unwrap();
    assert_ne!(version(), before, "a pull extends the lease");
}

#[tokio::test]
async fn what_cannot_be_told_is_an_error_and_never_no() {
    let house = house().await;
    house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.metadata.fail(true);
    let told = ask(&house, "deploy", None, Action::Pull, Some(&tag("v1"))).await;
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
}
