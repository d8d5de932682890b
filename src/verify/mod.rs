//! Evidence: what it looks like, what is false about it under any trust, and what it shows under one.
//!
//! Pure: bytes, trust and time come by parameter. Three questions, in this order:
//!
//! 1. [`candidate`]: what does the manifest look like by itself?
//! 2. [`check_evidence`], [`check_data`]: is it what it looks like, and about which digest? Asked once, at push.
//! 3. [`Verifier::verify`]: what does it show under this trust, now? Asked at every judgement.

mod candidate;
mod cosign;
mod data;
mod encoding;
mod falsehood;
mod judge;
mod keys;
mod notation;
mod payload;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod vectors;

pub use candidate::{Candidate, candidate};
pub use data::check_data;
pub use falsehood::Falsehood;
pub use judge::{Evidence, SignatureVerifier, Verifier};
pub use payload::{LAYERS_TOGETHER, MAX_SIGNATURES, check_evidence};
