//! Query strings: pairs of `application/x-www-form-urlencoded`, decoded as UTF-8.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::Refusal;

/// What a value keeps as it is: what RFC 3986 calls unreserved, and `/`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The values of `key`, in order.
pub fn all<'a>(query: Option<&'a str>, key: &'a str) -> impl Iterator<Item = Result<Cow<'a, str>, Refusal>> {
    query.unwrap_or_default().split('&').filter_map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == key).then(|| decode(value))
    })
}

/// The value of `key`, if it is there; refused if it is there twice.
pub fn one<'a>(query: Option<&'a str>, key: &'a str) -> Result<Option<Cow<'a, str>>, Refusal> {
    let mut values = all(query, key);
    let first = values.next().transpose()?;
    if values.next().is_some() {
        return Err(Refusal::query(format!("expected {key} once in the query")));
    }
    Ok(first)
}

/// Refuses a query that says more than `keys`: what is misspelt would be silently without effect.
pub fn only(query: Option<&str>, keys: &[&str]) -> Result<(), Refusal> {
    let names = query.unwrap_or_default().split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    if names.filter(|name| !name.is_empty()).all(|name| keys.contains(&name)) {
        return Ok(());
    }
    Err(Refusal::query(format!("expected only {} in the query", keys.join(", "))))
}

/// `value` as it stands in a query.
pub fn encode(value: &str) -> impl std::fmt::Display {
    utf8_percent_encode(value, KEPT)
}

fn decode(value: &str) -> Result<Cow<'_, str>, Refusal> {
    // `+` stays: a media type such as `application/spdx+json` is sent unescaped by many clients, and nothing we
    // compare with holds a space.
    percent_decode_str(value).decode_utf8().map_err(|_no_text| Refusal::query("expected UTF-8 in the query"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_decoded() {
        let query = Some("n=3&last=a%2Fb&artifactType=application/spdx+json");
        assert_eq!(one(query, "last").unwrap().as_deref(), Some("a/b"));
        assert_eq!(one(query, "artifactType").unwrap().as_deref(), Some("application/spdx+json"));
        assert_eq!(one(query, "digest").unwrap(), None);
        assert_eq!(one(None, "digest").unwrap(), None);
    }

    #[test]
    fn only_known_keys_are_taken() {
        assert!(only(None, &["n"]).is_ok() && only(Some("n=1&n=2"), &["n"]).is_ok());
        assert!(only(Some("n=1&m=2"), &["n"]).is_err() && only(Some("m"), &["n"]).is_err());
    }

    #[test]
    fn values_keep_their_order() {
        let tags: Vec<_> = all(Some("tag=b&x=1&tag=a"), "tag").map(Result::unwrap).collect();
        assert_eq!(tags, ["b", "a"]);
    }

    #[test]
    fn what_is_twice_or_no_text_is_refused() {
        assert!(one(Some("n=1&n=2"), "n").is_err());
        assert!(one(Some("n=%ff"), "n").is_err());
    }

    #[test]
    fn what_was_encoded_is_decoded_the_same() {
        for text in ["a/b", "a&b=c", "é+%2f"] {
            let query = format!("last={}", encode(text));
            assert_eq!(one(Some(&query), "last").unwrap().as_deref(), Some(text));
        }
    }
}
