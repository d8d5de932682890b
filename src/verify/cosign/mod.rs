//! cosign's shapes: simple-signing payloads, DSSE envelopes with in-toto statements, Sigstore bundles.

pub(super) mod bundle;
pub(super) mod dsse;
pub(super) mod log;
pub(super) mod simple_signing;
