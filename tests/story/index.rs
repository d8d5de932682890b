//! Indexes: signed once, they admit what they reach; signed children never admit their index.

use serde_json::{Value, json};

use crate::harness::{
    EMPTY, IMAGE, INDEX, Image, Index, Key, Person, Registry, Setup, descriptor, digest_of, manifest,
};

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_index_signed_once_admits_its_children_and_their_blobs() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let (amd64, arm64) = (Image::for_platform("amd64", "x"), Image::for_platform("arm64", "y"));
    let index = pushes_index(&ci, &[&amd64, &arm64]);
    let stranger = Image::for_platform("riscv64", "pushed alongside");
    ci.pushes_image("prod/app", &stranger);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["no signature was found"]);
    deploy.manifest("prod/app", &amd64.digest()).refuses(403, "DENIED", &["no signature was found"]);

    signer.cosign_sign(Key::Release, &format!("prod/app@{}", index.digest())).succeeds();

    assert_eq!(deploy.resolves("prod/app", "v1"), index.digest());
    for child in [&amd64, &arm64] {
        deploy.manifest("prod/app", &child.digest()).is(200);
        deploy.blob("prod/app", &child.layer()).is(200);
    }
    let crane = ["pull", "--insecure", "--platform", "linux/arm64", &registry.reference("prod/app:v1"), "arm64.tar"];
    deploy.run("crane").args(crane).succeeds();
    // What was pushed alongside is not reached.
    deploy.manifest("prod/app", &stranger.digest()).refuses(403, "DENIED", &["no signature was found"]);
    deploy.blob("prod/app", &stranger.layer()).refuses(404, "BLOB_UNKNOWN", &[]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn signed_children_do_not_admit_their_index() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let (amd64, arm64) = (Image::for_platform("amd64", "x"), Image::for_platform("arm64", "y"));
    let index = pushes_index(&ci, &[&amd64, &arm64]);

    for child in [&amd64, &arm64] {
        signer.cosign_sign(Key::Release, &format!("prod/app@{}", child.digest())).succeeds();
    }

    deploy.manifest("prod/app", &amd64.digest()).is(200);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["sign the index"]);
    deploy.manifest("prod/app", &index.digest()).refuses(403, "DENIED", &["sign the index"]);
    deploy.crane_manifest("prod/app:v1").fails_saying(&["sign the index"]);
    signer.cosign_sign(Key::Release, &format!("prod/app@{}", index.digest())).succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), index.digest());
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_index_as_buildkit_writes_it_is_signed_and_pulled_whole() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let image = Image::for_platform("amd64", "x");
    let provenance = attestation_of(&image);
    ci.pushes_image("prod/app", &image);
    ci.pushes_image("prod/app", &provenance);
    let unknown = json!({
        "platform": { "architecture": "unknown", "os": "unknown" },
        "annotations": {
            "vnd.docker.reference.digest": image.digest(),
            "vnd.docker.reference.type": "attestation-manifest",
        },
    });
    let index = Index::of(&[(&image, platform("amd64")), (&provenance, unknown)]);
    ci.put_manifest("prod/app", "v1", INDEX, index.bytes()).is(201);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["no signature was found"]);

    signer.cosign_sign(Key::Release, &format!("prod/app@{}", index.digest())).succeeds();

    assert_eq!(deploy.resolves("prod/app", "v1"), index.digest());
    for child in [&image, &provenance] {
        deploy.manifest("prod/app", &child.digest()).is(200);
        deploy.blob("prod/app", &child.layer()).is(200);
    }
    deploy.crane_pull("prod/app:v1").succeeds();
    // What BuildKit attaches is an object like its siblings: it is no evidence, so it does not lend the index anything.
    let alone = Index::of(&[(&provenance, json!({}))]);
    ci.put_manifest("prod/app", "alone", INDEX, alone.bytes()).is(201);
    deploy.manifest("prod/app", "alone").refuses(403, "DENIED", &["signed-release"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_subject_is_not_reached_by_what_refers_to_it() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let hidden = Image::of("not signed");
    ci.pushes_image("prod/app", &hidden);
    ci.pushes_blob("prod/app", EMPTY, b"{}");
    let layer = ci.pushes_blob("prod/app", "application/vnd.example.chart", b"a chart");
    let more = json!({ "artifactType": "application/vnd.example.chart", "subject": hidden.descriptor() });
    let referrer = manifest(&descriptor(EMPTY, b"{}"), &[layer], &more);
    ci.put_manifest("prod/app", &digest_of(&referrer), IMAGE, &referrer).is(201);

    signer.cosign_sign(Key::Release, &format!("prod/app@{}", digest_of(&referrer))).succeeds();

    deploy.manifest("prod/app", &digest_of(&referrer)).is(200);
    deploy.manifest("prod/app", &hidden.digest()).refuses(403, "DENIED", &["no signature was found"]);
}

/// Pushes the children and an index over them as `prod/app:v1`.
fn pushes_index(ci: &Person<'_>, children: &[&Image]) -> Index {
    let architectures = ["amd64", "arm64"];
    for child in children {
        ci.pushes_image("prod/app", child);
    }
    let entries: Vec<_> = children.iter().zip(architectures).map(|(child, name)| (*child, platform(name))).collect();
    let index = Index::of(&entries);
    ci.put_manifest("prod/app", "v1", INDEX, index.bytes()).is(201);
    index
}

fn platform(architecture: &str) -> Value {
    json!({ "platform": { "architecture": architecture, "os": "linux" } })
}

/// The manifest that `BuildKit` puts beside an image: in-toto statements, unsigned.
fn attestation_of(image: &Image) -> Image {
    let (_, hex) = image.digest().split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{ "name": "_", "digest": { "sha256": hex } }],
        "predicate": { "buildType": "https://mobyproject.org/buildkit@v1" },
    });
    let config = json!({ "architecture": "unknown", "os": "unknown", "config": {}, "rootfs": { "type": "layers", "diff_ids": [] } });
    Image::made(
        crate::harness::CONFIG,
        config.to_string().into_bytes(),
        "application/vnd.in-toto+json",
        statement.to_string().into_bytes(),
        &json!({}),
    )
}
