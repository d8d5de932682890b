//! Pushes that wait for evidence: how many there are, and which of them wait for too long.
//!
//! The metadata keeps them apart from all others, so that a look costs what waits, not what is stored. A push that waits
//! comes to meet a requirement when evidence comes, which is judged then, or when a revision comes, or by time alone: for
//! the last, some of them are judged at each look, all of them in turn.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::metadata::WaitingPush;
use crate::oci::{Digest, RepositoryName, Tag};

use super::current::Current;
use super::{Error, Registry};

/// How many repositories, and how many pushes, are read at once.
const BATCH: usize = 256;
/// How many pushes are judged, or passed by, at one look.
const JUDGED_AT_ONCE: usize = 128;
/// How many overdue pushes of one repository are told at one look.
const TOLD_AT_ONCE: usize = 64;

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

/// A push in the order of a repository's pushes.
type Cursor = (u64, Tag);

/// What the last look found, and where the next one goes on.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    pushes: u64,
    oldest: Option<Timestamp>,
    /// Up to where overdue pushes were told, in each repository in which any waits.
    told: HashMap<RepositoryName, Cursor>,
    /// Up to where pushes were judged.
    judged: Option<(RepositoryName, Option<Cursor>)>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many pushes wait, and since when the oldest does.
    pub(super) fn totals(&self) -> (u64, Option<Timestamp>) {
        let seen = self.lock();
        (seen.pushes, seen.oldest)
    }
}

impl Registry {
    /// Looks at the pushes that wait; gives those that do so for too long, each once.
    pub(super) async fn look_at_waiting(&self, current: &Current) -> Result<Vec<Overdue>, Error> {
        let judged = self.judge_waiting(current).await;
        let (mut pushes, mut oldest, mut told, mut overdue) = (0_u64, None::<Timestamp>, HashMap::new(), Vec::new());
        let mut after: Option<RepositoryName> = None;
        loop {
            let batch = self.metadata.repositories_waiting(after.as_ref(), BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = Some(last.clone());
            for repository in batch {
                if current.revision.requirements_for(&repository).is_empty() {
                    continue;
                }
                pushes = pushes.saturating_add(self.metadata.count_waiting(&repository).await?);
                let first = self.metadata.waiting_pushes(&repository, None, 1).await?;
                oldest = first.first().map(|first| first.push.at).into_iter().chain(oldest).min();
                if let Some(cursor) = self.tell_overdue(&repository, &mut overdue).await? {
                    told.insert(repository, cursor);
                }
                tokio::task::yield_now().await;
            }
        }
        let mut seen = self.waiting.lock();
        (seen.pushes, seen.oldest, seen.told) = (pushes, oldest, told);
        judged.map(|()| overdue)
    }

    /// Adds what is overdue in a repository and was not told yet; gives up to where all is told.
    async fn tell_overdue(
        &self,
        repository: &RepositoryName,
        overdue: &mut Vec<Overdue>,
    ) -> Result<Option<Cursor>, Error> {
        let limit = self.clock.now().minus(self.limits.pending_evidence);
        let mut cursor = self.waiting.lock().told.get(repository).cloned();
        let from = cursor.as_ref().map(|(sequence, tag)| (*sequence, tag));
        for waiting in self.metadata.waiting_pushes(repository, from, TOLD_AT_ONCE).await? {
            if waiting.push.at > limit {
                break;
            }
            let WaitingPush { sequence, tag, push } = waiting;
            cursor = Some((sequence, tag.clone()));
            overdue.push(Overdue { repository: repository.clone(), tag, digest: push.digest, since: push.at });
        }
        Ok(cursor)
    }

    /// Judges the next pushes that wait. What is met is noted, and the push waits no more.
    async fn judge_waiting(&self, current: &Current) -> Result<(), Error> {
        let mut failed = Ok(());
        let mut left = JUDGED_AT_ONCE;
        let mut place = self.waiting.lock().judged.take();
        while left > 0 {
            let Some((repository, cursor)) = &mut place else {
                let Some(first) = self.metadata.repositories_waiting(None, 1).await?.pop() else { break };
                place = Some((first, None));
                continue;
            };
            let is_asked = !current.revision.requirements_for(repository).is_empty();
            let from = cursor.as_ref().map(|(sequence, tag)| (*sequence, tag));
            let most = if is_asked { left.min(BATCH) } else { 0 };
            let batch = self.metadata.waiting_pushes(repository, from, most).await?;
            for waiting in &batch {
                failed = failed.and(self.judge_subject(current, repository, &waiting.push.digest).await);
                // Reads never wait: without this, requests would wait for the whole batch.
                tokio::task::yield_now().await;
            }
            left = left.saturating_sub(batch.len().max(1));
            if let Some(last) = batch.last() {
                *cursor = Some((last.sequence, last.tag.clone()));
                continue;
            }
            let Some(next) = self.metadata.repositories_waiting(Some(repository), 1).await?.pop() else {
                // All had their turn.
                place = None;
                break;
            };
            place = Some((next, None));
        }
        self.waiting.lock().judged = place;
        failed
    }
}
