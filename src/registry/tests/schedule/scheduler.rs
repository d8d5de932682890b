//! Which task goes on next: every call of the store and of the metadata waits here, before it and after it, until the
//! seeded choice falls on it.
//!
//! The runtime has one thread, and interrupted work is done in one step, so between two choices exactly one task moves:
//! from its call to its next, or to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

use crate::interruption::{Fault, Interruption};
use crate::seeded::Seeded;

/// More turns of the runtime than an answer takes on its way from the inmost task to the outermost.
const TURNS: usize = 4;

pub(super) struct Scheduler(Mutex<State>);

struct State {
    random: Seeded,
    waiting: Vec<Waiting>,
    arrivals: usize,
    /// The task that moves now: what arrives is its.
    moving: usize,
    trace: Vec<String>,
}

struct Waiting {
    task: usize,
    place: String,
    go_on: oneshot::Sender<()>,
}

impl Scheduler {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let random = Seeded::new(seed);
        let state = State { random, waiting: Vec::new(), arrivals: 0, moving: 0, trace: Vec::new() };
        Arc::new(Self(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened so far, a line for each choice.
    pub(super) fn trace(&self) -> String {
        self.lock().trace.join("\n")
    }

    /// Runs `tasks` to their ends; after each choice, `check` is told how many there were. Now and then the client of one
    /// of those that `may_leave` goes away.
    pub(super) async fn run(&self, tasks: Vec<Task>, mut check: impl FnMut(usize)) {
        let mut handles = Vec::new();
        for (number, task) in tasks.into_iter().enumerate() {
            self.lock().moving = number;
            self.lock().trace.push(format!("{number} is {}", task.what));
            handles.push((tokio::spawn(task.work), task.may_leave));
            self.settle().await;
        }
        let mut steps = 0;
        while self.go_on(&handles) {
            self.settle().await;
            steps += 1;
            check(steps);
        }
        for (handle, _) in handles {
            match handle.await {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Lets one of those that wait go on. False if none waits.
    fn go_on(&self, handles: &[(JoinHandle<()>, bool)]) -> bool {
        let mut state = self.lock();
        let waiting = state.waiting.len();
        if waiting == 0 {
            return false;
        }
        let chosen = state.random.below(waiting);
        let Waiting { task, place, go_on } = state.waiting.remove(chosen);
        state.moving = task;
        let (handle, may_leave) = &handles[task];
        if *may_leave && !handle.is_finished() && state.random.once_in(200) {
            state.trace.push(format!("{task} leaves"));
            handle.abort();
        }
        state.trace.push(format!("{task} {place}"));
        drop(state);
        // Whoever was told to leave waits no more.
        go_on.send(()).ok();
        true
    }

    /// Waits until whoever moves waits again, or is done.
    async fn settle(&self) {
        loop {
            let before = self.lock().arrivals;
            for _ in 0..TURNS {
                yield_now().await;
            }
            if self.lock().arrivals == before {
                return;
            }
        }
    }

    async fn arrive(&self, place: String) {
        let (go_on, gone_on) = oneshot::channel();
        {
            let mut state = self.lock();
            state.arrivals += 1;
            let task = state.moving;
            state.waiting.push(Waiting { task, place, go_on });
        }
        gone_on.await.ok();
    }
}

#[async_trait]
impl Interruption for Scheduler {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        self.arrive(format!("begins {call}")).await;
        None
    }

    async fn after(&self, call: &'static str) {
        self.arrive(format!("ends {call}")).await;
    }
}

/// Work that one client does, call after call.
pub(super) struct Task {
    pub(super) what: String,
    pub(super) may_leave: bool,
    pub(super) work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}
