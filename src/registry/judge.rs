//! Judging ahead of the pull: when evidence or objects come, and before a revision is swapped.
//!
//! A requirement that is met is noted durably ([`Registry::verdict`] does), so that losing it later is a refusal and
//! not a silent step back. What is to be judged is noted in the transaction that made it so; a crash in between costs
//! a second look at start-up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Timestamp;
use crate::gate::{Outcome, RequirementName};
use crate::metadata::{ToJudge, Unavailable};
use crate::oci::{Digest, RepositoryName};

use super::current::Current;
use super::resolve::earlier;
use super::{Error, Registry};

/// How many rows are looked at in one read.
const BATCH: usize = 256;
/// How long what a revision touches is judged at one time in the background.
const A_WHILE: Duration = Duration::from_secs(1);
/// How long what can't be judged waits until it is tried again.
pub(super) const TRIED_AGAIN: Duration = Duration::from_secs(30);
/// The shortest time between two judgements of one digest that time alone asks for.
const AGAIN_AT_THE_SOONEST: Duration = Duration::from_secs(1);

/// How far [`Registry::judge_evidence`] came: the repository, and the subject after which it goes on in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    repository: Option<RepositoryName>,
    subject: Option<Digest>,
}

impl Registry {
    /// Judges a digest, and what it reaches, under every requirement that a policy line names for the repository. Tells
    /// when one of them that is not met now may begin to be, by time alone.
    pub(super) async fn judge_subject(
        &self,
        current: &Current,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Timestamp>, Error> {
        let names = current.revision.requirements_for(repository);
        if names.is_empty() {
            return Ok(None);
        }
        for finding in self.findings(current, repository, digest).await? {
            if matches!(finding.outcome, Outcome::Verified { .. }) {
                let record = || async { Ok(self.metadata.record_verified(repository, &finding.evidence).await?) };
                self.housekeeping.with_reserve(record).await?;
            }
        }
        let mut again = None;
        for digest in &self.reached(repository, digest).await? {
            for name in &names {
                let judged = self.verdict(current, repository, digest, name).await?;
                if !judged.verdict().is_met() {
                    again = earlier(again, judged.until());
                }
            }
        }
        Ok(again)
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

    /// Judges what commits left to be judged, and what time alone asks to be judged again. One that can't be judged waits,
    /// and holds up no other.
    pub(super) async fn judge_queue(&self) -> Result<(), Error> {
        let mut failed = Ok(());
        loop {
            let read = self.metadata.to_judge(self.clock.now(), BATCH);
            let Some((current, batch)) = self.settled(read).await?.filter(|(_, batch)| !batch.is_empty()) else {
                return failed;
            };
            failed = failed.and(self.judge_batch(&current, batch).await?);
        }
    }

    /// Whether all that may meet a requirement in this repository is known to have met it, after a look at what is still
    /// to be judged there. Where that is much, or can't be judged, it is not.
    pub(super) async fn knows_what_is_met(
        &self,
        current: &Current,
        repository: &RepositoryName,
    ) -> Result<bool, Error> {
        // What could not be judged is among it, though it is not tried again yet.
        let until = self.clock.now().plus(TRIED_AGAIN);
        let Some((settled, batch)) = self.settled(self.metadata.to_judge_in(repository, until, BATCH)).await? else {
            return Ok(false);
        };
        if settled.serial != current.serial || !current.is_judged() || batch.len() == BATCH {
            return Ok(false);
        }
        // This is a read: where what was judged can't be noted, for want of room or else, it looks at every tag.
        Ok(matches!(self.judge_batch(current, batch).await, Ok(Ok(()))))
    }

    /// Reads what is to be judged, with the revision to judge it under; nothing while another revision follows: what comes
    /// meanwhile may have been passed by on the way to that one, and is judged under it.
    async fn settled(
        &self,
        read: impl Future<Output = Result<Vec<ToJudge>, Unavailable>> + Send,
    ) -> Result<Option<(Arc<Current>, Vec<ToJudge>)>, Error> {
        let Ok(_none_follows) = self.swapping.try_lock() else { return Ok(None) };
        Ok(Some((self.current(), read.await?)))
    }

    /// Judges these and notes that they were. The inner error is of one that can't be judged.
    async fn judge_batch(&self, current: &Current, batch: Vec<ToJudge>) -> Result<Result<(), Error>, Error> {
        if batch.is_empty() {
            return Ok(Ok(()));
        }
        let mut failed = Ok(());
        let mut judged = Vec::with_capacity(batch.len());
        for one in batch {
            let again = match self.judge_subject(current, &one.repository, &one.digest).await {
                Ok(again) => again.map(|at| at.max(self.clock.now().plus(AGAIN_AT_THE_SOONEST))),
                Err(error) => {
                    failed = failed.and(Err(error));
                    Some(self.clock.now().plus(TRIED_AGAIN))
                }
            };
            judged.push((one, again));
            // Reads never wait: without this, requests would wait for the whole batch.
            tokio::task::yield_now().await;
        }
        let note = || async { Ok(self.metadata.judged(&judged).await?) };
        self.housekeeping.with_reserve(note).await?;
        Ok(failed)
    }

    /// How long until something is to be judged, if nothing comes.
    pub(super) async fn judge_due(&self) -> Result<Option<Duration>, Error> {
        let next = self.metadata.next_to_judge().await?;
        Ok(next.map(|at| at.since(self.clock.now())))
    }

    /// Goes on judging what a revision touches, a while at a time. What could not be judged is told, once, and is refused
    /// at its pull.
    pub(super) async fn judge_unjudged(&self) -> Result<(), Error> {
        let mut unjudged = self.unjudged.lock().await;
        let Some(place) = unjudged.as_mut() else { return Ok(()) };
        let current = self.current();
        let asked = |repository: &RepositoryName| current.revision.requirements_for(repository);
        let Ok(judged) = timeout(A_WHILE, self.judge_evidence(&current, asked, place)).await else { return Ok(()) };
        current.note_judged();
        // Until that is noted, a start would judge it all again.
        self.metadata.note_revision_judged().await?;
        *unjudged = None;
        judged
    }

    /// Whether a revision touches more than was judged yet.
    pub(super) fn is_unjudged(&self) -> bool {
        !self.current.load().is_judged()
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
                    // One that can't be judged holds up no other; until it can, it is refused at its pull.
                    failed = failed.and(self.judge_early(current, repository, &subject).await);
                }
                *from = Some(subject);
                // Reads never wait: without this, requests would wait for the whole batch.
                tokio::task::yield_now().await;
            }
        }
        failed
    }

    /// Judges a digest that nothing in the queue speaks of, and has it judged again when that is due.
    async fn judge_early(&self, current: &Current, repository: &RepositoryName, subject: &Digest) -> Result<(), Error> {
        let (again, judged) = match self.judge_subject(current, repository, subject).await {
            Ok(again) => (again, Ok(())),
            Err(error) => (Some(self.clock.now()), Err(error)),
        };
        if let Some(at) = again {
            let note = || async { Ok(self.metadata.judge_again(repository, subject, at).await?) };
            self.housekeeping.with_reserve(note).await?;
        }
        judged
    }
}
