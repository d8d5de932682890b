//! SHA-512 beside SHA-256, wherever a digest stands.

use hallmark::oci::{Algorithm, Digest};

use crate::program::{MANIFEST, Program};

fn sha512(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha512, content)
}

fn push_blob(program: &Program, content: &[u8]) -> Digest {
    let digest = sha512(content);
    let path = format!("/v2/open/app/blobs/uploads/?digest={digest}");
    let answer = program.send_with("POST", &path, &[], content);
    assert_eq!((answer.status, answer.headers("docker-content-digest")), (201, vec![digest.to_string().as_str()]));
    digest
}

fn manifest(config: &Digest, layer: &Digest, more: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":5}}]{more}}}"#
    )
}

fn put(program: &Program, reference: &str, manifest: &str) -> u16 {
    let path = format!("/v2/open/app/manifests/{reference}");
    program.send_with("PUT", &path, &[("content-type", MANIFEST)], manifest.as_bytes()).status
}

/// Pushes an image under its SHA-512 digest and a tag.
fn push_image(program: &Program) -> (Digest, String) {
    let (config, layer) = (push_blob(program, b"{}"), push_blob(program, b"layer"));
    let image = manifest(&config, &layer, "");
    let digest = sha512(image.as_bytes());
    assert_eq!(put(program, &format!("{digest}?tag=v1"), &image), 201);
    (digest, image)
}

#[test]
fn a_session_ends_under_either_digest_whichever_it_began_with() {
    let program = Program::start();
    for begun in ["", "?digest-algorithm=sha256", "?digest-algorithm=sha512"] {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let content = format!("{begun} {}", algorithm.as_str());
            let digest = Digest::of(algorithm, content.as_bytes());
            let answer = program.send("POST", &format!("/v2/open/app/blobs/uploads/{begun}"));
            let session = answer.header("location").unwrap();
            assert_eq!(program.send_with("PATCH", session, &[], content.as_bytes()).status, 202);
            let done = program.send("PUT", &format!("{session}?digest={digest}"));
            assert_eq!(
                (done.status, done.headers("location")),
                (201, vec![format!("/v2/open/app/blobs/{digest}").as_str()])
            );
            assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{digest}")).body, content.as_bytes());
        }
    }
}

#[test]
fn content_that_is_not_of_its_sha512_is_refused() {
    let program = Program::start();
    let other = sha512(b"other");
    let answer = program.send_with("POST", &format!("/v2/open/app/blobs/uploads/?digest={other}"), &[], b"content");
    assert_eq!((answer.status, answer.code().as_str()), (400, "DIGEST_INVALID"));
    assert_eq!(put(&program, &other.to_string(), &manifest(&other, &other, "")), 400);
}

#[test]
fn the_same_content_under_the_other_digest_is_another_blob() {
    let program = Program::start();
    push_blob(&program, b"layer");
    let path = format!("/v2/open/app/blobs/{}", Digest::sha256(b"layer"));
    assert_eq!(program.send("GET", &path).status, 404);
}

#[test]
fn an_image_is_served_under_its_tag_and_its_sha512() {
    let program = Program::start();
    let (digest, image) = push_image(&program);
    for reference in ["v1".to_owned(), digest.to_string()] {
        let answer = program.send("GET", &format!("/v2/open/app/manifests/{reference}"));
        assert_eq!((answer.status, answer.text()), (200, image.as_str()), "{reference}");
        assert_eq!(answer.headers("docker-content-digest"), [digest.to_string()], "{reference}");
        assert_eq!(answer.headers("etag"), [format!("\"{digest}\"")], "{reference}");
    }
    let path = format!("/v2/open/app/blobs/{}", sha512(b"layer"));
    assert_eq!(program.send_with("GET", &path, &[("range", "bytes=1-2")], b"").body, b"ay");
}

#[test]
fn referrers_of_a_sha512_subject_are_listed_under_it() {
    let program = Program::start();
    let (subject, image) = push_image(&program);
    let about = format!(
        r#","artifactType":"text/a","subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":{}}}"#,
        image.len()
    );
    let referrer = manifest(&sha512(b"{}"), &sha512(b"layer"), &about);
    let digest = sha512(referrer.as_bytes());
    assert_eq!(put(&program, &digest.to_string(), &referrer), 201);
    let list = program.send("GET", &format!("/v2/open/app/referrers/{subject}?artifactType=text/a"));
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["manifests"][0]["digest"], digest.to_string());
    assert_eq!(list["manifests"].as_array().unwrap().len(), 1);
}

#[test]
fn a_blob_is_mounted_by_its_sha512() {
    let program = Program::start();
    let layer = push_blob(&program, b"layer");
    for query in [format!("mount={layer}&from=open/app"), format!("mount={layer}")] {
        assert_eq!(program.send("POST", &format!("/v2/open/other/blobs/uploads/?{query}")).status, 201, "{query}");
    }
    assert_eq!(program.send("GET", &format!("/v2/open/other/blobs/{layer}")).body, b"layer");
}

#[test]
fn the_layout_has_a_folder_for_it() {
    let program = Program::start();
    let (digest, image) = push_image(&program);
    assert_eq!(program.send("POST", "/_hallmark/flush").status, 204);
    let layout = program.folder().join("data/open/app");
    let blobs = layout.join("blobs/sha512");
    assert_eq!(std::fs::read_to_string(blobs.join(digest.hex())).unwrap(), image);
    assert_eq!(std::fs::read(blobs.join(sha512(b"layer").hex())).unwrap(), b"layer");
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    assert!(index.contains(&digest.to_string()), "{index}");
}

#[test]
fn what_is_deleted_by_its_sha512_is_gone() {
    let program = Program::start();
    let (digest, _) = push_image(&program);
    assert_eq!(program.send("DELETE", &format!("/v2/open/app/manifests/{digest}")).status, 202);
    assert_eq!(program.send("GET", "/v2/open/app/manifests/v1").status, 404);
    assert_eq!(program.send("DELETE", &format!("/v2/open/app/blobs/{}", sha512(b"layer"))).status, 202);
}
