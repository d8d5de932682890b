//! Credentials of requests, and the memory of those that were verified.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::Htpasswd;
use super::htpasswd::MAX_PASSWORD_BYTES;
use crate::gate::Who;

/// How many passwords are verified at once; each takes a whole core for tens of milliseconds.
const AT_ONCE: usize = 2;
/// How many passwords wait at the most.
const WAITING: usize = 64;
/// How many verified credentials are remembered.
const REMEMBERED: usize = 10_000;
/// The longest `Authorization` header, in bytes.
const MAX_HEADER_BYTES: usize = 4096;

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
    /// Under which it will be remembered.
    key: Key,
    user: String,
    password: Vec<u8>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt({:?})", self.user)
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

/// A header, hashed together with a secret of this process: nothing that leaks from here can be used or guessed from.
type Key = [u8; 32];

/// Tells who asks.
pub struct Authenticator {
    users: ArcSwap<Users>,
    secret: Key,
    verified: Cache<Key, Verified>,
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

struct Users {
    htpasswd: Option<Htpasswd>,
    /// Grows with each [`Authenticator::replace`].
    generation: u64,
}

#[derive(Clone)]
struct Verified {
    who: Who,
    generation: u64,
}

impl Authenticator {
    /// With the users of `htpasswd`; without it, everybody is anonymous. `secret` is random and new for each process.
    pub fn new(htpasswd: Option<Htpasswd>, secret: [u8; 32]) -> Self {
        Self {
            users: ArcSwap::from_pointee(Users { htpasswd, generation: 0 }),
            secret,
            verified: Cache::new(REMEMBERED),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(AT_ONCE.saturating_add(WAITING))),
        }
    }

    /// Whether credentials are configured, so that `/v2/` challenges.
    pub fn is_configured(&self) -> bool {
        self.users.load().htpasswd.is_some()
    }

    /// Takes other users; nothing that was verified before is remembered.
    pub fn replace(&self, htpasswd: Option<&Htpasswd>) {
        self.users.rcu(|users| Users { htpasswd: htpasswd.cloned(), generation: users.generation.saturating_add(1) });
        self.verified.clear();
    }

    /// Who sent this `Authorization` header, as far as that is known without work. Never blocks.
    ///
    /// Without configured credentials everybody is anonymous, whatever they send.
    pub fn recall(&self, authorization: Option<&[u8]>) -> Recall {
        let users = self.users.load();
        let Some(header) = authorization.filter(|_| users.htpasswd.is_some()) else {
            return Recall::Known(Who::Anonymous);
        };
        if header.len() > MAX_HEADER_BYTES {
            return Recall::Malformed;
        }
        let key = self.key(header);
        if let Some(who) = self.remembered(&key, users.generation) {
            return Recall::Known(who);
        }
        match basic(header) {
            Some((user, password)) if user.is_empty() && password.is_empty() => Recall::Known(Who::Anonymous),
            Some((user, password)) => Recall::Unknown(Attempt { key, user, password }),
            None => Recall::Malformed,
        }
    }

    /// Verifies a credential, off the runtime's threads, and remembers it if it is good.
    pub async fn verify(&self, attempt: Attempt) -> Result<Who, Rejected> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_full| Rejected::Busy)?;
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_closed| Rejected::Busy)?;
        let users = self.users.load_full();
        // The same credential may have been verified while this one waited.
        if let Some(who) = self.remembered(&attempt.key, users.generation) {
            return Ok(who);
        }
        let Attempt { key, user, password } = attempt;
        let generation = users.generation;
        let checked = tokio::task::spawn_blocking(move || {
            // A client that leaves does not end the work: until that ends, its place is taken.
            let _held = (place, turn);
            check(&users, &user, &password)
        })
        .await;
        let who = checked.ok().flatten().ok_or(Rejected::Credentials)?;
        self.verified.insert(key, Verified { who: who.clone(), generation });
        Ok(who)
    }

    fn remembered(&self, key: &Key, generation: u64) -> Option<Who> {
        self.verified.get(key).filter(|verified| verified.generation == generation).map(|verified| verified.who)
    }

    fn key(&self, header: &[u8]) -> Key {
        Sha256::new_with_prefix(self.secret).chain_update(header).finalize().into()
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("configured", &self.is_configured()).finish_non_exhaustive()
    }
}

/// The user and the password of a `Basic` header; other schemes have their place here when they come.
fn basic(header: &[u8]) -> Option<(String, Vec<u8>)> {
    let (scheme, credential) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credential.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at(colon);
    let user = std::str::from_utf8(user).ok()?.to_owned();
    Some((user, password.get(1..)?.to_vec()))
}

/// Runs bcrypt once, whether or not the user is there.
fn check(users: &Arc<Users>, user: &str, password: &[u8]) -> Option<Who> {
    let htpasswd = users.htpasswd.as_ref()?;
    let found = htpasswd.user(user);
    let hash = found.map_or(htpasswd.nobody(), |user| &user.hash);
    // bcrypt would cut a longer one off, and take whatever begins with the password.
    let fits = password.len() <= MAX_PASSWORD_BYTES;
    let good = bcrypt::verify(password, hash).unwrap_or(false);
    found.filter(|_| good && fits).map(|user| user.who.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticator(password: &str) -> Authenticator {
        Authenticator::new(Some(users(password)), [7; 32])
    }

    fn users(password: &str) -> Htpasswd {
        Htpasswd::parse("users", &format!("ci:{}", bcrypt::hash(password, 4).unwrap())).unwrap()
    }

    fn header(user: &str, password: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into_bytes()
    }

    async fn ask(authenticator: &Authenticator, header: &[u8]) -> Result<Who, Rejected> {
        match authenticator.recall(Some(header)) {
            Recall::Known(who) => Ok(who),
            Recall::Unknown(attempt) => authenticator.verify(attempt).await,
            Recall::Malformed => Err(Rejected::Credentials),
        }
    }

    fn is_known(recall: &Recall, who: &Who) -> bool {
        matches!(recall, Recall::Known(known) if known == who)
    }

    #[tokio::test]
    async fn a_verified_password_is_remembered() {
        let authenticator = authenticator("secret");
        let header = header("ci", "secret");
        assert!(matches!(authenticator.recall(Some(&header)), Recall::Unknown(_)));
        let who = ask(&authenticator, &header).await.unwrap();
        assert_eq!(who.to_string(), "user:ci");
        assert!(is_known(&authenticator.recall(Some(&header)), &who));
    }

    #[tokio::test]
    async fn a_wrong_password_is_rejected_and_not_remembered() {
        let authenticator = authenticator("secret");
        for (user, password) in [("ci", "wrong"), ("ci", ""), ("other", "secret"), ("", "secret")] {
            assert_eq!(ask(&authenticator, &header(user, password)).await, Err(Rejected::Credentials));
            assert!(matches!(authenticator.recall(Some(&header(user, password))), Recall::Unknown(_)));
        }
    }

    #[tokio::test]
    async fn a_password_that_only_begins_like_it_is_rejected() {
        let long = "x".repeat(72);
        let authenticator = authenticator(&long);
        assert!(ask(&authenticator, &header("ci", &long)).await.is_ok());
        assert_eq!(ask(&authenticator, &header("ci", &format!("{long}y"))).await, Err(Rejected::Credentials));
    }

    #[tokio::test]
    async fn new_users_forget_what_was_verified() {
        let authenticator = authenticator("secret");
        let header = header("ci", "secret");
        assert!(ask(&authenticator, &header).await.is_ok());
        authenticator.replace(Some(&users("changed")));
        assert_eq!(ask(&authenticator, &header).await, Err(Rejected::Credentials));
    }

    #[tokio::test]
    async fn too_many_that_wait_are_told_to_come_later() {
        let authenticator = authenticator("secret");
        let _all = authenticator.waiting.try_acquire_many(66).unwrap();
        assert_eq!(ask(&authenticator, &header("ci", "secret")).await, Err(Rejected::Busy));
    }

    #[tokio::test]
    async fn who_leaves_gives_up_the_place_only_when_the_work_is_done() {
        let dear = bcrypt::hash("secret", 12).unwrap();
        let authenticator = Authenticator::new(Some(Htpasswd::parse("users", &format!("ci:{dear}")).unwrap()), [7; 32]);
        let header = header("ci", "wrong");
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, ask(&authenticator, &header)).await.is_err());
        let left = authenticator.at_once.available_permits();
        assert_eq!(left, AT_ONCE - 1);
    }

    #[test]
    fn nothing_and_an_empty_basic_are_anonymous() {
        let authenticator = authenticator("secret");
        assert!(is_known(&authenticator.recall(None), &Who::Anonymous));
        assert!(is_known(&authenticator.recall(Some(b"Basic Og==")), &Who::Anonymous));
    }

    #[test]
    fn without_users_everybody_is_anonymous() {
        let authenticator = Authenticator::new(None, [7; 32]);
        assert!(is_known(&authenticator.recall(Some(&header("ci", "secret"))), &Who::Anonymous));
        assert!(!authenticator.is_configured());
    }

    #[test]
    fn what_is_no_basic_credential_is_malformed() {
        let authenticator = authenticator("secret");
        for header in ["", "Basic", "Basic !", "Basic YQ==", "Bearer abc", &format!("Basic {}", "A".repeat(5000))] {
            assert!(matches!(authenticator.recall(Some(header.as_bytes())), Recall::Malformed), "{header}");
        }
    }

    #[test]
    fn a_hash_for_nobody_costs_as_much_as_a_real_one() {
        assert!(bcrypt::verify("x", users("secret").nobody()).is_ok());
        assert!(users("secret").nobody().starts_with("$2b$10$"));
    }
}
