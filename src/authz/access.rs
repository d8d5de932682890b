//! Everything that one person may do in one repository, under one revision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::grant::{Delete, Grant, Pull, Push, Sign};
use super::{Authorizer, Undecided};
use crate::gate::{Action, Mode, RequirementName, Who};
use crate::oci::RepositoryName;

/// What a pull shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PullTerms {
    /// Everything: `unverified` is granted.
    Everything,
    /// What meets one of these requirements.
    Conditional {
        /// The requirements, of which one must be met: the enforced ones if there are any.
        requirements: Arc<[RequirementName]>,
        /// How: [`Mode::Enforce`] if any is enforced, else the strictest.
        mode: Mode,
    },
    /// Manifests, tags, referrers and evidence blobs whatever their verdict, never an object's blobs: `sign` alone.
    Signing,
    /// Nothing.
    Nothing,
}

/// Everything that `who` may do in `repository`, decided once under one revision.
#[derive(Debug)]
pub struct Access {
    who: Who,
    repository: RepositoryName,
    terms: PullTerms,
    /// Whether any push is granted.
    push: bool,
    /// The requirements under which a tag may be set.
    push_requirements: Arc<[RequirementName]>,
    sign: bool,
    delete: bool,
}

impl Access {
    /// Asks `authorizer` for every action. `modes` holds every requirement but `unverified`.
    pub fn decide(
        authorizer: &dyn Authorizer,
        modes: &BTreeMap<RequirementName, Mode>,
        who: &Who,
        repository: &RepositoryName,
    ) -> Result<Self, Undecided> {
        let granted = |action| authorizer.granted(who, repository.as_str(), action);
        let (pull, push) = (granted(Action::Pull)?, granted(Action::Push)?);
        let (sign, delete) = (granted(Action::Sign)?, granted(Action::Delete)?);
        let unverified = |set: &BTreeSet<RequirementName>| set.iter().any(RequirementName::is_unverified);
        // `push` includes `sign`: casbin says so under the requirement of the push line.
        let sign = !sign.is_empty();
        // What `sign` reads, it reads as a pull.
        let reads = sign && !authorizer.denied(who, repository.as_str(), Action::Pull);
        Ok(Self {
            who: who.clone(),
            repository: repository.clone(),
            terms: terms(&pull, modes, reads)?,
            push: !push.is_empty(),
            push_requirements: tag_requirements(&push, modes)?,
            sign,
            delete: unverified(&delete),
        })
    }

    /// Who.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Where.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// What a pull shows.
    pub fn terms(&self) -> &PullTerms {
        &self.terms
    }

    /// Whether nothing at all is granted, so that the repository does not exist for this person.
    pub fn is_empty(&self) -> bool {
        self.terms == PullTerms::Nothing && !self.push && !self.sign && !self.delete
    }

    /// The right to read, on [`Access::terms`].
    pub fn pull(self: &Arc<Self>) -> Option<Grant<Pull>> {
        (self.terms != PullTerms::Nothing).then(|| Grant::new(Arc::clone(self)))
    }

    /// The right to write objects and tags.
    pub fn push(self: &Arc<Self>) -> Option<Grant<Push>> {
        self.push.then(|| Grant::new(Arc::clone(self)))
    }

    /// The right to add evidence and data; `push` includes it.
    pub fn sign(self: &Arc<Self>) -> Option<Grant<Sign>> {
        self.sign.then(|| Grant::new(Arc::clone(self)))
    }

    /// The right to delete.
    pub fn delete(self: &Arc<Self>) -> Option<Grant<Delete>> {
        self.delete.then(|| Grant::new(Arc::clone(self)))
    }

    pub(super) fn push_requirements(&self) -> &Arc<[RequirementName]> {
        &self.push_requirements
    }

    pub(super) fn may_push(&self) -> bool {
        self.push
    }
}

fn mode_of(modes: &BTreeMap<RequirementName, Mode>, name: &RequirementName) -> Result<Mode, Undecided> {
    modes.get(name).copied().ok_or_else(|| Undecided(format!("expected a requirement, found {name}")))
}

fn terms(
    granted: &BTreeSet<RequirementName>,
    modes: &BTreeMap<RequirementName, Mode>,
    reads: bool,
) -> Result<PullTerms, Undecided> {
    if granted.iter().any(RequirementName::is_unverified) {
        return Ok(PullTerms::Everything);
    }
    let mut strictest = Mode::Audit;
    for name in granted {
        strictest = strictest.max(mode_of(modes, name)?);
    }
    if granted.is_empty() {
        return Ok(if reads { PullTerms::Signing } else { PullTerms::Nothing });
    }
    let enforced = strictest == Mode::Enforce;
    let counts = |name: &&RequirementName| !enforced || modes.get(*name) == Some(&Mode::Enforce);
    Ok(PullTerms::Conditional { requirements: granted.iter().filter(counts).cloned().collect(), mode: strictest })
}

/// A requirement that is not enforced never admits a tag.
fn tag_requirements(
    granted: &BTreeSet<RequirementName>,
    modes: &BTreeMap<RequirementName, Mode>,
) -> Result<Arc<[RequirementName]>, Undecided> {
    if granted.iter().any(RequirementName::is_unverified) {
        return Ok(Arc::new([RequirementName::unverified()]));
    }
    let mut enforced = Vec::new();
    for name in granted {
        if mode_of(modes, name)? == Mode::Enforce {
            enforced.push(name.clone());
        }
    }
    Ok(enforced.into())
}
