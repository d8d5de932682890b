//! Clients that people have: they push and pull with credentials, and say something plain when they are refused.

use std::path::Path;

use crate::harness::{Image, Key, Person, Registry, Run, Setup};

#[test]
#[ignore = "needs the clients: run ./test"]
fn skopeo_pushes_pulls_and_is_refused_plainly() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy, anonymous] = everyone(&registry);
    let from = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    let copy = |person: &Person<'_>, from: &str, to: &str| {
        person.run("skopeo").args([
            "--insecure-policy",
            "copy",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            "--preserve-digests",
            from,
            to,
        ])
    };
    let docker = |reference: &str| format!("docker://{}", registry.reference(reference));

    // ci pulls to a folder and pushes from it.
    copy(&ci, &docker("prod/app:v1"), "oci:copy:v1").succeeds();
    copy(&ci, "oci:copy:v1", &docker("prod/copy:v1")).succeeds();
    assert_eq!(ci.resolves("prod/copy", "v1"), from);

    // deploy is refused, with the reason; so is somebody without credentials; signer may not push.
    copy(&deploy, &docker("prod/app:v1"), "oci:copy:v1").fails_saying(&["denied", "no signature was found"]);
    copy(&anonymous, &docker("prod/app:v1"), "oci:copy:v1").fails_saying(&["unauthorized", "credentials are required"]);
    copy(&ci, &docker("prod/app:v1"), "oci:again:v1").succeeds();
    copy(&deploy, &format!("oci:{}:v1", ci.home().join("again").display()), &docker("prod/app:v2"))
        .fails_saying(&["denied"]);

    signer.cosign_sign(Key::Release, &format!("prod/app@{from}")).succeeds();
    copy(&deploy, &docker("prod/app:v1"), "oci:deployed:v1").succeeds();
    let inspected = deploy.run("skopeo").args(["inspect", "--tls-verify=false", &docker("prod/app:v1")]).succeeds();
    assert!(inspected.contains(&from), "expected {from}, found {inspected}");
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn buildah_builds_pushes_pulls_and_is_refused_plainly() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy, anonymous] = everyone(&registry);

    // ci builds an image of one file, and pushes it.
    let archive = ci.archive("built by buildah");
    let container = buildah(&ci).args(["from", "scratch"]).succeeds();
    buildah(&ci).args(["add", &container]).args([archive]).succeeds();
    buildah(&ci).args(["commit", &container, "built"]).succeeds();
    let target = format!("docker://{}", registry.reference("prod/built:v1"));
    buildah(&ci).args(["push", "--tls-verify=false", "built", &target]).succeeds();
    let digest = ci.resolves("prod/built", "v1");

    let reference = registry.reference("prod/built:v1");
    let pull = |person: &Person<'_>| buildah(person).args(["pull", "--tls-verify=false", &reference]);
    pull(&deploy).fails_saying(&["denied", "no signature was found"]);
    pull(&anonymous).fails_saying(&["unauthorized", "credentials are required"]);
    signer.cosign_sign(Key::Release, &format!("prod/built@{digest}")).succeeds();
    pull(&deploy).succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_wrong_password_is_told_from_a_missing_right() {
    let registry = Registry::start(&Setup::release());
    let deploy = registry.person("deploy");
    let creds = "--creds=deploy:wrong";
    let docker = format!("docker://{}", registry.reference("prod/app:v1"));

    deploy
        .run("skopeo")
        .args(["inspect", "--tls-verify=false", creds, &docker])
        .fails_saying(&["unauthorized", "credentials are required"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn skopeo_logs_in_with_a_password_of_debians_htpasswd() {
    let registry = Registry::start(&Setup::release());
    let deploy = registry.person("deploy");
    let seen = registry.lines();
    deploy
        .run("htpasswd")
        .args(["-bB".as_ref(), registry.file("users.htpasswd").as_os_str(), "deploy".as_ref(), "changed".as_ref()])
        .succeeds();
    registry.signal(rustix::process::Signal::HUP);
    registry.logs(seen, &["\"event\":\"reload\"", "SIGHUP"]);

    let login = |password: &str| {
        let creds = ["--username", "deploy", "--password", password];
        deploy.run("skopeo").args(["login", "--tls-verify=false"]).args(creds).args([registry.address()])
    };
    login("changed").succeeds();
    login("wrong").fails_saying(&["invalid username/password"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn cosign_tree_lists_what_was_signed() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy, _] = everyone(&registry);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    let reference = format!("prod/app@{digest}");
    signer.cosign_sign(Key::Release, &reference).succeeds();
    signer.cosign2_sign(Key::Release, &reference).succeeds();

    for person in [&ci, &signer, &deploy] {
        let tree =
            person.run("cosign3").args(["tree", "--allow-http-registry", &registry.reference(&reference)]).succeeds();
        assert!(
            tree.contains(&format!("{}.sig", digest.replace(':', "-"))),
            "expected the older signature, found {tree}"
        );
        assert!(tree.contains("https://sigstore.dev/cosign/sign/v1"), "expected the bundle, found {tree}");
    }
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn cosign_copy_takes_the_signature_along_and_the_copy_is_admitted() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy, _] = everyone(&registry);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign2_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();

    let (from, to) = (registry.reference("prod/app:v1"), registry.reference("prod/copy:v1"));
    ci.run("cosign3").args(["copy", "--allow-http-registry", &from, &to]).succeeds();

    assert_eq!(deploy.resolves("prod/copy", "v1"), digest);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn cosign_clean_takes_the_signature_away_and_the_image_is_refused_again() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy, _] = everyone(&registry);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign2_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    deploy.manifest("prod/app", "v1").is(200);
    let clean = |person: &Person<'_>| {
        let reference = registry.reference("prod/app:v1");
        person.run("cosign3").args(["clean", "--allow-http-registry", "--force", "--type=signature", &reference])
    };

    // signer has no right to delete.
    drop(clean(&signer).run());
    deploy.manifest("prod/app", "v1").is(200);
    clean(&ci).succeeds();
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["no signature was found"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn oras_discovers_and_copies_an_image_with_its_signatures() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy, _] = everyone(&registry);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();

    for person in [&ci, &signer, &deploy] {
        let discovered =
            person.run("oras").args(["discover", "--plain-http", &registry.reference("prod/app:v1")]).succeeds();
        assert!(discovered.contains(crate::harness::BUNDLE), "expected the bundle, found {discovered}");
    }
    let (from, to) = (registry.reference("prod/app:v1"), registry.reference("prod/copy:v1"));
    ci.run("oras").args(["cp", "--recursive", "--from-plain-http", "--to-plain-http", &from, &to]).succeeds();

    assert_eq!(deploy.resolves("prod/copy", "v1"), digest);
    deploy.cosign_verify("cosign3", Key::Release, "prod/copy:v1").succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn oras_attaches_an_sbom_with_the_right_to_sign_alone() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy, _] = everyone(&registry);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    std::fs::write(signer.home().join("sbom.json"), "{\"spdxVersion\":\"SPDX-2.3\"}").unwrap();
    let reference = registry.reference(&format!("prod/app@{digest}"));

    signer
        .run("oras")
        .args(["attach", "--plain-http", "--artifact-type", "application/spdx+json", &reference])
        .args(["sbom.json:application/spdx+json"])
        .succeeds();

    let discovered = ci.run("oras").args(["discover", "--plain-http", &reference]).succeeds();
    assert!(discovered.contains("application/spdx+json"), "expected the SBOM, found {discovered}");
    // It is as visible as its subject, and it is no signature. oras asks with HEAD, whose answer has no body.
    deploy.run("oras").args(["discover", "--plain-http", &reference]).fails_saying(&["403"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn crane_lists_copies_and_deletes() {
    let registry = Registry::start(&Setup::release());
    let ci = registry.person("ci");
    let digest = ci.crane_push("prod/app:v1", "a release");
    let crane = |args: &[&str]| ci.run("crane").args(args).args(["--insecure"]);

    crane(&["copy", &registry.reference("prod/app:v1"), &registry.reference("prod/copy:v1")]).succeeds();
    assert_eq!(ci.resolves("prod/copy", "v1"), digest);
    assert_eq!(crane(&["ls", &registry.reference("prod/app")]).succeeds(), "v1");
    assert_eq!(crane(&["catalog", &registry.address()]).succeeds(), "prod/app\nprod/copy");
    crane(&["delete", &registry.reference("prod/app:v1")]).succeeds();
    ci.manifest("prod/app", "v1").refuses(404, "MANIFEST_UNKNOWN", &[]);
}

/// ci, signer, deploy, and somebody without credentials.
fn everyone(registry: &Registry) -> [Person<'_>; 4] {
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    [ci, signer, deploy, registry.anonymous()]
}

/// buildah, with storage in the person's home, as root or not.
fn buildah(person: &Person<'_>) -> Run {
    let storage = |name: &str| person.home().join(name);
    let flags = |root: &Path, run: &Path| {
        person.run("buildah").args(["--storage-driver=vfs"]).args([
            "--root".as_ref(),
            root.as_os_str(),
            "--runroot".as_ref(),
            run.as_os_str(),
        ])
    };
    flags(&storage("storage"), &storage("run")).env("BUILDAH_ISOLATION", "chroot")
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn crane_and_oras_send_an_image_again_whose_layer_is_quarantined_which_heals_it() {
    let registry = Registry::start(&Setup::release());
    let ci = registry.person("ci");
    let digest = ci.crane_push("prod/app:v1", "a release");
    let reference = registry.reference("prod/app:v1");
    ci.run("crane").args(["pull", "--insecure", "--format=oci", &reference, "kept"]).succeeds();
    let layer = ci.manifest("prod/app", "v1").is(200).json()["layers"][0]["digest"].as_str().unwrap().to_owned();
    let crane = || ci.run("crane").args(["push", "--insecure", "kept", &reference]);
    let oras = || {
        let kept = format!("kept@{digest}");
        ci.run("oras").args(["cp", "--from-oci-layout", "--to-plain-http", &kept, &reference])
    };
    let clients: [&dyn Fn() -> Run; 2] = [&crane, &oras];
    for push in clients {
        let sound = ci.blob("prod/app", &layer).is(200).bytes().to_vec();
        let hex = layer.strip_prefix("sha256:").unwrap();
        let shard = registry.file("data/_cas/sha256").join(hex.get(..2).unwrap());
        for entry in std::fs::read_dir(shard).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().unwrap() == hex {
                std::fs::File::options().write(true).open(path).unwrap().set_len(1).unwrap();
            }
        }
        ci.blob("prod/app", &layer).refuses(503, "UNAVAILABLE", &["quarantined"]);
        push().succeeds();
        assert_eq!(ci.blob("prod/app", &layer).is(200).bytes(), sound);
        assert_eq!(ci.resolves("prod/app", "v1"), digest);
    }
}
