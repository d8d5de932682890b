//! HTTP/2: by prior knowledge where the listener is plain, by ALPN over TLS.

use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use hallmark::oci::Digest;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::program::{MANIFEST, Program, put};

/// An answer as it came over HTTP/2.
struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    /// Whether the headers ended the stream.
    ended: bool,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Clone)]
struct Client(SendRequest<Bytes>);

impl Client {
    async fn over(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        // As many at once as clients open until they have read how many the server takes: what is above that is refused.
        let (sender, connection) =
            h2::client::Builder::new().initial_max_send_streams(100).handshake(io).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        Self(sender)
    }

    async fn plain(program: &Program) -> Self {
        Self::over(TcpStream::connect(program.address()).await.unwrap()).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = axum::http::Request::builder().method(method).uri(format!("http://registry.example{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut sender = self.0.clone().ready().await.unwrap();
        let (answer, mut stream) = sender.send_request(request.body(()).unwrap(), body.is_empty()).unwrap();
        if !body.is_empty() {
            // Who is refused while it sends may see its stream reset; the answer came before that.
            drop(stream.send_data(Bytes::copy_from_slice(body), true));
        }
        let answer = answer.await.unwrap();
        let (parts, mut incoming) = answer.into_parts();
        let ended = incoming.is_end_stream();
        let mut whole = Vec::new();
        while let Some(bytes) = incoming.data().await {
            let bytes = bytes.unwrap();
            incoming.flow_control().release_capacity(bytes.len()).unwrap();
            whole.extend_from_slice(&bytes);
        }
        Answer { status: parts.status.as_u16(), headers: parts.headers, ended, body: whole }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    async fn push_blob(&self, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        let begun = self.send("POST", "/v2/open/app/blobs/uploads/", &[], b"").await;
        let session = begun.header("location").to_owned();
        let (first, second) = content.split_at(content.len() / 2);
        assert_eq!(self.send("PATCH", &session, &[], first).await.status, 202);
        let done = self.send("PUT", &format!("{session}?digest={digest}"), &[], second).await;
        assert_eq!((done.status, done.header("docker-content-digest")), (201, digest.to_string().as_str()));
        digest
    }

    /// Pushes an image and pulls it again.
    async fn push_and_pull(&self) {
        let content: Vec<u8> = (0..900_000_u32).flat_map(u32::to_le_bytes).collect();
        let (config, layer) = (self.push_blob(b"{}").await, self.push_blob(&content).await);
        let image = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":{}}}]}}"#,
            content.len()
        );
        let path = "/v2/open/app/manifests/v1";
        let stored = self.send("PUT", path, &[("content-type", MANIFEST)], image.as_bytes()).await;
        assert_eq!(stored.status, 201);

        let manifest = self.get(path).await;
        assert_eq!((manifest.status, manifest.header("content-type")), (200, MANIFEST));
        assert_eq!(manifest.body, image.as_bytes());
        assert!(self.get(&format!("/v2/open/app/blobs/{layer}")).await.body == content);
        let part = self.send("GET", &format!("/v2/open/app/blobs/{layer}"), &[("range", "bytes=4-7")], b"").await;
        assert_eq!((part.status, part.body), (206, 1_u32.to_le_bytes().to_vec()));
    }
}

#[tokio::test]
async fn an_image_is_pushed_and_pulled_by_prior_knowledge() {
    let program = Program::start();
    Client::plain(&program).await.push_and_pull().await;
}

#[tokio::test]
async fn an_image_is_pushed_and_pulled_over_tls() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "chain.pem", &made.cert.pem());
    put(folder.path(), "key.pem", &made.signing_key.serialize_pem());
    let program = Program::start_in(folder, &["--tls-certificate", "chain.pem", "--tls-key", "key.pem"]);

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(program.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    Client::over(stream).await.push_and_pull().await;
}

#[tokio::test]
async fn head_ends_with_its_headers() {
    let program = Program::start();
    let (digest, manifest) = program.push_image("open/app", "v1", b"layer");
    let client = Client::plain(&program).await;
    for (path, status, length) in [
        ("/v2/open/app/manifests/v1".to_owned(), 200, manifest.len()),
        (format!("/v2/open/app/blobs/{}", Digest::sha256(b"layer")), 200, 5),
        ("/v2/open/app/tags/list".to_owned(), 200, program.send("GET", "/v2/open/app/tags/list").body.len()),
        (
            format!("/v2/open/app/blobs/{digest}"),
            404,
            program.send("GET", &format!("/v2/open/app/blobs/{digest}")).body.len(),
        ),
        ("/v2/A/manifests/v1".to_owned(), 400, program.send("GET", "/v2/A/manifests/v1").body.len()),
    ] {
        let head = client.send("HEAD", &path, &[], b"").await;
        assert_eq!((head.status, head.ended, head.body.len()), (status, true, 0), "{path}");
        assert_eq!(head.header("content-length"), length.to_string(), "{path}");
    }
}

#[tokio::test]
async fn a_refusal_is_the_same_as_over_http_1() {
    let program = Program::start();
    program.push_image("open/app", "v1", b"layer");
    let client = Client::plain(&program).await;
    for path in ["/v2/open/app/manifests/v2", "/v2/open%2Fapp/manifests/v1", "/v2/open/app/tags/list?n=x", "/nothing"] {
        let (old, new) = (program.send("GET", path), client.get(path).await);
        assert_eq!((new.status, &new.body), (old.status, &old.body), "{path}");
        assert_eq!(new.header("content-type"), "application/json", "{path}");
        assert!(!new.headers.contains_key("connection"), "{path}");
    }
}

#[tokio::test]
async fn who_is_refused_a_large_upload_still_reads_why() {
    let program = Program::start();
    let before = program.stored();
    let client = Client::plain(&program).await;
    let body = vec![0; 8 << 20];
    let path = format!("/v2/closed/blobs/uploads/?digest={}", Digest::sha256(&body));
    let refused = client.send("POST", &path, &[], &body).await;
    assert_eq!(refused.status, 401);
    assert!(refused.body.starts_with(b"{\"errors\":[{\"code\":\"UNAUTHORIZED\""), "{:?}", refused.body);
    assert_eq!(program.stored(), before);
    assert_eq!(client.get("/healthz").await.status, 200, "the connection serves on");
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let program = Program::start();
    let (_, manifest) = program.push_image("open/app", "v1", b"layer");
    let client = Client::plain(&program).await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..200 {
        let client = client.clone();
        asked.spawn(async move {
            let reference = if n % 2 == 0 { "v1" } else { "v2" };
            (n, client.get(&format!("/v2/open/app/manifests/{reference}")).await)
        });
    }
    while let Some(answered) = asked.join_next().await {
        let (n, answer) = answered.unwrap();
        assert_eq!(answer.status, if n % 2 == 0 { 200 } else { 404 });
        assert_eq!(answer.body == manifest, n % 2 == 0);
    }
}
