//! Who may: casbin over the authorisation table, and the grants that come of it.

mod access;
mod decide;
mod grant;
pub mod guard;
mod policy;

pub use access::{Access, PullTerms};
pub use decide::{Authorizer, Casbin, Undecided};
pub use grant::{Act, Admin, Delete, Grant, InRepository, Pull, Push, Sign, admin};
pub use policy::Policy;
