//! The audit trail: read by those who administer, and what of it is not a change, noted.
//!
//! Changes are in it from the transaction that makes them. A refusal changes nothing, and nobody waits for it to be
//! noted: refusals gather here, the same ones as one, and are written in the background.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use crate::authz::InRepository;
use crate::clock::Timestamp;
use crate::gate::Who;
use crate::metadata::{Event, Refusal, Trail};
use crate::oci::{Digest, Reference, RepositoryName, Tag};

use super::{Administrator, Allowed, AuditRecord, Error, Registry, Withheld};

/// How many different refusals gather at the most; of more it is counted that they are not told.
const GATHERED: usize = 256;
/// How many refusals are kept.
const KEPT_REFUSALS: u64 = 10_000;
/// The longest reason that is noted, in characters.
const WHY: usize = 1024;

/// Refusals that are the same to whoever reads of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Refused {
    event: Event,
    who: Who,
    repository: RepositoryName,
    digest: Option<Digest>,
    tag: Option<Tag>,
    why: String,
}

/// Refusals that are not noted yet, each with when it happened first and how often.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Refused, (Timestamp, u64)>>);

impl Refusals {
    /// False if there are too many others.
    fn add(&self, refused: Refused, at: Timestamp) -> bool {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = gathered.len() < GATHERED;
        match gathered.entry(refused) {
            Entry::Occupied(mut known) => {
                let (_, times) = known.get_mut();
                *times = times.saturating_add(1);
                true
            }
            Entry::Vacant(new) if room => {
                new.insert((at, 1));
                true
            }
            Entry::Vacant(_) => false,
        }
    }

    /// All of them, the oldest first.
    fn take(&self) -> Vec<Refusal> {
        let gathered = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let noted = |(refused, (at, times)): (Refused, (Timestamp, u64))| {
            let Refused { event, who, repository, digest, tag, why } = refused;
            Refusal { at, event, who, repository, digest, tag, why, times }
        };
        let mut refusals: Vec<Refusal> = gathered.into_iter().map(noted).collect();
        refusals.sort_by_key(|refusal| refusal.at);
        refusals
    }
}

impl Registry {
    /// Entries of a trail after the number `after`, oldest first, at most as many as a page has.
    pub async fn audit(&self, _: &Administrator, trail: Trail, after: u64) -> Result<Vec<AuditRecord>, Error> {
        if trail == Trail::Refusals {
            self.note_refusals().await?;
        }
        self.housekeeping.audit(trail, after).await
    }

    /// Remembers that `asked` was withheld; the error itself goes on its way.
    pub(super) fn count_refusal<A: InRepository>(
        &self,
        event: Event,
        allowed: &Allowed<A>,
        asked: &Reference,
        withheld: &Withheld,
    ) {
        let tag = match asked {
            Reference::Tag(tag) => Some(tag.clone()),
            Reference::Digest(_) => None,
        };
        let judged = withheld.requirements.first().map(|unmet| unmet.digest);
        let refused = Refused {
            event,
            who: allowed.who().clone(),
            repository: allowed.repository().clone(),
            digest: judged,
            tag,
            why: withheld.reason.chars().take(WHY).collect(),
        };
        if !self.refusals.add(refused, self.clock.now()) {
            self.counters.count_untold_refusals(1);
        }
    }

    /// Notes what was refused since the last time. What can't be noted is counted: a full disk is no reason to keep it,
    /// and none to touch the reserve.
    pub(super) async fn note_refusals(&self) -> Result<(), Error> {
        let refusals = self.refusals.take();
        if refusals.is_empty() {
            return Ok(());
        }
        let times = refusals.iter().fold(0, |sum: u64, refusal| sum.saturating_add(refusal.times));
        let noted = self.metadata.note_refusals(refusals, KEPT_REFUSALS).await;
        Ok(noted.inspect_err(|_| self.counters.count_untold_refusals(times))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: usize) -> Refused {
        Refused {
            event: Event::PullRefused,
            who: Who::Anonymous,
            repository: "r".parse().unwrap(),
            digest: None,
            tag: None,
            why: number.to_string(),
        }
    }

    #[test]
    fn the_same_refusal_is_gathered_once_and_counted() {
        let refusals = Refusals::default();
        for at in [3, 1, 2] {
            assert!(refusals.add(refused(0), Timestamp::from_micros(at)));
        }
        assert!(refusals.add(refused(1), Timestamp::from_micros(0)));
        let taken: Vec<_> = refusals.take().into_iter().map(|it| (it.at.micros(), it.why, it.times)).collect();
        assert_eq!(taken, [(0, "1".to_owned(), 1), (3, "0".to_owned(), 3)]);
        assert!(refusals.take().is_empty());
    }

    #[test]
    fn refusals_that_nobody_takes_do_not_pile_up() {
        let refusals = Refusals::default();
        let at = Timestamp::from_micros(0);
        assert!((0..GATHERED).all(|number| refusals.add(refused(number), at)));
        assert!(!refusals.add(refused(GATHERED), at) && refusals.add(refused(0), at));
        assert_eq!(refusals.take().len(), GATHERED);
    }
}
