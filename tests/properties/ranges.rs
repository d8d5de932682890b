//! `Range` of a download and `Content-Range` of a chunk.

use hallmark::oci::{ByteRange, ContentRange, RangeError};

/// The first eight bytes are the size of the body, the others the header. What is served lies within the body, and means
/// the same when it is written out.
pub fn hold(bytes: &[u8]) -> bool {
    let Some((size, header)) = bytes.split_first_chunk() else { return false };
    let Some(header) = super::text(header) else { return false };
    // Small sizes are those at which ends matter.
    let size = u64::from_le_bytes(*size);
    let sizes = [size, size % 32, 0, u64::MAX];
    let taken = sizes.into_iter().filter(|size| byte_range(header, *size)).count();
    content_range(header) || taken > 0
}

fn byte_range(header: &str, size: u64) -> bool {
    match ByteRange::parse(header, size) {
        Ok(Some(range)) => {
            assert!(range.first <= range.last && range.last < size, "{header:?} of {size}: {range:?}");
            assert!((1..=size).contains(&range.length()));
            let written = format!("bytes={}-{}", range.first, range.last);
            assert_eq!(ByteRange::parse(&written, size), Ok(Some(range)));
            true
        }
        Ok(None) => false,
        Err(error) => {
            assert_eq!(error, RangeError::Unsatisfiable(size));
            super::is_brief(&error, b"");
            false
        }
    }
}

fn content_range(header: &str) -> bool {
    match ContentRange::parse(header) {
        Ok(range) => {
            assert!(range.first <= range.last && range.length() >= 1);
            for written in
                [format!("{}-{}", range.first, range.last), format!("bytes {}-{}/*", range.first, range.last)]
            {
                assert_eq!(ContentRange::parse(&written), Ok(range), "{written}");
            }
            true
        }
        Err(error) => {
            assert_eq!(error, RangeError::Grammar);
            false
        }
    }
}
