//! `hallmark verify` against `hallmark serve`, over HTTP and on its folder: it says what the gate says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallmark::oci::Digest;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::program::{Answer, MANIFEST, Program, put};
use crate::verifier::{REQUIREMENTS, Verified, Verifier};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What the gate that is compared with serves by.
const POLICY: &str = "\
p, user:ci, prod/**, push, unverified, allow
p, user:ci, prod/**, pull, unverified, allow
p, user:ci, **, admin, unverified, allow
p, user:deploy, prod/**, pull, signed, allow
";

/// A registry with users, a key that it trusts, and someone who verifies with the same trust.
struct House {
    program: Program,
    key: PKey<Private>,
    verifier: Verifier,
}

fn new_key() -> PKey<Private> {
    let key = EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap();
    PKey::from_ec_key(key).unwrap()
}

impl House {
    fn start() -> Self {
        let key = new_key();
        let public = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "own/policies/policy.csv", POLICY);
        put(folder.path(), "own/policies/requirements.toml", REQUIREMENTS);
        put(folder.path(), "own/trust/signers.toml", "[release]\ncosign_key = \"release.pub\"\n");
        put(folder.path(), "own/trust/release.pub", &public);
        let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
        put(folder.path(), "users", &format!("ci:{}\ndeploy:{}\n", hash("secret"), hash("secret")));
        let flags = ["--policies", "own/policies", "--trust", "own/trust", "--htpasswd", "users"];
        let program = Program::start_in(folder, &flags);
        let verifier = Verifier::who_trusts(&public);
        verifier.log_in(program.address(), "ci", "secret");
        Self { program, key, verifier }
    }

    fn send(&self, who: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{who}:secret")));
        let headers = [("authorization", authorization.as_str()), ("content-type", kind)];
        self.program.send_with(method, path, &headers, body)
    }

    fn push(&self, name: &str, kind: &str, body: &[u8]) {
        let answer = self.send("ci", "PUT", &format!("/v2/prod/app/manifests/{name}"), kind, body);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    fn push_blob(&self, kind: &str, content: &[u8]) -> Value {
        let digest = Digest::sha256(content);
        let path = format!("/v2/prod/app/blobs/uploads/?digest={digest}");
        assert_eq!(self.send("ci", "POST", &path, "application/octet-stream", content).status, 201);
        json!({"mediaType": kind, "digest": digest, "size": content.len()})
    }

    /// Pushes an image by digest.
    fn push_image(&self, content: &[u8]) -> (Digest, usize) {
        let config = self.push_blob("application/vnd.oci.image.config.v1+json", b"{}");
        let layer = self.push_blob("application/vnd.oci.image.layer.v1.tar", content);
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::sha256(&bytes);
        self.push(&digest.to_string(), MANIFEST, &bytes);
        (digest, bytes.len())
    }

    /// Pushes an index of an image by digest.
    fn push_index(&self, (child, size): (Digest, usize)) -> Digest {
        let entry = json!({"mediaType": MANIFEST, "digest": child, "size": size});
        let bytes = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).to_string();
        let digest = Digest::sha256(bytes.as_bytes());
        self.push(&digest.to_string(), INDEX, bytes.as_bytes());
        digest
    }

    /// Signs as cosign does, under the tag `.sig`.
    fn sign(&self, subject: &Digest) {
        self.sign_with(&self.key, subject);
    }

    fn sign_with(&self, key: &PKey<Private>, subject: &Digest) {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": ""},
                "image": {"docker-manifest-digest": subject},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
        let signature = STANDARD.encode(signer.sign_oneshot_to_vec(&payload).unwrap());
        let mut layer = self.push_blob(SIMPLE_SIGNING, &payload);
        layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
        let config = self.push_blob("application/vnd.oci.image.config.v1+json", b"{}");
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        self.push(&format!("sha256-{}.sig", subject.hex()), MANIFEST, manifest.to_string().as_bytes());
    }

    fn reference(&self, name: impl std::fmt::Display) -> String {
        format!("{}/prod/app@{name}", self.program.address())
    }

    fn verify(&self, digest: Digest, flags: &[&str]) -> Verified {
        self.verifier.verify(&self.reference(digest), flags)
    }

    /// Verifies on the folder of the registry, once it is written.
    fn verify_on_disk(&self, digest: Digest) -> Verified {
        assert_eq!(self.send("ci", "POST", "/_hallmark/flush", "text/plain", b"").status, 204);
        let layout = self.program.folder().join("data/prod/app");
        self.verify(digest, &["--layout", layout.to_str().unwrap()])
    }

    /// Whether the gate serves it to someone who may pull what is signed.
    fn gate_admits(&self, digest: Digest) -> bool {
        self.send("deploy", "GET", &format!("/v2/prod/app/manifests/{digest}"), "", b"").status == 200
    }

    /// What the gate, the registry and its folder say, all three the same.
    fn is_met(&self, digest: Digest) -> bool {
        let [served, stored] = [self.verify(digest, &[]), self.verify_on_disk(digest)];
        assert!(served.exit < 2, "{served:?}");
        assert_eq!(served.exit, stored.exit, "{served:?} {stored:?}");
        assert_eq!(served.exit == 0, self.gate_admits(digest), "{served:?}");
        served.exit == 0
    }
}

#[test]
fn an_image_is_met_when_it_is_signed() {
    let house = House::start();
    let image = house.push_image(b"a release").0;
    assert!(!house.is_met(image));
    house.sign(&image);
    assert!(house.is_met(image));
}

#[test]
fn a_copy_without_its_signatures_says_how_to_take_them_along() {
    let house = House::start();
    let image = house.push_image(b"a release").0;
    let stored = house.verify_on_disk(image);
    assert!(stored.exit == 1 && stored.output.contains("oras copy -r"), "{stored:?}");
    house.sign_with(&new_key(), &image);
    let stored = house.verify_on_disk(image);
    assert!(stored.exit == 1 && !stored.output.contains("oras copy -r"), "{stored:?}");
}

#[test]
fn another_signed_image_helps_nobody() {
    let house = House::start();
    let [image, other] = [house.push_image(b"a release").0, house.push_image(b"another").0];
    house.sign(&other);
    assert!(!house.is_met(image));
}

#[test]
fn a_tag_is_resolved_over_http_and_on_disk() {
    let house = House::start();
    let image = house.push_image(b"a release").0;
    house.sign(&image);
    let manifest = house.send("ci", "GET", &format!("/v2/prod/app/manifests/{image}"), "", b"").body;
    house.push("v1", MANIFEST, &manifest);
    assert!(house.is_met(image));
    let reference = format!("{}/prod/app:v1", house.program.address());
    let layout = house.program.folder().join("data/prod/app");
    for flags in [vec!["--json"], vec!["--json", "--layout", layout.to_str().unwrap()]] {
        let verified = house.verifier.verify(&reference, &flags);
        let digest = verified.json()["explanation"]["digest"].as_str().map(ToOwned::to_owned);
        assert_eq!((verified.exit, digest), (0, Some(image.to_string())), "{verified:?}");
    }
}

#[test]
fn a_signed_index_admits_its_image_on_disk_and_where_it_is_named() {
    let house = House::start();
    let image = house.push_image(b"a release");
    let index = house.push_index(image);
    house.sign(&index);
    assert!(house.is_met(index));
    assert!(house.gate_admits(image.0));
    let stored = house.verify_on_disk(image.0);
    assert_eq!(stored.exit, 0, "{stored:?}");
    let alone = house.verify(image.0, &[]);
    assert!(alone.exit == 1 && alone.output.contains("--through"), "{alone:?}");
    let through = house.verify(image.0, &["--through", &house.reference(index)]);
    assert_eq!(through.exit, 0, "{through:?}");
}

#[test]
fn an_index_that_does_not_reach_the_image_can_not_be_told() {
    let house = House::start();
    let [image, other] = [house.push_image(b"a release"), house.push_image(b"another")];
    let index = house.push_index(other);
    house.sign(&index);
    let through = house.verify(image.0, &["--through", &house.reference(index)]);
    assert_eq!(through.exit, 2, "{through:?}");
}

#[test]
fn a_signed_image_never_admits_its_index_and_the_hint_says_so() {
    let house = House::start();
    let image = house.push_image(b"a release");
    let index = house.push_index(image);
    house.sign(&image.0);
    assert!(!house.is_met(index));
    for verified in [house.verify(index, &[]), house.verify_on_disk(index)] {
        assert!(verified.output.contains("sign the index"), "{verified:?}");
    }
}

#[test]
fn the_evidence_of_the_gates_refusal_is_told_in_its_words() {
    let house = House::start();
    let image = house.push_image(b"a release").0;
    let gate = house.send("deploy", "GET", &format!("/v2/prod/app/manifests/{image}"), "", b"");
    let detail = serde_json::from_slice::<Value>(&gate.body).unwrap()["errors"][0]["detail"]["requirements"][0].clone();
    let verified = house.verify(image, &["--json"]);
    let explanation = verified.json()["explanation"].clone();
    for key in ["requirement", "digest", "reason", "conditions", "evidence"] {
        assert_eq!(explanation[key], detail[key], "{key}");
        assert!(!explanation[key].is_null(), "{key}");
    }
}

#[test]
fn who_may_not_see_it_can_not_tell() {
    let house = House::start();
    let image = house.push_image(b"a release").0;
    house.sign(&image);
    house.verifier.log_in("another.example.org", "ci", "secret");
    assert_eq!(house.verify(image, &[]).exit, 2, "anonymous");
    house.verifier.log_in(house.program.address(), "ci", "wrong");
    assert_eq!(house.verify(image, &[]).exit, 2, "a wrong password");
}

#[test]
fn the_repository_says_whose_signature_counts() {
    let house = House::start();
    let image = house.push_image(b"a release").0;
    house.sign(&image);
    let signers = "[release]\ncosign_key = \"cosign/release.pub\"\nrepositories = [\"other/**\"]\n";
    house.verifier.put("trust/signers.toml", signers);
    let verified = house.verify(image, &[]);
    assert_eq!(verified.exit, 1, "{verified:?}");
}

#[test]
fn a_requirement_that_only_warns_is_judged_and_says_so() {
    let house = House::start();
    let image = house.push_image(b"a release").0;
    house.verifier.put("policies/requirements.toml", &format!("{REQUIREMENTS}mode = \"warn\"\n"));
    let verified = house.verify(image, &["--json"]);
    assert_eq!((verified.exit, verified.json()["explanation"]["mode"].as_str()), (1, Some("warn")));
}

#[test]
fn every_mistake_is_told() {
    let verifier = Verifier::new();
    verifier
        .put("trust/signers.toml", "[release]\ncosign_key = \"absent.pub\"\n[other]\ncosign_key = \"absent.pub\"\n");
    let verified = verifier.verify("localhost:1/prod/app:v1", &[]);
    assert_eq!(verified.exit, 2);
    assert!(verified.output.contains("signers.toml:2") && verified.output.contains("signers.toml:4"), "{verified:?}");
}

#[test]
fn an_unknown_requirement_can_not_be_told() {
    let verifier = Verifier::new();
    verifier.put("policies/requirements.toml", "[another]\nsigned_by = \"release\"\n");
    let verified = verifier.verify("localhost:1/prod/app:v1", &[]);
    assert!(verified.exit == 2 && verified.output.contains("another"), "{verified:?}");
}
