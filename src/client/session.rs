//! Who the client is to one registry: found out once, shown with each question.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;

use super::ClientError;
use super::challenge::Challenge;
use super::credentials::Credentials;
use super::error::told;
use super::exchange::{Answer, Exchange, Wanted};
use super::origin::{Plain, is_same};
use super::token::{self, Desk};

/// The most bytes of the answer to the first question, which nobody reads.
const MAX_PING_BYTES: u64 = 64 << 10;

/// A registry as reached.
#[derive(Debug)]
pub(super) struct Session {
    registry: String,
    /// The places to try, the best first.
    bases: Vec<Url>,
    pub(super) exchange: Exchange,
    credentials: Credentials,
    reached: OnceCell<Reached>,
    /// `Authorization` by scope.
    authorisations: Mutex<HashMap<String, HeaderValue>>,
}

#[derive(Clone, Debug)]
struct Reached {
    base: Url,
    challenge: Option<Challenge>,
}

impl Session {
    pub(super) fn new(registry: &str, bases: Vec<Url>, exchange: Exchange, credentials: Credentials) -> Self {
        let (reached, authorisations) = (OnceCell::new(), Mutex::default());
        Self { registry: registry.to_owned(), bases, exchange, credentials, reached, authorisations }
    }

    pub(super) fn user(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Basic { name, .. } => Some(name),
            Credentials::Anonymous | Credentials::Identity(_) => None,
        }
    }

    /// Where `path`, which begins with `/`, is.
    pub(super) async fn url(&self, path: &str) -> Result<Url, ClientError> {
        let base = &self.reached().await?.base;
        let url = base.join(path).ok().filter(|url| is_same(url, base));
        url.ok_or_else(|| ClientError::Setup(format!("expected a path of {base}, found {}", told(path))))
    }

    /// Asks `url` of this registry with what `scope` needs, and wherever that leads without it.
    pub(super) async fn ask(&self, url: &Url, wanted: Wanted<'_>, scope: &str) -> Result<Answer, ClientError> {
        let reached = self.reached().await?;
        let mut authorisation = self.remembered(scope);
        if let (None, Some(challenge)) = (&authorisation, &reached.challenge) {
            authorisation = self.authorise(&reached.base, challenge, scope).await?;
        }
        let answer = self.exchange.follow(url, wanted, authorisation.as_ref()).await?;
        // Only the registry itself is told who asks: whoever it leads to may want to know as well.
        if answer.status != 401 || !is_same(&answer.url, &reached.base) {
            return Ok(answer);
        }
        let Some(challenge) = Challenge::among(&answer.headers) else { return Ok(answer) };
        match self.authorise(&reached.base, &challenge, scope).await? {
            // A second time the same would be refused as the first.
            Some(fresh) if authorisation.as_ref() != Some(&fresh) => {
                self.exchange.follow(url, wanted, Some(&fresh)).await
            }
            _ => Ok(answer),
        }
    }

    /// Sends a POST to `url` of this registry, and nowhere else.
    pub(super) async fn tell(&self, url: &Url, limit: u64) -> Result<Answer, ClientError> {
        let reached = self.reached().await?;
        let authorisation = match (self.remembered(""), &reached.challenge) {
            (None, Some(challenge)) => self.authorise(&reached.base, challenge, "").await?,
            (known, _) => known,
        };
        self.exchange.post(url, limit, authorisation.as_ref()).await
    }

    /// The first question says whether there is TLS, and what the registry wants to know.
    async fn reached(&self) -> Result<&Reached, ClientError> {
        self.reached.get_or_try_init(|| self.reach()).await
    }

    async fn reach(&self) -> Result<Reached, ClientError> {
        let mut failures = Vec::new();
        for base in self.bases.iter().cloned() {
            let url = base.join("v2/").map_err(|error| ClientError::Setup(error.to_string()))?;
            match self.exchange.get(&url, Wanted { accept: None, limit: MAX_PING_BYTES }, None).await {
                Ok(answer) if answer.status == 401 => {
                    return Ok(Reached { base, challenge: Challenge::among(&answer.headers) });
                }
                // What has no such page may be a registry all the same; what fails tells nothing.
                Ok(answer) if answer.status < 500 => return Ok(Reached { base, challenge: None }),
                Ok(answer) => return Err(answer.refused()),
                Err(ClientError::Unreachable { url, cause }) => failures.push(format!("{url}: {cause}")),
                Err(error) => return Err(error),
            }
        }
        Err(ClientError::Unreachable { url: self.registry.clone(), cause: failures.join("; ") })
    }

    fn remembered(&self, scope: &str) -> Option<HeaderValue> {
        self.authorisations.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned()
    }

    async fn authorise(
        &self,
        base: &Url,
        challenge: &Challenge,
        scope: &str,
    ) -> Result<Option<HeaderValue>, ClientError> {
        let value = match challenge {
            Challenge::Basic => match &self.credentials {
                Credentials::Anonymous => return Ok(None),
                Credentials::Basic { name, password } => token::basic(name, password)?,
                Credentials::Identity(_) => {
                    let cause = "the registry asks for a name and a password, found an identity token".to_owned();
                    return Err(ClientError::Credentials { registry: self.registry.clone(), cause });
                }
            },
            Challenge::Bearer { realm, service, scope: asked } => {
                let realm = desk(self.exchange.plain, base, realm)?;
                let scope = asked.as_deref().or(Some(scope).filter(|scope| !scope.is_empty()));
                let desk = Desk { realm: &realm, service: service.as_deref(), scope };
                token::bearer(&self.exchange, desk, &self.credentials).await?
            }
        };
        self.authorisations.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.to_owned(), value.clone());
        Ok(Some(value))
    }
}

/// The token endpoint that the registry at `base` names; credentials go there, so never in plain text after TLS.
fn desk(plain: Plain, base: &Url, realm: &str) -> Result<Url, ClientError> {
    let wrong =
        || ClientError::Meaning { url: base.to_string(), expected: "a token endpoint over TLS", found: told(realm) };
    let realm = Url::parse(realm).map_err(|_parse| wrong())?;
    if plain.leads(base, &realm) { Ok(realm) } else { Err(wrong()) }
}
