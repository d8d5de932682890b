//! HTTP: requests → verbs of the registry → answers.
//!
//! One straight line: [`Endpoint::parse`] → who asks → what they may → the verb → the answer, or the one mapping of
//! errors in [`Refusal`]. Routes are not axum's: `<name>` holds slashes, which its patterns can't match.

mod access_log;
mod answer;
mod audit;
mod base;
mod blobs;
mod catalog;
mod cursor;
mod download;
mod endpoint;
mod error;
mod explain;
mod housekeeping;
mod incoming;
mod lists;
mod manifests;
mod metrics;
mod operate;
pub mod query;
mod referrers;
mod requests;
mod tags;
mod taken;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONNECTION, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use axum::response::Response;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

pub use access_log::{Entry, Format, Line, Lines, quote};
pub use cursor::Cursors;
pub use endpoint::{Access, Endpoint, EndpointError, Kind};
pub use error::{Reason, Refusal};
pub use metrics::{Metrics, Page};
pub use operate::Condition;
pub use requests::Ids;
pub(crate) use taken::while_taken;

use crate::authn::{Authenticator, Recall, Rejected};
use crate::client::SERVED;
use crate::clock::Clock;
use crate::config::Limits;
use crate::gate::Who;
use crate::oci::ErrorCode;
use crate::registry::{Error, Registry};
use incoming::Incoming;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request to read the files anew; answered with what is wrong with them.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// Where lines of the access log go, and how they are written.
#[derive(Clone, Debug)]
pub struct AccessLog {
    /// The way to the writer.
    pub lines: Lines,
    /// How lines are written.
    pub format: Format,
}

/// What answers requests.
pub struct Http {
    /// The verbs.
    pub registry: Arc<Registry>,
    /// Who asks.
    pub authenticator: Arc<Authenticator>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The bounds.
    pub limits: Limits,
    /// The challenge of a 401: `Basic realm="…"`.
    pub challenge: HeaderValue,
    /// Whether it is open, draining or degraded.
    pub condition: Condition,
    /// What requests added up to.
    pub metrics: Metrics,
    /// None is without an access log.
    pub access_log: Option<AccessLog>,
    /// To whom requests to reload go.
    pub reload: mpsc::Sender<Reload>,
    /// Hides places in lists.
    pub cursors: Cursors,
    /// Makes request identifiers.
    pub ids: Ids,
    /// The random name of the root that is served, as it stands in its lock.
    pub served: Uuid,
}

/// A request on its way through: what every handler is given.
pub(crate) struct Call<'a> {
    http: &'a Http,
    parts: &'a Parts,
    who: &'a Who,
}

impl Call<'_> {
    fn registry(&self) -> &Arc<Registry> {
        &self.http.registry
    }

    fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    fn path(&self) -> &str {
        self.parts.uri.path()
    }

    fn is_head(&self) -> bool {
        self.parts.method == Method::HEAD
    }
}

/// The one route.
pub fn router(http: Arc<Http>) -> Router {
    Router::new().fallback(handle).with_state(http)
}

async fn handle(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = Incoming::new(body, &parts.headers, http.limits.body_idle);
    let id = http.ids.of(&parts.headers);
    let mut entry = Entry::new(parts, id);
    let mut response = match http.answer(&mut entry, &mut body).await {
        Ok(mut response) => {
            entry.lenience = response.extensions_mut().remove();
            response
        }
        Err(refusal) => {
            http.metrics.refused(refusal.reason());
            entry.refuse(&refusal);
            refusal.into_response(&http.challenge)
        }
    };
    if !body.drain().await && entry.parts.version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    finish_headers(&entry, response.headers_mut());
    requests::finish(http, entry, response)
}

/// Headers of every answer, and those of everything that a grant decided.
fn finish_headers(entry: &Entry, headers: &mut HeaderMap) {
    headers.insert(REQUEST_ID, entry.id.clone());
    let path = entry.parts.uri.path();
    if path.starts_with("/v2") {
        headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    }
    if path.starts_with("/v2") || path.starts_with("/_hallmark/") {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(VARY, HeaderValue::from_static("Authorization"));
    }
}

impl Http {
    async fn answer(&self, entry: &mut Entry, body: &mut Incoming) -> Result<Response, Refusal> {
        let endpoint = Endpoint::parse(&entry.parts.method, entry.parts.uri.path())?;
        entry.kind = endpoint.kind();
        entry.repository = endpoint.repository().cloned();
        self.serves_what_is_meant(&entry.parts.headers)?;
        if endpoint.kind().access() == Access::Open {
            let call = Call { http: self, parts: &entry.parts, who: &Who::Anonymous };
            return operate::read(&call, entry.kind).await;
        }
        let who = self.who(&entry.parts.headers).await?;
        let who = entry.who.insert(who);
        let call = Call { http: self, parts: &entry.parts, who };
        dispatch(&call, endpoint, body).await
    }

    /// Whether a request that says which root it is about is about this one; most say nothing
    /// ([RFC 9110 §15.5.20](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.20)).
    fn serves_what_is_meant(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let is_this = |meant: &HeaderValue| meant.as_bytes() == self.served.to_string().as_bytes();
        if headers.get_all(SERVED).iter().all(is_this) {
            return Ok(());
        }
        let message = "expected a request about the root that is served here, found one about another root";
        let status = StatusCode::MISDIRECTED_REQUEST;
        Err(Refusal::new(status, ErrorCode::Denied, Reason::Misdirected, message))
    }

    /// Who sent these headers.
    async fn who(&self, headers: &HeaderMap) -> Result<Who, Refusal> {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        let authorization = sent.next().map(HeaderValue::as_bytes);
        if sent.next().is_some() {
            return Err(Error::Unauthorized.into());
        }
        match self.authenticator.recall(authorization) {
            Recall::Known(who) => Ok(who),
            Recall::Malformed => Err(Error::Unauthorized.into()),
            Recall::Unknown(attempt) => self.authenticator.verify(attempt).await.map_err(|rejected| match rejected {
                Rejected::Credentials => Error::Unauthorized.into(),
                Rejected::Busy => Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    ErrorCode::TooManyRequests,
                    Reason::Capped,
                    rejected.to_string(),
                ),
            }),
        }
    }
}

/// Endpoint → handler. What is not a read is boxed, so that reads do not carry its state around.
async fn dispatch(call: &Call<'_>, endpoint: Endpoint, body: &mut Incoming) -> Result<Response, Refusal> {
    match endpoint {
        Endpoint::ReadManifest(name, reference) => manifests::read(call, &name, &reference).await,
        Endpoint::ReadBlob(name, digest) => blobs::read(call, &name, &digest).await,
        Endpoint::Base => base::read(call),
        Endpoint::Catalog => Box::pin(catalog::list(call)).await,
        Endpoint::Tags(name) => Box::pin(tags::list(call, &name)).await,
        Endpoint::Referrers(name, subject) => Box::pin(referrers::list(call, &name, &subject)).await,
        Endpoint::PutManifest(name, reference) => Box::pin(manifests::put(call, body, &name, reference)).await,
        Endpoint::DeleteManifest(name, reference) => Box::pin(manifests::delete(call, &name, &reference)).await,
        Endpoint::DeleteBlob(name, digest) => Box::pin(blobs::delete(call, &name, &digest)).await,
        Endpoint::BeginUpload(name) => Box::pin(uploads::begin(call, body, &name)).await,
        Endpoint::UploadStatus(name, id) => Box::pin(uploads::status(call, &name, id)).await,
        Endpoint::WriteUpload(name, id) => Box::pin(uploads::write(call, body, &name, id)).await,
        Endpoint::FinishUpload(name, id) => Box::pin(uploads::finish(call, body, &name, id)).await,
        Endpoint::CancelUpload(name, id) => Box::pin(uploads::cancel(call, &name, id)).await,
        Endpoint::Reload => Box::pin(operate::reload(call)).await,
        Endpoint::Flush => Box::pin(operate::flush(call)).await,
        Endpoint::Explain => Box::pin(explain::read(call)).await,
        Endpoint::ScrubStatus => Box::pin(housekeeping::scrub_status(call)).await,
        Endpoint::Scrub => Box::pin(housekeeping::scrub(call)).await,
        Endpoint::Collect => Box::pin(housekeeping::collect(call)).await,
        Endpoint::Audit => Box::pin(audit::read(call)).await,
        Endpoint::Health | Endpoint::Ready | Endpoint::Metrics => operate::read(call, endpoint.kind()).await,
    }
}
