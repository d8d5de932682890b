//! A forge of notation signatures, sound ones and every kind of wrong one: certificate authorities and envelopes.
//!
//! The library's unit tests and the story share it, so it leans on other crates alone.

mod authority;
mod envelope;

pub use authority::{Authority, Key, LeafSpec, SigningCertificate};
pub use envelope::{Forge, Format, Target, signature_manifest};

/// 2026-01-01T00:00:00Z, when forged signatures are made unless they say otherwise.
pub const SIGNED_AT: i64 = 1_767_225_600;
/// A day, in seconds.
pub const DAY: i64 = 86_400;
