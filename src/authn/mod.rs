//! Who asks.

mod authenticator;
mod htpasswd;

pub use authenticator::{Attempt, Authenticator, Recall, Rejected};
pub use htpasswd::{Htpasswd, MAX_PASSWORD_BYTES, hash};
