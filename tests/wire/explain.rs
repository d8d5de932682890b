//! `GET /_hallmark/explain` over the wire, and `hallmark explain` against the program.

use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallmark::oci::Digest;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, MANIFEST, Program, put};

const POLICY: &str = "\
p, user:ci, prod/**, push, unverified, allow
p, user:ci, prod/**, pull, unverified, allow
p, role:cluster, prod/**, pull, signed-release, allow
p, user:root, _registry, admin, unverified, allow
g, user:deploy, role:cluster
";

const REQUIREMENTS: &str = "[signed-release]\nsigned_by = \"release\"\n";

/// A registry with users and an image, and the key whose signature it asks for.
struct House {
    program: Program,
    key: PKey<Private>,
    image: Digest,
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

impl House {
    fn start() -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), key());
        put(folder.path(), "own/policies/policy.csv", POLICY);
        put(folder.path(), "own/policies/requirements.toml", REQUIREMENTS);
        put(folder.path(), "own/trust/signers.toml", "[release]\ncosign_key = \"release.pub\"\n");
        put(folder.path(), "own/trust/release.pub", &String::from_utf8(key.public_key_to_pem().unwrap()).unwrap());
        let hash = bcrypt::hash("secret", 4).unwrap();
        let users = ["ci", "deploy", "root", "nobody"].map(|name| format!("{name}:{hash}\n"));
        put(folder.path(), "users", &users.concat());
        let flags = ["--policies", "own/policies", "--trust", "own/trust", "--htpasswd", "users"];
        let program = Program::start_in(folder, &flags);
        let mut house = Self { program, key, image: Digest::sha256(b"") };
        let layer = house.push_blob(b"layer");
        let config = house.push_blob(b"{\"a\": \"config\"}");
        house.image = house.push(
            "v1",
            &config,
            15,
            &json!([{
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 5
            }]),
        );
        house
    }

    fn send(&self, who: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{who}:secret")));
        let headers = [("authorization", authorization.as_str()), ("content-type", MANIFEST)];
        self.program.send_with(method, path, &headers, body)
    }

    fn push_blob(&self, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        let path = format!("/v2/prod/app/blobs/uploads/?digest={digest}");
        assert_eq!(self.send("ci", "POST", &path, content).status, 201);
        digest
    }

    fn push(&self, tag: &str, config: &Digest, size: usize, layers: &Value) -> Digest {
        let kind = "application/vnd.oci.image.config.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
            "config": {"mediaType": kind, "digest": config, "size": size}
        });
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let answer = self.send("ci", "PUT", &format!("/v2/prod/app/manifests/{tag}"), &bytes);
        assert_eq!(answer.status, 201, "{answer:?}");
        Digest::sha256(&bytes)
    }

    /// Signs the image as cosign 2 does.
    fn sign(&self, key: &PKey<Private>) {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": ""},
                "image": {"docker-manifest-digest": self.image},
                "type": "cosign container image signature"
            },
            "optional": null
        })
        .to_string();
        let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
        let signature = STANDARD.encode(signer.sign_oneshot_to_vec(payload.as_bytes()).unwrap());
        let layer = self.push_blob(payload.as_bytes());
        let config = self.push_blob(b"{\"a config of\": \"cosign\"}");
        self.push(
            &format!("sha256-{}.sig", self.image.hex()),
            &config,
            25,
            &json!([{
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
                "digest": layer,
                "size": payload.len(),
                "annotations": {"dev.cosignproject.cosign/signature": signature}
            }]),
        );
    }

    fn explain(&self, who: &str, question: &str) -> Answer {
        self.send(who, "GET", &format!("/_hallmark/explain?{question}"), b"")
    }

    /// What the command says to someone with the credentials of `login`.
    fn command(&self, login: &str, args: &[&str]) -> Output {
        let address = self.program.address();
        let args: Vec<_> = args.iter().map(|arg| arg.replace("HOST", address)).collect();
        command(address, login, &args)
    }
}

fn command(address: &str, login: &str, args: &[String]) -> Output {
    let home = TempDir::new().unwrap();
    let auth = STANDARD.encode(format!("{login}:secret"));
    put(home.path(), "config.json", &json!({"auths": {address: {"auth": auth}}}).to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    command.arg("explain").args(args).env("DOCKER_CONFIG", home.path()).output().unwrap()
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn a_refusal_and_its_explanation_say_the_same_words() {
    let house = House::start();
    house.sign(&key());
    for name in ["v1".to_owned(), house.image.to_string()] {
        let refusal = house.send("deploy", "GET", &format!("/v2/prod/app/manifests/{name}"), b"");
        assert_eq!(refusal.status, 403);
        let refusal: Value = serde_json::from_slice(&refusal.body).unwrap();
        let detail = &refusal["errors"][0]["detail"];
        let separator = if name == "v1" { ':' } else { '@' };
        let told = json_of(&house.explain("deploy", &format!("action=pull&reference=prod/app{separator}{name}")));
        assert_eq!((&told["allowed"], &told["reason"]), (&json!(false), &detail["reason"]));
        assert_eq!(told["requirements"].as_array().unwrap().len(), 1);
        for (field, value) in detail["requirements"][0].as_object().unwrap() {
            assert_eq!(&told["requirements"][0][field], value, "{field}");
        }
        assert_eq!(detail["requirements"][0]["evidence"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn an_explanation_is_private_and_has_no_body_for_head() {
    let house = House::start();
    let path = "/_hallmark/explain?action=pull&reference=prod/app:v1";
    let get = house.send("deploy", "GET", path, b"");
    assert_eq!(get.header("content-type"), Some("application/json"));
    assert_eq!(get.header("cache-control"), Some("private, no-cache"));
    assert_eq!(get.header("vary"), Some("Authorization"));
    let head = house.send("deploy", "HEAD", path, b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(house.send("deploy", "POST", path, b"").status, 405);
}

#[test]
fn without_a_grant_it_is_as_if_there_were_nothing() {
    let house = House::start();
    let body = |who: &str, question: &str| {
        let answer = house.explain(who, question);
        (answer.status, answer.text().to_owned())
    };
    let there = body("nobody", "action=pull&reference=prod/app:v1");
    assert_eq!(there.0, 404);
    assert_eq!(there, body("nobody", "action=pull&reference=absent/app:v1"));
    let others = body("ci", "action=pull&reference=prod/app:v1&who=user:deploy");
    assert_eq!(there, others, "about others, to whoever may not administer");
    let pulled = house.send("nobody", "GET", "/v2/prod/app/manifests/v1", b"");
    assert_eq!(there, (pulled.status, pulled.text().to_owned()));
    let anonymous = house.program.send("GET", "/_hallmark/explain?action=pull&reference=prod/app:v1");
    assert_eq!((anonymous.status, anonymous.header("www-authenticate").is_some()), (401, true));
}

#[test]
fn what_is_no_question_is_refused() {
    let house = House::start();
    for question in [
        "",
        "reference=prod/app",
        "action=see&reference=prod/app",
        "action=pull",
        "action=pull&reference=Prod",
        "action=pull&reference=prod/app&who=role:cluster",
        "action=pull&reference=prod/app&action=pull",
        "action=pull&reference=prod/app&wo=user:ci",
    ] {
        let answer = house.explain("ci", question);
        assert_eq!((answer.status, answer.code().as_str()), (400, "UNSUPPORTED"), "{question}");
    }
}

#[test]
fn policy_lines_are_for_administrators() {
    let house = House::start();
    let question = "action=pull&reference=prod/app:v1&who=user:deploy";
    let full = house.explain("root", question);
    assert_eq!(json_of(&full)["lines"][0]["place"], json!("policies/policy.csv:3"));
    assert!(full.text().contains("policies/policy.csv:5: g, user:deploy, role:cluster"), "{}", full.text());
    let own = house.explain("deploy", question);
    assert_eq!(own.status, 200);
    assert!(!own.text().contains("policy.csv") && !own.text().contains("role:"), "{}", own.text());
}

#[test]
fn the_command_ends_with_one_until_it_is_signed_and_then_with_none() {
    let house = House::start();
    let refused = house.command("deploy", &["HOST/prod/app:v1"]);
    let told = text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    for words in ["refused: user:deploy pull", "granted under signed-release", "[unmet] signed by release"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.contains(&format!("to pass: a signature of {} by release (key ", house.image)), "{told}");
    house.sign(&house.key);
    let allowed = house.command("deploy", &["HOST/prod/app:v1"]);
    let told = text(&allowed);
    assert_eq!(allowed.status.code(), Some(0), "{told}");
    assert!(told.contains("[met] signed by release") && told.contains("verified: signed by release"), "{told}");
}

#[test]
fn the_command_says_why_a_newer_push_is_not_served() {
    let house = House::start();
    house.sign(&house.key);
    let config = house.push_blob(b"{\"another\": \"config\"}");
    let newer = house.push("v1", &config, 21, &json!([])).to_string();
    let own = text(&house.command("deploy", &["HOST/prod/app:v1"]));
    assert!(own.contains("not served, newer: push: signed-release: no signature was found"), "{own}");
    assert!(own.contains(&format!("digest: {}", house.image)) && !own.contains(&newer), "{own}");
    let full = text(&house.command("root", &["--who", "user:deploy", "HOST/prod/app:v1"]));
    assert!(full.contains(&format!("not served, newer: push {newer} of 2")), "{full}");
}

#[test]
fn the_command_asks_about_others_and_writes_json() {
    let house = House::start();
    let args = ["--who", "user:deploy", "--json", "HOST/prod/app:v1"];
    let output = house.command("root", &args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told, json_of(&house.explain("root", "action=pull&reference=prod/app:v1&who=user:deploy")));
    let pushes = house.command("root", &["--who", "user:ci", "--action", "push", "HOST/prod/app:v2"]);
    assert_eq!(pushes.status.code(), Some(0), "{}", text(&pushes));
    let lines = text(&house.command("root", &["--who", "user:deploy", "HOST/prod/app:v1"]));
    assert!(lines.contains("through policies/policy.csv:5: g, user:deploy, role:cluster"), "{lines}");
}

#[test]
fn the_command_ends_with_two_when_it_can_not_tell() {
    let house = House::start();
    for (login, args) in [
        ("nobody", &["HOST/prod/app:v1"][..]),
        ("stranger", &["HOST/prod/app:v1"]),
        ("ci", &["--who", "user:deploy", "HOST/prod/app:v1"]),
        ("ci", &["127.0.0.1:1/prod/app:v1"]),
        ("ci", &["no-host/app"]),
        ("ci", &["--action", "see", "HOST/prod/app:v1"]),
    ] {
        let output = house.command(login, args);
        assert_eq!(output.status.code(), Some(2), "{login} {args:?}: {}", text(&output));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{login} {args:?}");
    }
}

#[test]
fn what_is_no_hallmark_can_not_tell() {
    use crate::tiny::{Reply, Tiny};
    for reply in [Reply::status(404), Reply::of("application/json", "{\"allowed\": true}"), Reply::status(500)] {
        let other = Tiny::start(
            move |asked, _| {
                if asked.path.starts_with("/v2/") { Reply::status(200) } else { reply.clone() }
            },
        );
        let output = command(&other.address, "ci", &[format!("{}/prod/app:v1", other.address)]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).starts_with("can't tell: expected "), "{}", text(&output));
    }
}
