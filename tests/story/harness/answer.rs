//! What the registry answered to a plain HTTP request.

use serde_json::Value;
use ureq::http::HeaderMap;

/// A status, headers and a body, and the request that they answer.
pub(crate) struct Answer {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("expected JSON: {error}\n{self}"))
    }

    /// A header, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The same answer, if it has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "expected {status}\n{self}");
        self
    }

    /// The same answer, if it is an OCI error with this status and code that has all of `words` in its message or detail.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16, code: &str, words: &[&str]) -> Self {
        assert_eq!(self.status, status, "expected {status}\n{self}");
        let body = self.json();
        let error = &body["errors"][0];
        assert_eq!(error["code"], code, "expected the code {code}\n{self}");
        let told = format!("{} {}", error["message"].as_str().unwrap_or_default(), error["detail"]);
        for word in words {
            assert!(told.contains(word), "expected the words {word:?}\n{self}");
        }
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nwas answered with {} {:?}\n{}", self.request, self.status, self.headers, self.text())
    }
}
