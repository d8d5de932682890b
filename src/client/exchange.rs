//! One question and its answer, bounded in time and size.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, RequestBuilder, Response, Url, redirect};

use super::error::told;
use super::origin::{Plain, is_same};
use super::{At, ClientError, SERVED};

/// How long a connection, TLS included, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may stand still.
const IDLE: Duration = Duration::from_secs(20);
/// How long one question may take in all.
const TOTAL: Duration = Duration::from_mins(1);
/// How often one question may be led elsewhere.
const MAX_REDIRECTS: usize = 5;
/// The most bytes of an answer that is an error.
const MAX_ERROR_BYTES: u64 = 64 << 10;

/// Asks one question at a time.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    http: reqwest::Client,
    pub(super) plain: Plain,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The media types.
    pub(super) accept: Option<&'a str>,
    /// The most bytes of the answer.
    pub(super) limit: u64,
}

/// What came.
#[derive(Debug)]
pub(super) struct Answer {
    /// Where it came from in the end.
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Exchange {
    /// `certificates` are PEM, trusted beside the system's; `proxied` is whether the environment's proxies are asked;
    /// the hosts of `bases` are looked for `at` an address, if there is one.
    pub(super) fn new(
        plain: Plain,
        certificates: Option<&[u8]>,
        proxied: bool,
        at: Option<&At>,
        bases: &[Url],
    ) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("hallmark/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(IDLE)
            .timeout(TOTAL);
        if !proxied {
            builder = builder.no_proxy();
        }
        if let Some(at) = at {
            let served = HeaderValue::from_str(&at.served);
            let served = served.map_err(|error| ClientError::Setup(error.to_string()))?;
            builder = builder.default_headers([(HeaderName::from_static(SERVED), served)].into_iter().collect());
            for host in bases.iter().filter_map(Url::host_str) {
                builder = builder.resolve(host, at.address);
            }
        }
        if let Some(pem) = certificates {
            let certificates = Certificate::from_pem_bundle(pem).map_err(|error| wrong_certificates(&error))?;
            if certificates.is_empty() {
                return Err(ClientError::Setup("expected certificates in PEM, found none".to_owned()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| wrong_certificates(&error))?;
        Ok(Self { http, plain })
    }

    /// Asks `url` alone: an answer that leads elsewhere is given as it is.
    pub(super) async fn get(
        &self,
        url: &Url,
        wanted: Wanted<'_>,
        authorisation: Option<&HeaderValue>,
    ) -> Result<Answer, ClientError> {
        let mut request = self.http.get(url.clone());
        if let Some(accept) = wanted.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorisation) = authorisation {
            request = request.header(AUTHORIZATION, authorisation.clone());
        }
        self.send(url, request, wanted.limit).await
    }

    /// Sends nothing but that it is a POST, to `url` alone.
    pub(super) async fn post(
        &self,
        url: &Url,
        limit: u64,
        authorisation: Option<&HeaderValue>,
    ) -> Result<Answer, ClientError> {
        let mut request = self.http.post(url.clone());
        if let Some(authorisation) = authorisation {
            request = request.header(AUTHORIZATION, authorisation.clone());
        }
        self.send(url, request, limit).await
    }

    /// Sends a form: how identity tokens are shown.
    pub(super) async fn post_form(&self, url: &Url, form: String, limit: u64) -> Result<Answer, ClientError> {
        let kind = (reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(url, self.http.post(url.clone()).header(kind.0, kind.1).body(form), limit).await
    }

    /// Asks `url`, and wherever it leads; `authorisation` goes to the origin of `url` alone.
    pub(super) async fn follow(
        &self,
        url: &Url,
        wanted: Wanted<'_>,
        authorisation: Option<&HeaderValue>,
    ) -> Result<Answer, ClientError> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let here = authorisation.filter(|_| is_same(url, &at));
            let answer = self.get(&at, wanted, here).await?;
            if ![301, 302, 303, 307, 308].contains(&answer.status) {
                return Ok(answer);
            }
            let wrong =
                |found: String| ClientError::Meaning { url: at.to_string(), expected: "a redirect over TLS", found };
            let location = answer.header(&LOCATION).ok_or_else(|| wrong("a redirect to nowhere".to_owned()))?;
            let next = at.join(location).map_err(|_parse| wrong(told(location)))?;
            if !self.plain.leads(&at, &next) {
                return Err(wrong(told(next.as_str())));
            }
            at = next;
        }
        let found = format!("more than {MAX_REDIRECTS}");
        Err(ClientError::Meaning { url: url.to_string(), expected: "few redirects", found })
    }

    async fn send(&self, url: &Url, request: RequestBuilder, limit: u64) -> Result<Answer, ClientError> {
        let response = request.send().await.map_err(|error| unreachable(url, error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = if (200..300).contains(&status) {
            body(url, response, limit).await?.ok_or_else(|| too_much(url, limit))?
        } else {
            // What an error says is a courtesy.
            body(url, response, limit.min(MAX_ERROR_BYTES)).await.ok().flatten().unwrap_or_default()
        };
        Ok(Answer { url: url.clone(), status, headers, body })
    }
}

/// The whole body, if it has at most `limit` bytes: no more are read.
async fn body(url: &Url, mut response: Response, limit: u64) -> Result<Option<Bytes>, ClientError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Ok(None);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(url, error))? {
        if chunk.len() > limit.saturating_sub(body.len()) {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

impl Answer {
    /// The header of that name, if it is text.
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// That this was no answer to what was asked.
    pub(super) fn refused(&self) -> ClientError {
        let text = |value: &serde_json::Value, key: &str| value.get(key).and_then(|text| text.as_str().map(told));
        let body = serde_json::from_slice::<serde_json::Value>(&self.body).unwrap_or_default();
        let first = body.get("errors").and_then(|errors| errors.get(0)).cloned().unwrap_or_default();
        let parts = [text(&first, "code"), text(&first, "message")];
        let message = parts.into_iter().flatten().fold(String::new(), |all, part| format!("{all}: {part}"));
        ClientError::Status { url: self.url.to_string(), status: self.status, message }
    }
}

pub(super) fn too_much(url: &Url, limit: u64) -> ClientError {
    ClientError::TooMuch { url: url.to_string(), limit, unit: "bytes" }
}

fn wrong_certificates(error: &reqwest::Error) -> ClientError {
    ClientError::Setup(format!("expected certificates to trust: {}", causes(error)))
}

fn unreachable(url: &Url, error: reqwest::Error) -> ClientError {
    ClientError::Unreachable { url: url.to_string(), cause: causes(&error.without_url()) }
}

/// The innermost cause says what happened.
fn causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    told(&cause.to_string())
}
