//! `WWW-Authenticate`: what a registry asks for.

use http_auth::ChallengeRef;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password with each request.
    Basic,
    /// A token from an endpoint.
    Bearer {
        /// The endpoint.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The best challenge among the headers that this client can answer; those that can't be read are none.
    pub(super) fn among(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let all: Vec<Self> = texts
            .filter_map(|text| http_auth::parse_challenges(text).ok())
            .flatten()
            .filter_map(|challenge| Self::read(&challenge))
            .collect();
        all.iter().find(|challenge| matches!(challenge, Self::Bearer { .. })).or(all.first()).cloned()
    }

    fn read(challenge: &ChallengeRef<'_>) -> Option<Self> {
        let value = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped()).filter(|text| !text.is_empty())
        };
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let bearer = challenge.scheme.eq_ignore_ascii_case("bearer");
        bearer.then(|| value("realm")).flatten().map(|realm| Self::Bearer {
            realm,
            service: value("service"),
            scope: value("scope"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(values: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, reqwest::header::HeaderValue::from_static(value));
        }
        Challenge::among(&headers)
    }

    #[test]
    fn a_bearer_challenge_is_realm_service_and_scope() {
        let value = r#"Bearer realm="https://a.b/token",service="a.b",scope="repository:c:pull""#;
        let expected = Challenge::Bearer {
            realm: "https://a.b/token".to_owned(),
            service: Some("a.b".to_owned()),
            scope: Some("repository:c:pull".to_owned()),
        };
        assert_eq!(among(&[value]), Some(expected.clone()));
        assert_eq!(among(&["Basic realm=\"x\"", value]), Some(expected));
    }

    #[test]
    fn a_basic_challenge_is_one() {
        assert_eq!(among(&["Basic realm=\"Hallmark\", charset=\"UTF-8\""]), Some(Challenge::Basic));
        assert_eq!(among(&["Negotiate", "Basic realm=\"x\""]), Some(Challenge::Basic));
    }

    #[test]
    fn other_challenges_are_none() {
        assert_eq!(among(&[]), None);
        assert_eq!(among(&["Negotiate"]), None);
        assert_eq!(among(&["Bearer service=\"a\""]), None);
    }
}
