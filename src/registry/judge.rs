//! Judging ahead of the pull: when evidence or objects come, and before a revision is swapped.
//!
//! A requirement that is met is noted durably ([`Registry::verdict`] does), so that losing it later is a refusal and
//! not a silent step back. What is to be judged is noted in the transaction that made it so; a crash in between costs
//! a second look at start-up.

use std::time::Duration;

use tokio::time::timeout;

use crate::gate::{Outcome, RequirementName};
use crate::oci::{Digest, RepositoryName};

use super::current::Current;
use super::{Error, Registry};

/// How many rows are looked at in one read.
const BATCH: usize = 256;
/// How long what a revision touches is judged at one time in the background.
const A_WHILE: Duration = Duration::from_secs(1);

/// How far [`Registry::judge_evidence`] came: the repository, and the subject after which it goes on in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    repository: Option<RepositoryName>,
    subject: Option<Digest>,
}

impl Registry {
    /// Judges a digest, and what it reaches, under every requirement that a policy line names for the repository.
    pub(super) async fn judge_subject(
        &self,
        current: &Current,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let names = current.revision.requirements_for(repository);
        if names.is_empty() {
            return Ok(());
        }
        for finding in self.findings(current, repository, digest).await? {
            if matches!(finding.outcome, Outcome::Verified { .. }) {
                let record = || async { Ok(self.metadata.record_verified(repository, &finding.evidence).await?) };
                self.housekeeping.with_reserve(record).await?;
            }
        }
        for digest in &self.reached(repository, digest).await? {
            for name in &names {
                self.verdict(current, repository, digest, name).await?;
            }
        }
        Ok(())
    }

    /// A digest and what it reaches through `manifests`, within the bound.
    async fn reached(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Digest>, Error> {
        let mut reached = vec![*digest];
        let mut next = 0;
        while let Some(parent) = reached.get(next).copied() {
            next = next.saturating_add(1);
            for child in self.metadata.children(repository, &parent, self.limits.reach_objects).await? {
                if reached.len() < self.limits.reach_objects && !reached.contains(&child) {
                    reached.push(child);
                }
            }
        }
        Ok(reached)
    }

    /// Judges what commits left to be judged. One that can't be judged waits, and holds up no other.
    pub(super) async fn judge_queue(&self) -> Result<(), Error> {
        loop {
            let mut failed = Ok(());
            let mut judged = false;
            let current = self.current();
            for (repository, digest, ticket) in self.metadata.to_judge(BATCH).await? {
                match self.judge_subject(&current, &repository, &digest).await {
                    Ok(()) => {
                        self.metadata.judged(&repository, &digest, ticket).await?;
                        judged = true;
                    }
                    Err(error) => failed = failed.and(Err(error)),
                }
            }
            if !judged {
                return failed;
            }
        }
    }

    /// Goes on judging what a revision touches, a while at a time. What could not be judged is told, once, and is refused
    /// at its pull.
    pub(super) async fn judge_unjudged(&self) -> Result<(), Error> {
        let mut unjudged = self.unjudged.lock().await;
        let Some(place) = unjudged.as_mut() else { return Ok(()) };
        let current = self.current();
        let asked = |repository: &RepositoryName| current.revision.requirements_for(repository);
        let Ok(judged) = timeout(A_WHILE, self.judge_evidence(&current, asked, place)).await else { return Ok(()) };
        *unjudged = None;
        self.metadata.note_revision_judged().await?;
        judged
    }

    /// Judges every digest about which evidence is stored, with what it reaches, under the requirements of `current` that
    /// `asked` picks for its repository, unless it is known to have met them. Without evidence nothing is met, so nothing
    /// else is looked at. `from` follows, so that one which is broken off goes on from there.
    pub(super) async fn judge_evidence(
        &self,
        current: &Current,
        asked: impl Fn(&RepositoryName) -> Vec<RequirementName> + Send + Sync,
        from: &mut Place,
    ) -> Result<(), Error> {
        let mut failed = Ok(());
        loop {
            if let Some(repository) = from.repository.clone() {
                let judged = self.judge_evidence_in(current, &repository, &asked(&repository), &mut from.subject).await;
                failed = failed.and(judged);
            }
            let after = from.repository.as_ref().map(RepositoryName::as_str);
            let Some(next) = self.metadata.repositories(after, 1).await?.pop() else { return failed };
            *from = Place { repository: Some(next), subject: None };
        }
    }

    async fn judge_evidence_in(
        &self,
        current: &Current,
        repository: &RepositoryName,
        names: &[RequirementName],
        from: &mut Option<Digest>,
    ) -> Result<(), Error> {
        let mut failed = Ok(());
        while !names.is_empty() {
            let batch = self.metadata.subjects_of_evidence(repository, from.as_ref(), BATCH).await?;
            if batch.is_empty() {
                break;
            }
            for subject in batch {
                let met = self.metadata.met(repository, &subject).await?;
                if !names.iter().all(|name| met.contains(name)) {
                    // One that can't be judged holds up no other; at its pull it is refused.
                    failed = failed.and(self.judge_subject(current, repository, &subject).await);
                }
                *from = Some(subject);
                // Reads never wait: without this, requests would wait for the whole batch.
                tokio::task::yield_now().await;
            }
        }
        failed
    }
}
