//! `hallmark verify` where nobody runs Hallmark yet: Debian's registry, and layouts that others wrote.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::forge::{DAY, Format, SigningCertificate, Target};
use crate::harness::{ACME, IMAGE, Image, Key, Person, Ran, Registry, Run, Setup, authority, leaf, now, sound};

#[test]
#[ignore = "needs the clients: run ./test"]
fn debians_registry_and_copies_of_it_are_judged_by_the_same_trust() {
    let acme = authority();
    let (house, release) = (house(&acme.root_pem()), acme.issue(&leaf(ACME)));
    let [ci, stranger] = house.people(["ci", "signer"]);
    let debians = DebiansRegistry::start(&house.file("debian"));
    ci.run("crane").args(["auth", "login", &debians.address, "-u", "someone", "-p", "a secret"]).succeeds();
    let layer = ci.archive("a release");
    let tag = format!("{}/prod/app:v1", debians.address);
    let pushed = ci.run("crane").args(["append", "--insecure", "--oci-empty-base", "--new_tag", &tag, "--new_layer"]);
    let digest = pushed.args([layer]).succeeds().rsplit('@').next().unwrap().to_owned();
    let reference = format!("{}/prod/app@{digest}", debians.address);

    says(&verify(&house, &ci, &tag, &[]), 1, "no signature was found");
    says(&verify(&house, &stranger, &tag, &[]), 2, "401");

    notation_signs(&ci, &release, &reference);
    says(&verify(&house, &ci, &tag, &[]), 1, "none counts as 1 more of: signed by release;");

    let sign = ["sign", "--yes", "--allow-http-registry", "--use-signing-config=false", "--tlog-upload=false", "--key"];
    ci.run("cosign3").args(sign).args([Key::Release.private()]).args([&reference]).succeeds();
    says(&verify(&house, &ci, &tag, &[]), 0, &digest);

    let copy = ["copy", "--recursive", "--from-plain-http", &tag, "--to-oci-layout", "whole:v1"];
    ci.run("oras").args(copy).succeeds();
    says(&verify(&house, &ci, &tag, &["--layout", "whole"]), 0, &digest);

    let copy = ["--insecure-policy", "copy", "--src-tls-verify=false", &format!("docker://{tag}"), "oci:bare:v1"];
    ci.run("skopeo").args(copy).succeeds();
    says(&verify(&house, &ci, &tag, &["--layout", "bare"]), 1, "oras copy -r");
}

#[test]
fn a_signature_is_judged_as_at_the_time_that_is_named() {
    let acme = authority();
    let registry = Registry::start(&Setup::notation(&acme.root_pem()));
    let [ci, signer] = registry.people(["ci", "signer"]);
    let image = Image::of("a release");
    let digest = ci.pushes_image("prod/app", &image);
    let target = Target::of(IMAGE, image.bytes());
    let forge = sound(Format::Jws, &acme.issue(&leaf(ACME)), &target).expiring(now() + DAY);
    signer.pushes_signature("prod/app", &forge, &target).is(201);

    for (days, code, words) in [(0, 0, "is met"), (2, 1, "expired at"), (-2, 1, "is not valid before")] {
        let at = hallmark::clock::Timestamp::from_micros((now() + days * DAY) * 1_000_000).to_string();
        let ran = ci.hallmark_verify("signed-release", &["--at", &at], &format!("prod/app@{digest}"));
        let words = if code == 0 { &at } else { words };
        says(&ran, code, words);
    }
}

/// Where the trust is that judges: a cosign key and Acme, both asked for.
fn house(root: &str) -> Registry {
    let both = "threshold = 2\nof = [{ signed_by = \"release\" }, { signed_by = \"acme\" }]";
    let mut setup = Setup::notation(root).with_release_key().requires(both);
    setup.statement()["registryScopes"] = json!(["*"]);
    Registry::start(&setup)
}

fn notation_signs(person: &Person<'_>, with: &SigningCertificate, reference: &str) {
    std::fs::write(person.home().join("notation.key"), &with.key_pem).unwrap();
    std::fs::write(person.home().join("notation.pem"), with.chain_pem()).unwrap();
    let sign = ["sign", "--plain-http", "--signature-format", "cose", "--key", "notation.key"];
    person.run("notation").args(sign).args(["--certificate-chain", "notation.pem", reference]).succeeds();
}

fn verify(house: &Registry, person: &Person<'_>, reference: &str, flags: &[&str]) -> Ran {
    let configuration = house.file("hallmark.toml");
    Run::hallmark(person.home())
        .args(["verify", reference, "--requirement", "signed-release", "--json", "--config"])
        .args([configuration])
        .args(flags)
        .run()
}

#[track_caller]
fn says(ran: &Ran, code: i32, words: &str) {
    assert!(ran.code() == code && ran.told().contains(words), "expected {code} and {words:?}\n{ran}");
}

/// Debian's docker-registry on a free port, with one user.
struct DebiansRegistry {
    address: String,
    child: Child,
}

impl DebiansRegistry {
    const PATIENCE: Duration = Duration::from_secs(20);

    #[track_caller]
    fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let configuration = json!({
            "version": 0.1,
            "log": { "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": folder.join("data") } },
            "http": { "addr": address },
            "auth": { "htpasswd": { "realm": "debian", "path": folder.join("users") } },
        });
        std::fs::write(folder.join("config.yml"), configuration.to_string()).unwrap();
        std::fs::write(folder.join("users"), format!("someone:{}\n", bcrypt::hash("a secret", 4).unwrap())).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", "config.yml"]).current_dir(folder);
        let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Self { address, child: silent.spawn().unwrap() };
        let begin = Instant::now();
        while TcpStream::connect(&started.address).is_err() {
            assert!(begin.elapsed() < Self::PATIENCE, "expected docker-registry to answer at {}", started.address);
            std::thread::sleep(Duration::from_millis(20));
        }
        started
    }
}

impl Drop for DebiansRegistry {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
