//! A seam for tests: what comes between a caller and each call of the store or of the metadata.
//!
//! With it a test chooses which of many tasks goes on next, and lets each call fail in turn, before or after its effect.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use async_trait::async_trait;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was done.
    Refused,
    /// Nothing was done, for there is no room.
    Full,
    /// Nothing was done, for the medium can't give the bytes back.
    Medium,
    /// It was done, and the caller is not told.
    Unanswered,
}

/// What a test does around each call.
#[async_trait]
pub trait Interruption: Send + Sync + 'static {
    /// Waits before `call` as long as it likes, and says how it fails, if it does.
    async fn before(&self, call: &'static str) -> Option<Fault>;
    /// Waits between the end of `call` and its answer.
    async fn after(&self, call: &'static str);
}

/// The place in which an [`Interruption`] is put; empty, it does nothing.
#[derive(Clone, Default)]
pub struct Interruptions(Arc<Mutex<Option<Arc<dyn Interruption>>>>);

impl fmt::Debug for Interruptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interruptions")
    }
}

impl Interruptions {
    /// Interrupts every call from now on, or none.
    pub fn set(&self, interruption: Option<Arc<dyn Interruption>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = interruption;
    }

    fn current(&self) -> Option<Arc<dyn Interruption>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does `work`, which is `call`, as the interruption wants it. Interrupted work is done in one step, whatever other
    /// threads it waits for: nothing but the interruption decides what happens in which order.
    pub async fn around<T, E: From<Fault>>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(interruption) = self.current() else { return work.await };
        let fault = interruption.before(call).await;
        let done = match fault {
            Some(fault @ (Fault::Refused | Fault::Full | Fault::Medium)) => Err(fault.into()),
            Some(Fault::Unanswered) | None => in_one_step(work),
        };
        interruption.after(call).await;
        match fault {
            Some(fault @ Fault::Unanswered) => Err(fault.into()),
            Some(Fault::Refused | Fault::Full | Fault::Medium) | None => done,
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Keeps the thread until `work` is done.
fn in_one_step<T>(work: impl Future<Output = T>) -> T {
    // Else the task's budget could end within the step, and never be filled again.
    let mut work = pin!(tokio::task::unconstrained(work));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}
