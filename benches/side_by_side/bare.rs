//! The bare axum server: the same bytes and header fields, and nothing else that a registry does.
//!
//! Manifests lie in memory under the path they were put to; blobs are read from their file in pieces of 256 KiB.
//! What is pushed, manifests too, is hashed, written, synced, renamed, and its folder synced.

mod uploads;

use std::collections::HashMap;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::serve::ListenerExt;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use self::uploads::Uploads;
use crate::Outcome;

/// How much of a blob is read at once, in bytes.
const PIECE: usize = 256 << 10;

#[derive(Debug)]
struct Bare {
    folder: PathBuf,
    manifests: RwLock<HashMap<String, Manifest>>,
    uploads: Uploads,
}

#[derive(Clone, Debug)]
struct Manifest {
    media_type: HeaderValue,
    digest: HeaderValue,
    tag: HeaderValue,
    bytes: Bytes,
}

/// Serves from `folder` until it is killed, with as many workers as there are cores for it.
pub(crate) fn serve(address: SocketAddr, folder: &Path) -> Outcome<()> {
    let uploads = Uploads::below(folder);
    let bare = Arc::new(Bare { folder: folder.to_owned(), manifests: RwLock::default(), uploads });
    let app = Router::new().fallback(answer).with_state(bare);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async move {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        Ok(axum::serve(listener, app).await?)
    })
}

async fn answer(State(bare): State<Arc<Bare>>, request: Request) -> Response {
    let head_only = request.method() == Method::HEAD;
    let path = request.uri().path();
    let answer = match *request.method() {
        Method::GET | Method::HEAD if path.contains("/manifests/") => bare.manifest(path, head_only),
        Method::GET | Method::HEAD => bare.blob(path, head_only),
        Method::PUT if path.contains("/manifests/") => bare.put_manifest(request).await,
        Method::PUT => bare.put_blob(request).await,
        Method::PATCH => bare.patch_blob(request).await,
        Method::POST => located(&format!("{path}{}", uuid::Uuid::new_v4())),
        _ => Err("expected another method".into()),
    };
    answer.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    })
}

impl Bare {
    fn manifest(&self, path: &str, head_only: bool) -> Outcome<Response> {
        let manifests = self.manifests.read().unwrap_or_else(PoisonError::into_inner);
        let manifest = manifests.get(path).ok_or("expected a manifest, found none")?.clone();
        drop(manifests);
        let length = wide(manifest.bytes.len());
        let mut response = Response::new(if head_only { Body::empty() } else { Body::from(manifest.bytes) });
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, manifest.media_type);
        describe(headers, manifest.digest, manifest.tag, length);
        Ok(response)
    }

    fn blob(&self, path: &str, head_only: bool) -> Outcome<Response> {
        let (_, digest) = path.rsplit_once("/blobs/").ok_or("expected a blob, found another path")?;
        let file = File::open(self.folder.join(hex_of(digest)?))?;
        let length = file.metadata()?.len();
        let body = if head_only { Body::empty() } else { Body::new(FileBody { file, at: 0, length }) };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let tag = HeaderValue::from_str(&format!("\"{digest}\""))?;
        describe(headers, HeaderValue::from_str(digest)?, tag, length);
        Ok(response)
    }

    async fn put_manifest(&self, request: Request) -> Outcome<Response> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let digest = crate::hex::digest(&bytes);
        let media_type = parts.headers.get(header::CONTENT_TYPE).ok_or("expected a media type, found none")?.clone();
        self.uploads.store(hex_of(&digest)?.to_owned(), bytes.clone()).await?;
        let tag = HeaderValue::from_str(&format!("\"{digest}\""))?;
        let manifest = Manifest { media_type, digest: HeaderValue::from_str(&digest)?, tag, bytes };
        let path = parts.uri.path();
        let (folder, _) = path.rsplit_once('/').ok_or("expected a path with folders")?;
        let mut manifests = self.manifests.write().unwrap_or_else(PoisonError::into_inner);
        manifests.insert(format!("{folder}/{digest}"), manifest.clone());
        manifests.insert(path.to_owned(), manifest);
        Ok(status(StatusCode::CREATED))
    }

    async fn patch_blob(&self, request: Request) -> Outcome<Response> {
        let path = request.uri().path().to_owned();
        self.uploads.append(&path, request.into_body()).await?;
        located(&path)
    }

    async fn put_blob(&self, request: Request) -> Outcome<Response> {
        let digest = request.uri().query().and_then(|query| query.strip_prefix("digest="));
        let digest = hex_of(digest.ok_or("expected a digest, found none")?)?.to_owned();
        let path = request.uri().path().to_owned();
        self.uploads.append(&path, request.into_body()).await?;
        self.uploads.finish(&path, digest).await?;
        Ok(status(StatusCode::CREATED))
    }
}

/// A file that is sent in pieces.
#[derive(Debug)]
struct FileBody {
    file: File,
    at: u64,
    length: u64,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let left = self.length.saturating_sub(self.at);
        if left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
        let read = self.file.read_exact_at(&mut piece, self.at);
        self.at = self.at.saturating_add(wide(piece.len()));
        Poll::Ready(Some(read.map(|()| Frame::data(piece.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length.saturating_sub(self.at))
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.length
    }
}

/// The header fields that Hallmark's answers carry too.
fn describe(headers: &mut HeaderMap, digest: HeaderValue, tag: HeaderValue, length: u64) {
    const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
    const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
    headers.insert(CONTENT_DIGEST, digest);
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

/// Where an upload goes on.
fn located(path: &str) -> Outcome<Response> {
    let mut response = status(StatusCode::ACCEPTED);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(path)?);
    Ok(response)
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The hexadecimal part of a digest, which names the file.
fn hex_of(digest: &str) -> Outcome<&str> {
    let hex = digest.strip_prefix("sha256:").ok_or("expected a SHA-256 digest, found another")?;
    let good = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then_some(hex).ok_or_else(|| "expected 64 hexadecimal digits, found something else".into())
}

/// A length in memory as a length on the wire.
fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
