//! Digests as text.

use sha2::{Digest, Sha256};

/// `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

/// The digest of `bytes`, as `sha256:<hex>`.
pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex(Sha256::digest(bytes.as_ref())))
}
