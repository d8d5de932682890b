//! The README's first screen: `hallmark init`, an unsigned pull refused with its reason, and admitted after `cosign sign`.

use crate::harness::{Key, Registry, passwords};

#[test]
#[ignore = "needs the clients: run ./test"]
fn what_init_writes_tells_the_story_of_the_first_screen() {
    // The newcomer makes a key, and says at once that it is the key of `release`.
    let registry = Registry::from_init(&Key::Release.public());
    registry.hallmark(&["check"]).succeeded();
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);

    let digest = ci.crane_push("prod/app:v1", "a release");
    deploy.crane_pull("prod/app:v1").fails_saying(&["DENIED", "no signature was found"]);

    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();

    deploy.crane_pull("prod/app:v1").succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
}

#[test]
fn init_prints_each_password_once_and_stores_none() {
    let folder = tempfile::tempdir().unwrap();
    let made = Registry::runs_init(folder.path(), None).succeeded();
    let users = passwords(&made);
    let names: Vec<_> = users.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ci", "signer", "deploy"], "{made}");
    for (name, password) in &users {
        assert!(password.len() >= 20, "expected a long password for {name}, found {password}");
        assert!(!Registry::mentions(folder.path(), password), "expected {name}'s password to be nowhere in the files");
    }
}

#[test]
fn init_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policies/policy.csv");
    std::fs::create_dir_all(policy.parent().unwrap()).unwrap();
    std::fs::write(&policy, "p, anonymous, mine/**, pull, unverified, allow\n").unwrap();

    let ran = Registry::runs_init(folder.path(), None);

    assert_ne!(ran.code(), 0, "{ran}");
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), "p, anonymous, mine/**, pull, unverified, allow\n");
}
