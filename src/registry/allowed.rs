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

    fn allow<A: InRepository>(
        &self,
        who: &Who,
        repository: &RepositoryName,
        action: Action,
        grant: impl FnOnce(&Arc<Access>) -> Option<Grant<A>>,
    ) -> Result<Allowed<A>, Error> {
        let current = self.current();
        let access = current.revision.access(who, repository)?;
        match grant(&access) {
            Some(grant) => Ok(Allowed { current, grant }),
            None if *who == Who::Anonymous => Err(Error::Unauthorized),
            None if access.is_empty() => Err(Error::NameUnknown),
            None => Err(Error::Denied(format!("expected the right to {action} in {repository}, which {who} has not"))),
        }
    }
}
