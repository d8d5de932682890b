//! Digests as text.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing to a String can't fail.
        drop(write!(text, "{byte:02x}"));
    }
    text
}

/// The digest of `bytes`, as `sha256:<hex>`.
pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex(Sha256::digest(bytes.as_ref())))
}
