//! The release story. `ci` builds and pushes, `signer` signs, `deploy` runs what was signed, and nothing else.
//!
//! ```csv
//! p, role:ci,      prod/**, push,   unverified,     allow
//! p, role:ci,      prod/**, pull,   unverified,     allow
//! p, role:signer,  prod/**, sign,   unverified,     allow
//! p, role:cluster, prod/**, pull,   signed-release, allow
//! ```

use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Image, Key, Person, Registry, Setup};

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_image_is_refused_until_it_is_signed() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);

    // ci pushes. To ci the image is there at once; to deploy it is not fit to run, and the answer says why.
    let digest = ci.crane_push("prod/app:v1", "the first release");
    assert_eq!(ci.resolves("prod/app", "v1"), digest);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["signed-release", "no signature was found"]);
    deploy.manifest("prod/app", &digest).refuses(403, "DENIED", &["signed-release", "no signature was found"]);
    deploy.crane_pull("prod/app:v1").fails_saying(&["DENIED", "no signature was found"]);

    // The blobs of a withheld image do not exist for deploy.
    let layer = ci.manifest("prod/app", "v1").json()["layers"][0]["digest"].as_str().unwrap().to_owned();
    deploy.blob("prod/app", &layer).refuses(404, "BLOB_UNKNOWN", &[]);

    // signer may sign, and may not push.
    signer.crane_append("prod/app:v2", "not from ci").fails_saying(&["DENIED"]);
    ci.manifest("prod/app", "v2").refuses(404, "MANIFEST_UNKNOWN", &[]);
    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();

    // Now deploy pulls, and gets the digest that was signed. cosign agrees.
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    deploy.crane_pull("prod/app:v1").succeeds();
    deploy.blob("prod/app", &layer).is(200);
    let verified = deploy.cosign_verify("cosign3", Key::Release, "prod/app:v1").succeeds();
    assert!(verified.contains(&digest), "expected cosign to verify {digest}, found {verified}");
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn the_older_shape_of_signature_counts_as_well() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);

    let digest = ci.crane_push("prod/app:v1", "the first release");
    deploy.crane_pull("prod/app:v1").fails_saying(&["DENIED", "no signature was found"]);

    signer.cosign2_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();

    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    let signature = format!("{}.sig", digest.replace(':', "-"));
    deploy.manifest("prod/app", &signature).is(200);
    for cosign in ["cosign2", "cosign3"] {
        let verified = deploy.cosign_verify(cosign, Key::Release, "prod/app:v1").succeeds();
        assert!(verified.contains(&digest), "expected {cosign} to verify {digest}, found {verified}");
    }
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_tag_never_shows_deploy_an_unsigned_digest_and_never_fails_in_between() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let first = ci.crane_push("prod/app:v1", "the first release");
    signer.cosign_sign(Key::Release, &format!("prod/app@{first}")).succeeds();

    let over = AtomicBool::new(false);
    let (seen_by_ci, seen_by_deploy) = std::thread::scope(|scope| {
        // Both ask for the tag all the time; neither may ever be refused.
        let ci_asks = scope.spawn(|| asks_until(&over, &ci));
        let deploy_asks = scope.spawn(|| asks_until(&over, &deploy));

        // A second push: deploy still gets the first digest, ci gets the second.
        let second = ci.crane_push("prod/app:v1", "the second release");
        assert_eq!(deploy.resolves("prod/app", "v1"), first);
        assert_eq!(ci.resolves("prod/app", "v1"), second);
        deploy.manifest("prod/app", &second).refuses(403, "DENIED", &["no signature was found"]);

        // Signed: deploy gets the second.
        signer.cosign_sign(Key::Next, &format!("prod/app@{second}")).succeeds();
        assert_eq!(deploy.resolves("prod/app", "v1"), second);
        over.store(true, Ordering::Relaxed);
        (ci_asks.join().unwrap(), deploy_asks.join().unwrap())
    });
    let second = ci.resolves("prod/app", "v1");
    assert_eq!(seen_by_ci, [first.clone(), second.clone()]);
    assert_eq!(seen_by_deploy, [first, second]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_push_whose_key_is_taken_away_is_refused_and_nobody_is_taken_back() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let first = ci.crane_push("prod/app:v1", "the first release");
    signer.cosign_sign(Key::Release, &format!("prod/app@{first}")).succeeds();
    let second = ci.crane_push("prod/app:v1", "the second release");
    signer.cosign_sign(Key::Next, &format!("prod/app@{second}")).succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), second);

    // The key of `next` is lost: nobody trusts it any more.
    without_next(&registry);

    // The second push met its requirement once and does no longer: refused, not skipped.
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["signed-release", &second]);
    deploy.manifest("prod/app", &second).refuses(403, "DENIED", &["signed-release"]);
    deploy.crane_pull("prod/app:v1").fails_saying(&["DENIED"]);
    // The first is as good as ever, to whoever asks for it by name.
    deploy.manifest("prod/app", &first).is(200);
    // Signing again with a key that counts heals it; no job has to run.
    signer.cosign_sign(Key::Release, &format!("prod/app@{second}")).succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), second);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn what_is_not_granted_is_as_if_it_did_not_exist() {
    let mut setup = Setup::release();
    setup.policy.push_str("p, role:ci, secret/**, push, unverified, allow\n");
    let registry = Registry::start(&setup);
    let [ci, deploy] = registry.people(["ci", "deploy"]);
    let image = Image::of("a secret");
    let digest = ci.pushes_tagged("secret/app", "v1", &image);

    for (path, kind) in [("manifests/v1", "tag"), (&format!("manifests/{digest}"), "digest"), ("tags/list", "list")] {
        let there = deploy.get(&format!("/v2/secret/app/{path}")).refuses(404, "NAME_UNKNOWN", &[]);
        let never = deploy.get(&format!("/v2/never/there/{path}")).refuses(404, "NAME_UNKNOWN", &[]);
        assert_eq!(there.text(), never.text(), "{kind}");
    }
    deploy.blob("secret/app", &image.layer()).refuses(404, "NAME_UNKNOWN", &[]);
    let catalog = deploy.get("/v2/_catalog").is(200).text();
    assert!(!catalog.contains("secret"), "expected it not to be listed, found {catalog}");
    registry.anonymous().manifest("secret/app", "v1").refuses(401, "UNAUTHORIZED", &[]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn two_of_two_needs_both_keys() {
    let mut setup = Setup::release();
    setup.requirements = "\
[signed-release]
threshold = 2
of = [{ signed_by = \"release\" }, { signed_by = \"next\" }]
"
    .to_owned();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.crane_push("prod/app:v1", "the first release");
    let reference = format!("prod/app@{digest}");

    // One key, however often and in whatever shape, is one signer.
    signer.cosign_sign(Key::Release, &reference).succeeds();
    signer.cosign_sign(Key::Release, &reference).succeeds();
    signer.cosign2_sign(Key::Release, &reference).succeeds();
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["signed-release"]);

    signer.cosign2_sign(Key::Next, &reference).succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
}

/// The digests that `person` saw under the tag, in order, until it is over.
fn asks_until(over: &AtomicBool, person: &Person<'_>) -> Vec<String> {
    let mut seen = Vec::new();
    while !over.load(Ordering::Relaxed) {
        seen.push(person.resolves("prod/app", "v1"));
        seen.dedup();
    }
    seen
}

/// Takes the signer `next` out of the requirement and its key out of the trust store.
fn without_next(registry: &Registry) {
    registry.accepts(&[
        ("policies/requirements.toml", "[signed-release]\nany = [{ signed_by = \"release\" }]\n"),
        ("trust/signers.toml", "[release]\ncosign_key = \"cosign/release.pub\"\n"),
    ]);
}
