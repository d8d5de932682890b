//! Tags under a requirement for `push`: push by digest, sign, then tag.

use crate::harness::{IMAGE, Image, Key, Registry, Setup};

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_tag_is_set_once_its_digest_is_signed() {
    let registry = Registry::start(&setup());
    let [builder, signer] = registry.people(["builder", "signer"]);
    let image = Image::of("a release");

    // By digest only the right is needed.
    let digest = builder.pushes_image("stable/app", &image);
    // The unsigned gets no tag, by whatever client, and nothing is left of the attempt.
    builder.put_manifest("stable/app", "v1", IMAGE, image.bytes()).refuses(
        403,
        "DENIED",
        &["signed-release", "no signature was found"],
    );
    let source = registry.reference(&format!("stable/app@{digest}"));
    builder.run("crane").args(["tag", "--insecure", &source, "v1"]).fails_saying(&["DENIED", "no signature was found"]);
    builder.manifest("stable/app", "v1").refuses(404, "MANIFEST_UNKNOWN", &[]);
    builder.crane_append("stable/app:v2", "unsigned").fails_saying(&["DENIED"]);
    let tags = builder.get("/v2/stable/app/tags/list");
    assert!(!tags.text().contains("\"v"), "expected no tag\n{tags}");

    signer.cosign_sign(Key::Release, &format!("stable/app@{digest}")).succeeds();

    builder.run("crane").args(["tag", "--insecure", &source, "v1"]).succeeds();
    assert_eq!(builder.resolves("stable/app", "v1"), digest);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_tag_parameter_is_judged_like_a_tag() {
    let registry = Registry::start(&setup());
    let builder = registry.person("builder");
    let image = Image::of("a release");
    for blob in image.blobs() {
        builder.post_blob("stable/app", blob).is(201);
    }

    let reference = format!("{}?tag=v1", image.digest());
    builder.put_manifest("stable/app", &reference, IMAGE, image.bytes()).refuses(403, "DENIED", &["signed-release"]);

    builder.manifest("stable/app", "v1").refuses(404, "MANIFEST_UNKNOWN", &[]);
}

/// `builder` pushes and pulls what they like by digest, and tags what is signed.
fn setup() -> Setup {
    let policy = "\
p, user:builder, stable/**, push, signed-release, allow
p, user:builder, stable/**, pull, unverified,     allow
p, user:signer,  stable/**, sign, unverified,     allow
"
    .to_owned();
    Setup { policy, users: vec!["builder", "signer"], ..Setup::release() }
}
