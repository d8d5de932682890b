//! Repository names.

use hallmark::oci::{NameError, RepositoryName};

/// A name is displayed as it was written, and is one exactly if the grammar of the specification, spelled out another
/// way, says so.
pub fn hold(bytes: &[u8]) -> bool {
    let Some(text) = super::text(bytes) else { return false };
    let parsed = text.parse::<RepositoryName>();
    assert_eq!(parsed.is_ok(), text.len() <= 255 && text.split('/').all(is_component), "{text:?}");
    match parsed {
        Ok(name) => {
            assert_eq!(name.to_string(), text);
            assert_eq!(name.components().collect::<Vec<_>>().join("/"), text);
            // Nothing that a file system or a URL takes for something else.
            assert!(!text.contains(['\\', '%', '\0']) && !text.starts_with('/') && !text.contains(".."));
            true
        }
        Err(error) => {
            assert_eq!(matches!(error, NameError::TooLong(_)), text.len() > 255);
            super::is_brief(&error, b"");
            false
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, read from the left.
fn is_component(mut rest: &str) -> bool {
    loop {
        let word = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if word.len() == rest.len() {
            return false;
        }
        if word.is_empty() {
            return true;
        }
        let dashes = word.trim_start_matches('-');
        rest = if dashes.len() < word.len() {
            dashes
        } else {
            let separator = ["__", "_", "."].into_iter().find_map(|separator| word.strip_prefix(separator));
            let Some(after) = separator else { return false };
            after
        };
    }
}
