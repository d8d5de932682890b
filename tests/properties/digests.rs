//! Digests, and the saved state of a hash.

use hallmark::oci::{Algorithm, Digest, Hasher};

/// A digest is displayed as it was written; a hash that was saved half-way ends as one that was not; no state, whoever
/// wrote it, breaks a hash.
pub fn hold(bytes: &[u8]) -> bool {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let whole = Digest::of(algorithm, bytes);
        assert_eq!(whole.to_string().parse(), Ok(whole));
        assert_eq!(Digest::from_bytes(whole.as_bytes()), Some(whole));
        let (first, second) = bytes.split_at(bytes.len() / 3);
        let mut hasher = Hasher::new(algorithm);
        hasher.update(first);
        let mut restored = Hasher::restore(algorithm, &hasher.save()).expect("the state that was saved");
        restored.update(second);
        assert_eq!(restored.finish(), whole);
        if let Some(mut hasher) = Hasher::restore(algorithm, bytes) {
            assert_eq!(hasher.algorithm(), algorithm);
            hasher.update(&[7; 200]);
            assert_eq!(hasher.finish().algorithm(), algorithm);
        }
    }
    let taken = Digest::from_bytes(bytes);
    assert_eq!(taken.is_some(), [32, 64].contains(&bytes.len()));

    let Some(text) = super::text(bytes) else { return false };
    match text.parse::<Digest>() {
        Ok(digest) => {
            assert_eq!(digest.to_string(), text);
            assert_eq!(text, format!("{}:{}", digest.algorithm().as_str(), digest.hex()));
            assert_eq!(serde_json::from_value::<Digest>(serde_json::json!(text)).expect("the same"), digest);
            true
        }
        Err(error) => {
            super::is_brief(&error, b"");
            false
        }
    }
}
