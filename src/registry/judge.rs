//! Judging ahead of the pull: when evidence or objects come, and before a revision is swapped.
//!
//! A requirement that is met is noted durably ([`Registry::verdict`] does), so that losing it later is a refusal and
//! not a silent step back. What is to be judged is noted in the transaction that made it so; a crash in between costs
//! a second look at start-up.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::gate::Outcome;
use crate::metadata::Kind;
use crate::oci::{Digest, RepositoryName, Tag};

use super::current::Current;
use super::{Error, Registry};

/// How many rows are looked at in one read.
const BATCH: usize = 256;

/// A push that has been waiting for evidence for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What was pushed.
    pub digest: Digest,
    /// When.
    pub since: Timestamp,
}

/// Newest pushes of tags that meet none of the requirements that pulls there are granted under.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<(RepositoryName, Tag), Wait>>);

#[derive(Debug)]
struct Wait {
    digest: Digest,
    since: Timestamp,
    told: bool,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<(RepositoryName, Tag), Wait>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, place: (RepositoryName, Tag), push: Option<(Digest, Timestamp)>) {
        let mut waiting = self.lock();
        match push {
            Some((digest, _)) if waiting.get(&place).is_some_and(|wait| wait.digest == digest) => {}
            Some((digest, since)) => drop(waiting.insert(place, Wait { digest, since, told: false })),
            None => drop(waiting.remove(&place)),
        }
    }

    fn retain(&self, seen: &HashSet<(RepositoryName, Tag)>) {
        self.lock().retain(|place, _| seen.contains(place));
    }

    /// How many pushes wait, and since when the oldest does.
    pub(super) fn totals(&self) -> (usize, Option<Timestamp>) {
        let waiting = self.lock();
        (waiting.len(), waiting.values().map(|wait| wait.since).min())
    }

    /// Those that wait since before `limit`; each is told once.
    fn overdue(&self, limit: Timestamp) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        for ((repository, tag), wait) in self.lock().iter_mut() {
            if !wait.told && wait.since <= limit {
                wait.told = true;
                let (repository, tag) = (repository.clone(), tag.clone());
                overdue.push(Overdue { repository, tag, digest: wait.digest, since: wait.since });
            }
        }
        overdue
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

    /// Pushes that have been waiting longer than the limit; each is told once.
    pub(super) fn overdue(&self) -> Vec<Overdue> {
        self.waiting.overdue(self.clock.now().minus(self.limits.pending_evidence))
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

    /// Judges the newest push of every tag under `current`, and notes which wait for evidence.
    pub(super) async fn judge_tags(&self, current: &Current) -> Result<(), Error> {
        let mut after: Option<(RepositoryName, Tag)> = None;
        let mut seen = HashSet::new();
        let mut failed = Ok(());
        loop {
            let from = after.as_ref().map(|(repository, tag)| (repository, tag));
            let batch = self.metadata.newest_pushes(from, BATCH).await?;
            let Some((repository, tag, _)) = batch.last() else { break };
            after = Some((repository.clone(), tag.clone()));
            for (repository, tag, push) in batch {
                let met = match self.judge_push(current, &repository, &push.digest).await {
                    Ok(None) => continue,
                    Ok(Some(met)) => met,
                    Err(error) => {
                        failed = failed.and(Err(error));
                        continue;
                    }
                };
                let place = (repository, tag);
                seen.insert(place.clone());
                self.waiting.set(place, (!met).then_some((push.digest, push.at)));
            }
            tokio::task::yield_now().await;
        }
        self.waiting.retain(&seen);
        failed
    }

    /// Whether an object meets any requirement that is asked for there; none if nothing is to be judged.
    async fn judge_push(
        &self,
        current: &Current,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<bool>, Error> {
        let names = current.revision.requirements_for(repository);
        let stored = if names.is_empty() { None } else { self.metadata.manifest(repository, digest).await? };
        if stored.is_none_or(|stored| stored.kind != Kind::Object) {
            return Ok(None);
        }
        let mut met = false;
        for name in &names {
            met |= self.verdict(current, repository, digest, name).await?.verdict().is_met();
        }
        Ok(Some(met))
    }
}
