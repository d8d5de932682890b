//! Judging ahead of the pull: when evidence or objects come, and before a revision is swapped.
//!
//! A requirement that is met is noted durably ([`Registry::verdict`] does), so that losing it later is a refusal and
//! not a silent step back. What is to be judged is noted in the transaction that made it so; a crash in between costs
//! a second look at start-up.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::clock::Timestamp;
use crate::gate::Outcome;
use crate::metadata::Kind;
use crate::oci::{Digest, RepositoryName, Tag};

use super::{Current, Error, Registry};

/// How many rows are looked at in one read.
const BATCH: usize = 256;

/// Newest pushes of tags that meet none of the requirements that pulls there are granted under.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<(RepositoryName, Tag), (Digest, Timestamp)>>);

impl Waiting {
    fn set(&self, place: (RepositoryName, Tag), push: Option<(Digest, Timestamp)>) {
        let mut waiting = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match push {
            Some(push) => waiting.insert(place, push),
            None => waiting.remove(&place),
        };
    }

    fn retain(&self, seen: &std::collections::HashSet<(RepositoryName, Tag)>) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).retain(|place, _| seen.contains(place));
    }

    /// How many pushes wait, and since when the oldest does.
    pub(super) fn totals(&self) -> (usize, Option<Timestamp>) {
        let waiting = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (waiting.len(), waiting.values().map(|(_, since)| *since).min())
    }
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
                self.metadata.record_verified(repository, &finding.evidence).await?;
            }
        }
        let mut reached = vec![*digest];
        reached.extend(self.metadata.children(repository, digest, self.limits.reach_objects).await?);
        for digest in &reached {
            for name in &names {
                self.verdict(current, repository, digest, name).await?;
            }
        }
        Ok(())
    }

    /// Judges what commits left to be judged.
    pub(super) async fn judge_queue(&self) -> Result<(), Error> {
        loop {
            let batch = self.metadata.to_judge(BATCH).await?;
            if batch.is_empty() {
                return Ok(());
            }
            let current = self.current();
            for (repository, digest, ticket) in batch {
                self.judge_subject(&current, &repository, &digest).await?;
                self.metadata.judged(&repository, &digest, ticket).await?;
            }
        }
    }

    /// Judges the newest push of every tag under `current`, and notes which wait for evidence.
    pub(super) async fn judge_tags(&self, current: &Current) -> Result<(), Error> {
        let mut after: Option<(RepositoryName, Tag)> = None;
        let mut seen = std::collections::HashSet::new();
        loop {
            let from = after.as_ref().map(|(repository, tag)| (repository, tag));
            let batch = self.metadata.newest_pushes(from, BATCH).await?;
            let Some((repository, tag, _)) = batch.last() else { break };
            after = Some((repository.clone(), tag.clone()));
            for (repository, tag, push) in batch {
                let names = current.revision.requirements_for(&repository);
                if names.is_empty() {
                    continue;
                }
                if self
                    .metadata
                    .manifest(&repository, &push.digest)
                    .await?
                    .is_none_or(|stored| stored.kind != Kind::Object)
                {
                    continue;
                }
                let mut met = false;
                for name in &names {
                    met |= self.verdict(current, &repository, &push.digest, name).await?.verdict().is_met();
                }
                let place = (repository, tag);
                seen.insert(place.clone());
                self.waiting.set(place, (!met).then_some((push.digest, push.at)));
            }
            tokio::task::yield_now().await;
        }
        self.waiting.retain(&seen);
        Ok(())
    }
}
