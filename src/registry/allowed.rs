//! Who may: the only way to a verb is an [`Allowed`], and only these functions make one.

use std::sync::Arc;

use crate::authz::{Access, Admin, Delete, Grant, InRepository, Pull, Sign};
use crate::gate::{Action, Who};
use crate::oci::RepositoryName;

use super::current::Current;
use super::{Error, Registry};

/// A grant under the revision that it was decided under: both travel together, so what is judged and what was
/// granted can't come from two revisions.
pub struct Allowed<A: InRepository> {
    current: Arc<Current>,
    grant: Grant<A>,
}

impl<A: InRepository> Allowed<A> {
    /// Who asks.
    pub fn who(&self) -> &Who {
        self.access().who()
    }

    /// In which repository.
    pub fn repository(&self) -> &RepositoryName {
        self.access().repository()
    }

    pub(super) fn access(&self) -> &Arc<Access> {
        self.grant.access()
    }

    pub(super) fn grant(&self) -> &Grant<A> {
        &self.grant
    }

    pub(super) fn current(&self) -> &Current {
        &self.current
    }

    /// The same caller, for another action here under the same revision.
    pub(super) fn also<B: InRepository>(&self, grant: Option<Grant<B>>) -> Option<Allowed<B>> {
        grant.map(|grant| Allowed { current: Arc::clone(&self.current), grant })
    }

    /// The same caller's pull here under the same revision.
    pub(super) fn pull(&self) -> Option<Allowed<Pull>> {
        self.also(self.access().pull())
    }
}

/// Permission to administer, under no repository.
#[derive(Debug)]
pub struct Administrator {
    #[expect(dead_code, reason = "the proof itself; nothing reads it")]
    grant: Grant<Admin>,
}

/// Leave to be told what someone may do in a repository, and why, under the revision in which it was given.
pub struct Insight {
    current: Arc<Current>,
    access: Arc<Access>,
    full: bool,
}

impl Insight {
    /// All that the person may do there.
    pub(super) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    pub(super) fn current(&self) -> &Current {
        &self.current
    }

    /// Whether it is an administrator who asks: policy lines and what is withheld are told too.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// What the person would be allowed, or the refusal.
    pub(super) fn allow<A: InRepository>(
        &self,
        action: Action,
        grant: impl FnOnce(&Arc<Access>) -> Option<Grant<A>>,
    ) -> Result<Allowed<A>, Error> {
        allowed(Arc::clone(&self.current), &self.access, action, grant)
    }
}

impl Registry {
    /// The grant to pull.
    pub fn allow_pull(&self, who: &Who, repository: &RepositoryName) -> Result<Allowed<Pull>, Error> {
        self.allow(who, repository, Action::Pull, Access::pull)
    }

    /// The grant to upload, which both `push` and `sign` give.
    pub fn allow_sign(&self, who: &Who, repository: &RepositoryName) -> Result<Allowed<Sign>, Error> {
        self.allow(who, repository, Action::Push, Access::sign)
    }

    /// The grant to delete.
    pub fn allow_delete(&self, who: &Who, repository: &RepositoryName) -> Result<Allowed<Delete>, Error> {
        self.allow(who, repository, Action::Delete, Access::delete)
    }

    /// The right to administer.
    pub fn allow_admin(&self, who: &Who) -> Result<Administrator, Error> {
        match self.revision().admin(who)? {
            Some(grant) => Ok(Administrator { grant }),
            None if *who == Who::Anonymous => Err(Error::Unauthorized),
            None => Err(Error::NameUnknown),
        }
    }

    /// Leave to be told what `about` may do in `repository`, and why: about oneself with any grant there, about anyone
    /// with the right to administer.
    pub fn allow_explain(
        &self,
        asking: &Who,
        about: Option<&Who>,
        repository: &RepositoryName,
    ) -> Result<Insight, Error> {
        let current = self.current();
        let full = current.revision.admin(asking)?.is_some();
        let about = about.unwrap_or(asking);
        if full || about == asking {
            let access = current.revision.access(about, repository)?;
            if full || !access.is_empty() {
                return Ok(Insight { current, access, full });
            }
        }
        Err(if *asking == Who::Anonymous { Error::Unauthorized } else { Error::NameUnknown })
    }

    fn allow<A: InRepository>(
        &self,
        who: &Who,
        repository: &RepositoryName,
        action: Action,
        grant: impl FnOnce(&Arc<Access>) -> Option<Grant<A>>,
    ) -> Result<Allowed<A>, Error> {
        let current = self.current();
        let access = current.revision.access(who, repository)?;
        allowed(current, &access, action, grant)
    }
}

fn allowed<A: InRepository>(
    current: Arc<Current>,
    access: &Arc<Access>,
    action: Action,
    grant: impl FnOnce(&Arc<Access>) -> Option<Grant<A>>,
) -> Result<Allowed<A>, Error> {
    match grant(access) {
        Some(grant) => Ok(Allowed { current, grant }),
        None if *access.who() == Who::Anonymous => Err(Error::Unauthorized),
        None if access.is_empty() => Err(Error::NameUnknown),
        None => Err(lacks(access, action)),
    }
}

/// The refusal of an action to someone who has another grant there.
pub(super) fn lacks(access: &Access, action: Action) -> Error {
    let (who, repository) = (access.who(), access.repository());
    Error::Denied(format!("expected the right to {action} in {repository}, which {who} has not"))
}
