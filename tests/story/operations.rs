//! What operators need: health, metrics, logs, reload, drain, and commands that say what they did.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Image, Key, Registry, Setup, digest_of};

#[test]
fn health_and_readiness_are_told_to_anybody() {
    let registry = Registry::start(&Setup::open());
    let anonymous = registry.anonymous();
    anonymous.get("/healthz").is(200);
    anonymous.get("/readyz").is(200);
}

#[test]
fn metrics_count_requests_refusals_pushes_and_storage() {
    let registry = Registry::start(&Setup::open());
    let anonymous = registry.anonymous();
    anonymous.pushes_tagged("open/app", "v1", &Image::of("a release"));
    anonymous.manifest("open/app", "v1").is(200);
    anonymous.manifest("open/app", "absent").is(404);

    let metrics = anonymous.get("/metrics").is(200);
    assert!(metrics.header("content-type").starts_with("text/plain"), "{metrics}");
    let text = metrics.text();
    for family in [
        "hallmark_requests_total",
        "hallmark_refusals_total",
        "hallmark_request_seconds",
        "hallmark_verdicts_total",
        "hallmark_pushes_waiting",
        "hallmark_storage_blob_bytes",
    ] {
        assert!(text.contains(&format!("# TYPE {family} ")), "expected {family}, found\n{text}");
    }
    let served = |line: &&str| {
        line.starts_with("hallmark_requests_total{") && line.contains("\"GET\"") && line.contains("\"200\"")
    };
    assert!(text.lines().any(|line| served(&line)), "expected the pull to be counted, found\n{text}");
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_push_that_waits_for_its_signature_is_counted_until_it_comes() {
    let registry = Registry::start(&Setup::release());
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let value = |name: &str| {
        let metrics = registry.anonymous().get("/metrics").is(200).text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().parse::<u64>().unwrap_or_else(|error| panic!("expected {name}: {error}\n{metrics}"))
    };
    let becomes = |name: &str, expected: u64| {
        let start = Instant::now();
        while value(name) != expected {
            assert!(start.elapsed() < Duration::from_secs(20), "expected {name} to become {expected}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    becomes("hallmark_pushes_waiting ", 0);

    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    becomes("hallmark_pushes_waiting ", 1);
    let withheld = "hallmark_refusals_total{reason=\"withheld\"} ";
    assert_eq!(value(withheld), 0);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["no signature was found"]);
    assert_eq!(value(withheld), 1);

    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    becomes("hallmark_pushes_waiting ", 0);
}

#[test]
fn every_request_is_one_line_of_the_log_with_its_id_and_without_credentials() {
    let mut setup = Setup::open();
    setup.users = vec!["reader"];
    setup.policy.push_str("p, user:reader, open/**, pull, unverified, allow\n");
    let registry = Registry::start(&setup);
    let seen = registry.lines();

    let answer = registry.person("reader").manifest("open/app", "absent").is(404);

    let id = answer.header("x-request-id");
    assert!(!id.is_empty(), "expected a request id\n{answer}");
    let line = registry.logs(seen, &[id, "/v2/open/app/manifests/absent", "404", "user:reader"]);
    assert!(!line.contains("Basic"), "expected no credential, found {line}");
}

#[test]
fn a_reload_applies_policy_and_takes_grants_away() {
    let registry = Registry::start(&Setup::open());
    let anonymous = registry.anonymous();
    anonymous.pushes_tagged("open/app", "v1", &Image::of("a release"));

    registry.accepts(&[("policies/policy.csv", "p, anonymous, elsewhere/**, pull, unverified, allow\n")]);

    let withdrawn = anonymous.manifest("open/app", "v1").refuses(401, "UNAUTHORIZED", &[]);
    assert!(withdrawn.header("www-authenticate").starts_with("Basic realm="), "expected a challenge\n{withdrawn}");
    let never_there = anonymous.manifest("never/there", "v1").is(401);
    assert_eq!(withdrawn.text(), never_there.text());
    anonymous.manifest("elsewhere/app", "v1").refuses(404, "NAME_UNKNOWN", &[]);
}

#[test]
fn a_change_of_a_file_is_noticed_without_a_signal() {
    let registry = Registry::start(&Setup::open());
    let seen = registry.lines();

    let policy = format!("{}p, anonymous, more/**, push, unverified, allow\n", Setup::open().policy);
    std::fs::write(registry.file("policies/policy.csv"), policy).unwrap();

    registry.logs(seen, &["\"event\":\"reload\"", "change"]);
    registry.anonymous().post_blob("more/app", b"taken").is(201);
}

#[test]
fn sigterm_lets_an_upload_in_progress_end() {
    let mut registry = Registry::start(&Setup::open());
    let body: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = digest_of(&body);
    let (head, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(registry.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!(
        "POST /v2/open/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        registry.address(),
        body.len(),
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(head).unwrap();
    std::thread::sleep(Duration::from_millis(200));

    registry.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(500));
    stream.write_all(rest).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 201"), "expected 201, found {answer}\n{}", registry.log());
    let status = registry.ends();
    assert!(status.success(), "expected a clean stop, found {status}\n{}", registry.log());
    registry.starts_again();
    assert_eq!(registry.anonymous().blob("open/app", &digest).is(200).bytes(), body);
}

#[test]
fn an_abandoned_upload_expires() {
    let mut setup = Setup::open();
    setup.configuration = "[limits]\nupload_expiry_seconds = 1\n".to_owned();
    let registry = Registry::start(&setup);
    let anonymous = registry.anonymous();
    let begun = anonymous.request("POST", "/v2/open/app/blobs/uploads/", &[], &[]).is(202);
    let location = begun.header("location").to_owned();
    anonymous.get(&location).is(204);

    let start = Instant::now();
    while anonymous.get(&location).status() == 204 {
        assert!(start.elapsed() < Duration::from_secs(20), "expected the upload to expire\n{}", registry.log());
        std::thread::sleep(Duration::from_millis(200));
    }

    anonymous.get(&location).refuses(404, "BLOB_UPLOAD_UNKNOWN", &[]);
    let left = std::fs::read_dir(registry.file("data/_uploads")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "expected no file to be left of it");
}

#[test]
fn plain_http_off_loopback_is_refused_unless_a_danger_key_says_so() {
    let mut setup = Setup::open();
    setup.listen = "0.0.0.0:0";
    let (status, log) = Registry::does_not_start(&setup);
    assert!(!status.success());
    assert!(log.contains("danger_plain_http"), "expected the key that would allow it, found\n{log}");

    setup.danger_plain_http = true;
    let mut registry = Registry::start(&setup);
    assert!(registry.stops().success());
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let registry = Registry::start(&Setup::open());
    let second = registry.hallmark(&["serve"]);
    assert_ne!(second.code(), 0, "{second}");
    assert!(second.told().contains("lock"), "expected the lock to be named\n{second}");
    registry.anonymous().get("/healthz").is(200);
}

#[test]
fn check_answers_yes_no_or_could_not_tell() {
    let registry = Registry::start(&Setup::open());
    let good = registry.hallmark(&["check"]);
    assert_eq!(good.code(), 0, "{good}");

    std::fs::write(registry.file("policies/policy.csv"), "p, anonymous, open/**, pull, unverified, Allow\n").unwrap();
    let bad = registry.hallmark(&["check"]);
    assert_eq!(bad.code(), 1, "{bad}");
    assert!(bad.told().contains("policies/policy.csv:1"), "expected file and line\n{bad}");
    let machine = registry.hallmark(&["check", "--json"]);
    assert_eq!(machine.code(), 1, "{machine}");
    let told: serde_json::Value = serde_json::from_str(&machine.stdout()).unwrap();
    assert!(told.to_string().contains("\"line\":1"), "expected the line\n{machine}");

    let absent = registry.hallmark(&["check", "--config", "absent.toml"]);
    assert_eq!(absent.code(), 2, "{absent}");
}

#[test]
fn check_warns_of_what_is_probably_not_meant() {
    let mut setup = Setup::open();
    setup.policy.push_str("p, role:nobody, nowhere/**, pull, unverified, allow\n");
    let registry = Registry::start(&setup);

    let check = registry.hallmark(&["check"]);

    assert_eq!(check.code(), 0, "{check}");
    assert!(check.told().contains("nowhere/**"), "expected a warning about the glob\n{check}");
    assert!(check.told().contains("role:nobody"), "expected a warning about the role\n{check}");
}

#[test]
fn htpasswd_writes_a_line_that_serve_understands() {
    let mut setup = Setup::open();
    setup.users = vec!["reader"];
    let registry = Registry::start(&setup);
    let set = registry.hallmark_with_input(&["htpasswd", "users.htpasswd", "another"], "a long enough password\n");
    assert_eq!(set.code(), 0, "{set}");
    let users = std::fs::read_to_string(registry.file("users.htpasswd")).unwrap();
    assert!(users.contains("\nanother:$2"), "expected a bcrypt line, found {users}");
    let policy = format!("{}p, user:another, hers/**, push, unverified, allow\n", setup.policy);

    registry.accepts(&[("policies/policy.csv", &policy)]);

    registry.person_with("another", "a long enough password").post_blob("hers/app", b"taken").is(201);
    registry.person_with("another", "a wrong password").post_blob("hers/app", b"not taken").refuses(
        401,
        "UNAUTHORIZED",
        &[],
    );
}
