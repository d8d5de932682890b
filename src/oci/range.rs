//! Byte ranges: `Range` of a download ([RFC 9110 §14](https://www.rfc-editor.org/rfc/rfc9110#section-14)), and `Content-Range` of an upload's chunk.

/// One satisfiable range of a body: first and last byte, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

/// A range that can't be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// No byte of the body lies in it: 416.
    #[error("expected a range within {0} bytes")]
    Unsatisfiable(u64),
    /// A chunk's range that is not `<first>-<last>`: 416 for uploads.
    #[error("expected Content-Range to be <first>-<last>")]
    Grammar,
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn digits(text: &str) -> Option<u64> {
    if is_number(text) { text.parse().ok() } else { None }
}

/// A position or a length in a body: what is more than fits is beyond its end.
fn position(text: &str) -> Option<u64> {
    is_number(text).then(|| text.parse().unwrap_or(u64::MAX))
}

impl ByteRange {
    /// How many bytes it spans.
    pub const fn length(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Reads a `Range` header for a body of `size` bytes. Nothing is asked of us, and the whole body is served,
    /// for other units, several ranges and what is malformed, as the RFC allows.
    pub fn parse(header: &str, size: u64) -> Result<Option<Self>, RangeError> {
        let Some((unit, spec)) = header.split_once('=') else { return Ok(None) };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Ok(None);
        }
        if spec.contains(',') {
            return Ok(None);
        }
        let Some((first, last)) = spec.trim().split_once('-') else { return Ok(None) };
        let (first, last) = match (position(first), position(last)) {
            // Malformed if it ends before it begins; the RFC lets us ignore or refuse it, and clients that wrote it did
            // not mean the whole.
            (Some(first), Some(last)) if first <= last => (first, last),
            (Some(_), Some(_)) => return Err(RangeError::Unsatisfiable(size)),
            (Some(first), None) if last.is_empty() => (first, u64::MAX),
            (None, Some(0)) if first.is_empty() => return Err(RangeError::Unsatisfiable(size)),
            (None, Some(suffix)) if first.is_empty() => (size.saturating_sub(suffix), u64::MAX),
            _ => return Ok(None),
        };
        match size.checked_sub(1) {
            Some(end) if first <= end => Ok(Some(Self { first, last: last.min(end) })),
            _ => Err(RangeError::Unsatisfiable(size)),
        }
    }
}

/// The `Content-Range` of a chunk: `<first>-<last>`, both included; `bytes ` before and `/…` after are tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte of the chunk.
    pub first: u64,
    /// The last byte of the chunk.
    pub last: u64,
}

impl ContentRange {
    /// Reads the header.
    pub fn parse(header: &str) -> Result<Self, RangeError> {
        let text = header.trim();
        let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
        let text = text.split_once('/').map_or(text, |(range, _)| range);
        let (first, last) = text.split_once('-').ok_or(RangeError::Grammar)?;
        match (digits(first), digits(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(RangeError::Grammar),
        }
    }

    /// How many bytes it spans.
    pub const fn length(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clipped_to_the_body() {
        let range = |header| ByteRange::parse(header, 10);
        assert_eq!(range("bytes=0-3"), Ok(Some(ByteRange { first: 0, last: 3 })));
        assert_eq!(range("bytes=4-"), Ok(Some(ByteRange { first: 4, last: 9 })));
        assert_eq!(range("bytes=8-99"), Ok(Some(ByteRange { first: 8, last: 9 })));
        assert_eq!(range("bytes=-4"), Ok(Some(ByteRange { first: 6, last: 9 })));
        assert_eq!(range("bytes=-99"), Ok(Some(ByteRange { first: 0, last: 9 })));
        assert_eq!(range("Bytes=4-"), Ok(Some(ByteRange { first: 4, last: 9 })));
        for many in ["bytes=4-99999999999999999999", "bytes= 4-18446744073709551615 "] {
            assert_eq!(range(many), Ok(Some(ByteRange { first: 4, last: 9 })), "{many}");
        }
        assert_eq!(range("bytes=-99999999999999999999"), Ok(Some(ByteRange { first: 0, last: 9 })));
    }

    #[test]
    fn ranges_outside_are_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=3-1", "bytes=99999999999999999999-"] {
            assert_eq!(ByteRange::parse(header, 10), Err(RangeError::Unsatisfiable(10)), "{header}");
        }
        assert_eq!(ByteRange::parse("bytes=0-", 0), Err(RangeError::Unsatisfiable(0)));
    }

    #[test]
    fn what_is_malformed_asks_for_the_whole() {
        for header in ["bytes=a-b", "bytes=1-2,4-5", "lines=0-1", "bytes=-", "bytes=+1-2", "bytes", "bytes=a-0"] {
            assert_eq!(ByteRange::parse(header, 10), Ok(None), "{header}");
            assert_eq!(ByteRange::parse(header, 0), Ok(None), "{header}");
        }
    }

    #[test]
    fn chunks_say_where_they_go() {
        assert_eq!(ContentRange::parse("0-9"), Ok(ContentRange { first: 0, last: 9 }));
        assert_eq!(ContentRange::parse("bytes 0-9/10"), Ok(ContentRange { first: 0, last: 9 }));
        for header in ["", "9-0", "-9", "0-", "a-b"] {
            assert_eq!(ContentRange::parse(header), Err(RangeError::Grammar), "{header}");
        }
    }
}
