//! What the distribution specification says beyond what its conformance runner asks: one table of request → answer.

use std::collections::BTreeMap;

use hallmark::oci::Digest;

use crate::program::{Answer, MANIFEST, Program};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";
const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

/// A registry with `open/app:v1`, and words for what is in it: `<image>`, `<layer>`, `<absent>`, `<uuid>`.
struct Stocked {
    program: Program,
    words: BTreeMap<&'static str, String>,
}

impl Stocked {
    fn start() -> Self {
        let program = Program::start();
        let (image, _) = program.push_image("open/app", "v1", b"layer");
        let words = [
            ("<image>", image.to_string()),
            ("<layer>", Digest::sha256(b"layer").to_string()),
            ("<absent>", Digest::sha256(b"absent").to_string()),
            ("<uuid>", UUID.to_owned()),
        ];
        Self { program, words: words.into() }
    }

    fn spell(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, (word, meant)| text.replace(word, meant))
    }

    fn ask(&self, request: &str) -> Answer {
        let request = self.spell(request);
        let (method, path) = request.split_once(' ').unwrap();
        self.program.send(method, path)
    }
}

/// Request, status, code of the error (or nothing), and headers that the answer has.
type Row<'a> = (&'a str, u16, &'a str, &'a [(&'a str, &'a str)]);

/// Each endpoint, as it answers yes and as it answers no.
const TABLE: &[Row<'_>] = &[
    ("GET /v2/", 200, "", &[("content-type", JSON), ("docker-distribution-api-version", "registry/2.0")]),
    ("GET /v2/?unknown=1", 200, "", &[]),
    ("POST /v2/", 405, "UNSUPPORTED", &[("allow", "GET, HEAD")]),
    ("GET /v2/_catalog", 200, "", &[("content-type", JSON)]),
    ("GET /v2/_catalog?n=x", 400, "UNSUPPORTED", &[]),
    ("GET /v2/_catalog?last=%ff", 400, "UNSUPPORTED", &[]),
    ("DELETE /v2/_catalog", 405, "UNSUPPORTED", &[("allow", "GET, HEAD")]),
    // Tags.
    ("GET /v2/open/app/tags/list", 200, "", &[("content-type", JSON)]),
    ("GET /v2/open/app/tags/list?unknown=1", 200, "", &[]),
    ("GET /v2/open/app/tags/list?n=", 400, "UNSUPPORTED", &[]),
    ("GET /v2/open/app/tags/list?last=a&last=b", 400, "UNSUPPORTED", &[]),
    ("GET /v2/open/never/tags/list", 404, "NAME_UNKNOWN", &[]),
    ("GET /v2/open/app/tags/list/", 404, "UNSUPPORTED", &[]),
    ("PUT /v2/open/app/tags/list", 405, "UNSUPPORTED", &[("allow", "GET, HEAD")]),
    // Manifests.
    ("GET /v2/open/app/manifests/v1", 200, "", &[("content-type", MANIFEST), ("docker-content-digest", "<image>")]),
    ("GET /v2/open/app/manifests/v1?ns=docker.io&unknown=1", 200, "", &[("content-type", MANIFEST)]),
    ("GET /v2/open/app/manifests/<image>", 200, "", &[("etag", "\"<image>\""), ("docker-content-digest", "<image>")]),
    ("GET /v2/open/app/manifests/<absent>", 404, "MANIFEST_UNKNOWN", &[("content-type", JSON)]),
    ("GET /v2/open/app/manifests/<layer>", 404, "MANIFEST_UNKNOWN", &[]),
    ("GET /v2/open/never/manifests/v1", 404, "NAME_UNKNOWN", &[]),
    ("GET /v2/open/app/manifests/sha256%3Aab", 404, "MANIFEST_UNKNOWN", &[]),
    ("GET /v2/open/app/manifests/%76%31", 404, "MANIFEST_UNKNOWN", &[]),
    ("GET /v2/open%2Fapp/manifests/v1", 400, "NAME_INVALID", &[]),
    ("GET /v2/op%65n/app/manifests/v1", 400, "NAME_INVALID", &[]),
    ("DELETE /v2/open/app/manifests/<absent>", 404, "MANIFEST_UNKNOWN", &[]),
    ("DELETE /v2/open/app/manifests/v2", 404, "MANIFEST_UNKNOWN", &[]),
    ("DELETE /v2/open/app/manifests/.v", 400, "MANIFEST_INVALID", &[]),
    ("DELETE /v2/open/app/manifests/sha256:1", 400, "DIGEST_INVALID", &[]),
    ("PATCH /v2/open/app/manifests/v1", 405, "UNSUPPORTED", &[("allow", "GET, HEAD, PUT, DELETE")]),
    // Blobs.
    ("GET /v2/open/app/blobs/<layer>", 200, "", &[("content-type", BYTES), ("docker-content-digest", "<layer>")]),
    ("GET /v2/open/app/blobs/<layer>?ns=docker.io", 200, "", &[("etag", "\"<layer>\""), ("accept-ranges", "bytes")]),
    ("GET /v2/open/app/blobs/<absent>", 404, "BLOB_UNKNOWN", &[("content-type", JSON)]),
    ("GET /v2/open/app/blobs/<image>", 404, "BLOB_UNKNOWN", &[]),
    ("GET /v2/open/other/blobs/<layer>", 404, "BLOB_UNKNOWN", &[]),
    ("GET /v2/open/app/blobs/v1", 400, "DIGEST_INVALID", &[]),
    ("GET /v2/open/app/blobs/sha512:ab", 400, "DIGEST_INVALID", &[]),
    ("DELETE /v2/open/app/blobs/<absent>", 404, "BLOB_UNKNOWN", &[]),
    ("DELETE /v2/open/app/blobs/<layer>", 409, "DENIED", &[]),
    ("DELETE /v2/open/app/blobs/x", 400, "DIGEST_INVALID", &[]),
    ("PUT /v2/open/app/blobs/<layer>", 405, "UNSUPPORTED", &[("allow", "GET, HEAD, DELETE")]),
    // Referrers.
    ("GET /v2/open/app/referrers/<absent>", 200, "", &[("content-type", INDEX)]),
    ("GET /v2/open/never/referrers/<absent>", 200, "", &[("content-type", INDEX)]),
    ("GET /v2/open/app/referrers/<image>?artifactType=a/b", 200, "", &[("oci-filters-applied", "artifactType")]),
    ("GET /v2/open/app/referrers/<image>?artifactType=a&artifactType=b", 400, "UNSUPPORTED", &[]),
    ("GET /v2/open/app/referrers/v1", 400, "DIGEST_INVALID", &[]),
    ("POST /v2/open/app/referrers/<image>", 405, "UNSUPPORTED", &[("allow", "GET, HEAD")]),
    // Uploads.
    ("POST /v2/open/app/blobs/uploads/", 202, "", &[("range", "0-0"), ("content-length", "0")]),
    ("POST /v2/open/app/blobs/uploads/?unknown=1", 202, "", &[]),
    ("POST /v2/open/app/blobs/uploads/?digest-algorithm=sha512", 202, "", &[]),
    ("POST /v2/open/app/blobs/uploads/?digest-algorithm=sha384", 400, "DIGEST_INVALID", &[]),
    ("POST /v2/open/app/blobs/uploads/?digest-algorithm=", 400, "DIGEST_INVALID", &[]),
    ("POST /v2/open/app/blobs/uploads/?digest=x&digest=y", 400, "UNSUPPORTED", &[]),
    ("POST /v2/open/app/blobs/uploads/?mount=<layer>&from=a%2f..%2fb", 400, "NAME_INVALID", &[]),
    ("POST /v2/open/app/blobs/uploads/?mount=", 400, "DIGEST_INVALID", &[]),
    ("POST /v2/open/app/blobs/uploads", 405, "UNSUPPORTED", &[("allow", "GET, HEAD, DELETE")]),
    ("GET /v2/open/app/blobs/uploads/", 405, "UNSUPPORTED", &[("allow", "POST")]),
    ("GET /v2/open/app/blobs/uploads/<uuid>", 404, "BLOB_UPLOAD_UNKNOWN", &[]),
    ("GET /v2/open/app/blobs/uploads/x", 404, "BLOB_UPLOAD_UNKNOWN", &[]),
    ("PATCH /v2/open/app/blobs/uploads/<uuid>", 404, "BLOB_UPLOAD_UNKNOWN", &[]),
    ("PUT /v2/open/app/blobs/uploads/<uuid>?digest=<absent>", 404, "BLOB_UPLOAD_UNKNOWN", &[]),
    ("PUT /v2/open/app/blobs/uploads/<uuid>?digest=sha256:1", 400, "DIGEST_INVALID", &[]),
    ("DELETE /v2/open/app/blobs/uploads/<uuid>", 404, "BLOB_UPLOAD_UNKNOWN", &[]),
    ("POST /v2/open/app/blobs/uploads/<uuid>", 405, "UNSUPPORTED", &[("allow", "GET, HEAD, PATCH, PUT, DELETE")]),
    // Elsewhere.
    ("GET /", 404, "UNSUPPORTED", &[("content-type", JSON)]),
    ("GET /v2/open", 404, "UNSUPPORTED", &[]),
    ("GET /v2//manifests/v1", 400, "NAME_INVALID", &[]),
    ("OPTIONS /v2/open/app/manifests/v1", 405, "UNSUPPORTED", &[("allow", "GET, HEAD, PUT, DELETE")]),
];

#[test]
fn each_endpoint_answers_as_the_text_says() {
    let stocked = Stocked::start();
    for (request, status, code, headers) in TABLE {
        let answer = stocked.ask(request);
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{request}: {answer:?}");
        for (name, value) in *headers {
            assert_eq!(answer.headers(name), [stocked.spell(value)], "{request}: {name}");
        }
    }
}

#[test]
fn every_refusal_is_a_list_of_errors_in_json() {
    let stocked = Stocked::start();
    for (request, ..) in TABLE.iter().filter(|(_, status, ..)| *status >= 400) {
        let answer = stocked.ask(request);
        assert_eq!(answer.headers("content-type"), [JSON], "{request}");
        assert_eq!(answer.headers("content-length"), [answer.body.len().to_string()], "{request}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let [error] = body["errors"].as_array().unwrap().as_slice() else { panic!("{request}: {body}") };
        let code = error["code"].as_str().unwrap();
        assert!(code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{request}: {code}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{request}");
    }
}

#[test]
fn head_says_what_get_says_and_never_has_a_body() {
    let stocked = Stocked::start();
    let gets = TABLE.iter().filter_map(|(request, ..)| request.strip_prefix("GET "));
    let mut asked = 0;
    for path in gets {
        let (get, head) = (stocked.ask(&format!("GET {path}")), stocked.ask(&format!("HEAD {path}")));
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        for name in ["content-type", "content-length", "etag", "docker-content-digest", "link", "allow"] {
            assert_eq!(head.headers(name), get.headers(name), "{path}: {name}");
        }
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
}

#[test]
fn a_manifest_is_served_as_what_it_is_whatever_the_client_accepts() {
    let stocked = Stocked::start();
    for accept in [INDEX, "text/html", "application/vnd.docker.distribution.manifest.v1+prettyjws", "*/*;q=0", ""] {
        for method in ["GET", "HEAD"] {
            let answer = stocked.program.send_with(method, "/v2/open/app/manifests/v1", &[("accept", accept)], b"");
            assert_eq!((answer.status, answer.headers("content-type")), (200, vec![MANIFEST]), "{accept}");
        }
    }
}

#[test]
fn a_request_may_name_the_whole_address() {
    let stocked = Stocked::start();
    let request = b"GET http://other.example/v2/open/app/tags/list HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = stocked.program.send_raw(request);
    assert_eq!((answer.status, answer.text()), (200, r#"{"name":"open/app","tags":["v1"]}"#));
}

#[test]
fn tags_are_paged_after_any_text_in_lexical_order() {
    let program = Program::start();
    for tag in ["b", "B", "a", "C", "_x", "1"] {
        program.push_image("open/app", tag, b"layer");
    }
    let page = |query: &str| {
        let answer = program.send("GET", &format!("/v2/open/app/tags/list{query}"));
        let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let tags: Vec<&str> = list["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        (tags.join(" "), answer.header("link").unwrap_or_default().to_owned())
    };
    let link = |query: &str| format!("</v2/open/app/tags/list?{query}>; rel=\"next\"");
    assert_eq!(page(""), ("1 _x a B b C".to_owned(), String::new()));
    assert_eq!(page("?n=6"), ("1 _x a B b C".to_owned(), String::new()));
    assert_eq!(page("?n=4"), ("1 _x a B".to_owned(), link("n=4&last=B")));
    assert_eq!(page("?n=4&last=B"), ("b C".to_owned(), String::new()));
    assert_eq!(page("?last=a"), ("B b C".to_owned(), String::new()));
    assert_eq!(page("?last=b5&n=1"), ("C".to_owned(), String::new()), "after a text that is no tag of it");
    assert_eq!(page("?last=~"), (String::new(), String::new()));
    assert_eq!(page("?n=0&last=a"), (String::new(), String::new()));
    assert_eq!(page("?n=2&last="), ("1 _x".to_owned(), link("n=2&last=_x")));
}

#[test]
fn the_catalog_is_paged_by_links() {
    let program = Program::start();
    for name in ["open/a", "open/a/b", "open/c"] {
        program.push_image(name, "v1", b"layer");
    }
    let first = program.send("GET", "/v2/_catalog?n=2");
    assert_eq!(first.text(), r#"{"repositories":["open/a","open/a/b"]}"#);
    assert_eq!(first.headers("link"), [r#"</v2/_catalog?n=2&last=open/a/b>; rel="next""#]);
    let next = program.send("GET", "/v2/_catalog?n=2&last=open/a/b");
    assert_eq!((next.text(), next.header("link")), (r#"{"repositories":["open/c"]}"#, None));
    assert_eq!(program.send("GET", "/v2/_catalog?n=0").text(), r#"{"repositories":[]}"#);
}

#[test]
fn referrers_are_filtered_by_the_type_of_their_artifact_or_their_config() {
    let program = Program::start();
    let (subject, _) = program.push_image("open/app", "v1", b"layer");
    let size = program.send("GET", "/v2/open/app/manifests/v1").body.len();
    let config = program.push_blob("open/app", b"{}");
    let mut pushed = Vec::new();
    for (artifact_type, config_type) in
        [("\"artifactType\":\"text/a\",", "application/vnd.oci.empty.v1+json"), ("", "text/b+c")]
    {
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}",{artifact_type}"config":{{"mediaType":"{config_type}","digest":"{config}","size":2}},"layers":[],"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":{size}}},"annotations":{{"k":"v"}}}}"#
        );
        let digest = Digest::sha256(manifest.as_bytes());
        let path = format!("/v2/open/app/manifests/{digest}");
        let answer = program.send_with("PUT", &path, &[("content-type", MANIFEST)], manifest.as_bytes());
        assert_eq!((answer.status, answer.headers("oci-subject")), (201, vec![subject.to_string().as_str()]));
        pushed.push((digest.to_string(), manifest.len()));
    }
    let list = |query: &str| {
        let answer = program.send("GET", &format!("/v2/open/app/referrers/{subject}{query}"));
        let index: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let listed: Vec<String> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["digest"].as_str().unwrap().to_owned())
            .collect();
        (listed, answer.header("oci-filters-applied").map(str::to_owned), index)
    };
    let (all, filters, index) = list("");
    assert_eq!((all, filters), (vec![pushed[0].0.clone(), pushed[1].0.clone()], None));
    let expected = serde_json::json!({"mediaType": MANIFEST, "digest": pushed[0].0, "size": pushed[0].1, "artifactType": "text/a", "annotations": {"k": "v"}});
    assert_eq!(index["manifests"][0], expected);
    assert_eq!(index["mediaType"], INDEX);
    let applied = Some("artifactType".to_owned());
    for (filter, found) in [
        ("text/a", vec![&pushed[0]]),
        ("text%2Fb%2Bc", vec![&pushed[1]]),
        ("text/b+c", vec![&pushed[1]]),
        ("text", vec![]),
    ] {
        let (listed, filters, _) = list(&format!("?artifactType={filter}"));
        let found: Vec<String> = found.iter().map(|(digest, _)| digest.clone()).collect();
        assert_eq!((listed, &filters), (found, &applied), "{filter}");
    }
}

#[test]
fn a_list_of_referrers_that_is_too_large_goes_on_after_a_link() {
    let program = Program::start();
    let (subject, _) = program.push_image("open/app", "v1", b"layer");
    let config = program.push_blob("open/app", b"a config");
    let layer = program.push_blob("open/app", b"another layer");
    let text = "x".repeat(2_500_000);
    for number in 0..2 {
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"text/a+b","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":8}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":13}}],"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":1}},"annotations":{{"{number}":"{text}"}}}}"#
        );
        let path = format!("/v2/open/app/manifests/{}", Digest::sha256(manifest.as_bytes()));
        let answer = program.send_with("PUT", &path, &[("content-type", MANIFEST)], manifest.as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let path = format!("/v2/open/app/referrers/{subject}?artifactType=text/a%2Bb");
    let first = program.send("GET", &path);
    assert!(first.body.len() < 4 << 20, "{}", first.body.len());
    let link = first.header("link").unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    let second = program.send("GET", next);
    let index: serde_json::Value = serde_json::from_slice(&second.body).unwrap();
    let entries = index["manifests"].as_array().unwrap();
    assert_eq!((entries.len(), entries[0]["annotations"]["1"].as_str()), (1, Some(text.as_str())));
    assert_eq!((second.header("link"), second.header("oci-filters-applied")), (None, Some("artifactType")));
    let wrong = program.send("GET", &format!("/v2/open/app/referrers/{subject}?last=x"));
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "UNSUPPORTED"));
}

#[test]
fn an_upload_that_is_cancelled_is_gone() {
    let program = Program::start();
    let session = program.send("POST", "/v2/open/app/blobs/uploads/").header("location").unwrap().to_owned();
    assert_eq!(program.send_with("PATCH", &session, &[], b"hello").status, 202);
    assert_eq!(program.send("GET", &session.replace("open/app", "open/other")).status, 404);
    assert_eq!(program.send("DELETE", &session.replace("open/app", "open/other")).status, 404);
    let cancelled = program.send("DELETE", &session);
    assert_eq!((cancelled.status, cancelled.body.len(), cancelled.header("content-length")), (204, 0, None));
    for method in ["GET", "PATCH", "DELETE"] {
        let answer = program.send(method, &session);
        assert_eq!((answer.status, answer.code().as_str()), (404, "BLOB_UPLOAD_UNKNOWN"), "{method}");
    }
    assert_eq!(std::fs::read_dir(program.folder().join("data/_uploads")).unwrap().count(), 0);
}

#[test]
fn a_chunk_of_one_byte_is_large_enough() {
    let program = Program::start();
    let begun = program.send("POST", "/v2/open/app/blobs/uploads/");
    assert_eq!(begun.header("oci-chunk-min-length"), None);
    let session = begun.header("location").unwrap();
    for (place, byte) in b"abc".iter().enumerate() {
        let range = format!("{place}-{place}");
        let answer = program.send_with("PATCH", session, &[("content-range", &range)], &[*byte]);
        assert_eq!((answer.status, answer.header("range")), (202, Some(format!("0-{place}").as_str())));
    }
    let digest = Digest::sha256(b"abc");
    let done = program.send("PUT", &format!("{session}?digest={digest}"));
    assert_eq!((done.status, done.header("docker-content-digest")), (201, Some(digest.to_string().as_str())));
}

#[test]
fn a_blob_is_mounted_from_where_the_client_may_pull_it_or_else_uploaded() {
    let program = Program::start();
    let layer = program.push_blob("open/app", b"layer");
    let absent = Digest::sha256(b"absent");
    let mount = |into: &str, query: &str| program.send("POST", &format!("/v2/{into}/blobs/uploads/?{query}"));
    for (into, query) in [
        ("open/from", format!("mount={layer}&from=open/app")),
        ("open/escaped", format!("mount={layer}&from=open%2Fapp").replace(':', "%3A")),
        ("open/anywhere", format!("mount={layer}")),
    ] {
        let answer = mount(into, &query);
        let location = format!("/v2/{into}/blobs/{layer}");
        assert_eq!((answer.status, answer.header("location")), (201, Some(location.as_str())), "{query}");
        assert_eq!(answer.header("docker-content-digest"), Some(layer.to_string().as_str()));
        assert_eq!(program.send("GET", &location).body, b"layer");
    }
    for query in [
        format!("mount={absent}&from=open/app"),
        format!("mount={layer}&from=open/never"),
        format!("mount={layer}&from=closed"),
        format!("mount={absent}"),
    ] {
        let answer = mount("open/new", &query);
        assert_eq!((answer.status, answer.header("range")), (202, Some("0-0")), "{query}");
        assert!(answer.header("location").unwrap().starts_with("/v2/open/new/blobs/uploads/"), "{query}");
    }
}

#[test]
fn a_push_answers_with_each_tag_that_it_set() {
    let program = Program::start();
    let (digest, manifest) = program.push_image("open/app", "v1", b"layer");
    let put = |query: &str| {
        let path = format!("/v2/open/app/manifests/{digest}{query}");
        program.send_with("PUT", &path, &[("content-type", MANIFEST)], &manifest)
    };
    let many: Vec<String> = (0..10).map(|n| format!("tag=m{n}")).collect();
    let answer = put(&format!("?{}", many.join("&")));
    let expected: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
    assert_eq!((answer.status, answer.headers("oci-tag")), (201, expected.iter().map(String::as_str).collect()));
    assert_eq!(answer.headers("docker-content-digest"), [digest.to_string()]);
    assert_eq!(answer.headers("location"), [format!("/v2/open/app/manifests/{digest}")]);
    assert!(put("").headers("oci-tag").is_empty());

    let too_many: Vec<String> = (0..101).map(|n| format!("tag=t{n}")).collect();
    for (query, status) in
        [(format!("?{}", too_many.join("&")), 414), ("?tag=".to_owned(), 400), ("?tag=ok&tag=.no".to_owned(), 400)]
    {
        let before = program.stored();
        let answer = put(&query);
        assert_eq!((answer.status, answer.headers("oci-tag").len()), (status, 0), "{answer:?}");
        assert_eq!(program.stored(), before);
    }
}

/// What a `Warning` says, if it is of the one form that the text allows.
fn warning(answer: &Answer) -> String {
    let values = answer.headers("warning");
    assert_eq!(values.len(), 1, "{answer:?}");
    let value = values[0];
    let text = value.strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"')).expect(value);
    assert!(!text.contains(['"', '\\']) && value.len() <= 4096, "{value}");
    text.to_owned()
}

#[test]
fn what_is_served_though_it_is_unmet_carries_a_warning() {
    let stocked = Stocked::start();
    let program = &stocked.program;
    let policy = crate::program::POLICY.replace("pull, unverified", "pull, wanted");
    crate::program::put(program.folder(), "policies/requirements.toml", "[wanted]\nany = []\nmode = \"warn\"\n");
    crate::program::put(program.folder(), "policies/policy.csv", &policy);
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
    for path in ["/v2/open/app/manifests/v1", "/v2/open/app/manifests/<image>", "/v2/open/app/blobs/<layer>"] {
        for method in ["GET", "HEAD"] {
            let answer = stocked.ask(&format!("{method} {path}"));
            assert_eq!(answer.status, 200);
            assert!(warning(&answer).starts_with("wanted: "), "{method} {path}: {answer:?}");
        }
    }
}

#[test]
fn evidence_that_counts_for_nothing_is_kept_with_a_warning() {
    let program = Program::start();
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cosign/sig-release");
    let payload = std::fs::read(fixture.join("layer-0")).unwrap();
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture.join("manifest.json")).unwrap()).unwrap();
    let signed: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let subject = signed["critical"]["image"]["docker-manifest-digest"].as_str().unwrap();
    program.push_blob("open/app", &payload);
    manifest["config"]["digest"] = program.push_blob("open/app", b"{}").to_string().into();
    let path = format!("/v2/open/app/manifests/{}.sig", subject.replace(':', "-"));
    let body = manifest.to_string();
    let answer = program.send_with("PUT", &path, &[("content-type", MANIFEST)], body.as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(warning(&answer).starts_with("kept, but counts for nothing now: expected "), "{answer:?}");
    assert_eq!(program.send("GET", &path).text(), body);
}
