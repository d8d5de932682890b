//! Somebody who uses the registry: by plain HTTP, and with the real clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use ureq::http::Request;

use super::{ALIAS, Answer, Descriptor, HOSTNAME, IMAGE, Image, Key, Registry, Run, descriptor, digest_of};

/// A user of one registry, with a home and credentials of their own.
pub(crate) struct Person<'r> {
    pub(super) registry: &'r Registry,
    home: PathBuf,
    authorization: Option<String>,
    agent: ureq::Agent,
}

impl<'r> Person<'r> {
    pub(super) fn new(registry: &'r Registry, name: &str, password: Option<&str>) -> Self {
        let home = registry.file(&format!("home-{name}"));
        std::fs::create_dir_all(&home).unwrap();
        let basic = password.map(|password| STANDARD.encode(format!("{name}:{password}")));
        let auths = match &basic {
            Some(basic) => {
                let auth = json!({ "auth": basic });
                json!({ "auths": { registry.address(): auth, HOSTNAME: auth, ALIAS: auth } })
            }
            None => json!({}),
        };
        std::fs::write(home.join("config.json"), auths.to_string()).unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .build()
            .into();
        Self { registry, home, authorization: basic.map(|basic| format!("Basic {basic}")), agent }
    }

    /// Their home.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    // --- plain HTTP

    /// Sends any request; `path` begins with `/`, or is a whole URL.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let url = match path.strip_prefix('/') {
            Some(path) => format!("http://{}/{path}", self.registry.address()),
            None => path.to_owned(),
        };
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec()).unwrap();
        let mut response =
            self.agent.run(request).unwrap_or_else(|error| panic!("{method} {url}: {error}\n{}", self.registry.log()));
        let body = if method == "HEAD" { Vec::new() } else { response.body_mut().read_to_vec().unwrap() };
        Answer {
            request: format!("{method} {url}"),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        }
    }

    /// GET.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], &[])
    }

    /// DELETE.
    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, &[], &[])
    }

    /// GET of a manifest by tag or digest.
    #[track_caller]
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Answer {
        self.get(&format!("/v2/{repository}/manifests/{reference}"))
    }

    /// GET of a blob.
    #[track_caller]
    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Answer {
        self.get(&format!("/v2/{repository}/blobs/{digest}"))
    }

    /// The digest that a tag names for them; they must be served.
    #[track_caller]
    pub(crate) fn resolves(&self, repository: &str, tag: &str) -> String {
        let answer = self.manifest(repository, tag).is(200);
        let digest = digest_of(answer.bytes());
        assert_eq!(answer.header("docker-content-digest"), digest, "expected what was served to hash to its name");
        digest
    }

    /// PUT of a manifest.
    #[track_caller]
    pub(crate) fn put_manifest(&self, repository: &str, reference: &str, media_type: &str, bytes: &[u8]) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.request("PUT", &path, &[("content-type", media_type)], bytes)
    }

    /// POST of a blob in one request.
    #[track_caller]
    pub(crate) fn post_blob(&self, repository: &str, bytes: &[u8]) -> Answer {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest_of(bytes));
        self.request("POST", &path, &[("content-type", "application/octet-stream")], bytes)
    }

    /// Uploads a blob, which must be taken.
    #[track_caller]
    pub(crate) fn pushes_blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Descriptor {
        self.post_blob(repository, bytes).is(201);
        descriptor(media_type, bytes)
    }

    /// Uploads an image by digest, which must be taken; gives its digest.
    #[track_caller]
    pub(crate) fn pushes_image(&self, repository: &str, image: &Image) -> String {
        for blob in image.blobs() {
            self.post_blob(repository, blob).is(201);
        }
        let digest = image.digest();
        self.put_manifest(repository, &digest, IMAGE, image.bytes()).is(201);
        digest
    }

    /// Uploads an image, then sets a tag; both must be taken.
    #[track_caller]
    pub(crate) fn pushes_tagged(&self, repository: &str, tag: &str, image: &Image) -> String {
        let digest = self.pushes_image(repository, image);
        self.put_manifest(repository, tag, IMAGE, image.bytes()).is(201);
        digest
    }

    // --- real clients

    /// A client, as this person.
    pub(crate) fn run(&self, name: &str) -> Run {
        Run::new(name, &self.home)
    }

    /// `crane append`: makes an image of one file with this content, and pushes it; gives its digest.
    #[track_caller]
    pub(crate) fn crane_push(&self, reference: &str, content: &str) -> String {
        let pushed = self.crane_append(reference, content).succeeds();
        pushed.rsplit('@').next().unwrap_or_default().to_owned()
    }

    /// `crane append`, not yet run.
    #[track_caller]
    pub(crate) fn crane_append(&self, reference: &str, content: &str) -> Run {
        let layer = self.archive(content);
        self.run("crane")
            .args(["append", "--insecure", "--oci-empty-base", "--new_layer"])
            .args([layer])
            .args(["--new_tag", &self.registry.reference(reference)])
    }

    /// `crane manifest`.
    pub(crate) fn crane_manifest(&self, reference: &str) -> Run {
        self.run("crane").args(["manifest", "--insecure", &self.registry.reference(reference)])
    }

    /// `crane pull`: the whole image.
    pub(crate) fn crane_pull(&self, reference: &str) -> Run {
        let reference = self.registry.reference(reference);
        self.run("crane").args(["pull", "--insecure", &reference, "pulled.tar"])
    }

    /// `cosign sign` of cosign 3 with its defaults for a key, save that the public log can't be reached: a bundle.
    pub(crate) fn cosign_sign(&self, key: Key, reference: &str) -> Run {
        let reference = self.registry.reference(reference);
        self.run("cosign3")
            .args(["sign", "--yes", "--allow-http-registry", "--use-signing-config=false", "--tlog-upload=false"])
            .args(["--key".as_ref(), key.private().as_os_str(), reference.as_ref()])
    }

    /// `cosign sign` of cosign 2: the tag `sha256-<hex>.sig`.
    pub(crate) fn cosign2_sign(&self, key: Key, reference: &str) -> Run {
        let reference = self.registry.reference(reference);
        self.run("cosign2").args(["sign", "--yes", "--allow-http-registry", "--tlog-upload=false"]).args([
            "--key".as_ref(),
            key.private().as_os_str(),
            reference.as_ref(),
        ])
    }

    /// `cosign attest` of cosign 3: a bundle that says something of the image, and is no signature.
    pub(crate) fn cosign_attest(&self, key: Key, reference: &str) -> Run {
        let reference = self.registry.reference(reference);
        std::fs::write(self.home.join("predicate.json"), "{}").unwrap();
        self.run("cosign3")
            .args(["attest", "--yes", "--allow-http-registry", "--use-signing-config=false", "--tlog-upload=false"])
            .args(["--type", "custom", "--predicate", "predicate.json"])
            .args(["--key".as_ref(), key.private().as_os_str(), reference.as_ref()])
    }

    /// `cosign verify`, of the given version.
    pub(crate) fn cosign_verify(&self, cosign: &str, key: Key, reference: &str) -> Run {
        let reference = self.registry.reference(reference);
        self.run(cosign).args(["verify", "--allow-http-registry", "--insecure-ignore-tlog"]).args([
            "--key".as_ref(),
            key.public().as_os_str(),
            reference.as_ref(),
        ])
    }

    /// A tar archive of one file with this content.
    #[track_caller]
    pub(crate) fn archive(&self, content: &str) -> PathBuf {
        let archive = self.home.join("layer.tar");
        std::fs::write(self.home.join("content"), content).unwrap();
        self.run("tar").args(["--create", "--file"]).args([&archive]).args(["content"]).succeeds();
        archive
    }
}
