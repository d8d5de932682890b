//! Trust, requirements and policy, loaded as one and swapped as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::{cases, warnings};
use crate::authz::guard::{self, Protection};
use crate::authz::{self, Access, Admin, Authorizer, Casbin, Grant, Line, Policy, Undecided};
use crate::clock::Timestamp;
use crate::files::Files;
use crate::gate::{Action, Mode, RequirementName, Who};
use crate::mistake::Mistake;
use crate::oci::{Algorithm, Digest, Hasher, RepositoryName};
use crate::requirements::{Requirement, Requirements};
use crate::trust::Trust;

/// How many decisions are remembered.
const REMEMBERED: usize = 100_000;
/// The file of a user's own casbin model.
pub(super) const MODEL: &str = "policies/model.conf";

/// One snapshot of all that decides: nothing of it ever changes.
pub struct Revision {
    id: Digest,
    files: Files,
    trust: Trust,
    requirements: Requirements,
    policy: Policy,
    modes: BTreeMap<RequirementName, Mode>,
    authorizer: Box<dyn Authorizer>,
    decided: Cache<(Who, RepositoryName), Arc<Access>>,
}

impl Revision {
    /// Loads everything or nothing: trust, requirements, the policy with its guard rails, and its own tests.
    /// As many mistakes as can be seen are told at once. `hostnames` are what
    /// references name: the hostname, then its aliases.
    pub async fn load(files: Files, hostnames: &[String]) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let policy = note(&mut mistakes, Policy::parse(&files));
        let required = note(&mut mistakes, Requirements::with_trust(&files, hostnames));
        let (Some(policy), Some((trust, requirements))) = (policy, required) else {
            return Err(mistakes);
        };
        let modes: BTreeMap<_, _> = requirements.iter().map(|r| (r.name().clone(), r.mode())).collect();
        mistakes.extend(policy.check_requirements(&modes.keys().cloned().collect()));
        mistakes.extend(guard::check(&policy, &protections(&requirements)));
        let model = note(&mut mistakes, model(&files)).flatten();
        let casbin = note(&mut mistakes, Casbin::load(&policy, model).await);
        let authorizer: Box<dyn Authorizer> = match casbin {
            Some(casbin) if mistakes.is_empty() => Box::new(casbin),
            _ => return Err(mistakes),
        };
        cases::check(&files, authorizer.as_ref())?;
        let (id, decided) = (id(&files), Cache::new(REMEMBERED));
        Ok(Self { id, files, trust, requirements, policy, modes, authorizer, decided })
    }

    /// The SHA-256 over all files, with their names.
    pub fn id(&self) -> &Digest {
        &self.id
    }

    /// The files that it was loaded from, so that it can be stored and loaded again.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The trust store.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The requirements.
    pub fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    /// The authorisation table.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is likely not meant, though it can be loaded; `now` tells which certificates have expired or soon will.
    pub fn warnings(&self, now: Timestamp) -> Vec<Mistake> {
        warnings::of(self, now)
    }

    /// Everything that `who` may do in `repository`. Decided once and remembered by its full key; a first decision
    /// may take milliseconds.
    pub fn access(&self, who: &Who, repository: &RepositoryName) -> Result<Arc<Access>, Undecided> {
        let key = (who.clone(), repository.clone());
        if let Some(access) = self.decided.get(&key) {
            return Ok(access);
        }
        let access = Arc::new(Access::decide(self.authorizer.as_ref(), &self.modes, who, repository)?);
        self.decided.insert(key, Arc::clone(&access));
        Ok(access)
    }

    /// The requirements under which `who` may do `action` in `repository`, whatever their modes. Not remembered.
    pub fn granted(
        &self,
        who: &Who,
        repository: &RepositoryName,
        action: Action,
    ) -> Result<BTreeSet<RequirementName>, Undecided> {
        self.authorizer.granted(who, authz::place(repository.as_str(), action), action)
    }

    /// The lines of the policy that speak of it, as the model that Hallmark brings reads them.
    pub fn lines_for(&self, who: &Who, repository: &RepositoryName, action: Action) -> Vec<&Line> {
        self.policy.speaking(&who.to_string(), authz::place(repository.as_str(), action), action)
    }

    /// Whether the user's own casbin model decides.
    pub fn has_own_model(&self) -> bool {
        self.files.contains_key(MODEL)
    }

    /// The right to administer the registry, if `who` has it.
    pub fn admin(&self, who: &Who) -> Result<Option<Grant<Admin>>, Undecided> {
        authz::admin(self.authorizer.as_ref(), who)
    }

    /// What is to be judged in `repository` when evidence arrives: the requirements that some line for `pull` or
    /// `push` names there, without `unverified`.
    pub fn requirements_for(&self, repository: &RepositoryName) -> Vec<RequirementName> {
        let all = self.policy.requirements_for(repository.as_str(), &[Action::Pull, Action::Push]);
        all.into_iter().filter(|name| !name.is_unverified()).collect()
    }

    /// The requirements whose verdicts may differ from those under `earlier`: they or a signer of theirs changed,
    /// came or went.
    pub fn touched_since(&self, earlier: &Self) -> BTreeSet<RequirementName> {
        let same = |requirement: &&Requirement| {
            earlier.requirements.by_name(requirement.name()) == Some(*requirement)
                && requirement.signers().iter().all(|name| self.trust.signer(name) == earlier.trust.signer(name))
        };
        let changed = self.requirements.iter().filter(|requirement| !same(requirement));
        let gone = earlier.requirements.iter().filter(|old| self.requirements.by_name(old.name()).is_none());
        changed.chain(gone).map(|requirement| requirement.name().clone()).collect()
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revision").field("id", &self.id).finish_non_exhaustive()
    }
}

fn note<T>(mistakes: &mut Vec<Mistake>, result: Result<T, Vec<Mistake>>) -> Option<T> {
    result.map_err(|found| mistakes.extend(found)).ok()
}

fn model(files: &Files) -> Result<Option<&str>, Vec<Mistake>> {
    let Some(bytes) = files.get(MODEL) else { return Ok(None) };
    std::str::from_utf8(bytes)
        .map(Some)
        .map_err(|_less_said| vec![Mistake::new(MODEL, 0, "expected UTF-8, found other bytes")])
}

/// A requirement that is applied less strictly does not stand in for one that is applied more strictly.
fn protections(requirements: &Requirements) -> Vec<Protection> {
    let protection = |protected: &Requirement| {
        let stands_in = |other: &&Requirement| other.implies(protected) && other.mode() >= protected.mode();
        Protection {
            requirement: protected.name().clone(),
            line: protected.line(),
            globs: protected.protects().to_vec(),
            except: protected.except().to_vec(),
            stronger: requirements.iter().filter(stands_in).map(|other| other.name().clone()).collect(),
        }
    };
    requirements.iter().filter(|requirement| !requirement.protects().is_empty()).map(protection).collect()
}

fn id(files: &Files) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for (name, content) in files {
        for part in [name.as_bytes(), content] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "p, anonymous, prod/**, pull, signed, allow\np, anonymous, dev/**, pull, unverified, allow\n";
    const REQUIREMENTS: &str = "[signed]\nany = []\nprotects = [\"prod/**\"]\n";
    const CASES: &str = "policies/cases.csv";

    fn files(changes: &[(&str, &str)]) -> Files {
        let good = [(Policy::FILE, POLICY), (Requirements::FILE, REQUIREMENTS), (Trust::FILE, "")];
        good.iter().chain(changes).map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    async fn load(changes: &[(&str, &str)]) -> Result<Revision, Vec<Mistake>> {
        Revision::load(files(changes), &["localhost:5000".to_owned()]).await
    }

    async fn refused(changes: &[(&str, &str)], place: &str, clause: &str) {
        let mistakes = load(changes).await.unwrap_err();
        let told = |m: &Mistake| m.to_string().starts_with(place) && m.message.contains(clause);
        assert!(mistakes.iter().any(told), "{mistakes:?}");
    }

    #[tokio::test]
    async fn what_is_in_the_repository_loads() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = crate::config::files::read(&root.join("policies"), &root.join("trust")).unwrap();
        let revision = Revision::load(files, &["localhost:5000".to_owned()]).await.unwrap();
        assert!(!revision.access(&Who::Anonymous, &"sandbox/a".parse().unwrap()).unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_line_that_opens_a_protected_repository_refuses_the_revision() {
        let policy = format!("{POLICY}p, user:a, **, pull, unverified, allow");
        refused(&[(Policy::FILE, &policy)], "policies/policy.csv:3", "protects prod/**").await;
    }

    #[tokio::test]
    async fn an_unknown_requirement_refuses_the_revision() {
        refused(&[(Requirements::FILE, "")], "policies/policy.csv:1", "found signed").await;
    }

    #[tokio::test]
    async fn an_empty_policy_refuses_the_revision() {
        refused(&[(Policy::FILE, "")], "policies/policy.csv", "at least one").await;
    }

    #[tokio::test]
    async fn a_failing_case_refuses_the_revision() {
        let cases = "# tests\nanonymous, pull, prod/app:v1, allow, why not";
        refused(&[(CASES, cases)], "policies/cases.csv:2", "expected allow").await;
        refused(&[(CASES, cases)], "policies/cases.csv:2", "found signed").await;
    }

    #[tokio::test]
    async fn cases_that_hold_are_accepted() {
        let cases = "who,action,reference,expected,why\nanonymous, pull, prod/app, signed, x\n\
                     user:a, pull, prod/app, deny,\nanonymous, pull, dev/a, allow, x\n\
                     anonymous, admin, _registry, deny, x";
        assert!(load(&[(CASES, cases)]).await.is_ok());
    }

    #[tokio::test]
    async fn cases_that_say_nothing_are_refused() {
        for case in [
            "anonymous, pull, prod/app",
            "nobody, pull, a, deny, x",
            "anonymous, see, a, deny, x",
            "anonymous, pull, A, deny, x",
            "anonymous, pull, a:, deny, x",
            "anonymous, pull, a, Deny, x",
        ] {
            refused(&[(CASES, case)], "policies/cases.csv:1", "expected").await;
        }
    }

    #[tokio::test]
    async fn access_is_decided_once() {
        let revision = load(&[]).await.unwrap();
        let repository = "prod/a".parse().unwrap();
        let first = revision.access(&Who::Anonymous, &repository).unwrap();
        assert!(Arc::ptr_eq(&first, &revision.access(&Who::Anonymous, &repository).unwrap()));
    }

    #[tokio::test]
    async fn what_is_to_be_judged_is_what_lines_name_there() {
        let revision = load(&[]).await.unwrap();
        assert_eq!(revision.requirements_for(&"prod/a".parse().unwrap()), ["signed".parse().unwrap()]);
        assert_eq!(revision.requirements_for(&"dev/a".parse().unwrap()), []);
    }

    #[tokio::test]
    async fn the_identifier_is_of_names_and_contents() {
        let one = load(&[("trust/a", "bc")]).await.unwrap();
        assert_eq!(one.id(), load(&[("trust/a", "bc")]).await.unwrap().id());
        assert_ne!(one.id(), load(&[("trust/ab", "c")]).await.unwrap().id());
    }

    #[tokio::test]
    async fn a_requirement_that_changed_is_touched() {
        let (old, same) = (load(&[]).await.unwrap(), load(&[("trust/a", "x")]).await.unwrap());
        let changed = load(&[(Requirements::FILE, "[signed]\nany = []\nmode = \"audit\"")]).await.unwrap();
        assert!(same.touched_since(&old).is_empty());
        assert_eq!(changed.touched_since(&old), BTreeSet::from(["signed".parse().unwrap()]));
    }

    #[tokio::test]
    async fn a_requirement_is_touched_when_the_trust_policy_of_its_signer_changes() {
        let policy = |scope: &str| {
            format!(
                r#"{{"version": "1.0", "trustPolicies": [{{"name": "a", "registryScopes": ["a.example/{scope}"],
                "signatureVerification": {{"level": "skip"}}}}]}}"#
            )
        };
        let signed = "[signed]\nany = [{ signed_by = \"s\" }]\nprotects = [\"prod/**\"]\n";
        let under = async |scope: &str| {
            let policy = policy(scope);
            let signers = "[s]\nnotation_policy = \"a\"\n";
            let changes =
                [("trust/trustpolicy.json", policy.as_str()), (Trust::FILE, signers), (Requirements::FILE, signed)];
            load(&changes).await.unwrap()
        };
        let (old, same, other) = (under("prod").await, under("prod").await, under("other").await);
        assert!(same.touched_since(&old).is_empty());
        assert_eq!(other.touched_since(&old), BTreeSet::from(["signed".parse().unwrap()]));
    }

    #[tokio::test]
    async fn warnings_name_what_is_likely_not_meant() {
        let policy = "p, role:empty, dev/**, pull, unverified, allow\np, user:s, prod/**, sign, unverified, allow\n\
                      p, user:s, prod/a, pull, signed, allow\np, anonymous, prod/**, pull, signed, deny\n\
                      g, user:a, role:idle";
        let requirements = format!("{REQUIREMENTS}[unused]\nany = []");
        let revision = load(&[(Policy::FILE, policy), (Requirements::FILE, &requirements)]).await.unwrap();
        let warnings: Vec<String> =
            revision.warnings(Timestamp::from_micros(0)).iter().map(ToString::to_string).collect();
        for expected in [
            "policies/policy.csv:1: role:empty has no member",
            "policies/policy.csv:2: user:s may sign and has a conditional pull there (line 3)",
            "policies/policy.csv:4: a deny line denies under every requirement",
            "policies/policy.csv:5: user:a is a member of role:idle, of which no line speaks",
            "policies/requirements.toml:1: nobody can meet signed",
            "policies/requirements.toml:4: no line of policies/policy.csv names unused",
            "policies/requirements.toml:4: nobody can meet unused",
        ] {
            assert!(warnings.iter().any(|warning| warning.starts_with(expected)), "{expected}\n{warnings:#?}");
        }
        assert_eq!(warnings.len(), 7, "{warnings:#?}");
    }
}
