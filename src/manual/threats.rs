//! Threats, in short: who is assumed to be what, and where they are stopped.
//!
//! SECURITY.md says it boundary by boundary, with the test that shows each claim and the gaps that are known; a test of
//! its own (`tests/documents.rs`) holds the names in it against the code.
//!
//! | who | is trusted with | is not trusted with | stopped in |
//! |---|---|---|---|
//! | a client | nothing | anything that it sends | [`Endpoint::parse`], [`crate::oci`], the limits of [`crate::config`] |
//! | who holds `pull` with a requirement | what meets it | what does not, by any way in: tag, digest, blob, mount, list | the resolver, `decide_blob`, [`Registry::mount`] |
//! | who holds `sign` | adding evidence and data | anything that could run, any tag but evidence's, hiding or withdrawing others' evidence | `Registry::classify`, `check_tags`, caps |
//! | who holds `push` | objects, tags, evidence | making anything count | [`crate::verify`], with keys that only the trust files name |
//! | who holds a trusted key | what their signer's `repositories` cover | the rest | `Signer::applies_to` |
//! | pushed content | nothing | being read in two ways, panics, endless work | [`crate::oci::json`], [`Manifest::parse`], [`crate::verify`] |
//! | who writes policy and trust | everything | not making a mistake | [`Revision::load`], [`crate::authz::guard`], `cases.csv` |
//! | who writes to the disk | everything | | |
//!
//! # Three rules that carry the rest
//!
//! 1. **What is judged is what is served**, and it hashes to its name. There is one resolver and one place that makes an
//!    [`Admitted`].
//! 2. **Signatures bind bytes, not names.** A digest is judged in its repository, by signers that count there. No client
//!    name, media type, annotation, key hint or entry of a list is believed.
//! 3. **What can't be told is refused as such**: 503, never "unsigned", never "allowed". A revision is taken whole or
//!    not at all, and the last good one stays in force.
//!
//! # What is told to whom
//!
//! Without any grant, a repository does not exist. A withheld manifest says why, for whoever has a grant there must be
//! able to mend it; a withheld blob is absent. Policy lines are told to those with `admin` alone: `/readyz` says that
//! the files were refused, and the log says which line.
//!
//! [`Endpoint::parse`]: crate::http::Endpoint::parse
//! [`Registry::mount`]: crate::registry::Registry::mount
//! [`Manifest::parse`]: crate::oci::Manifest::parse
//! [`Revision::load`]: crate::registry::Revision::load
//! [`Admitted`]: crate::registry::Admitted
