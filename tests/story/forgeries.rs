//! Hostile signatures: none admits, and each names its reason.

use serde_json::{Value, json};

use crate::harness::{
    Answer, BUNDLE, EMPTY, IMAGE, Image, Key, Person, Registry, Setup, descriptor, digest_of, manifest,
};

/// Where cosign keeps the signature over a layer.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_signature_by_an_unknown_key_is_kept_and_counts_for_nothing() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));

    signer.cosign_sign(Key::Stranger, &format!("prod/app@{digest}")).succeeds();
    signer.cosign2_sign(Key::Stranger, &format!("prod/app@{digest}")).succeeds();

    let answer = deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["signed-release"]);
    let shapes = found(&answer);
    assert!(shapes.iter().any(|(shape, _)| shape == "sigstore-bundle"), "expected the bundle's finding\n{answer}");
    assert!(shapes.iter().any(|(shape, _)| shape == "cosign-signature"), "expected the signature's finding\n{answer}");
    for (shape, reason) in shapes {
        assert!(reason.contains("key"), "expected {shape} to speak of the key, found {reason:?}");
    }
    // It is there for whoever may read it: trust may come later.
    let referrers = ci.get(&format!("/v2/prod/app/referrers/{digest}")).is(200).json();
    assert_eq!(referrers["manifests"].as_array().unwrap().len(), 1, "{referrers}");
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_bundle_made_for_another_digest_is_refused_at_push() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let good = ci.pushes_tagged("prod/app", "good", &Image::of("good"));
    let bad = ci.pushes_tagged("prod/app", "bad", &Image::of("bad"));
    signer.cosign_sign(Key::Release, &format!("prod/app@{good}")).succeeds();

    let bundle = bundle_of(&signer, &good);
    let copied = bundle_manifest(&bundle, IMAGE, &ci.manifest("prod/app", &bad));
    let answer = puts(&signer, &copied, &bundle);

    answer.refuses(400, "MANIFEST_INVALID", &["expected a statement about", &bad, "found"]);
    deploy.manifest("prod/app", "bad").refuses(403, "DENIED", &["no signature was found"]);
    deploy.manifest("prod/app", "good").is(200);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_sig_tag_that_points_at_someone_elses_signature_is_refused_at_push() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let good = ci.pushes_tagged("prod/app", "good", &Image::of("good"));
    let bad = ci.pushes_tagged("prod/app", "bad", &Image::of("bad"));
    signer.cosign2_sign(Key::Release, &format!("prod/app@{good}")).succeeds();

    let signature = signer.manifest("prod/app", &sig_tag(&good)).is(200);
    let answer = signer.put_manifest("prod/app", &sig_tag(&bad), IMAGE, signature.bytes());

    answer.refuses(400, "MANIFEST_INVALID", &["expected", &bad, "found", &good]);
    deploy.manifest("prod/app", "bad").refuses(403, "DENIED", &["no signature was found"]);
    signer.manifest("prod/app", &sig_tag(&bad)).refuses(404, "MANIFEST_UNKNOWN", &[]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_truncated_bundle_is_refused_at_push() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    let other = ci.pushes_image("prod/app", &Image::of("other"));
    signer.cosign_sign(Key::Release, &format!("prod/app@{other}")).succeeds();

    let bundle = bundle_of(&signer, &other);
    let half = &bundle[..bundle.len() / 2];
    let truncated = bundle_manifest(half, IMAGE, &ci.manifest("prod/app", &digest));
    let answer = puts(&signer, &truncated, half);

    answer.refuses(400, "MANIFEST_INVALID", &["bundle"]);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["no signature was found"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_signature_whose_annotation_was_altered_counts_for_nothing() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    let other = ci.pushes_image("prod/app", &Image::of("other"));
    signer.cosign2_sign(Key::Release, &format!("prod/app@{other}")).succeeds();
    signer.cosign2_sign(Key::Stranger, &format!("prod/app@{digest}")).succeeds();

    // The payload of the one under the signature of the other: well formed, made by the right key, and false.
    let genuine = signature_manifest(&signer, &other);
    let mut altered = signature_manifest(&signer, &digest);
    altered["layers"][0]["annotations"][SIGNATURE] = genuine["layers"][0]["annotations"][SIGNATURE].clone();
    let altered = altered.to_string();
    let answer = signer.put_manifest("prod/app", &sig_tag(&digest), IMAGE, altered.as_bytes()).is(201);

    assert!(answer.header("warning").starts_with("299 "), "expected a warning\n{answer}");
    let refusal =
        deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["signed-release", &digest_of(altered.as_bytes())]);
    assert!(found(&refusal).iter().all(|(shape, _)| shape == "cosign-signature"), "expected only its shape\n{refusal}");
    deploy.manifest("prod/app", &other).is(200);
}

/// The tag of `digest`'s older signatures.
fn sig_tag(digest: &str) -> String {
    format!("{}.sig", digest.replace(':', "-"))
}

/// Each piece of evidence of a refusal: its shape, and what was found.
fn found(refusal: &Answer) -> Vec<(String, String)> {
    let body = refusal.json();
    let requirements = body["errors"][0]["detail"]["requirements"].as_array().unwrap().clone();
    let evidence = requirements.iter().flat_map(|unmet| unmet["evidence"].as_array().unwrap().clone());
    evidence
        .map(|finding| {
            assert_eq!(finding["outcome"]["outcome"], "nothing", "expected nothing to count\n{refusal}");
            let said = format!("{} {}", finding["outcome"]["expected"], finding["outcome"]["found"]);
            (finding["shape"].as_str().unwrap().to_owned(), said)
        })
        .collect()
}

/// The bytes of the one bundle that refers to `digest`.
fn bundle_of(person: &Person<'_>, digest: &str) -> Vec<u8> {
    let referrers = person.get(&format!("/v2/prod/app/referrers/{digest}")).is(200).json();
    let evidence = referrers["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let layers = person.manifest("prod/app", &evidence).is(200).json()["layers"].clone();
    person.blob("prod/app", layers[0]["digest"].as_str().unwrap()).is(200).bytes().to_vec()
}

/// A bundle's manifest about `subject`.
fn bundle_manifest(bundle: &[u8], media_type: &str, subject: &Answer) -> Vec<u8> {
    let subject = descriptor(media_type, subject.bytes());
    let more = json!({ "artifactType": BUNDLE, "subject": subject });
    manifest(&descriptor(EMPTY, b"{}"), &[descriptor(BUNDLE, bundle)], &more)
}

/// Uploads a bundle and its manifest; the answer to the manifest.
fn puts(person: &Person<'_>, bytes: &[u8], bundle: &[u8]) -> Answer {
    person.pushes_blob("prod/app", EMPTY, b"{}");
    person.pushes_blob("prod/app", BUNDLE, bundle);
    person.put_manifest("prod/app", &digest_of(bytes), IMAGE, bytes)
}

fn signature_manifest(person: &Person<'_>, digest: &str) -> Value {
    person.manifest("prod/app", &sig_tag(digest)).is(200).json()
}
