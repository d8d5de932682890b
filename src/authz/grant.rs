//! Grants: values that only a decision can make.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Access, Authorizer, Undecided};
use crate::gate::{Action, RequirementName, Who};
use crate::oci::RepositoryName;

mod sealed {
    pub trait Sealed {}
}

/// What a [`Grant`] is for.
pub trait Act: sealed::Sealed + 'static {
    /// What the grant rests on.
    type Rests: Clone + fmt::Debug + Send + Sync;
}

/// What a [`Grant`] in a repository is for: everything but [`Admin`].
pub trait InRepository: Act<Rests = Arc<Access>> {}

impl<A: Act<Rests = Arc<Access>>> InRepository for A {}

macro_rules! act {
    ($(#[$doc:meta])* $name:ident, $rests:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}
        impl sealed::Sealed for $name {}
        impl Act for $name {
            type Rests = $rests;
        }
    };
}

act!(
    /// Reading, on [`Access::terms`].
    Pull, Arc<Access>
);
act!(
    /// Writing objects and tags.
    Push, Arc<Access>
);
act!(
    /// Adding evidence and data.
    Sign, Arc<Access>
);
act!(
    /// Deleting.
    Delete, Arc<Access>
);
act!(
    /// Collection, audit, reload, other people's explanations.
    Admin, Who
);

/// Proof that someone may do `A`. Only a decision of casbin makes one:
///
/// ```compile_fail
/// use hallmark::authz::{Grant, Pull};
/// fn forge(access: std::sync::Arc<hallmark::authz::Access>) -> Grant<Pull> {
///     Grant { rests: access, act: std::marker::PhantomData }
/// }
/// ```
pub struct Grant<A: Act> {
    rests: A::Rests,
    act: PhantomData<fn() -> A>,
}

impl<A: Act> Grant<A> {
    pub(super) fn new(rests: A::Rests) -> Self {
        Self { rests, act: PhantomData }
    }
}

impl<A: Act> Clone for Grant<A> {
    fn clone(&self) -> Self {
        Self::new(self.rests.clone())
    }
}

impl<A: Act> fmt::Debug for Grant<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grant").field(&self.rests).finish()
    }
}

impl<A: InRepository> Grant<A> {
    /// All that the same person may do there.
    pub fn access(&self) -> &Arc<Access> {
        &self.rests
    }

    /// Who.
    pub fn who(&self) -> &Who {
        self.rests.who()
    }

    /// Where.
    pub fn repository(&self) -> &RepositoryName {
        self.rests.repository()
    }
}

impl Grant<Push> {
    /// The requirements of which the digest must meet one when a tag is set: `unverified` alone, or the enforced ones.
    /// Empty when only requirements that are not enforced were granted: then no tag may be set.
    pub fn requirements(&self) -> &[RequirementName] {
        self.rests.push_requirements()
    }
}

impl Grant<Sign> {
    /// Whether there is no right to push beside it, so that uploads are capped.
    pub fn is_sign_only(&self) -> bool {
        !self.rests.may_push()
    }
}

impl Grant<Admin> {
    /// Who.
    pub fn who(&self) -> &Who {
        &self.rests
    }
}

/// The object of `admin` lines.
pub(super) const REGISTRY: &str = "_registry";

/// What the lines for an action are about: `admin` is about the registry, every other action about repositories.
pub fn place(repository: &str, action: Action) -> &str {
    if action == Action::Admin { REGISTRY } else { repository }
}

/// The right to administer the registry, if `who` has it.
pub fn admin(authorizer: &dyn Authorizer, who: &Who) -> Result<Option<Grant<Admin>>, Undecided> {
    let granted = authorizer.granted(who, REGISTRY, Action::Admin)?;
    Ok(granted.iter().any(RequirementName::is_unverified).then(|| Grant::new(who.clone())))
}
