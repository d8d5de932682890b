//! `x509.subject:` of a trusted identity: which subjects it names.

use std::collections::BTreeMap;

use super::DistinguishedName;
use super::distinguished_name::keyword;

/// The attributes without which a pattern would trust too many.
const MANDATORY: [&str; 3] = ["C", "ST", "O"];

/// Attributes that a subject must have, among whatever else it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubjectPattern {
    attributes: BTreeMap<&'static str, String>,
}

impl SubjectPattern {
    /// Reads a distinguished name as RFC 4514 writes it; what is wrong with it, in words, if it is not one that
    /// notation takes.
    ///
    /// Stricter than notation where a pattern could never match: an attribute without a keyword or without a value,
    /// and a country that is not two letters.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.contains("=#") {
            return Err("a value in hexadecimal".to_owned());
        }
        let mut attributes = BTreeMap::new();
        for part in split(text) {
            let (name, value) = match part {
                Part::Attribute(name, value) => (unescape(name)?, unescape(value)?),
                Part::Beside => return Err("several attributes in one place".to_owned()),
            };
            let Some(keyword) = keyword(&name) else {
                return Err(format!("the attribute {name:?}, which is none that notation compares"));
            };
            if value.is_empty() {
                return Err(format!("{keyword} without a value"));
            }
            if keyword == "C" && !(value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic())) {
                return Err(format!("the country {value:?}, which is not two letters"));
            }
            if attributes.insert(keyword, value).is_some() {
                return Err(format!("a second {keyword}"));
            }
        }
        match MANDATORY.iter().find(|mandatory| !attributes.contains_key(*mandatory)) {
            Some(absent) => Err(format!("none of {absent}")),
            None => Ok(Self { attributes }),
        }
    }

    /// Whether `subject` has every attribute of the pattern, letter by letter.
    pub(super) fn matches(&self, subject: &DistinguishedName) -> bool {
        subject.attributes().is_some_and(|found| self.is_part_of(found))
    }

    /// Whether whatever `other` names, this names too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.is_part_of(&other.attributes)
    }

    fn is_part_of(&self, found: &BTreeMap<&'static str, String>) -> bool {
        self.attributes.iter().all(|(keyword, value)| found.get(keyword) == Some(value))
    }
}

enum Part<'t> {
    /// What stands before and after the first `=`.
    Attribute(&'t str, &'t str),
    /// A `+`: the next attribute stands in the same place.
    Beside,
}

/// The attributes, split at `,` and `;` that are not escaped.
fn split(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let end = unescaped(rest, &[',', ';', '+']);
        let (attribute, after) = rest.split_at(end.unwrap_or(rest.len()));
        let (name, value) = attribute.split_at(unescaped(attribute, &['=']).unwrap_or(attribute.len()));
        parts.push(Part::Attribute(name, value.strip_prefix('=').unwrap_or(value)));
        if after.starts_with('+') {
            parts.push(Part::Beside);
        }
        let Some(next) = after.get(1..) else { return parts };
        rest = next;
    }
}

/// Where the first of `wanted` stands without a `\` before it.
fn unescaped(text: &str, wanted: &[char]) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if wanted.contains(&c) => return Some(at),
            _ => {}
        }
    }
    None
}

/// Without the spaces around it, and with each `\` resolved: before a special character, or before two digits of
/// hexadecimal.
fn unescape(text: &str) -> Result<String, String> {
    let text = text.trim_start_matches(' ');
    let trimmed = text.trim_end_matches(' ');
    let escaped_space = trimmed.ends_with('\\') && trimmed.len() < text.len();
    let mut bytes = Vec::with_capacity(trimmed.len());
    let mut rest = trimmed.bytes().chain(escaped_space.then_some(b' '));
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(special) if b" \"#+,;<=>\\".contains(&special) => bytes.push(special),
            Some(high) => bytes.push(hexadecimal(high, rest.next())?),
            None => return Err("a \\ with nothing after it".to_owned()),
        }
    }
    String::from_utf8(bytes).map_err(|_utf8| "bytes that are not UTF-8".to_owned())
}

fn hexadecimal(high: u8, low: Option<u8>) -> Result<u8, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = low.and_then(|low| Some(digit(high)?.checked_mul(16)?.saturating_add(digit(low)?)));
    value.and_then(|value| u8::try_from(value).ok()).ok_or_else(|| "a \\ before what needs none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, found: &str) {
        assert_eq!(SubjectPattern::parse(text).unwrap_err(), found, "{text}");
    }

    fn pattern(text: &str) -> SubjectPattern {
        SubjectPattern::parse(text).unwrap()
    }

    #[test]
    fn country_state_and_organisation_are_needed() {
        refused("C=US, ST=WA", "none of O");
        refused("C=US, O=Acme", "none of ST");
        refused("ST=WA, O=Acme", "none of C");
        refused("", "the attribute \"\", which is none that notation compares");
    }

    #[test]
    fn s_is_another_word_for_st() {
        assert_eq!(pattern("C=US,S=WA,O=Acme"), pattern(" C=US, ST=WA ; O=Acme "));
        refused("C=US,S=WA,ST=WA,O=Acme", "a second ST");
    }

    #[test]
    fn an_attribute_twice_is_refused() {
        refused("C=US,ST=WA,O=Acme,OU=a,OU=b", "a second OU");
    }

    #[test]
    fn several_attributes_in_one_place_are_refused() {
        refused("C=US,ST=WA,O=Acme+OU=a", "several attributes in one place");
    }

    #[test]
    fn what_could_never_match_is_refused() {
        refused("C=US,ST=WA,O=Acme,DC=x", "the attribute \"DC\", which is none that notation compares");
        refused("c=US,ST=WA,O=Acme", "the attribute \"c\", which is none that notation compares");
        refused("C=USB,ST=WA,O=Acme", "the country \"USB\", which is not two letters");
        refused("C=US,ST=WA,O=Acme,CN=", "CN without a value");
        refused("C=US,ST=WA,O=#0401", "a value in hexadecimal");
    }

    #[test]
    fn escapes_are_resolved() {
        let written = pattern(r"C=US,ST=W\c3\84,O=Acme\, Inc.,CN=\ x\ ");
        let read: Vec<_> = written.attributes.values().map(String::as_str).collect();
        assert_eq!(read, ["US", " x ", "Acme, Inc.", "W\u{c4}"]);
        refused(r"C=US,ST=WA,O=Acme\", "a \\ with nothing after it");
        refused(r"C=US,ST=WA,O=Ac\me", "a \\ before what needs none");
        refused(r"C=US,ST=WA,O=Ac\ff", "bytes that are not UTF-8");
    }

    #[test]
    fn a_pattern_covers_what_says_more() {
        let (wide, narrow) = (pattern("C=US,ST=WA,O=Acme"), pattern("O=Acme,CN=release,ST=WA,C=US"));
        assert!(wide.covers(&narrow) && wide.covers(&wide));
        assert!(!narrow.covers(&wide) && !wide.covers(&pattern("C=US,ST=WA,O=acme")));
    }
}
