//! Pushes, deletions, mounts, signatures, pulls, sweeps, passes of the scrub and views of layouts, interleaved at every
//! call of the store and of the metadata as a seed says, over the real ones, while files rot or go; then everything that
//! must hold is checked.
//!
//! `HALLMARK_SEEDS` says how many seeds are searched, `HALLMARK_SEED` names the one to search alone.

mod client;
mod defects;
mod harm;
mod record;
mod scheduler;
mod tasks;

use std::os::unix::fs::MetadataExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::harm::Damage;
use self::record::Record;
use self::scheduler::{Scheduler, Task};
use self::tasks::Cast;
use super::House;
use crate::clock::{Clock as _, Timestamp};
use crate::config::Limits;
use crate::interruption::Interruption;
use crate::oci::{Precondition, RepositoryName};

/// Seeds that are searched when nothing else is said.
const SEEDS: u64 = 200;

impl House {
    pub(super) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    fn interrupt(&self, scheduler: Option<&Arc<Scheduler>>) {
        let interruption = || {
            let scheduler = scheduler.map(Arc::clone)?;
            Some::<Arc<dyn Interruption>>(scheduler)
        };
        self.metadata.interruptions().set(interruption());
        self.store.interruptions().set(interruption());
    }
}

/// A house whose clock is ahead of the machine's, so that to the scrub every object is old enough to be collected.
async fn house() -> Arc<House> {
    let limits = Limits { blob_lease: client::LEASE, ..Limits::default() };
    let house = House::in_memory(limits).await;
    let made = std::fs::metadata(house.folder.path()).unwrap().ctime();
    let late = Timestamp::from_micros((made + 30 * 60 * 60) * 1_000_000);
    house.clock.advance(late.since(house.clock_now()));
    Arc::new(house)
}

fn repositories() -> [RepositoryName; 2] {
    ["prod/app".parse().unwrap(), "prod/app/part".parse().unwrap()]
}

/// What was found wrong in one run, with how it came to that.
struct Found {
    seed: u64,
    wrong: Vec<String>,
    trace: String,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HALLMARK_SEED={}\n{}\n\n{}", self.seed, self.trace, self.wrong.join("\n"))
    }
}

/// Runs the tasks that `seed` casts, among them those of `defect`.
async fn run(house: &Arc<House>, seed: u64, defect: Option<defects::Defect>) -> Result<(), Box<Found>> {
    let (record, damage) = (Arc::new(Record::default()), Arc::new(Damage::default()));
    let scheduler = Scheduler::new(seed);
    let tasks = Cast::new(house, &record, &damage, seed).tasks(defect);
    house.interrupt(Some(&scheduler));
    let wrong = play(house, &scheduler, &damage, tasks).await;
    house.interrupt(None);
    let wrong = if wrong.is_empty() { at_rest(house, &record, &damage).await } else { wrong };
    let wrong = if wrong.is_empty() { to_nothing(house).await } else { wrong };
    if wrong.is_empty() { Ok(()) } else { Err(Box::new(Found { seed, wrong, trace: scheduler.trace() })) }
}

/// What is wrong while the tasks run.
async fn play(house: &Arc<House>, scheduler: &Arc<Scheduler>, damage: &Damage, tasks: Vec<Task>) -> Vec<String> {
    let wrong = Mutex::new(Vec::new());
    let check = |step: usize| {
        let mut wrong = wrong.lock().unwrap();
        if wrong.is_empty() && step.is_multiple_of(8) {
            *wrong = house.broken_now(&damage.harmed());
        }
    };
    let played = AssertUnwindSafe(scheduler.run(tasks, check));
    if let Err(panic) = AssertUnwindSafe(caught(played)).await {
        wrong.lock().unwrap().push(panic);
    }
    wrong.into_inner().unwrap()
}

/// What is wrong when nothing is under way.
async fn at_rest(house: &House, record: &Record, damage: &Damage) -> Vec<String> {
    house.registry.judge_queue().await.unwrap();
    let harmed = damage.harmed();
    let mut wrong = Vec::new();
    if harmed.ever.is_empty() {
        house.registry.flush_views().await.unwrap();
        wrong.extend(house.broken().await);
    }
    // What was harmed is noticed now, and what it left unnamed goes.
    house.registry.housekeeping().scrub_at_once().await.unwrap();
    house.registry.sweep().await.unwrap();
    house.registry.flush_views().await.unwrap();
    wrong.extend(house.broken_but(&harmed).await);
    wrong.extend(house.broken_layouts().await);
    wrong.extend(record.contradictions(house).await);
    wrong
}

/// What is left when everything was deleted and every lease has ended.
async fn to_nothing(house: &House) -> Vec<String> {
    house.clock.advance(Duration::from_hours(24 * 8));
    house.registry.sweep().await.unwrap();
    house.registry.flush_views().await.unwrap();
    let mut wrong = house.unnamed();
    let ci = super::who("ci");
    for (repository, digest) in house.metadata.inner().all_manifests().unwrap() {
        let allowed = house.registry.allow_delete(&ci, &repository).unwrap();
        house.registry.delete_manifest(&allowed, &digest, &Precondition::default()).await.unwrap();
    }
    house.clock.advance(Duration::from_hours(2));
    house.registry.sweep().await.unwrap();
    house.registry.flush_views().await.unwrap();
    wrong.extend(house.broken().await);
    wrong.extend(house.broken_layouts().await);
    let totals = house.registry.totals().await.unwrap();
    if (totals.manifests, totals.tags, totals.blobs, totals.uploads) != (0, 0, 0, 0) {
        wrong.push(format!("expected nothing to be left, found {totals:?}"));
    }
    wrong
}

/// The message of a panic in `work`.
async fn caught(work: AssertUnwindSafe<impl Future<Output = ()>>) -> Result<(), String> {
    let mut work = std::pin::pin!(work.0);
    std::future::poll_fn(move |context| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                std::task::Poll::Ready(Err(text.unwrap_or_else(|| "a task panicked".to_owned())))
            }
        }
    })
    .await
}

/// Searches seeds until something is wrong.
async fn search(seeds: std::ops::Range<u64>, defect: Option<defects::Defect>) -> Option<Box<Found>> {
    let house = house().await;
    for seed in seeds {
        if let Err(found) = run(&house, seed, defect).await {
            return Some(found);
        }
    }
    None
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[tokio::test]
async fn no_order_of_calls_loses_or_keeps_what_it_should_not() {
    let one = number("HALLMARK_SEED");
    let seeds = one.map_or(0..number("HALLMARK_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    if let Some(found) = search(seeds, None).await {
        panic!("{found:?}");
    }
}
