//! Pushes that wait for evidence: how many there are, and which of them wait for too long.
//!
//! The metadata keeps them apart from all others, so that a look costs what waits, not what is stored; and one is taken only
//! when something changed, or when a push begins to wait for too long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::metadata::WaitingIn;
use crate::oci::{Digest, RepositoryName, Tag};

use super::current::Current;
use super::{Error, Registry};

/// How many repositories, and how many pushes, are read at once.
const BATCH: usize = 256;
/// How many overdue pushes are told one by one at one look.
pub(super) const TOLD_AT_ONCE: usize = 1024;
/// The shortest step of a clock.
const MOMENT: Duration = Duration::from_micros(1);

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

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Pushes that have been waiting for too long, and were not told before.
    pub(super) overdue: Vec<Overdue>,
    /// Whether there are more of them than are told.
    pub(super) more: bool,
    /// How long until the next one is, if none waits less by then.
    pub(super) next: Option<Duration>,
}

/// What the last look found.
#[derive(Debug)]
pub(super) struct Waiting(Mutex<Seen>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    pushes: u64,
    oldest: Option<Timestamp>,
    /// All that was pushed before this moment and is overdue was told.
    told: Timestamp,
}

impl Default for Waiting {
    fn default() -> Self {
        Self(Mutex::new(Seen { pushes: 0, oldest: None, told: Timestamp::from_micros(i64::MIN) }))
    }
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
    pub(super) async fn look_at_waiting(&self, current: &Current) -> Result<Look, Error> {
        let now = self.clock.now();
        let before = *self.waiting.lock();
        // Pushes before this moment are overdue.
        let limit = now.minus(self.limits.pending_evidence).plus(MOMENT);
        let mut seen = Seen { pushes: 0, oldest: None, told: limit.max(before.told) };
        let (mut look, mut next) = (Look::default(), None::<Timestamp>);
        let mut after: Option<RepositoryName> = None;
        loop {
            let batch = self.metadata.waiting(after.as_ref(), before.told, BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = Some(last.repository.clone());
            for WaitingIn { repository, pushes, oldest, next: first } in batch {
                if current.revision.requirements_for(&repository).is_empty() {
                    continue;
                }
                seen.pushes = seen.pushes.saturating_add(pushes);
                seen.oldest = seen.oldest.into_iter().chain([oldest]).min();
                let first = match first {
                    Some(first) if first < limit => {
                        self.tell_overdue(&repository, before.told, limit, &mut look).await?
                    }
                    first => first,
                };
                next = next.into_iter().chain(first).min();
            }
            tokio::task::yield_now().await;
        }
        *self.waiting.lock() = seen;
        look.next = next.map(|at| at.plus(self.limits.pending_evidence).since(now));
        Ok(look)
    }

    /// Adds what was pushed to a repository from `told` on and before `limit`; gives when the next one was pushed that
    /// waits there.
    async fn tell_overdue(
        &self,
        repository: &RepositoryName,
        told: Timestamp,
        limit: Timestamp,
        look: &mut Look,
    ) -> Result<Option<Timestamp>, Error> {
        let mut cursor: (Timestamp, Option<Tag>) = (told, None);
        while look.overdue.len() < TOLD_AT_ONCE {
            let batch = self.metadata.waiting_pushes(repository, cursor.0, cursor.1.as_ref(), BATCH).await?;
            let Some(last) = batch.last() else { return Ok(None) };
            cursor = (last.push.at, Some(last.tag.clone()));
            for waiting in batch {
                let since = waiting.push.at;
                if since >= limit {
                    return Ok(Some(since));
                }
                let (tag, digest) = (waiting.tag, waiting.push.digest);
                look.overdue.push(Overdue { repository: repository.clone(), tag, digest, since });
            }
        }
        look.more = true;
        let next = self.metadata.waiting_pushes(repository, limit, None, 1).await?;
        Ok(next.first().map(|next| next.push.at))
    }
}
