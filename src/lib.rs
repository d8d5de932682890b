//! Hallmark: an OCI registry that serves only what it can verify.

pub mod clock;
pub mod document;
pub mod files;
pub mod gate;
pub mod interruption;
pub mod mistake;
pub mod oci;
pub mod terminal;

pub mod client;
pub mod config;
pub mod metadata;
pub mod store;
pub mod trust;

pub mod authn;
pub mod authz;
pub mod requirements;
pub mod verify;

pub mod registry;

pub mod http;

pub mod cli;

pub mod app;
pub mod telemetry;

pub mod manual;

#[cfg(test)]
mod seeded;

#[cfg(test)]
#[path = "../tests/forge/mod.rs"]
#[expect(missing_docs, clippy::missing_panics_doc, reason = "a forge for tests")]
pub mod forge;
