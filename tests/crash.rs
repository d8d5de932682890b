//! Killed at random moments, the program keeps what it acknowledged and shows nothing half-made.
//!
//! Workers push, pull, sign, mount and delete, each in names of its own and some in names that all share, while
//! collection runs all the time; the program is killed with SIGKILL under them, sometimes again while it starts. Then
//! everything is compared with what the workers were told: of each worker at most one change is in doubt, and it was
//! made whole or not at all. `HALLMARK_CRASH_SEED` repeats a run as far as scheduling lets it, and
//! `HALLMARK_CRASH_KILLS` says how many kills it takes.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![expect(clippy::print_stderr, reason = "a run says its seed and its times")]

#[path = "crash/contended.rs"]
mod contended;
#[path = "crash/content.rs"]
mod content;
#[path = "crash/facts.rs"]
mod facts;
#[path = "crash/half_written.rs"]
mod half_written;
#[path = "crash/house.rs"]
mod house;
#[path = "crash/http.rs"]
mod http;
#[path = "crash/layouts.rs"]
mod layouts;
#[path = "crash/random.rs"]
mod random;
#[path = "crash/server.rs"]
mod server;
#[path = "crash/settle.rs"]
mod settle;
#[path = "crash/torn.rs"]
mod torn;
#[path = "crash/uploads.rs"]
mod uploads;
#[path = "crash/worker.rs"]
mod worker;
#[path = "crash/world.rs"]
mod world;

use house::House;

/// How many kills a run takes that has other things to do.
const FEW: u64 = 10;
/// How many it takes where it is meant to find something.
const MANY: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn seed() -> u64 {
    number("HALLMARK_CRASH_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0)
}

#[test]
fn what_was_acknowledged_outlives_a_few_kills() {
    House::new(seed()).survives(number("HALLMARK_CRASH_KILLS").unwrap_or(FEW));
}

#[test]
#[ignore = "takes minutes: ./test runs it"]
fn what_was_acknowledged_outlives_many_kills() {
    House::new(seed()).survives(number("HALLMARK_CRASH_KILLS").unwrap_or(MANY));
}

#[test]
fn what_was_synced_outlives_writes_that_were_torn() {
    torn::survives(seed(), number("HALLMARK_CRASH_KILLS").unwrap_or(FEW).min(20));
}
