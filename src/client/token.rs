//! Tokens: what a token endpoint gives for credentials.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::ClientError;
use super::credentials::Credentials;
use super::exchange::{Answer, Exchange, Wanted};

/// The largest answer of a token endpoint, in bytes.
const MAX_BYTES: u64 = 256 << 10;
/// Who asks, to endpoints that want to know.
const CLIENT: &str = "hallmark";

/// Where a token is asked for, for whom and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'a> {
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) scope: Option<&'a str>,
}

#[derive(Deserialize)]
struct Document {
    token: Option<String>,
    access_token: Option<String>,
}

/// `Authorization` with a name and a password.
pub(super) fn basic(name: &str, password: &str) -> Result<HeaderValue, ClientError> {
    use base64::Engine as _;
    secret(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"))))
}

/// `Authorization` with the token that the endpoint gives for `credentials`.
pub(super) async fn bearer(
    exchange: &Exchange,
    desk: Desk<'_>,
    credentials: &Credentials,
) -> Result<HeaderValue, ClientError> {
    let answer = match credentials {
        Credentials::Anonymous => ask(exchange, desk, None).await?,
        Credentials::Basic { name, password } => ask(exchange, desk, Some(&basic(name, password)?)).await?,
        Credentials::Identity(token) => show(exchange, desk, token).await?,
    };
    if answer.status != 200 {
        return Err(answer.refused());
    }
    let wrong = || ClientError::Meaning { url: answer.url.to_string(), expected: "a token", found: "none".to_owned() };
    let document: Document = serde_json::from_slice(&answer.body).map_err(|_syntax| wrong())?;
    let token = document.token.or(document.access_token).filter(|token| !token.is_empty()).ok_or_else(wrong)?;
    secret(&format!("Bearer {token}"))
}

async fn ask(exchange: &Exchange, desk: Desk<'_>, who: Option<&HeaderValue>) -> Result<Answer, ClientError> {
    let mut url = desk.realm.clone();
    for (name, value) in [("service", desk.service), ("scope", desk.scope)] {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    exchange.get(&url, Wanted { accept: None, limit: MAX_BYTES }, who).await
}

async fn show(exchange: &Exchange, desk: Desk<'_>, token: &str) -> Result<Answer, ClientError> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("refresh_token", token),
        ("service", desk.service.unwrap_or_default()),
        ("scope", desk.scope.unwrap_or_default()),
    ];
    let encoded = fields.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    exchange.post_form(desk.realm, encoded.join("&"), MAX_BYTES).await
}

fn secret(text: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_bytes| ClientError::Setup("expected credentials that fit a header, found others".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
