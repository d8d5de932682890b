//! Conditional requests and ranges, by RFC 9110.

use hallmark::oci::Digest;

use crate::program::Program;

/// A registry with an image, and the paths of its manifest by tag and digest, and of its layer, each with its digest.
fn stocked() -> (Program, Vec<(String, Digest)>) {
    let program = Program::start();
    let (image, _) = program.push_image("open/app", "v1", b"0123456789");
    let layer = Digest::sha256(b"0123456789");
    let paths = vec![
        ("/v2/open/app/manifests/v1".to_owned(), image),
        (format!("/v2/open/app/manifests/{image}"), image),
        (format!("/v2/open/app/blobs/{layer}"), layer),
    ];
    (program, paths)
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let (program, paths) = stocked();
    for (path, digest) in &paths {
        for etag in [
            format!("\"{digest}\""),
            format!("W/\"{digest}\""),
            format!("\"other\", \"{digest}\""),
            format!("W/\"a\" ,\tW/\"{digest}\","),
            "*".to_owned(),
        ] {
            for method in ["GET", "HEAD"] {
                let had = program.send_with(method, path, &[("if-none-match", &etag)], b"");
                assert_eq!((had.status, had.body.len()), (304, 0), "{method} {path} {etag}");
                assert_eq!(had.headers("etag"), [format!("\"{digest}\"")]);
                assert_eq!(had.headers("docker-content-digest"), [digest.to_string()]);
                assert_eq!(had.headers("cache-control"), ["private, no-cache"]);
                assert_eq!(had.headers("vary"), ["Authorization"]);
            }
        }
    }
}

#[test]
fn what_the_client_has_in_another_header_line_counts_too() {
    let (program, paths) = stocked();
    for (path, digest) in &paths {
        let headers = [("if-none-match", "\"a\""), ("if-none-match", &format!("\"{digest}\""))];
        assert_eq!(program.send_with("GET", path, &headers, b"").status, 304, "{path}");
    }
}

#[test]
fn what_the_client_has_not_is_sent() {
    let (program, paths) = stocked();
    for (path, digest) in &paths {
        for etag in [digest.to_string(), "\"\"".to_owned(), format!("\"{digest}"), format!("w/\"{digest}\"")] {
            let sent = program.send_with("GET", path, &[("if-none-match", &etag)], b"");
            assert_eq!((sent.status, sent.body.is_empty()), (200, false), "{path} {etag}");
        }
        let dated = program.send_with("GET", path, &[("if-modified-since", "Wed, 21 Oct 2099 07:28:00 GMT")], b"");
        assert_eq!(dated.status, 200, "nothing here has a date");
    }
}

#[test]
fn a_blob_is_sent_in_the_one_range_that_is_asked_for() {
    let (program, paths) = stocked();
    let (path, digest) = &paths[2];
    for (range, told, bytes) in [
        ("bytes=0-0", "bytes 0-0/10", &b"0"[..]),
        ("bytes=9-", "bytes 9-9/10", b"9"),
        ("bytes=4-99", "bytes 4-9/10", b"456789"),
        ("bytes=-3", "bytes 7-9/10", b"789"),
        ("bytes=-99", "bytes 0-9/10", b"0123456789"),
        ("BYTES=2-3", "bytes 2-3/10", b"23"),
        ("bytes=8-99999999999999999999999", "bytes 8-9/10", b"89"),
    ] {
        let part = program.send_with("GET", path, &[("range", range)], b"");
        assert_eq!((part.status, part.body.as_slice()), (206, bytes), "{range}");
        assert_eq!(part.headers("content-range"), [told], "{range}");
        assert_eq!(part.headers("content-length"), [bytes.len().to_string()], "{range}");
        assert_eq!(part.headers("content-type"), ["application/octet-stream"], "{range}");
        assert_eq!(part.headers("docker-content-digest"), [digest.to_string()], "{range}");
    }
}

#[test]
fn a_range_outside_the_blob_is_told_its_size() {
    let (program, paths) = stocked();
    let (path, _) = &paths[2];
    let outside = ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=5-4", "bytes=99999999999999999999999-"];
    for range in outside {
        let refused = program.send_with("GET", path, &[("range", range)], b"");
        assert_eq!((refused.status, refused.code().as_str()), (416, "SIZE_INVALID"), "{range}");
        assert_eq!(refused.headers("content-range"), ["bytes */10"], "{range}");
    }
    let empty = program.push_blob("open/app", b"");
    let refused = program.send_with("GET", &format!("/v2/open/app/blobs/{empty}"), &[("range", "bytes=0-")], b"");
    assert_eq!((refused.status, refused.headers("content-range")), (416, vec!["bytes */0"]));
}

#[test]
fn the_whole_blob_is_sent_for_what_is_no_single_range_of_bytes() {
    let (program, paths) = stocked();
    let (path, _) = &paths[2];
    for range in ["bytes=0-1,3-4", "bytes=0-1, -1", "lines=1-2", "bytes=a-b", "bytes", "bytes=", "bytes=-", "0-1"] {
        let whole = program.send_with("GET", path, &[("range", range)], b"");
        assert_eq!((whole.status, whole.body.len(), whole.header("content-range")), (200, 10, None), "{range}");
    }
    let twice = program.send_with("GET", path, &[("range", "bytes=0-1"), ("range", "bytes=2-3")], b"");
    assert_eq!((twice.status, twice.body.len()), (200, 10));
}

#[test]
fn a_range_of_what_changed_or_is_had_is_not_sent() {
    let (program, paths) = stocked();
    let (path, digest) = &paths[2];
    let etag = format!("\"{digest}\"");
    for (condition, status, length) in [
        (("if-range", etag.clone()), 206, 2),
        // A weak tag, another one, or a date says nothing about the bytes that the client has.
        (("if-range", format!("W/{etag}")), 200, 10),
        (("if-range", "\"other\"".to_owned()), 200, 10),
        (("if-range", "Wed, 21 Oct 2099 07:28:00 GMT".to_owned()), 200, 10),
        (("if-none-match", etag.clone()), 304, 0),
        (("if-none-match", "\"other\"".to_owned()), 206, 2),
    ] {
        let answer = program.send_with("GET", path, &[("range", "bytes=2-3"), (condition.0, &condition.1)], b"");
        assert_eq!((answer.status, answer.body.len()), (status, length), "{condition:?}");
    }
}

#[test]
fn a_manifest_is_sent_whole() {
    let (program, paths) = stocked();
    let (path, _) = &paths[0];
    let whole = program.send("GET", path);
    let asked = program.send_with("GET", path, &[("range", "bytes=0-1")], b"");
    assert_eq!((asked.status, asked.body), (200, whole.body));
}
