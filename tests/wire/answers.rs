//! Headers and bodies of answers that are yes.

use hallmark::oci::Digest;

use crate::program::{MANIFEST, Program};

#[test]
fn head_tells_what_get_would_send() {
    let program = Program::start();
    let (digest, manifest) = program.push_image("open/app", "v1", b"layer");
    for path in [format!("/v2/open/app/manifests/{digest}"), "/v2/open/app/manifests/v1".to_owned()] {
        let (get, head) = (program.send("GET", &path), program.send("HEAD", &path));
        assert_eq!((get.status, head.status), (200, 200));
        assert_eq!((get.body.as_slice(), head.body.len()), (manifest.as_slice(), 0));
        for name in ["content-length", "content-type", "docker-content-digest", "etag", "vary", "cache-control"] {
            assert!(get.header(name).is_some(), "{name}");
            assert_eq!(get.header(name), head.header(name), "{name}");
        }
        assert_eq!(get.header("content-type"), Some(MANIFEST));
        assert_eq!(get.header("docker-content-digest"), Some(digest.to_string().as_str()));
        assert_eq!(get.header("cache-control"), Some("private, no-cache"));
        assert_eq!(get.header("vary"), Some("Authorization"));
    }
}

#[test]
fn who_has_it_already_is_told_so() {
    let program = Program::start();
    let (digest, _) = program.push_image("open/app", "v1", b"layer");
    let ask = |etag: &str| program.send_with("GET", "/v2/open/app/manifests/v1", &[("if-none-match", etag)], b"");
    let had = ask(&format!("\"a\", W/\"{digest}\""));
    assert_eq!((had.status, had.body.len(), had.header("etag")), (304, 0, Some(format!("\"{digest}\"").as_str())));
    assert_eq!(ask("\"a\"").status, 200);
    let absent = program.send_with("GET", "/v2/open/app/manifests/v2", &[("if-none-match", "*")], b"");
    assert_eq!(absent.status, 404);
}

#[test]
fn ranges_of_small_and_large_blobs_are_exact() {
    let program = Program::start();
    let large: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    for content in [b"0123456789".to_vec(), large] {
        program.push_image("open/app", "v1", &content);
        let path = format!("/v2/open/app/blobs/{}", Digest::sha256(&content));
        assert!(program.send("GET", &path).body == content);
        let size = content.len();
        for (range, from, to) in [
            ("bytes=2-5".to_owned(), 2, 6),
            (format!("bytes=1-{}", size - 2), 1, size - 1),
            ("bytes=-3".to_owned(), size - 3, size),
        ] {
            let answer = program.send_with("GET", &path, &[("range", &range)], b"");
            assert_eq!(answer.status, 206);
            let expected = format!("bytes {from}-{}/{size}", to - 1);
            assert_eq!(answer.header("content-range"), Some(expected.as_str()));
            assert!(answer.body == content[from..to], "{range}");
        }
        let answer = program.send_with("GET", &path, &[("range", &format!("bytes={size}-"))], b"");
        assert_eq!(answer.status, 416);
        assert_eq!(answer.header("content-range"), Some(format!("bytes */{size}").as_str()));
        let head = program.send_with("HEAD", &path, &[("range", "bytes=2-5")], b"");
        assert_eq!((head.status, head.header("accept-ranges")), (200, Some("bytes")));
        assert_eq!(head.header("content-length"), Some(size.to_string().as_str()));
        let changed = program.send_with("GET", &path, &[("range", "bytes=2-5"), ("if-range", "\"other\"")], b"");
        assert_eq!((changed.status, changed.body.len()), (200, size));
    }
}

#[test]
fn lists_are_paged_by_links() {
    let program = Program::start();
    for tag in ["a", "b", "c"] {
        program.push_image("open/app", tag, tag.as_bytes());
    }
    let first = program.send("GET", "/v2/open/app/tags/list?n=2");
    assert_eq!(first.text(), r#"{"name":"open/app","tags":["a","b"]}"#);
    let link = first.header("link").unwrap();
    assert_eq!(link, r#"</v2/open/app/tags/list?n=2&last=b>; rel="next""#);
    let next = program.send("GET", link.strip_prefix('<').unwrap().split_once('>').unwrap().0);
    assert_eq!((next.text(), next.header("link")), (r#"{"name":"open/app","tags":["c"]}"#, None));
    let none = program.send("GET", "/v2/open/app/tags/list?n=0");
    assert_eq!((none.text(), none.header("link")), (r#"{"name":"open/app","tags":[]}"#, None));
}

#[test]
fn a_push_by_digest_sets_the_tags_that_it_names() {
    let program = Program::start();
    let (digest, manifest) = program.push_image("open/app", "v1", b"layer");
    let path = format!("/v2/open/app/manifests/{digest}?tag=v2&tag=v3");
    let answer = program.send_with("PUT", &path, &[("content-type", MANIFEST)], &manifest);
    assert_eq!((answer.status, answer.header("oci-tag")), (201, Some("v2")));
    assert_eq!(program.send("GET", "/v2/open/app/tags/list").text(), r#"{"name":"open/app","tags":["v1","v2","v3"]}"#);
}

#[test]
fn an_upload_in_chunks_becomes_a_blob() {
    let program = Program::start();
    let begun = program.send("POST", "/v2/open/app/blobs/uploads/");
    assert_eq!((begun.status, begun.header("range")), (202, Some("0-0")));
    let session = begun.header("location").unwrap();
    assert_eq!(program.send_with("PATCH", session, &[("content-range", "0-4")], b"hello").status, 202);
    assert_eq!(program.send_with("PATCH", session, &[], b", ").header("range"), Some("0-6"));
    let digest = Digest::sha256(b"hello, world");
    let done = program.send_with("PUT", &format!("{session}?digest={digest}"), &[], b"world");
    assert_eq!((done.status, done.header("location")), (201, Some(format!("/v2/open/app/blobs/{digest}").as_str())));
    assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{digest}")).body, b"hello, world");
    assert_eq!(program.send("GET", session).status, 404);
}

#[test]
fn referrers_of_nothing_are_an_empty_index() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    let path = format!("/v2/open/app/referrers/{}?artifactType=a/b", Digest::sha256(b"nothing"));
    let answer = program.send("GET", &path);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/vnd.oci.image.index.v1+json")));
    assert_eq!(answer.header("oci-filters-applied"), Some("artifactType"));
    let index: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(index["manifests"], serde_json::json!([]));
}

#[test]
fn no_grant_looks_as_if_it_did_not_exist() {
    let program = Program::start();
    let refusal = |path: &str| {
        let answer = program.send("GET", path);
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic realm=")));
        (answer.status, answer.body)
    };
    assert_eq!(refusal("/v2/closed/manifests/v1"), refusal("/v2/never/was/manifests/v1"));
}
