//! The manual: how Hallmark is built, and why so. For whoever changes it.
//!
//! How it is used is in the README; what it withstands, boundary by boundary and test by test, is in SECURITY.md.
//!
//! - [`architecture`]: floors, fences, seams, and the one line that every request follows.
//! - [`a_pull`] and [`a_push`]: both, function by function.
//! - [`verdicts`]: what a verdict depends on, and how long it is remembered.
//! - [`notation`]: what of notation is verified, in which order, and where Hallmark is stricter.
//! - [`a_verification`]: `hallmark verify`, which asks the gate's question of any registry.
//! - [`storage`]: the disk, the order of what becomes durable, collection.
//! - [`threats`]: what is assumed and where it is stopped, in short.
//! - [`adding_an_endpoint`]: the list that a new endpoint touches.
//! - [`trust_policy`]: notation's files, and where they are read more strictly than notation reads them.
//! - [`glossary`]: one word for one thing.

pub mod a_pull;
pub mod a_push;
pub mod a_verification;
pub mod adding_an_endpoint;
pub mod architecture;
pub mod glossary;
pub mod notation;
pub mod storage;
pub mod threats;
pub mod trust_policy;
pub mod verdicts;
