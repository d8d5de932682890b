//! What holds for every input, of each parser that reads what strangers send.
//!
//! A property takes bytes, panics if it is broken, and says whether the parser took them. `fuzz/` searches for bytes that
//! break one; `tests/properties.rs` asks them of the seeds and of a fixed number of their mutations.

mod digests;
mod endpoints;
mod envelopes;
mod layouts;
mod manifests;
mod names;
mod queries;
mod ranges;
mod references;

/// One property.
pub type Property = fn(&[u8]) -> bool;

/// Every property, by the name of its fuzz target and of its folder of seeds.
pub const ALL: [(&str, Property); 10] = [
    ("bundles", envelopes::bundles),
    ("digests", digests::hold),
    ("endpoints", endpoints::hold),
    ("layouts", layouts::hold),
    ("manifests", manifests::hold),
    ("names", names::hold),
    ("notation", envelopes::notation),
    ("queries", queries::hold),
    ("ranges", ranges::hold),
    ("references", references::hold),
];

/// The property of that name.
pub fn named(name: &str) -> Property {
    let found = ALL.into_iter().find(|(listed, _)| *listed == name);
    found.expect("a property of that name").1
}

/// The text that the bytes are; no parser of text is given anything else.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Refusals are told to clients and written to logs: they are one line, and no longer than what was refused allows.
#[track_caller]
fn is_brief(refusal: &impl std::fmt::Display, input: &[u8]) {
    let told = refusal.to_string();
    assert!(!told.is_empty() && told.len() <= 500 + 8 * input.len(), "{told}");
}
