//! Conditional requests and ranges, by RFC 9110.

use std::collections::BTreeMap;

use hallmark::oci::Digest;

use crate::concurrency::at_once;
use crate::program::{Answer, MANIFEST, Program};

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

/// An image that nothing else is, with its digest.
fn image(program: &Program, content: &[u8]) -> (Digest, Vec<u8>) {
    let [config, layer] = [&b"{}"[..], content].map(|content| program.push_blob("open/app", content));
    let image = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": content.len()}]
    });
    let bytes = serde_json::to_vec(&image).unwrap();
    (Digest::sha256(&bytes), bytes)
}

fn put(program: &Program, reference: &str, image: &[u8], conditions: &[(&str, &str)]) -> Answer {
    let headers = [&[("content-type", MANIFEST)], conditions].concat();
    program.send_with("PUT", &format!("/v2/open/app/manifests/{reference}"), &headers, image)
}

fn delete(program: &Program, path: &str, conditions: &[(&str, &str)]) -> Answer {
    program.send_with("DELETE", &format!("/v2/open/app/{path}"), conditions, b"")
}

/// A refusal for a precondition, in the specification's shape.
fn is_failed_precondition(answer: &Answer) -> bool {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = body["errors"][0]["message"].as_str().unwrap_or_default();
    (answer.status, answer.code().as_str()) == (412, "DENIED") && message.starts_with("expected If-Match")
}

#[test]
fn a_tag_moves_from_what_its_writer_saw_and_from_nothing_else() {
    let (program, paths) = stocked();
    let first = format!("\"{}\"", paths[0].1);
    let (second, bytes) = image(&program, b"second");
    let before = program.stored();
    for conditions in [
        &[("if-match", "\"other\"")][..],
        &[("if-match", &format!("W/{first}"))],
        &[("if-match", "")],
        &[("if-none-match", "*")],
        &[("if-none-match", &first)],
        &[("if-none-match", &format!("\"a\", W/{first}"))],
        &[("if-match", &first), ("if-none-match", "*")],
    ] {
        let refused = put(&program, "v1", &bytes, conditions);
        assert!(is_failed_precondition(&refused), "{conditions:?} {refused:?}");
    }
    assert_eq!(program.stored(), before);
    assert_eq!(program.send("HEAD", &paths[0].0).headers("etag"), [first.as_str()]);
    let moved = put(&program, "v1", &bytes, &[("if-match", "\"a\""), ("if-match", &first)]);
    assert_eq!(moved.status, 201, "{moved:?}");
    assert_eq!(program.send("HEAD", &paths[0].0).headers("etag"), [format!("\"{second}\"")]);
    assert_eq!(put(&program, "v1", &bytes, &[("if-match", "*"), ("if-none-match", &first)]).status, 201);
}

#[test]
fn a_tag_is_made_where_there_is_none_and_only_there() {
    let program = Program::start();
    let (digest, bytes) = image(&program, b"layer");
    for conditions in [[("if-match", "*")], [("if-match", "\"a\"")]] {
        assert!(is_failed_precondition(&put(&program, "v1", &bytes, &conditions)));
    }
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").status, 404);
    assert_eq!(put(&program, "v1", &bytes, &[("if-none-match", "*")]).status, 201);
    assert!(is_failed_precondition(&put(&program, "v1", &bytes, &[("if-none-match", "*")])));
    // By digest it is the manifest itself that is asked for.
    let by_digest = digest.to_string();
    assert!(is_failed_precondition(&put(&program, &by_digest, &bytes, &[("if-none-match", "*")])));
    let (other, bytes) = image(&program, b"another layer");
    assert_eq!(put(&program, &other.to_string(), &bytes, &[("if-none-match", "*")]).status, 201);
}

#[test]
fn what_changed_is_not_deleted() {
    let (program, paths) = stocked();
    let (_, digest) = &paths[0];
    let etag = format!("\"{digest}\"");
    let unheld = program.push_blob("open/app", b"of nobody");
    let held = Digest::sha256(b"0123456789");
    for path in ["manifests/v1".to_owned(), format!("manifests/{digest}"), format!("blobs/{unheld}")] {
        for conditions in [[("if-match", "\"other\"")], [("if-none-match", "*")]] {
            assert!(is_failed_precondition(&delete(&program, &path, &conditions)), "{path} {conditions:?}");
        }
        assert_eq!(program.send("HEAD", &format!("/v2/open/app/{path}")).status, 200, "{path}");
    }
    // A condition says nothing of what would be refused anyway.
    for (path, status) in [
        ("manifests/absent".to_owned(), 404),
        (format!("manifests/{unheld}"), 404),
        (format!("blobs/{}", Digest::sha256(b"absent")), 404),
        (format!("blobs/{held}"), 409),
    ] {
        assert_eq!(delete(&program, &path, &[("if-match", "\"other\"")]).status, status, "{path}");
    }
    assert_eq!(delete(&program, "manifests/v1", &[("if-match", &etag)]).status, 202);
    assert_eq!(delete(&program, &format!("manifests/{digest}"), &[("if-match", &etag)]).status, 202);
    assert_eq!(delete(&program, &format!("blobs/{unheld}"), &[("if-match", "*")]).status, 202);
}

#[test]
fn a_condition_that_can_not_be_read_is_refused_and_nothing_is_changed() {
    let (program, paths) = stocked();
    let (_, bytes) = image(&program, b"second");
    let bare = paths[0].1.to_string();
    let before = program.stored();
    for (field, value) in [("if-match", bare.as_str()), ("if-none-match", &bare), ("if-none-match", "*, \"a\"")] {
        for answer in [
            put(&program, "v1", &bytes, &[(field, value)]),
            delete(&program, "manifests/v1", &[(field, value)]),
            delete(&program, &format!("blobs/{}", Digest::sha256(b"{}")), &[(field, value)]),
        ] {
            assert_eq!((answer.status, answer.code().as_str()), (400, "UNSUPPORTED"), "{field} {value} {answer:?}");
        }
    }
    assert_eq!(program.stored(), before);
}

#[test]
fn what_is_not_what_the_reader_expects_is_not_sent() {
    let (program, paths) = stocked();
    for (path, digest) in &paths {
        for method in ["GET", "HEAD"] {
            for etag in ["\"other\"".to_owned(), format!("W/\"{digest}\"")] {
                let refused = program.send_with(method, path, &[("if-match", &etag)], b"");
                assert_eq!(refused.status, 412, "{method} {path} {etag}");
            }
            for etag in ["*".to_owned(), format!("\"a\", \"{digest}\"")] {
                let sent = program.send_with(method, path, &[("if-match", &etag)], b"");
                assert_eq!(sent.status, 200, "{method} {path} {etag}");
            }
        }
    }
    assert_eq!(program.send_with("GET", "/v2/open/app/manifests/absent", &[("if-match", "*")], b"").status, 404);
}

#[test]
fn of_writers_who_saw_the_same_tag_one_wins_each_time() {
    let (program, paths) = stocked();
    let images: Vec<Vec<_>> =
        (0..8_u8).map(|writer| (0..4_u8).map(|turn| image(&program, &[b'i', writer, turn])).collect()).collect();
    // Each writer moves the tag to its images in turn, from whatever it sees.
    let moves = at_once(8, |writer| {
        let mut moves = Vec::new();
        for (digest, bytes) in &images[writer] {
            loop {
                let seen = program.send("HEAD", &paths[0].0).header("etag").unwrap().to_owned();
                let answer = put(&program, "v1", bytes, &[("if-match", &seen)]);
                if answer.status == 201 {
                    moves.push((seen, format!("\"{digest}\"")));
                    break;
                }
                assert!(is_failed_precondition(&answer), "{answer:?}");
            }
        }
        moves
    });
    // No two moves began at the same place, so all of them are one chain, from the first image to what is there now.
    let chain: BTreeMap<String, String> = moves.into_iter().flatten().collect();
    assert_eq!(chain.len(), 32);
    let mut at = format!("\"{}\"", paths[0].1);
    for _ in 0..32 {
        at.clone_from(&chain[&at]);
    }
    assert_eq!(program.send("HEAD", &paths[0].0).headers("etag"), [at]);
}

#[test]
fn of_those_who_make_or_delete_the_same_tag_at_once_one_does() {
    let program = Program::start();
    let images: Vec<_> = (0..16_u8).map(|writer| image(&program, &[b'i', writer])).collect();
    for _ in 0..4 {
        let made = at_once(16, |writer| put(&program, "new", &images[writer].1, &[("if-none-match", "*")]).status);
        assert_eq!(made.iter().filter(|status| **status == 201).count(), 1, "{made:?}");
        assert_eq!(made.iter().filter(|status| **status == 412).count(), 15, "{made:?}");
        let winner = &images[made.iter().position(|status| *status == 201).unwrap()].0;
        let etag = format!("\"{winner}\"");
        assert_eq!(program.send("HEAD", "/v2/open/app/manifests/new").headers("etag"), [etag.as_str()]);
        let deleted = at_once(16, |_| delete(&program, "manifests/new", &[("if-match", &etag)]).status);
        assert_eq!(deleted.iter().filter(|status| **status == 202).count(), 1, "{deleted:?}");
        assert_eq!(deleted.iter().filter(|status| **status == 404).count(), 15, "{deleted:?}");
    }
}
