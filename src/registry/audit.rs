//! The audit trail: read by those who administer, and what of it is not a change, noted.
//!
//! Changes are in it from the transaction that makes them. A refusal changes nothing, and nobody waits for it to be
//! noted: refusals gather here, the same ones as one, and are written in the background.

use std::collections::HashMap;
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
    /// How many are not told for it: there may be too many others. Where there are, whoever has the most gives way to
    /// those who have fewer.
    fn add(&self, refused: Refused, at: Timestamp) -> u64 {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut untold = 0;
        if gathered.len() >= GATHERED && !gathered.contains_key(&refused) {
            let Some(one_of_many) = most_of(&gathered, &refused.who) else { return 1 };
            untold = gathered.remove(&one_of_many).map_or(0, |(_, times)| times);
        }
        let (_, times) = gathered.entry(refused).or_insert((at, 0));
        *times = times.saturating_add(1);
        untold
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

/// The newest refusal of whoever has the most, if that is more than `who` would have with one more.
fn most_of(gathered: &HashMap<Refused, (Timestamp, u64)>, who: &Who) -> Option<Refused> {
    let mut shares = HashMap::<&Who, usize>::new();
    for refused in gathered.keys() {
        let share = shares.entry(&refused.who).or_default();
        *share = share.saturating_add(1);
    }
    let own = shares.get(who).copied().unwrap_or_default().saturating_add(1);
    let (most, _) = shares.into_iter().filter(|(_, share)| *share > own).max_by_key(|(_, share)| *share)?;
    let of_most = gathered.iter().filter(|(refused, _)| refused.who == *most);
    of_most.max_by_key(|(_, (at, _))| *at).map(|(refused, _)| refused.clone())
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
        self.counters.count_untold_refusals(self.refusals.add(refused, self.clock.now()));
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
        refused_to(Who::Anonymous, number)
    }

    fn refused_to(who: Who, number: usize) -> Refused {
        Refused {
            event: Event::PullRefused,
            who,
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
            assert_eq!(refusals.add(refused(0), Timestamp::from_micros(at)), 0);
        }
        assert_eq!(refusals.add(refused(1), Timestamp::from_micros(0)), 0);
        let taken: Vec<_> = refusals.take().into_iter().map(|it| (it.at.micros(), it.why, it.times)).collect();
        assert_eq!(taken, [(0, "1".to_owned(), 1), (3, "0".to_owned(), 3)]);
        assert!(refusals.take().is_empty());
    }

    #[test]
    fn refusals_that_nobody_takes_do_not_pile_up() {
        let refusals = Refusals::default();
        let at = Timestamp::from_micros(0);
        assert!((0..GATHERED).all(|number| refusals.add(refused(number), at) == 0));
        assert_eq!((refusals.add(refused(GATHERED), at), refusals.add(refused(0), at)), (1, 0));
        assert_eq!(refusals.take().len(), GATHERED);
    }

    #[test]
    fn whoever_has_the_most_gives_way_to_others() {
        let refusals = Refusals::default();
        let at = |number: usize| Timestamp::from_micros(i64::try_from(number).unwrap());
        for number in 0..GATHERED {
            refusals.add(refused(number), at(number));
            refusals.add(refused(number), at(number));
        }
        let others = ["one", "two"].map(|name| Who::user(name).unwrap());
        for number in 0..GATHERED {
            for other in &others {
                let untold = refusals.add(refused_to(other.clone(), number), at(GATHERED));
                assert!(untold > 0, "{number}");
            }
        }
        let taken = refusals.take();
        let count = |who: &Who| taken.iter().filter(|refusal| refusal.who == *who).count();
        assert_eq!([count(&Who::Anonymous), count(&others[0]), count(&others[1])], [86, 85, 85]);
        // The first ones stay.
        assert!((0..50).all(|number| taken.iter().any(|it| it.who == Who::Anonymous && it.why == number.to_string())));
    }
}
