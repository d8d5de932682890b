//! Somebody who has only `sign`: nothing of theirs becomes runnable, and nothing that counted stops counting.

use serde_json::json;

use crate::harness::{
    Answer, BUNDLE, CONFIG, EMPTY, IMAGE, Image, Key, LAYER, Person, Registry, SIMPLE_SIGNING, Setup, descriptor,
    digest_of, manifest,
};

/// What a malicious signer says their image's config is; Docker runs every one of these.
const DISGUISES: [&str; 4] = ["application/octet-stream", "application/json", "text/html", EMPTY];

#[test]
fn an_image_is_no_evidence_under_any_name() {
    let registry = Registry::start(&unsigned());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let subject = Image::of("a release");
    let digest = ci.pushes_tagged("prod/app", "v1", &subject);
    let image = Image::of("malware");
    uploads(&signer, &image);

    signer.put_manifest("prod/app", &image.digest(), IMAGE, image.bytes()).refuses(403, "DENIED", &["sign", "object"]);
    nothing_is_there(&ci, &image.digest(), &image);
    signer.put_manifest("prod/app", "v2", IMAGE, image.bytes()).refuses(403, "DENIED", &["push", "tag"]);
    nothing_is_there(&ci, "v2", &image);
    for kind in [".sig", ".att", ".sbom"] {
        let tag = evidence_tag(&digest, kind);
        signer.put_manifest("prod/app", &tag, IMAGE, image.bytes()).refuses(400, "MANIFEST_INVALID", &["expected"]);
        nothing_is_there(&ci, &tag, &image);
    }
    tags_are(&ci, &["v1"]);
}

#[test]
fn an_image_with_a_subject_is_still_an_image() {
    let registry = Registry::start(&unsigned());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let subject = Image::of("a release");
    ci.pushes_tagged("prod/app", "v1", &subject);
    let more = json!({ "subject": subject.descriptor() });
    let image = Image::made(CONFIG, b"{\"os\":\"linux\"}".to_vec(), LAYER, b"malware".to_vec(), &more);
    uploads(&signer, &image);

    signer.put_manifest("prod/app", &image.digest(), IMAGE, image.bytes()).refuses(403, "DENIED", &["sign", "object"]);
    nothing_is_there(&ci, &image.digest(), &image);
}

#[test]
fn an_image_in_disguise_is_still_an_image() {
    let registry = Registry::start(&unsigned());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let subject = Image::of("a release");
    ci.pushes_tagged("prod/app", "v1", &subject);

    for disguise in DISGUISES {
        for artifact_type in [None, Some(BUNDLE), Some("application/spdx+json")] {
            let mut more = json!({ "subject": subject.descriptor() });
            if let Some(artifact_type) = artifact_type {
                more["artifactType"] = artifact_type.into();
            }
            let config = if disguise == EMPTY { b"{}".to_vec() } else { b"{\"os\":\"linux\"}".to_vec() };
            let image = Image::made(disguise, config, LAYER, format!("malware {disguise}").into_bytes(), &more);
            uploads(&signer, &image);
            let answer = signer.put_manifest("prod/app", &image.digest(), IMAGE, image.bytes());
            answer.refuses(403, "DENIED", &["sign", "object"]);
            nothing_is_there(&ci, &image.digest(), &image);
        }
    }
}

#[test]
fn data_that_names_a_hidden_images_layer_shows_nothing_of_it() {
    let registry = Registry::start(&unsigned());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let hidden = Image::of("a secret");
    let digest = ci.pushes_tagged("prod/app", "v1", &hidden);

    // signer reads manifests, so they know the layer's digest; they can't read it, nor by naming it in data.
    signer.manifest("prod/app", "v1").is(200);
    signer.blob("prod/app", &hidden.layer()).refuses(404, "BLOB_UNKNOWN", &[]);
    signer.pushes_blob("prod/app", EMPTY, b"{}");
    let layer = descriptor("application/spdx+json", hidden.blobs().last().unwrap());
    let more = json!({ "artifactType": "application/spdx+json", "subject": hidden.descriptor() });
    let data = manifest(&descriptor(EMPTY, b"{}"), &[layer], &more);
    let answer = signer.put_manifest("prod/app", &digest_of(&data), IMAGE, &data);

    answer.refuses(403, "DENIED", &["an object of this repository holds one of its layers"]);
    signer.blob("prod/app", &hidden.layer()).refuses(404, "BLOB_UNKNOWN", &[]);
    let referrers = ci.get(&format!("/v2/prod/app/referrers/{digest}")).is(200).json();
    assert_eq!(referrers["manifests"], json!([]));
}

#[test]
fn a_mount_of_a_hidden_layer_is_an_upload() {
    let registry = Registry::start(&unsigned());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let hidden = Image::of("a secret");
    ci.pushes_tagged("prod/app", "v1", &hidden);

    let path = format!("/v2/prod/other/blobs/uploads/?mount={}&from=prod/app", hidden.layer());
    signer.request("POST", &path, &[], &[]).is(202);
    signer.blob("prod/other", &hidden.layer()).is(404);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_tag_is_not_theirs_to_set() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let first = Image::of("the first release");
    let digest = ci.pushes_tagged("prod/app", "v1", &first);
    let second = Image::of("the second release");
    ci.pushes_image("prod/app", &second);
    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();

    // Neither on an image that is there, nor on evidence.
    signer.put_manifest("prod/app", "v1", IMAGE, second.bytes()).refuses(403, "DENIED", &["push", "tag"]);
    let referrers = signer.get(&format!("/v2/prod/app/referrers/{digest}")).is(200).json();
    let bundle = signer.manifest("prod/app", referrers["manifests"][0]["digest"].as_str().unwrap()).is(200);
    signer.put_manifest("prod/app", "v1", IMAGE, bundle.bytes()).refuses(403, "DENIED", &["push", "tag"]);
    signer.delete("/v2/prod/app/manifests/v1").refuses(403, "DENIED", &["delete"]);

    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    tags_are(&ci, &["v1"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_sig_that_drops_the_releases_layer_withdraws_nothing() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.cosign2_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    signer.cosign2_sign(Key::Stranger, &format!("prod/app@{digest}")).succeeds();
    let tag = evidence_tag(&digest, ".sig");
    let mut both = signer.manifest("prod/app", &tag).is(200).json();
    assert_eq!(both["layers"].as_array().unwrap().len(), 2, "{both}");

    both["layers"].as_array_mut().unwrap().remove(0);
    signer.put_manifest("prod/app", &tag, IMAGE, both.to_string().as_bytes()).is(201);

    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    // Deleting is another right.
    signer.delete(&format!("/v2/prod/app/manifests/{tag}")).refuses(403, "DENIED", &["delete"]);
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_thousand_junk_bundles_do_not_crowd_out_the_good_one() {
    let mut setup = Setup::release();
    setup.policy.push_str("p, user:mallory, prod/**, sign, unverified, allow\n");
    setup.users.push("mallory");
    let registry = Registry::start(&setup);
    let [ci, signer, deploy, mallory] = registry.people(["ci", "signer", "deploy", "mallory"]);
    let image = Image::of("a release");
    let digest = ci.pushes_tagged("prod/app", "v1", &image);
    mallory.cosign_sign(Key::Stranger, &format!("prod/app@{digest}")).succeeds();
    let referrers = mallory.get(&format!("/v2/prod/app/referrers/{digest}")).is(200).json();
    let junk = mallory.manifest("prod/app", referrers["manifests"][0]["digest"].as_str().unwrap()).is(200).json();

    let mut refused = 0;
    for number in 0..1000 {
        let mut another = junk.clone();
        another["annotations"]["number"] = number.to_string().into();
        let another = another.to_string();
        let answer = mallory.put_manifest("prod/app", &digest_of(another.as_bytes()), IMAGE, another.as_bytes());
        match answer.status() {
            201 => assert_eq!(refused, 0, "expected no junk to be taken after the first refusal"),
            429 => refused += 1,
            _ => panic!("expected 201 or 429\n{answer}"),
        }
    }
    assert!(refused > 800, "expected a cap, found {refused} refusals of 1000");

    // signer has room of their own, and what is good is found.
    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    deploy.cosign_verify("cosign3", Key::Release, "prod/app:v1").succeeds();
}

#[test]
fn a_program_is_no_data_and_no_bundle_whatever_its_media_type() {
    let registry = Registry::start(&unsigned());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let subject = Image::of("a release");
    ci.pushes_tagged("prod/app", "v1", &subject);

    for kind in ["application/spdx+json", "application/vnd.in-toto+json", BUNDLE] {
        let more = json!({ "artifactType": kind, "subject": subject.descriptor() });
        let program = [b"\x7fELF".to_vec(), kind.as_bytes().to_vec()].concat();
        let image = Image::made(EMPTY, b"{}".to_vec(), kind, program, &more);
        uploads(&signer, &image);
        let answer = signer.put_manifest("prod/app", &image.digest(), IMAGE, image.bytes());
        assert_ne!(answer.status(), 201, "expected {kind} to be refused\n{answer}");
        nothing_is_there(&ci, &image.digest(), &image);
    }
}

#[test]
fn a_payload_that_is_no_payload_is_refused() {
    let registry = Registry::start(&unsigned());
    let [ci, signer] = registry.people(["ci", "signer"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signer.pushes_blob("prod/app", CONFIG, b"{}");
    let layer = signer.pushes_blob("prod/app", SIMPLE_SIGNING, b"#!/bin/sh\necho malware\n");
    let evidence = manifest(&descriptor(CONFIG, b"{}"), &[layer], &json!({}));

    let answer = signer.put_manifest("prod/app", &evidence_tag(&digest, ".sig"), IMAGE, &evidence);

    answer.refuses(400, "MANIFEST_INVALID", &["expected a simple-signing payload"]);
    signer.manifest("prod/app", &evidence_tag(&digest, ".sig")).refuses(404, "MANIFEST_UNKNOWN", &[]);
}

/// The release setup without a key, for the tests in which nobody signs.
fn unsigned() -> Setup {
    let mut setup = Setup::release();
    setup.keys.clear();
    setup.signers.clear();
    setup.requirements.clear();
    setup.policy = setup
        .policy
        .lines()
        .filter(|line| !line.contains("signed-release"))
        .fold(String::new(), |all, line| all + line + "\n");
    setup
}

fn evidence_tag(digest: &str, kind: &str) -> String {
    format!("{}{kind}", digest.replace(':', "-"))
}

/// Uploads what an image needs: blobs are nothing yet.
fn uploads(person: &Person<'_>, image: &Image) {
    for blob in image.blobs() {
        person.post_blob("prod/app", blob).is(201);
    }
}

/// Not even ci, who sees everything, finds it.
#[track_caller]
fn nothing_is_there(ci: &Person<'_>, reference: &str, image: &Image) {
    let absent = |answer: Answer| answer.refuses(404, "MANIFEST_UNKNOWN", &[]);
    absent(ci.manifest("prod/app", reference));
    absent(ci.manifest("prod/app", &image.digest()));
}

#[track_caller]
fn tags_are(person: &Person<'_>, tags: &[&str]) {
    let list = person.get("/v2/prod/app/tags/list").is(200).json();
    let plain: Vec<_> = list["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tag| tag.as_str())
        .filter(|tag| !tag.starts_with("sha256-"))
        .collect();
    assert_eq!(plain, tags, "{list}");
}
