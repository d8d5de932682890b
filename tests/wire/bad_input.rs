//! Each limit and each grammar: the answer, and that nothing was stored.

use hallmark::oci::Digest;

use crate::program::{MANIFEST, Program};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// Method, path, headers, body, status, code.
type Row<'a> = (&'a str, String, &'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);

#[track_caller]
fn refused(program: &Program, rows: &[Row<'_>]) {
    for (method, path, headers, body, status, code) in rows {
        let before = program.stored();
        let answer = program.send_with(method, path, headers, body);
        let short: String = path.chars().take(80).collect();
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{method} {short}: {answer:?}");
        assert_eq!(program.stored(), before, "{method} {short} changed what is stored");
    }
}

#[test]
fn names_digests_references_and_methods_outside_the_grammar_are_refused() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    let long = "a".repeat(256);
    let manifest = b"{}".to_vec();
    let none: &[(&str, &str)] = &[];
    let row = |method, path: &str, status, code| -> Row<'_> {
        let body = if method == "PUT" { manifest.clone() } else { Vec::new() };
        let path = path.replace("<digest>", DIGEST).replace("<uuid>", UUID);
        (method, path, none, body, status, code)
    };
    refused(
        &program,
        &[
            row("PUT", "/v2/open/A/manifests/v1", 400, "NAME_INVALID"),
            row("PUT", "/v2/open%2fapp/manifests/v1", 400, "NAME_INVALID"),
            row("PUT", "/v2/open/../app/manifests/v1", 400, "NAME_INVALID"),
            row("POST", "/v2/open//app/blobs/uploads/", 400, "NAME_INVALID"),
            row("POST", &format!("/v2/open/{long}/blobs/uploads/"), 400, "NAME_INVALID"),
            row("PUT", "/v2/open/app/manifests/.v1", 400, "MANIFEST_INVALID"),
            row("PUT", &format!("/v2/open/app/manifests/{}", "t".repeat(129)), 400, "MANIFEST_INVALID"),
            row("PUT", "/v2/open/app/manifests/sha256:00", 400, "DIGEST_INVALID"),
            row("PUT", "/v2/open/app/manifests/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID"),
            row("GET", "/v2/open/app/manifests/.v1", 404, "MANIFEST_UNKNOWN"),
            row("GET", "/v2/open/app/manifests/v2", 404, "MANIFEST_UNKNOWN"),
            row("GET", "/v2/open/app/blobs/sha256:XX", 400, "DIGEST_INVALID"),
            row("GET", "/v2/open/app/blobs/<digest>", 404, "BLOB_UNKNOWN"),
            row("GET", "/v2/open/app/referrers/sha256:1", 400, "DIGEST_INVALID"),
            row("PATCH", "/v2/open/app/blobs/uploads/1", 404, "BLOB_UPLOAD_UNKNOWN"),
            row("PATCH", "/v2/open/app/blobs/uploads/<uuid>", 404, "BLOB_UPLOAD_UNKNOWN"),
            row("PUT", "/v2/open/app/blobs/uploads/<uuid>", 400, "DIGEST_INVALID"),
            row("POST", "/v2/open/app/blobs/uploads/?digest=sha256:1", 400, "DIGEST_INVALID"),
            row("POST", "/v2/open/app/blobs/uploads/?digest-algorithm=md5", 400, "DIGEST_INVALID"),
            row("POST", "/v2/open/app/blobs/uploads/?mount=x&from=open/app", 400, "DIGEST_INVALID"),
            row("POST", "/v2/open/app/blobs/uploads/?mount=<digest>&from=A", 400, "NAME_INVALID"),
            row("GET", "/v2/open/app/tags/list?n=-1", 400, "UNSUPPORTED"),
            row("GET", "/v2/open/app/tags/list?n=1&n=2", 400, "UNSUPPORTED"),
            row("GET", "/v2/open/app/tags/list?last=%ff", 400, "UNSUPPORTED"),
            row("BREW", "/v2/open/app/manifests/v1", 405, "UNSUPPORTED"),
            row("POST", "/v2/open/app/manifests/v1", 405, "UNSUPPORTED"),
            row("GET", "/v3/", 404, "UNSUPPORTED"),
        ],
    );
}

#[test]
fn manifests_outside_the_limits_are_refused() {
    let program = Program::start_with(&["--manifest-bytes", "4096"]);
    let (_, good) = program.push_image("open/app", "v1", b"layer");
    let headers: &[(&str, &str)] = &[("content-type", MANIFEST)];
    let good = String::from_utf8(good).unwrap();
    let row = |path: &str, body: String, status, code| -> Row<'_> {
        ("PUT", path.to_owned(), headers, body.into_bytes(), status, code)
    };
    let by_tag = "/v2/open/app/manifests/v2";
    let deep = good.replacen('{', &format!(r#"{{"x":{}1{},"#, "[".repeat(200), "]".repeat(200)), 1);
    let twice = good.replacen('{', r#"{"schemaVersion":2,"#, 1);
    let absent = good.replace(&Digest::sha256(b"layer").to_string(), &Digest::sha256(b"absent").to_string());
    refused(
        &program,
        &[
            row(by_tag, String::new(), 400, "MANIFEST_INVALID"),
            row(by_tag, "{".to_owned(), 400, "MANIFEST_INVALID"),
            row(by_tag, deep, 400, "MANIFEST_INVALID"),
            row(by_tag, twice, 400, "MANIFEST_INVALID"),
            row(by_tag, format!("{good}{}", " ".repeat(4096)), 413, "SIZE_INVALID"),
            row(by_tag, absent, 404, "MANIFEST_BLOB_UNKNOWN"),
            row(&format!("/v2/open/app/manifests/{DIGEST}"), good.clone(), 400, "DIGEST_INVALID"),
            row(&format!("{by_tag}?tag=v3"), good.clone(), 400, "MANIFEST_INVALID"),
        ],
    );
}

#[test]
fn a_streamed_manifest_over_the_limit_is_refused() {
    let program = Program::start_with(&["--manifest-bytes", "4096"]);
    let before = program.stored();
    let head =
        "PUT /v2/open/app/manifests/v1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let answer = program.send_raw(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes());
    assert_eq!((answer.status, answer.code().as_str()), (413, "SIZE_INVALID"));
    assert_eq!(program.stored(), before);
}

#[test]
fn a_blob_that_is_not_its_digest_is_refused() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    let path = format!("/v2/open/app/blobs/uploads/?digest={DIGEST}");
    let answer = program.send_with("POST", &path, &[], b"other");
    assert_eq!((answer.status, answer.code().as_str()), (400, "DIGEST_INVALID"));
    assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{DIGEST}")).status, 404);
}

#[test]
fn a_blob_over_the_limit_is_refused_at_the_door_and_while_it_streams() {
    let program = Program::start_with(&["--blob-bytes", "4096"]);
    program.push_image("open/app", "v1", b"layer");
    let before = program.stored();
    let content = vec![7; 5000];
    let digest = Digest::sha256(&content);
    let path = format!("/v2/open/app/blobs/uploads/?digest={digest}");
    let answer = program.send_with("POST", &path, &[], &content);
    assert_eq!((answer.status, answer.code().as_str()), (413, "SIZE_INVALID"));
    assert_eq!(program.stored(), before);

    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1388\r\n");
    let answer = program.send_raw(&[head.as_bytes(), &content, b"\r\n0\r\n\r\n"].concat());
    assert_eq!((answer.status, answer.code().as_str()), (413, "SIZE_INVALID"));
    assert_eq!(program.stored(), before);
}

#[test]
fn a_chunk_that_is_not_at_its_place_is_told_the_place() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    let chunk = |range: &str, body: &[u8]| program.send_with("PATCH", &session, &[("content-range", range)], body);
    assert_eq!(chunk("0-4", b"hello").header("range"), Some("0-4"));
    for range in ["3-7", "9-13", "x", "7-3"] {
        let answer = chunk(range, b"hello");
        assert_eq!((answer.status, answer.code().as_str()), (416, "BLOB_UPLOAD_INVALID"), "{range}");
        assert_eq!((answer.header("range"), answer.header("location")), (Some("0-4"), Some(session.as_str())));
    }
    assert_eq!(chunk("5-9", b"four").status, 400);
    assert_eq!(program.send("GET", &session).header("range"), Some("0-4"));
}

#[test]
fn headers_over_the_limits_are_answered_with_a_bare_431() {
    let program = Program::start_with(&["--header-bytes", "8192", "--headers", "20"]);
    let before = program.stored();
    let large = "x".repeat(9000);
    let answer = program.send_with("POST", "/v2/open/app/blobs/uploads/", &[("x-large", &large)], b"");
    assert_eq!((answer.status, answer.body.len()), (431, 0));
    let many: Vec<(String, &str)> = (0..30).map(|n| (format!("x-{n}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let answer = program.send_with("POST", "/v2/open/app/blobs/uploads/", &many, b"");
    assert_eq!((answer.status, answer.body.len()), (431, 0));
    assert_eq!(program.stored(), before);
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let program = Program::start_with(&["--header-seconds", "1"]);
    for slow in [&b"P"[..], b"GET /v2/ HTTP/1.1\r\nhost: x\r\n", b"PRI * HTTP"] {
        let begin = std::time::Instant::now();
        let mut stream = program.connect();
        std::io::Write::write_all(&mut stream, slow).unwrap();
        let mut answer = Vec::new();
        drop(std::io::Read::read_to_end(&mut stream, &mut answer));
        assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{:?}", String::from_utf8_lossy(slow));
    }
}

#[test]
fn a_body_that_stands_still_is_given_up() {
    let program = Program::start_with(&["--body-idle-seconds", "1"]);
    program.push_image("open/app", "v1", b"layer");
    let head =
        format!("POST /v2/open/app/blobs/uploads/?digest={DIGEST} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc");
    let answer = program.send_raw(head.as_bytes());
    assert_eq!((answer.status, answer.code().as_str()), (408, "BLOB_UPLOAD_INVALID"));
}

#[test]
fn who_is_refused_a_large_upload_still_reads_why() {
    let program = Program::start();
    let before = program.stored();
    let answer =
        program.send_with("POST", &format!("/v2/closed/blobs/uploads/?digest={DIGEST}"), &[], &vec![0; 8 << 20]);
    assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(program.stored(), before);
}

#[test]
fn a_manifest_with_too_many_descriptors_is_refused() {
    let program = Program::start_with(&["--manifest-links", "2"]);
    let (_, good) = program.push_image("open/app", "v1", b"layer");
    let good = String::from_utf8(good).unwrap();
    let (before, layers) = good.split_once(r#""layers":["#).unwrap();
    let layer = layers.strip_suffix("]}").unwrap();
    let three = format!(r#"{before}"layers":[{layer},{layer}]}}"#);
    let headers: &[(&str, &str)] = &[("content-type", MANIFEST)];
    let path = "/v2/open/app/manifests/v2".to_owned();
    refused(&program, &[("PUT", path, headers, three.into_bytes(), 400, "MANIFEST_INVALID")]);
}

#[test]
fn a_page_is_no_longer_than_the_limit_whatever_is_asked_for() {
    let program = Program::start_with(&["--page-max", "2"]);
    for tag in ["a", "b", "c"] {
        program.push_image("open/app", tag, tag.as_bytes());
        program.push_image(&format!("open/{tag}"), tag, tag.as_bytes());
    }
    for asked in ["", "?n=3", "?n=99999999999999999999999"] {
        let tags = program.send("GET", &format!("/v2/open/app/tags/list{asked}"));
        assert_eq!(tags.text(), r#"{"name":"open/app","tags":["a","b"]}"#, "{asked}");
        assert_eq!(tags.header("link"), Some(r#"</v2/open/app/tags/list?n=2&last=b>; rel="next""#), "{asked}");
        let catalog = program.send("GET", &format!("/v2/_catalog{asked}"));
        assert_eq!(catalog.text(), r#"{"repositories":["open/a","open/app"]}"#, "{asked}");
        assert_eq!(catalog.header("link"), Some(r#"</v2/_catalog?n=2&last=open/app>; rel="next""#), "{asked}");
    }
}

#[test]
fn who_comes_while_all_connections_are_taken_waits_for_one_to_end() {
    let program = Program::start_with(&["--connections", "2", "--header-seconds", "2"]);
    let _taken = [program.connect(), program.connect()];
    let begin = std::time::Instant::now();
    assert_eq!(program.send("GET", "/healthz").status, 200);
    assert!(begin.elapsed() > std::time::Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[test]
fn under_sign_alone_uploads_are_bounded_in_size_and_number() {
    let flags = ["--sign-blob-bytes", "10", "--sign-uploads", "2", "--sign-unheld-blobs", "1"];
    let program = Program::start_with(&flags);
    let policy = format!("{}p, anonymous, signed/**, sign, unverified, allow\n", crate::program::POLICY);
    crate::program::put(program.folder(), "policies/policy.csv", &policy);
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    program.push_blob("signed/app", b"one");
    let whole = |content: &[u8]| format!("/v2/signed/app/blobs/uploads/?digest={}", Digest::sha256(content));
    let (large, second) = (vec![7; 11], b"two".to_vec());
    refused(
        &program,
        &[
            ("POST", whole(&large), &[], large.clone(), 413, "SIZE_INVALID"),
            ("POST", whole(&second), &[], second.clone(), 429, "TOOMANYREQUESTS"),
        ],
    );
    for _ in 0..2 {
        assert_eq!(program.send("POST", "/v2/signed/app/blobs/uploads/").status, 202);
    }
    refused(&program, &[("POST", "/v2/signed/app/blobs/uploads/".to_owned(), &[], vec![], 429, "TOOMANYREQUESTS")]);
}
