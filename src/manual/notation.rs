//! notation: what is verified, in which order, and where Hallmark decides more strictly than `notation verify`.
//!
//! A signature is one layer, an envelope in JWS or COSE, in a manifest whose `subject` is what was signed. Everything
//! that notation's users know stays where it is: `trust/x509/<kind>/<store>/*` and `trust/trustpolicy.json`, version
//! 1.0. `trust/signers.toml` gives a statement of that policy a name that requirements can ask for.
//!
//! # The order
//!
//! 1. **At push**, what no trust and no date could make true is refused: an envelope that does not parse, and one about
//!    another digest, media type or size than the manifest's `subject`. What a newer version may read (other schemes,
//!    algorithms, critical headers, payload versions) is kept and counts for nothing.
//! 2. **Integrity**, at every judgement, before anything is asked of trust: the headers keep the rules of the signing
//!    scheme; every header that must be critical is, and none that is unknown is; the algorithm is the one that the
//!    leaf's key demands; the leaf's key made the signature; the payload describes what is served.
//! 3. **The chain**, pair by pair as it comes: leaf first, root last and self-signed, each issued by the next by name (as
//!    encoded) and by signature. No path is searched: openssl's own search fails chains whose leaf and issuer share a
//!    name. Each certificate keeps the profile: what may sign code, what may issue, and how deep.
//! 4. **The statement**: `<hostname or alias>/<repository>` exactly, else `*`, else none. Two statements that name one
//!    repository under two of the registry's names refuse the revision. The signer's `notation_policy` must be it.
//! 5. **Authenticity**: some certificate of the chain *is* one of the statement's stores of the scheme's kind (`ca` for
//!    `notary.x509`, `signingAuthority` for `notary.x509.signingAuthority`), byte for byte, and the leaf's distinguished
//!    name is a trusted identity.
//! 6. **Expiry, time, revocation**, as the level and its overrides say.
//!
//! # Stricter than `notation verify`
//!
//! | what | notation | here | why |
//! |---|---|---|---|
//! | a statement that only logs authenticity or expiry (`permissive`, `audit`, `skip` without overrides) | verifies, with warnings | backs no requirement, and says which check | whoever replays an expired signature would take everybody back (CVE-2024-23332) |
//! | a timestamp that would be needed | verified | counts for nothing, says so | not judged yet |
//! | a certificate with an OCSP responder or a CRL, where revocation is enforced | asked for over the network | counts for nothing, says so | not judged yet, and the service asks no network |
//! | `io.cncf.notary.verificationPlugin` | the plugin decides | counts for nothing | no program but this one decides |
//! | keys written twice in JSON or CBOR, bytes after the envelope | the last wins | refused | two readers would read two things |
//!
//! # Identities
//!
//! A threshold counts the root's key with the leaf's distinguished name: a hundred certificates of one name are one
//! signer, and so is a root that was renewed with its key. One key is one identity too, whatever it signs with: as a
//! cosign signer's, in certificates of several names, or below several roots. The chain comes unsigned, so whoever
//! carries a signature may show another one of the same key; it makes nobody twice.
//!
//! # Until when
//!
//! A verdict holds until the signature's expiry or until the first certificate of the chain expires, whichever comes
//! first, as far as the statement enforces them. A certificate that is not valid yet is judged again when it is. Under
//! `notary.x509.signingAuthority` the chain is checked at `authenticSigningTime`, which is the signer's word: to list a
//! store of that kind is to trust it.
