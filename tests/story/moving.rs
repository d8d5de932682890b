//! Moving in and out: layouts of other tools come in, ours go out, a backup comes back.

use crate::harness::{HOSTNAME, Image, Key, Person, Registry, Run, Setup, digest_of};

/// A layout that skopeo writes of an image in `registry`.
fn skopeo_layout(person: &Person<'_>, registry: &Registry, reference: &str, name: &str) -> String {
    let source = format!("docker://{}", registry.reference(reference));
    let to = format!("oci:{}:{name}", person.home().join("layout").display());
    person
        .run("skopeo")
        .args(["--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false", &source, &to])
        .succeeds();
    person.home().join("layout").display().to_string()
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_layout_of_skopeo_is_imported_and_pulled_by_crane() {
    let other = Registry::start(&Setup::open());
    let digest = other.anonymous().pushes_tagged("open/app", "v1", &Image::of("from elsewhere"));
    let anonymous = other.anonymous();
    let layout = skopeo_layout(&anonymous, &other, "open/app:v1", "v7");

    let mut registry = Registry::start(&Setup::open());
    assert!(registry.stops().success());
    let ran = registry.hallmark(&["import", &layout, "--into", "open/moved"]);
    assert!(ran.succeeded().contains("imported 1 manifests, 1 tags and 2 blobs into 1 repositories"), "{ran}");
    registry.starts_again();

    let person = registry.anonymous();
    assert_eq!(person.resolves("open/moved", "v7"), digest);
    person.crane_pull("open/moved:v7").succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_layout_of_umoci_is_imported_and_pulled_by_skopeo() {
    let mut registry = Registry::start(&Setup::open());
    let person = registry.anonymous();
    let file = person.archive("a file").display().to_string();
    let umoci = |args: &[&str]| person.run("umoci").args(args).succeeds();
    umoci(&["init", "--layout", "layout"]);
    umoci(&["new", "--image", "layout:v3"]);
    umoci(&["insert", "--rootless", "--image", "layout:v3", &file, "/file"]);
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(person.home().join("layout/index.json")).unwrap()).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let layout = person.home().join("layout").display().to_string();

    assert!(registry.stops().success());
    let ran = registry.hallmark(&["import", &layout, "--into", "open/built"]);
    assert!(ran.succeeded().contains("imported 1 manifests, 1 tags and 2 blobs into 1 repositories"), "{ran}");
    registry.starts_again();

    let person = registry.anonymous();
    assert_eq!(person.resolves("open/built", "v3"), digest);
    let source = format!("docker://{}", registry.reference("open/built:v3"));
    person
        .run("skopeo")
        .args(["--insecure-policy", "copy", "--src-tls-verify=false", &source, "dir:pulled"])
        .succeeds();
    assert_eq!(digest_of(&std::fs::read(person.home().join("pulled/manifest.json")).unwrap()), digest);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn what_is_exported_is_read_by_skopeo_and_judged_as_here() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    signer.cosign2_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    let unsigned = ci.pushes_tagged("prod/app", "v2", &Image::of("unsigned"));

    let out = |name: &str| registry.file(name).display().to_string();
    registry.hallmark(&["export", "prod/app:v1", &out("signed")]).succeeded();
    registry.hallmark(&["export", &format!("prod/app@{unsigned}"), &out("unsigned")]).succeeded();

    let source = format!("oci:{}:v1", out("signed"));
    ci.run("skopeo").args(["--insecure-policy", "copy", &source, "dir:copied"]).succeeds();
    let copied = std::fs::read(ci.home().join("copied/manifest.json")).unwrap();
    assert_eq!(digest_of(&copied), digest);

    let judged = |reference: &str, layout: &str| {
        let reference = format!("{HOSTNAME}/{reference}");
        registry.hallmark(&["verify", &reference, "--requirement", "signed-release", "--layout", &out(layout)])
    };
    assert_eq!(judged("prod/app:v1", "signed").code(), 0);
    assert_eq!(judged(&format!("prod/app@{unsigned}"), "unsigned").code(), 1);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn what_was_rebuilt_is_served_and_judged_as_before() {
    let mut registry = Registry::start(&Setup::release());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let signed = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign_sign(Key::Release, &format!("prod/app@{signed}")).succeeds();
    ci.pushes_tagged("prod/app", "v2", &Image::of("unsigned"));
    assert!(registry.stops().success());
    std::fs::remove_file(registry.file("data/_metadata.sqlite")).unwrap();
    registry.hallmark(&["rebuild"]).succeeded();
    registry.starts_again();

    let deploy = registry.person("deploy");
    deploy.crane_pull("prod/app:v1").succeeds();
    deploy.crane_pull("prod/app:v2").fails_saying(&["no signature was found"]);
    registry.person("signer").cosign_verify("cosign3", Key::Release, &format!("prod/app@{signed}")).succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_backup_that_is_copied_back_is_served() {
    let mut registry = Registry::start(&Setup::release());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let signed = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign_sign(Key::Release, &format!("prod/app@{signed}")).succeeds();
    registry.hallmark(&["backup", "backup"]).succeeded();
    ci.pushes_tagged("prod/app", "v2", &Image::of("after the backup"));
    assert!(registry.stops().success());

    std::fs::rename(registry.file("data"), registry.file("lost")).unwrap();
    let home = registry.file("");
    Run::new("cp", &home).args(["-a", "backup", "data"]).succeeds();
    registry.starts_again();

    let deploy = registry.person("deploy");
    deploy.crane_pull("prod/app:v1").succeeds();
    registry.person("ci").manifest("prod/app", "v2").is(404);
}
