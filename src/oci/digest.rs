//! Digests, by the [image specification](https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

/// A registered digest algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `sha256`, 32 bytes.
    #[default]
    Sha256,
    /// `sha512`, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// The word before the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of the hash in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(word: &str) -> Result<Self, DigestError> {
        match word {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(DigestError::Algorithm),
        }
    }
}

/// `<algorithm>:<lower-case hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; 64],
}

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Neither `sha256` nor `sha512`.
    #[error("expected the algorithm sha256 or sha512")]
    Algorithm,
    /// Not lower-case hexadecimal of the algorithm's length.
    #[error("expected 64 (sha256) or 128 (sha512) lower-case hexadecimal digits")]
    Encoding,
}

impl Digest {
    /// The digest of `content`.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// The SHA-256 digest of `content`.
    pub fn sha256(content: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, content)
    }

    /// The digest whose hash is `bytes`: 32 bytes are SHA-256, 64 are SHA-512.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let algorithm = match bytes.len() {
            32 => Algorithm::Sha256,
            64 => Algorithm::Sha512,
            _ => return None,
        };
        let mut padded = [0; 64];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { algorithm, bytes: padded })
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash: 32 or 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.bytes()).unwrap_or_default()
    }

    /// The hash in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        let mut hex = String::with_capacity(128);
        push_hex(&mut hex, self.as_bytes());
        hex
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
        }
    }
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Algorithm)?;
        let algorithm: Algorithm = algorithm.parse()?;
        if hex.len() != algorithm.bytes().wrapping_mul(2) {
            return Err(DigestError::Encoding);
        }
        let mut bytes = [0; 64];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return Err(DigestError::Encoding) };
            let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) else {
                return Err(DigestError::Encoding);
            };
            *byte = (high << 4) | low;
        }
        Ok(Self { algorithm, bytes })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(136);
        text.push_str(self.algorithm.as_str());
        text.push(':');
        push_hex(&mut text, self.as_bytes());
        f.write_str(&text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a hash under way may have taken: the bits of so many bytes, and of a block more, can be counted.
const BYTES_AT_MOST: u64 = 1 << 60;

/// A hash under way, whose state can be saved and restored: uploads resume with it.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// A hash of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes in `content`.
    pub fn update(&mut self, content: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(content),
            Self::Sha512(hash) => hash.update(content),
        }
    }

    /// The digest of all that was taken in.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 64];
        let algorithm = self.algorithm();
        let hash = match self {
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha512(hash) => hash.finalize().to_vec(),
        };
        for (to, from) in bytes.iter_mut().zip(hash) {
            *to = from;
        }
        Digest { algorithm, bytes }
    }

    /// The state, to be restored by [`Hasher::restore`].
    pub fn save(&self) -> Vec<u8> {
        match self {
            Self::Sha256(hash) => hash.serialize().to_vec(),
            Self::Sha512(hash) => hash.serialize().to_vec(),
        }
    }

    /// The hash whose state was saved; nothing if the state is not one of `algorithm`, or is one of more bytes than a hash
    /// can count the bits of.
    pub fn restore(algorithm: Algorithm, state: &[u8]) -> Option<Self> {
        // Behind the words of the hash stands how many blocks it took, little-endian; the high half of SHA-512's is zero.
        let (words, block) = match algorithm {
            Algorithm::Sha256 => (32, 64),
            Algorithm::Sha512 => (64, 128),
        };
        let blocks = u64::from_le_bytes(*state.get(words..)?.first_chunk()?);
        let is_high = algorithm == Algorithm::Sha512 && state.get(72..80)?.iter().any(|byte| *byte != 0);
        if is_high || blocks.checked_mul(block).is_none_or(|bytes| bytes >= BYTES_AT_MOST) {
            return None;
        }
        Some(match algorithm {
            Algorithm::Sha256 => {
                let state = SerializedState::<Sha256>::try_from(state).ok()?;
                Self::Sha256(Sha256::deserialize(&state).ok()?)
            }
            Algorithm::Sha512 => {
                let state = SerializedState::<Sha512>::try_from(state).ok()?;
                Self::Sha512(Sha512::deserialize(&state).ok()?)
            }
        })
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"hallmark");
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(Digest::from_bytes(digest.as_bytes()), Some(digest));
        }
    }

    #[test]
    fn other_digests_are_refused() {
        let good = Digest::sha256(b"").to_string();
        assert_eq!(good.to_uppercase().parse::<Digest>(), Err(DigestError::Algorithm));
        assert_eq!(good.replace("e3b0", "E3B0").parse::<Digest>(), Err(DigestError::Encoding));
        assert_eq!(good.replace("sha256", "sha512").parse::<Digest>(), Err(DigestError::Encoding));
        assert_eq!("md5:d41d8cd98f00b204e9800998ecf8427e".parse::<Digest>(), Err(DigestError::Algorithm));
        assert_eq!(format!("{good}0").parse::<Digest>(), Err(DigestError::Encoding));
    }

    #[test]
    fn a_saved_hash_goes_on_where_it_was() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let mut first = Hasher::new(algorithm);
            first.update(&[7; 1000]);
            let mut second = Hasher::restore(algorithm, &first.save()).unwrap();
            second.update(b"rest");
            let mut whole = vec![7; 1000];
            whole.extend_from_slice(b"rest");
            assert_eq!(second.finish(), Digest::of(algorithm, &whole));
        }
    }

    #[test]
    fn a_state_of_more_bytes_than_can_be_counted_is_none() {
        for (algorithm, counted) in [(Algorithm::Sha256, 32..40), (Algorithm::Sha512, 64..80)] {
            let state = Hasher::new(algorithm).save();
            assert!(Hasher::restore(algorithm, &state).is_some());
            for high in counted.skip(7) {
                let mut state = state.clone();
                state[high] = 1;
                assert!(Hasher::restore(algorithm, &state).is_none(), "{algorithm:?} {high}");
            }
        }
    }
}
