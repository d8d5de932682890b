//! Who may: casbin over the authorisation table, and the grants that come of it.

mod access;
mod decide;
mod glob;
mod grant;
pub mod guard;
mod policy;
mod roles;
pub mod table;
#[cfg(test)]
mod tests;

pub use access::{Access, PullTerms};
pub use decide::{Authorizer, Casbin, Undecided};
pub use grant::{Act, Admin, Delete, Grant, InRepository, Pull, Push, Sign, admin, place};
pub use policy::{Effect, Line, Policy};
pub use roles::Roles;

/// A witness that two globs share, if any: a text that both match.
pub fn overlap(a: &str, b: &str) -> Option<String> {
    glob::overlap(a, b).ok().flatten()
}
