//! Admission: does a digest meet a requirement now? A function of (repository, digest, its evidence, trust, policy,
//! time), remembered only as long as none of these can have changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::gate::{Finding, RequirementName, Unmet, Verdict};
use crate::metadata::{Kind, StoredManifest};
use crate::oci::{Digest, Manifest, RepositoryName};
use crate::requirements::{CHILDREN_FOR_A_HINT, Requirement};
use crate::verify::Evidence;

use super::current::Current;
use super::resolve::earlier;
use super::{Error, Registry};

/// Whose verdict: a digest of a repository under a requirement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct VerdictKey {
    repository: RepositoryName,
    digest: Digest,
    requirement: RequirementName,
    /// [`Current::of`]: while one revision follows another, each has its own.
    serial: u64,
}

/// Whose findings: a piece of evidence of a repository, with all else that they depend on beside the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FindingsKey {
    repository: RepositoryName,
    evidence: Digest,
    /// As which its subject is stored. What was judged without its subject may be judged otherwise once the subject is
    /// here, and so may what was deleted and pushed again as something else.
    subject: Option<String>,
    /// [`Current::trust`].
    trust: u64,
}

/// A verdict with all that it depends on.
#[derive(Debug)]
pub(super) struct Judged {
    verdict: Verdict,
    /// The generation of the evidence of the digest and of its ancestors.
    generation: u64,
    /// The repository's epoch in which the generation was last seen.
    epoch: AtomicU64,
    /// When the answer may change by time alone, either way.
    until: Option<Timestamp>,
}

impl Judged {
    pub(super) const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub(super) const fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

impl Registry {
    /// Judges `digest` under `requirement`. Many callers at once judge it once.
    pub(super) async fn verdict(
        &self,
        current: &Current,
        repository: &RepositoryName,
        digest: &Digest,
        requirement: &RequirementName,
    ) -> Result<Arc<Judged>, Error> {
        let key = VerdictKey {
            repository: repository.clone(),
            digest: *digest,
            requirement: requirement.clone(),
            serial: current.of(requirement),
        };
        loop {
            match self.verdicts.get_value_or_guard_async(&key).await {
                Ok(judged) => {
                    if self.still_stands(repository, digest, &judged).await? {
                        return Ok(judged);
                    }
                    self.verdicts.remove_if(&key, |found| Arc::ptr_eq(found, &judged));
                }
                Err(guard) => {
                    let judged = Arc::new(self.judge(current, repository, digest, requirement).await?);
                    self.counters.count_verdict(judged.verdict.is_met());
                    // An eviction in between only means that the next caller judges again.
                    drop(guard.insert(Arc::clone(&judged)));
                    return Ok(judged);
                }
            }
        }
    }

    async fn still_stands(&self, repository: &RepositoryName, digest: &Digest, judged: &Judged) -> Result<bool, Error> {
        if judged.until.is_some_and(|until| self.clock.now() >= until) {
            return Ok(false);
        }
        let epoch = self.epochs.of(repository);
        if judged.epoch.load(Ordering::Acquire) == epoch {
            return Ok(true);
        }
        let stands = self.generation(repository, digest).await? == judged.generation;
        if stands {
            judged.epoch.store(epoch, Ordering::Release);
        }
        Ok(stands)
    }

    async fn generation(&self, repository: &RepositoryName, digest: &Digest) -> Result<u64, Error> {
        let (depth, limit) = (self.limits.reach_depth, self.limits.reach_objects);
        Ok(self.metadata.generation(repository, digest, depth, limit).await?)
    }

    async fn judge(
        &self,
        current: &Current,
        repository: &RepositoryName,
        digest: &Digest,
        name: &RequirementName,
    ) -> Result<Judged, Error> {
        let epoch = self.epochs.of(repository);
        let generation = self.generation(repository, digest).await?;
        let requirement = (current.revision.requirements().by_name(name))
            .ok_or_else(|| Error::Unavailable(format!("requirement {name} is not in this revision")))?;
        let verdict = self.evaluate(current, repository, digest, requirement).await?;
        if verdict.is_met() {
            self.remember_met(repository, digest, name).await?;
        }
        let until = match &verdict {
            Verdict::Met { until, .. } => *until,
            Verdict::Unmet(unmet) => unmet.again_at,
        };
        Ok(Judged { verdict, generation, epoch: AtomicU64::new(epoch), until })
    }

    async fn evaluate(
        &self,
        current: &Current,
        repository: &RepositoryName,
        digest: &Digest,
        requirement: &Requirement,
    ) -> Result<Verdict, Error> {
        let findings = self.findings(current, repository, digest).await?;
        let mut unmet = match requirement.evaluate(digest, digest, &findings) {
            met @ Verdict::Met { .. } => return Ok(met),
            Verdict::Unmet(unmet) => unmet,
        };
        let (depth, limit) = (self.limits.reach_depth, self.limits.reach_objects);
        for ancestor in self.metadata.ancestors(repository, digest, depth, limit).await? {
            let findings = self.findings(current, repository, &ancestor).await?;
            match requirement.evaluate(digest, &ancestor, &findings) {
                met @ Verdict::Met { .. } => return Ok(met),
                Verdict::Unmet(of_ancestor) => unmet.again_at = earlier(unmet.again_at, of_ancestor.again_at),
            }
        }
        Ok(Verdict::Unmet(unmet))
    }

    /// Says "sign the index" first, where someone signed its children instead; returns that clause. Not part of the
    /// verdict: evidence about children changes no verdict of their index.
    pub(super) async fn hint(
        &self,
        current: &Current,
        repository: &RepositoryName,
        unmet: &mut Unmet,
    ) -> Result<Option<String>, Error> {
        let Some(requirement) = current.revision.requirements().by_name(&unmet.requirement) else { return Ok(None) };
        let children = self.metadata.children(repository, &unmet.digest, CHILDREN_FOR_A_HINT).await?;
        let mut signed = 0_usize;
        for child in &children {
            let findings = self.findings(current, repository, child).await?;
            if requirement.evaluate(child, child, &findings).is_met() {
                signed = signed.saturating_add(1);
            }
        }
        let Some(first) = requirement.hint_of_children(signed) else { return Ok(None) };
        unmet.hint = Some(match unmet.hint.take() {
            Some(hint) => format!("{first}; {hint}"),
            None => first.clone(),
        });
        Ok(Some(first))
    }

    /// That a digest met a requirement is durable before anyone is told: one that loses it is refused, never skipped.
    async fn remember_met(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        requirement: &RequirementName,
    ) -> Result<(), Error> {
        if self.metadata.met(repository, digest).await?.contains(requirement) {
            return Ok(());
        }
        let now = self.clock.now();
        let requirements = std::slice::from_ref(requirement);
        let record = || async { Ok(self.metadata.record_met(repository, digest, requirements, now).await?) };
        self.housekeeping.with_reserve(record).await?;
        self.changed.waiting.notify_one();
        Ok(())
    }

    /// What the evidence about `subject` shows: what verified once first, then the newest, within a bound.
    pub(super) async fn findings(
        &self,
        current: &Current,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Finding>, Error> {
        let evidence = self.metadata.evidence(repository, subject, self.limits.evidence_considered).await?;
        if evidence.is_empty() {
            return Ok(Vec::new());
        }
        let at_hand = self.metadata.manifest(repository, subject).await?;
        let mut findings = Vec::with_capacity(evidence.len());
        for evidence in &evidence {
            let found = self.findings_of(current, repository, subject, at_hand.as_ref(), evidence).await?;
            findings.extend(found.iter().cloned());
        }
        Ok(findings)
    }

    /// What one piece of evidence shows, remembered while trust, time and the subject stand.
    async fn findings_of(
        &self,
        current: &Current,
        repository: &RepositoryName,
        subject: &Digest,
        at_hand: Option<&StoredManifest>,
        evidence: &Digest,
    ) -> Result<Arc<[Finding]>, Error> {
        let key = FindingsKey {
            repository: repository.clone(),
            evidence: *evidence,
            subject: at_hand.map(|found| found.media_type.clone()),
            trust: current.trust,
        };
        let now = self.clock.now();
        if let Some(findings) = self.findings.get(&key)
            && !findings.iter().any(|finding| may_have_changed(finding, now))
        {
            return Ok(findings);
        }
        // What went since it was found changed the generation with it: whatever is decided here, nobody remembers it.
        let Some(stored) = self.metadata.manifest(repository, evidence).await? else { return Ok(Arc::default()) };
        let findings = self.verify_evidence(current, repository, subject, at_hand, &stored).await?.into();
        self.findings.insert(key, Arc::clone(&findings));
        Ok(findings)
    }

    async fn verify_evidence(
        &self,
        current: &Current,
        repository: &RepositoryName,
        subject: &Digest,
        at_hand: Option<&StoredManifest>,
        stored: &StoredManifest,
    ) -> Result<Vec<Finding>, Error> {
        let Kind::Evidence(shape) = stored.kind else { return Ok(Vec::new()) };
        // It was bounded when it was pushed: a limit that was lowered since makes nothing unreadable.
        let manifest = Manifest::parse(&stored.bytes, &stored.media_type, usize::MAX)
            .map_err(|error| Error::Unavailable(format!("stored evidence {} can't be read: {error}", stored.digest)))?;
        let Some(layers) = self.shelf().small_layers(repository, &manifest, u64::MAX).await? else {
            return Err(Error::Unavailable(format!("a layer of stored evidence {} can't be read", stored.digest)));
        };
        Ok(self.verifier.verify(
            &Evidence {
                digest: stored.digest,
                shape,
                manifest: &manifest,
                layers: &layers,
                subject: *subject,
                subject_bytes: at_hand.map(|found| &found.bytes),
                subject_media_type: at_hand.map(|found| found.media_type.as_str()),
                repository,
            },
            current.revision.trust(),
            self.clock.now(),
        ))
    }
}

fn may_have_changed(finding: &Finding, now: Timestamp) -> bool {
    finding.outcome.changes_at().is_some_and(|moment| now >= moment)
}
