//! Query strings.

use hallmark::http::query;

const KEYS: [&str; 4] = ["n", "last", "tag", "digest"];

/// A value that was encoded is decoded to itself, whatever stands beside it; what is read once is what is read first.
pub fn hold(bytes: &[u8]) -> bool {
    let Some(text) = super::text(bytes) else { return false };
    let encoded = query::encode(text).to_string();
    assert!(encoded.bytes().all(|b| b.is_ascii_graphic() && !b"&=+#?<>\"".contains(&b)), "{encoded}");
    let beside = format!("n=1&last={encoded}&tag=x");
    let back = query::one(Some(&beside), "last").ok().flatten();
    assert_eq!(back.as_deref(), Some(text));

    let mut taken = false;
    for key in KEYS {
        let all: Vec<_> = query::all(Some(text), key).collect();
        assert!(all.len() <= text.split('&').count());
        match query::one(Some(text), key) {
            Ok(None) => assert!(all.is_empty()),
            Ok(Some(value)) => {
                assert!(matches!(all.as_slice(), [Ok(only)] if *only == value), "{text:?} {key}");
                assert!(value.len() <= text.len());
                taken = true;
            }
            Err(refusal) => {
                assert!(all.len() > 1 || all.iter().any(Result::is_err), "{text:?} {key}");
                assert!(!refusal.log_text().is_empty());
            }
        }
    }
    if query::only(Some(text), &KEYS).is_ok() {
        let named = |pair: &str| pair.split('=').next().is_some_and(|name| name.is_empty() || KEYS.contains(&name));
        assert!(text.split('&').all(named), "{text:?}");
    }
    taken
}
