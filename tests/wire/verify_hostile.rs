//! `hallmark verify` against registries that fail, and such that mean harm: what can't be told is never an answer.

use hallmark::oci::Digest;
use serde_json::json;

use crate::program::MANIFEST;
use crate::tiny::{Ask, Reply, Tiny};
use crate::verifier::{Verified, Verifier, fixture};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn image() -> Digest {
    Digest::sha256(&fixture("image.json"))
}

fn hex() -> String {
    image().hex()
}

/// A registry with the image of the fixtures as `prod/app:v1`, signed under its tag.
pub(crate) fn honest(ask: &Ask) -> Reply {
    let path = ask.path.strip_prefix("/v2/").unwrap_or_default().strip_prefix("prod/app/").unwrap_or(&ask.path);
    let layer = fixture("sig-release/layer-0");
    let by_digest = format!("manifests/{}", image());
    match path {
        "/v2/" => Reply::status(200),
        "manifests/v1" => Reply::of(MANIFEST, fixture("image.json")),
        path if path == by_digest => Reply::of(MANIFEST, fixture("image.json")),
        path if path == format!("manifests/sha256-{}.sig", hex()) => {
            Reply::of(MANIFEST, fixture("sig-release/manifest.json"))
        }
        path if path == format!("blobs/{}", Digest::sha256(&layer)) => Reply::of("application/octet-stream", layer),
        _ => Reply::status(404),
    }
}

/// An index with these entries.
fn index(digests: &[Digest]) -> String {
    let entries: Vec<_> =
        digests.iter().map(|digest| json!({"mediaType": MANIFEST, "digest": digest, "size": 1})).collect();
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string()
}

fn verify(registry: &Tiny) -> Verified {
    Verifier::new().verify(&format!("{}/prod/app:v1", registry.address), &[])
}

/// An honest registry but for what `other` answers.
fn verify_with(other: impl Fn(&Ask) -> Option<Reply> + Send + Sync + 'static) -> Verified {
    verify(&Tiny::start(move |ask, _| other(ask).unwrap_or_else(|| honest(ask))))
}

fn is_referrers(ask: &Ask) -> bool {
    ask.path.contains("/referrers/")
}

fn is_signature(ask: &Ask) -> bool {
    ask.path.contains(".sig")
}

#[test]
fn a_signature_under_its_tag_is_met() {
    let verified = verify_with(|_| None);
    assert_eq!(verified.exit, 0, "{verified:?}");
}

#[test]
fn a_signature_that_is_not_there_is_unmet() {
    let verified = verify_with(|ask| is_signature(ask).then(|| Reply::status(404)));
    assert_eq!(verified.exit, 1, "{verified:?}");
    assert!(verified.output.contains("no signature was found"), "{verified:?}");
}

#[test]
fn an_image_that_is_not_there_can_not_be_told() {
    let verified = verify_with(|ask| ask.path.ends_with("/v1").then(|| Reply::status(404)));
    assert_eq!(verified.exit, 2, "{verified:?}");
}

#[test]
fn a_question_that_fails_can_not_be_told() {
    let questions: [fn(&Ask) -> bool; 5] = [
        is_referrers,
        is_signature,
        |ask| ask.path.contains(".att"),
        |ask| ask.path.contains("/blobs/"),
        |ask| ask.path == "/v2/",
    ];
    for (number, question) in questions.into_iter().enumerate() {
        for status in [500, 503, 429, 403] {
            if number == 4 && status < 500 {
                continue;
            }
            let verified = verify_with(move |ask| question(ask).then(|| Reply::status(status)));
            assert_eq!(verified.exit, 2, "question {number} answered {status}: {verified:?}");
        }
    }
}

#[test]
fn a_registry_that_is_not_there_can_not_be_told() {
    let verified = Verifier::new().verify("127.0.0.1:1/prod/app:v1", &["--json"]);
    assert_eq!((verified.exit, verified.json()["answer"].as_str()), (2, Some("could not tell")));
}

#[test]
fn a_manifest_without_end_is_not_read_to_its_end() {
    let verified = verify_with(|ask| ask.path.ends_with("/v1").then(Reply::endless));
    assert_eq!(verified.exit, 2, "{verified:?}");
    assert!(verified.output.contains("expected at most 4194304 bytes"), "{verified:?}");
}

#[test]
fn a_signature_without_end_counts_for_nothing() {
    let verified = verify_with(|ask| ask.path.contains("/blobs/").then(Reply::endless));
    assert_eq!(verified.exit, 1, "{verified:?}");
    assert!(verified.output.contains("expected a layer of 238 bytes"), "{verified:?}");
}

#[test]
fn bytes_of_another_digest_can_not_be_told() {
    let by_digest = format!("/manifests/{}", image());
    let verified = verify_with(move |ask| {
        (ask.path.ends_with(&by_digest)).then(|| Reply::of(MANIFEST, fixture("other-image.json")))
    });
    assert_eq!(verified.exit, 2, "{verified:?}");
    let verified = verify_with(|ask| ask.path.contains("/blobs/").then(|| Reply::of("text/plain", vec![b' '; 238])));
    assert_eq!(verified.exit, 2, "{verified:?}");
    let other = Digest::sha256(b"other").to_string();
    let verified = verify_with(move |ask| {
        let reply = || honest(ask).with("docker-content-digest", other.clone());
        ask.path.ends_with("/v1").then(reply)
    });
    assert_eq!(verified.exit, 2, "{verified:?}");
}

#[test]
fn a_signature_of_another_image_counts_for_nothing() {
    let layer = Digest::sha256(&fixture("sig-of-other-image/layer-0")).to_string();
    let verified = verify_with(move |ask| {
        if is_signature(ask) {
            return Some(Reply::of(MANIFEST, fixture("sig-of-other-image/manifest.json")));
        }
        ask.path.ends_with(&layer).then(|| Reply::of("text/plain", fixture("sig-of-other-image/layer-0")))
    });
    assert_eq!(verified.exit, 1, "{verified:?}");
    assert!(verified.output.contains("expected a signature of"), "{verified:?}");
}

/// An honest registry, without the signature's tag, that lists the evidence of a fixture as a referrer.
fn verify_listed(name: &'static str) -> Verified {
    let manifest = fixture(&format!("{name}/manifest.json"));
    let digest = Digest::sha256(&manifest);
    let layer = fixture(&format!("{name}/layer-0"));
    let layer_path = format!("/blobs/{}", Digest::sha256(&layer));
    verify_with(move |ask| {
        if is_signature(ask) {
            return Some(Reply::status(404));
        }
        if is_referrers(ask) {
            return Some(Reply::of(INDEX, index(&[digest])));
        }
        if ask.path.ends_with(&digest.to_string()) {
            return Some(Reply::of(MANIFEST, manifest.clone()));
        }
        ask.path.ends_with(&layer_path).then(|| Reply::of("text/plain", layer.clone()))
    })
}

#[test]
fn a_bundle_that_refers_to_the_image_is_met() {
    let verified = verify_listed("bundle-release");
    assert_eq!(verified.exit, 0, "{verified:?}");
}

#[test]
fn a_listed_bundle_of_another_image_counts_for_nothing() {
    let verified = verify_listed("bundle-of-other-image");
    assert_eq!(verified.exit, 1, "{verified:?}");
    assert!(verified.output.contains("counts for nothing"), "{verified:?}");
}

#[test]
fn a_signature_by_a_stranger_counts_for_nothing() {
    let verified = verify_listed("bundle-stranger");
    assert_eq!(verified.exit, 1, "{verified:?}");
    assert!(verified.output.contains("counts for nothing"), "{verified:?}");
}

/// A thousand manifests of four mebibytes are more than there may be memory.
#[test]
fn what_is_listed_is_read_one_by_one_and_never_all_at_once() {
    let pieces = ["bundle-release", "bundle-stranger"].map(|name| {
        let manifest = fixture(&format!("{name}/manifest.json"));
        (Digest::sha256(&manifest), manifest, fixture(&format!("{name}/layer-0")))
    });
    let digests = pieces.each_ref().map(|(digest, ..)| *digest);
    let layers = pieces.each_ref().map(|(_, _, layer)| format!("/blobs/{}", Digest::sha256(layer)));
    let registry = Tiny::start(move |ask, _| {
        if is_referrers(ask) {
            return Reply::of(INDEX, index(&digests));
        }
        for (digest, manifest, layer) in &pieces {
            if ask.path.ends_with(&digest.to_string()) {
                return Reply::of(MANIFEST, manifest.clone());
            }
            if ask.path.ends_with(&format!("/blobs/{}", Digest::sha256(layer))) {
                return Reply::of("text/plain", layer.clone());
            }
        }
        honest(ask)
    });
    let verified = verify(&registry);
    assert_eq!(verified.exit, 0, "{verified:?}");
    let asked = registry.asked();
    let place = |end: &str| asked.iter().position(|ask| ask.path.ends_with(end)).unwrap();
    assert!(place(&layers[0]) < place(&digests[1].to_string()), "{asked:?}");
}

#[test]
fn listed_evidence_that_is_not_there_counts_for_nothing() {
    let absent = Digest::sha256(b"absent");
    let verified = verify_with(move |ask| match () {
        () if is_signature(ask) => Some(Reply::status(404)),
        () if is_referrers(ask) => Some(Reply::of(INDEX, index(&[absent]))),
        () => None,
    });
    assert_eq!(verified.exit, 1, "{verified:?}");
    assert!(verified.output.contains(&absent.to_string()), "{verified:?}");
}

#[test]
fn pages_that_lead_in_a_circle_can_not_be_told() {
    let verified = verify_with(|ask| {
        let next = format!("<{}>; rel=\"next\"", ask.path);
        is_referrers(ask).then(|| Reply::of(INDEX, index(&[])).with("link", next))
    });
    assert_eq!(verified.exit, 2, "{verified:?}");
    assert!(verified.output.contains("circle"), "{verified:?}");
}

#[test]
fn pages_without_end_can_not_be_told() {
    let verified = verify_with(|ask| {
        let next = format!("<{}x>; rel=\"next\"", ask.path.replace('?', "") + "?");
        is_referrers(ask).then(|| Reply::of(INDEX, index(&[])).with("link", next))
    });
    assert_eq!(verified.exit, 2, "{verified:?}");
    assert!(verified.output.contains("pages"), "{verified:?}");
}

#[test]
fn every_page_of_referrers_is_read() {
    let manifest = fixture("bundle-release/manifest.json");
    let digest = Digest::sha256(&manifest);
    let layer = fixture("bundle-release/layer-0");
    let verified = verify_with(move |ask| {
        if is_signature(ask) {
            return Some(Reply::status(404));
        }
        if is_referrers(ask) && !ask.path.contains("page=2") {
            let next = format!("<{}?page=2>; rel=\"next\"", ask.path);
            return Some(Reply::of(INDEX, index(&[])).with("link", next));
        }
        if is_referrers(ask) {
            return Some(Reply::of(INDEX, index(&[digest])));
        }
        if ask.path.ends_with(&digest.to_string()) {
            return Some(Reply::of(MANIFEST, manifest.clone()));
        }
        ask.path.contains("/blobs/").then(|| Reply::of("text/plain", layer.clone()))
    });
    assert_eq!(verified.exit, 0, "{verified:?}");
}

#[test]
fn without_the_api_the_list_under_the_tag_is_read() {
    let manifest = fixture("bundle-release/manifest.json");
    let digest = Digest::sha256(&manifest);
    let layer = fixture("bundle-release/layer-0");
    let list = format!("/manifests/sha256-{}", hex());
    let verified = verify_with(move |ask| {
        if is_signature(ask) {
            return Some(Reply::status(404));
        }
        if ask.path.ends_with(&list) {
            return Some(Reply::of(INDEX, index(&[digest])));
        }
        if ask.path.ends_with(&digest.to_string()) {
            return Some(Reply::of(MANIFEST, manifest.clone()));
        }
        ask.path.contains("/blobs/").then(|| Reply::of("text/plain", layer.clone()))
    });
    assert_eq!(verified.exit, 0, "{verified:?}");
}

#[test]
fn a_page_of_another_registry_is_not_asked() {
    let elsewhere = Tiny::start(|_, _| Reply::of(INDEX, index(&[])));
    let link = format!("<http://{}/next>; rel=\"next\"", elsewhere.address);
    let verified =
        verify_with(move |ask| is_referrers(ask).then(|| Reply::of(INDEX, index(&[])).with("link", link.clone())));
    assert_eq!((verified.exit, elsewhere.asked()), (2, Vec::new()), "{verified:?}");
}

#[test]
fn redirects_in_a_circle_can_not_be_told() {
    let verified =
        verify_with(|ask| ask.path.contains("/blobs/").then(|| Reply::status(302).with("location", ask.path.clone())));
    assert_eq!(verified.exit, 2, "{verified:?}");
}

#[test]
fn a_redirect_to_plain_http_off_this_machine_is_not_followed() {
    let verified = verify_with(|ask| {
        let reply = || Reply::status(302).with("location", "http://registry.example.org/blob");
        ask.path.contains("/blobs/").then(reply)
    });
    assert_eq!(verified.exit, 2, "{verified:?}");
    assert!(verified.output.contains("redirect"), "{verified:?}");
}

#[test]
fn what_a_registry_says_steers_no_terminal() {
    let verified = verify_with(|ask| {
        let body = "{\"errors\": [{\"code\": \"X\", \"message\": \"a\\u001b[2Jb\"}]}";
        is_referrers(ask).then(|| Reply::of("application/json", body).but(500))
    });
    assert_eq!(verified.exit, 2);
    assert!(verified.output.contains('X') && !verified.output.contains('\u{1b}'), "{verified:?}");
}
