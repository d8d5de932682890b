//! Preconditions of a change, [RFC 9110 §13](https://www.rfc-editor.org/rfc/rfc9110#section-13), where the entity tag of
//! content is its digest in quotes.

use super::Digest;

/// What `If-Match` and `If-None-Match` ask of what a request is about to change. Without either, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
}

/// A field that is neither `*` nor a list of entity tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {field} to be * or a list of entity tags in quotes, found {found:?}")]
pub struct PreconditionError {
    field: &'static str,
    found: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum EntityTags {
    Any,
    Listed(Vec<EntityTag>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct EntityTag {
    weak: bool,
    opaque: Vec<u8>,
}

impl Precondition {
    /// Reads the lines of both fields.
    pub fn parse<'a>(
        if_match: impl IntoIterator<Item = &'a [u8]>,
        if_none_match: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, PreconditionError> {
        Ok(Self {
            if_match: EntityTags::parse("If-Match", if_match)?,
            if_none_match: EntityTags::parse("If-None-Match", if_none_match)?,
        })
    }

    /// Whether nothing is asked.
    pub const fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Whether a change may be made where `current` is what is there, if anything is: `If-Match` names it
    /// ([§13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1), compared strongly), and `If-None-Match` does
    /// not ([§13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2), compared weakly).
    pub fn holds(&self, current: Option<&Digest>) -> bool {
        let named = |tags: &EntityTags, strongly| current.is_some_and(|digest| tags.name(digest, strongly));
        self.if_match.as_ref().is_none_or(|tags| named(tags, true))
            && self.if_none_match.as_ref().is_none_or(|tags| !named(tags, false))
    }
}

impl EntityTags {
    /// Several lines are one list.
    fn parse<'a>(
        field: &'static str,
        lines: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, PreconditionError> {
        let mut found: Option<Self> = None;
        for line in lines {
            let parsed = match (found.take(), Self::parse_line(line)) {
                (None, parsed) => parsed,
                (Some(Self::Listed(mut tags)), Some(Self::Listed(more))) => {
                    tags.extend(more);
                    Some(Self::Listed(tags))
                }
                (Some(_), _) => None,
            };
            let wrong = || PreconditionError { field, found: String::from_utf8_lossy(line).into_owned() };
            found = Some(parsed.ok_or_else(wrong)?);
        }
        Ok(found)
    }

    fn parse_line(line: &[u8]) -> Option<Self> {
        let mut rest = line.trim_ascii();
        if rest == b"*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            // Elements of a list may be empty.
            while let [b' ' | b'\t' | b',', after @ ..] = rest {
                rest = after;
            }
            if rest.is_empty() {
                return Some(Self::Listed(tags));
            }
            let (tag, after) = EntityTag::parse(rest)?;
            tags.push(tag);
            rest = after.trim_ascii_start();
            if !matches!(rest, [] | [b',', ..]) {
                return None;
            }
        }
    }

    fn name(&self, digest: &Digest, strongly: bool) -> bool {
        let Self::Listed(tags) = self else { return true };
        let digest = digest.to_string();
        tags.iter().any(|tag| tag.opaque == digest.as_bytes() && !(strongly && tag.weak))
    }
}

impl EntityTag {
    /// The tag at the beginning of `text`, and what follows it. A comma may be part of it.
    fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        let (weak, text) = match text {
            [b'W', b'/', after @ ..] => (true, after),
            text => (false, text),
        };
        let text = text.strip_prefix(b"\"")?;
        let end = text.iter().position(|b| *b == b'"')?;
        let (opaque, after) = text.split_at_checked(end)?;
        let plain = |b: &u8| matches!(b, 0x21 | 0x23..=0x7e | 0x80..);
        opaque.iter().all(plain).then(|| (Self { weak, opaque: opaque.to_vec() }, after.get(1..).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        Digest::sha256(b"x")
    }

    fn read(if_match: &[&str], if_none_match: &[&str]) -> Precondition {
        let [if_match, if_none_match] = [if_match, if_none_match].map(|lines| lines.iter().map(|it| it.as_bytes()));
        Precondition::parse(if_match, if_none_match).unwrap()
    }

    /// Whether it holds where the digest is there, where another is, and where nothing is.
    fn holds(precondition: &Precondition) -> [bool; 3] {
        [Some(digest()), Some(Digest::sha256(b"y")), None].map(|current| precondition.holds(current.as_ref()))
    }

    #[test]
    fn without_either_field_everything_holds() {
        assert!(read(&[], &[]).is_empty() && !read(&["*"], &[]).is_empty() && !read(&[], &[""]).is_empty());
        assert_eq!(holds(&read(&[], &[])), [true, true, true]);
    }

    #[test]
    fn if_match_names_what_is_there() {
        let etag = format!("\"{}\"", digest());
        for list in [etag.clone(), format!("\"a\", {etag}"), format!(",\t{etag} ,"), format!("\"a,b\",{etag}")] {
            assert_eq!(holds(&read(&[&list], &[])), [true, false, false], "{list}");
        }
        assert_eq!(holds(&read(&["\"a\"", &etag], &[])), [true, false, false]);
        assert_eq!(holds(&read(&["*"], &[])), [true, true, false]);
        assert_eq!(holds(&read(&[""], &[])), [false, false, false]);
    }

    #[test]
    fn if_match_is_compared_strongly_and_if_none_match_weakly() {
        let weak = format!("W/\"{}\"", digest());
        assert_eq!(holds(&read(&[&weak], &[])), [false, false, false]);
        assert_eq!(holds(&read(&[], &[&weak])), [false, true, true]);
    }

    #[test]
    fn if_none_match_names_what_must_not_be_there() {
        let etag = format!("\"{}\"", digest());
        assert_eq!(holds(&read(&[], &[&etag])), [false, true, true]);
        assert_eq!(holds(&read(&[], &["*"])), [false, false, true]);
        assert_eq!(holds(&read(&[], &[""])), [true, true, true]);
    }

    #[test]
    fn both_fields_must_hold() {
        let etag = format!("\"{}\"", digest());
        assert_eq!(holds(&read(&["*"], &[&etag])), [false, true, false]);
        assert_eq!(holds(&read(&[&etag], &["*"])), [false, false, false]);
    }

    #[test]
    fn what_is_no_list_of_entity_tags_is_refused() {
        let etag = format!("\"{}\"", digest());
        let bare = digest().to_string();
        for wrong in [
            bare.as_str(),
            "\"",
            "\"a",
            "a\"",
            "w/\"a\"",
            "W/",
            "W/ \"a\"",
            "\"a\" \"b\"",
            "\"a\"\"b\"",
            "*, \"a\"",
            "\"a\", *",
            "**",
            "\"a b\"",
            "\"a\tb\"",
            "\"\u{7f}\"",
        ] {
            let refused = Precondition::parse([wrong.as_bytes()], []).unwrap_err().to_string();
            assert!(refused.starts_with("expected If-Match to be * or a list"), "{wrong}: {refused}");
            assert!(Precondition::parse([], [etag.as_bytes(), wrong.as_bytes()]).is_err(), "{wrong}");
        }
        assert!(Precondition::parse([&b"*"[..], etag.as_bytes()], []).is_err());
        assert!(Precondition::parse([etag.as_bytes(), b"*"], []).is_err());
        assert!(Precondition::parse([&b"*"[..], b"*"], []).is_err());
    }
}
