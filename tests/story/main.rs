//! Hallmark's story, told by the real binary and the real clients. Begin with `release.rs`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that can't go on says so")]
#![expect(clippy::disallowed_methods, reason = "a test's files need not survive a crash")]

#[path = "../forge/mod.rs"]
#[expect(dead_code, unreachable_pub, clippy::expect_used, reason = "the story uses a part of what it shares")]
mod forge;
mod harness;

mod release;

mod agreement;
mod clients;
mod conformance;
mod elsewhere;
mod forgeries;
mod index;
mod layout;
mod modes;
mod notation;
mod operations;
mod policy;
mod signer;
mod start;
mod tagging;
