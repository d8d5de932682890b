//! Places in lists that their reader must not learn: sealed, for one list and one reader.
//!
//! What a page of a list looks at is bounded, so a page may end at what is not listed for who asks. `Link` must name that
//! place all the same, for the next page begins there.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::gate::Who;

/// Places are filled up to this, so that a cursor does not tell how long the name is.
const PLACE: usize = 256;
const NONCE: usize = 12;

/// Seals places under a key of this process: after a restart, a list is gone on with from `last`.
#[derive(Debug)]
pub struct Cursors(RandomizedNonceKey);

impl Cursors {
    /// With a key from the source of randomness. None if this machine can't seal.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM_SIV, key).ok().map(Self)
    }

    /// A word for `place` in the list at a path, as `who` may see it. None if it can't be sealed.
    pub(super) fn seal(&self, list: &str, who: &Who, place: &str) -> Option<String> {
        let mut sealed = place.as_bytes().to_vec();
        sealed.resize(PLACE.max(sealed.len()), 0);
        let nonce = self.0.seal_in_place_append_tag(whose(list, who), &mut sealed).ok()?;
        Some(BASE64_URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// The place that was sealed for this list and this reader. None for any other word.
    pub(super) fn open(&self, list: &str, who: &Who, word: &str) -> Option<String> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(word).ok()?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let (nonce, mut sealed) = (Nonce::try_assume_unique_for_key(nonce).ok()?, sealed.to_vec());
        let place = self.0.open_in_place(nonce, whose(list, who), &mut sealed).ok()?;
        let place = std::str::from_utf8(place).ok()?;
        Some(place.trim_end_matches('\0').to_owned())
    }
}

/// What a cursor is bound to: in another list, or with other rights, where it leads would tell what it hides.
fn whose(list: &str, who: &Who) -> Aad<String> {
    Aad::from(format!("{list}\0{who}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "/v2/_catalog";

    fn cursors() -> Cursors {
        Cursors::new(&[7; 32]).unwrap()
    }

    fn who(name: &str) -> Who {
        Who::user(name).unwrap()
    }

    #[test]
    fn a_place_is_found_again() {
        let cursors = cursors();
        for place in ["a", "", &"long/".repeat(51), &"longer".repeat(100)] {
            let word = cursors.seal(LIST, &who("ci"), place).unwrap();
            assert_eq!(cursors.open(LIST, &who("ci"), &word).as_deref(), Some(place));
        }
    }

    #[test]
    fn a_cursor_tells_neither_the_name_nor_its_length_nor_that_it_is_the_same() {
        let cursors = cursors();
        let [one, again, other] = ["secret", "secret", "s"].map(|place| cursors.seal(LIST, &who("ci"), place).unwrap());
        assert!(one != again && one.len() == other.len());
        assert!(!String::from_utf8_lossy(&BASE64_URL_SAFE_NO_PAD.decode(&one).unwrap()).contains("secret"));
    }

    #[test]
    fn a_cursor_leads_nowhere_else() {
        let cursors = cursors();
        let word = cursors.seal(LIST, &who("ci"), "secret").unwrap();
        assert_eq!(cursors.open("/v2/a/tags/list", &who("ci"), &word), None);
        assert_eq!(cursors.open(LIST, &who("deploy"), &word), None);
        assert_eq!(cursors.open(LIST, &Who::Anonymous, &word), None);
        assert_eq!(Cursors::new(&[8; 32]).unwrap().open(LIST, &who("ci"), &word), None);
        for word in ["", "a", "!", word.get(4..).unwrap(), &word.to_lowercase(), &format!("{word}AAAA")] {
            assert_eq!(cursors.open(LIST, &who("ci"), word), None, "{word}");
        }
        for place in [0, NONCE, NONCE + PLACE] {
            let mut sealed = BASE64_URL_SAFE_NO_PAD.decode(&word).unwrap();
            sealed[place] ^= 1;
            let altered = BASE64_URL_SAFE_NO_PAD.encode(sealed);
            assert_eq!(cursors.open(LIST, &who("ci"), &altered), None, "{place}");
        }
    }
}
