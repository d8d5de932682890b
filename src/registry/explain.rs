//! Explanations: what someone may do, and why, told by the very functions that decide it.

use crate::authz::{Access, InRepository, Pull, PullTerms, Push};
use crate::gate::{Action, Explanation, RequirementName, Verdict};
use crate::metadata::{self, Kind};
use crate::oci::{Digest, Reference, RepositoryName, Tag};

use super::account::{Account, Passed, account};
use super::allowed::lacks;
use super::current::Current;
use super::push::{sets_no_tag, tag_requirements};
use super::resolve::{Decision, Resolved};
use super::{Allowed, Error, Insight, Lenience, Registry};

/// How often evidence may change while it is told.
const TRIES: usize = 3;

const EVERYTHING: &str = "unverified is granted, which everything meets";
const MET: &str = "a requirement is met";

fn lenient(lenience: &Lenience) -> String {
    format!("{}; served all the same, for it is not enforced", lenience.reason)
}

impl Registry {
    /// Whether the person that `insight` is about may do `action`, to `reference` if one is given, and all that it
    /// rests on.
    ///
    /// Nothing is decided here: a pull is resolved, a blob and a tag are judged by the functions of those verbs. What
    /// they find unknown or withheld is an explanation and no error.
    pub async fn explain(
        &self,
        insight: &Insight,
        action: Action,
        reference: Option<&Reference>,
    ) -> Result<Account, Error> {
        let mut account = account(insight, action, reference)?;
        match action {
            Action::Pull => self.explain_pull(insight, reference, &mut account).await?,
            Action::Push => self.explain_push(insight, reference, &mut account).await?,
            Action::Sign => account.granted(insight.allow(Action::Push, Access::sign).err())?,
            Action::Delete => account.granted(insight.allow(Action::Delete, Access::delete).err())?,
            Action::Promote => {
                let refused = account.grants.is_empty().then(|| lacks(insight.access(), action));
                account.granted(refused)?;
                if account.allowed == Some(true) {
                    account.allow("promote is granted, and there is no endpoint for it yet");
                }
            }
            Action::Admin => {
                let grant = insight.current().revision.admin(insight.access().who())?;
                account.granted(grant.is_none().then(|| lacks(insight.access(), action)))?;
            }
        }
        Ok(account)
    }

    async fn explain_pull(
        &self,
        insight: &Insight,
        reference: Option<&Reference>,
        account: &mut Account,
    ) -> Result<(), Error> {
        let allowed = match insight.allow(Action::Pull, Access::pull) {
            Ok(allowed) => allowed,
            Err(error) => return account.refuse(error),
        };
        let (newest, resolved) = match reference {
            None => {
                account.undecided(allowed.access().terms());
                return Ok(());
            }
            Some(Reference::Tag(tag)) => self.explain_tag(insight, &allowed, tag, account).await,
            Some(Reference::Digest(digest)) => {
                if self.metadata.manifest(allowed.repository(), digest).await?.is_none()
                    && self.metadata.blob(allowed.repository(), digest).await?.is_some()
                {
                    return self.explain_blob(insight, &allowed, digest, account).await;
                }
                (Some(*digest), self.resolve(&allowed, &Reference::Digest(*digest)).await)
            }
        };
        match resolved {
            Ok(resolved) => self.explain_served(&allowed, resolved, account).await,
            Err(Error::Withheld(withheld)) => {
                account.withhold(*withheld, allowed.current());
                let judged = account.requirements.first().map(|one| one.digest);
                account.digest = newest;
                account.judged_as = judged.filter(|judged| newest != Some(*judged));
                Ok(())
            }
            Err(error) => account.refuse(error),
        }
    }

    /// What the tag resolves to, with the newest push that is not served; tells which are passed over.
    async fn explain_tag(
        &self,
        insight: &Insight,
        allowed: &Allowed<Pull>,
        tag: &Tag,
        account: &mut Account,
    ) -> (Option<Digest>, Result<Resolved, Error>) {
        let mut walk = match self.walk(allowed, tag).await {
            Ok(walk) => walk,
            Err(error) => return (None, Err(error)),
        };
        let passed = std::mem::take(&mut walk.passed);
        let newest = passed.first().map(|(push, _)| push.digest);
        let full = insight.is_full();
        let told = |(push, reason): (metadata::Push, String)| Passed {
            digest: full.then_some(push.digest),
            at: full.then_some(push.at),
            reason,
        };
        account.passed = passed.into_iter().map(told).collect();
        (newest, self.conclude(allowed, walk).await)
    }

    async fn explain_served(
        &self,
        allowed: &Allowed<Pull>,
        resolved: Resolved,
        account: &mut Account,
    ) -> Result<(), Error> {
        account.digest = Some(resolved.digest);
        match (resolved.lenience, allowed.access().terms()) {
            (Some(lenience), _) => account.allow(lenient(&lenience)),
            (None, PullTerms::Signing) => {
                account.allow("sign reads manifests whatever their verdict, and no object's blobs");
            }
            (None, PullTerms::Everything) => account.allow(EVERYTHING),
            (None, PullTerms::Conditional { .. } | PullTerms::Nothing) => account.allow(MET),
        }
        let PullTerms::Conditional { requirements, .. } = allowed.access().terms() else { return Ok(()) };
        let target = self.judged_digest(allowed, &resolved.digest).await?;
        account.judged_as = (target != resolved.digest).then_some(target);
        account.requirements = self.explain_each(allowed, &target, requirements).await?;
        Ok(())
    }

    /// A blob that is withheld is told as if it were absent, but to administrators.
    async fn explain_blob(
        &self,
        insight: &Insight,
        allowed: &Allowed<Pull>,
        digest: &Digest,
        account: &mut Account,
    ) -> Result<(), Error> {
        if let Decision::Admitted { lenience, .. } = self.decide_blob(allowed, digest).await? {
            account.digest = Some(*digest);
            account.allow(match lenience {
                Some(lenience) => lenient(&lenience),
                None => "a blob that is shown, by itself or through a manifest that holds it".to_owned(),
            });
            return Ok(());
        }
        if !insight.is_full() {
            return account.refuse(self.unknown(allowed, Reference::Digest(*digest)).await?);
        }
        account.digest = Some(*digest);
        account.refuse(Error::BlobUnknown(*digest))?;
        account.reason.push_str(" to them: it is here, and no manifest that holds it is admitted");
        Ok(())
    }

    async fn explain_push(
        &self,
        insight: &Insight,
        reference: Option<&Reference>,
        account: &mut Account,
    ) -> Result<(), Error> {
        let sign = match insight.allow(Action::Push, Access::sign) {
            Ok(allowed) => allowed,
            Err(error) => return account.refuse(error),
        };
        let Some(push) = sign.also(sign.access().push()) else { return account.refuse(sets_no_tag()) };
        let requirements = match tag_requirements(&push) {
            Ok(&[]) => {
                account.allow(EVERYTHING);
                return Ok(());
            }
            Ok(requirements) => requirements,
            Err(error) => return account.refuse(error),
        };
        let stored = match reference {
            Some(reference) => self.judged_at_push(insight, &push, reference).await?,
            None => None,
        };
        let Some(digest) = stored else {
            account.depends(
                "a push by digest is not judged; a tag is, on the object that it is set on, and no such object is here",
            );
            return Ok(());
        };
        account.digest = Some(digest);
        match self.judge_tag(&push, &digest).await {
            Ok(()) => {
                account.allow(MET);
                account.requirements = self.explain_each(&push, &digest, requirements).await?;
                Ok(())
            }
            Err(Error::Withheld(withheld)) => {
                account.withhold(*withheld, push.current());
                Ok(())
            }
            Err(error) => account.refuse(error),
        }
    }

    /// The stored object on which a tag would be set. Whoever is told of it may learn of it by a pull, too.
    async fn judged_at_push(
        &self,
        insight: &Insight,
        push: &Allowed<Push>,
        reference: &Reference,
    ) -> Result<Option<Digest>, Error> {
        let pull = push.pull();
        if pull.is_none() && !insight.is_full() {
            return Ok(None);
        }
        let digest = match (reference, pull) {
            (Reference::Digest(digest), _) => Some(*digest),
            (Reference::Tag(tag), pull) => {
                let newest = self.metadata.pushes(push.repository(), tag).await?.first().map(|push| push.digest);
                match pull.filter(|_| !insight.is_full()) {
                    None => newest,
                    Some(pull) => match self.resolve(&pull, reference).await {
                        Ok(resolved) => Some(resolved.digest),
                        Err(Error::Withheld(_)) => newest,
                        Err(Error::ManifestUnknown(_) | Error::NameUnknown) => None,
                        Err(error) => return Err(error),
                    },
                }
            }
        };
        let Some(digest) = digest else { return Ok(None) };
        let stored = self.metadata.manifest(push.repository(), &digest).await?;
        Ok(stored.filter(|stored| stored.kind == Kind::Object).map(|_| digest))
    }

    async fn explain_each<A: InRepository>(
        &self,
        allowed: &Allowed<A>,
        digest: &Digest,
        requirements: &[RequirementName],
    ) -> Result<Vec<Explanation>, Error> {
        let mut explanations = Vec::with_capacity(requirements.len());
        for name in requirements {
            explanations.push(self.explain_verdict(allowed.current(), allowed.repository(), digest, name).await?);
        }
        Ok(explanations)
    }

    /// The verdict, told in full: a refusal as it is told there; else the evidence through which it is met.
    async fn explain_verdict(
        &self,
        current: &Current,
        repository: &RepositoryName,
        digest: &Digest,
        name: &RequirementName,
    ) -> Result<Explanation, Error> {
        let requirement = (current.revision.requirements().by_name(name))
            .ok_or_else(|| Error::Unavailable(format!("requirement {name} is not in this revision")))?;
        for _ in 0..TRIES {
            let judged = self.verdict(current, repository, digest, name).await?;
            match judged.verdict() {
                Verdict::Unmet(unmet) => {
                    let mut unmet = (**unmet).clone();
                    self.hint(current, repository, &mut unmet).await?;
                    return Ok(Explanation::of_refusal(unmet, requirement.mode()));
                }
                Verdict::Met { through, .. } => {
                    let findings = self.findings(current, repository, through).await?;
                    let told = requirement.explain(digest, through, &findings);
                    if told.met {
                        return Ok(told);
                    }
                }
            }
        }
        Err(Error::Unavailable(format!("evidence about {digest} changes while it is told")))
    }
}
