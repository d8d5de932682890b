//! One load: the same kind of request, one after the other.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Connection, Request};
use crate::processor::Sample;

/// How long the server may still work on what it has answered.
const AFTERWARDS: Duration = Duration::from_millis(50);

/// What one request of a load costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Processor time of the server.
    pub(crate) processor: Duration,
    /// From the request to the whole answer: the median, and of a hundred the slowest.
    pub(crate) median: Duration,
    pub(crate) slow: Duration,
}

/// Sends each request in turn, and expects this status of each.
pub(crate) async fn run(pid: u32, connection: &mut Connection, requests: &[Request], status: u16) -> Outcome<Cost> {
    let mut timed = Timed::begin(pid)?;
    for request in requests {
        let start = Instant::now();
        connection.exchange(request, &[]).await?.expect(status)?;
        timed.note(start);
    }
    timed.end().await
}

/// A load that is measured while it runs.
#[derive(Debug)]
pub(crate) struct Timed {
    pid: u32,
    before: Sample,
    took: Vec<Duration>,
}

impl Timed {
    pub(crate) fn begin(pid: u32) -> Outcome<Self> {
        Ok(Self { pid, before: Sample::take(pid)?, took: Vec::new() })
    }

    /// Notes a request that began at `start` and is answered.
    pub(crate) fn note(&mut self, start: Instant) {
        self.took.push(start.elapsed());
    }

    pub(crate) async fn end(mut self) -> Outcome<Cost> {
        tokio::time::sleep(AFTERWARDS).await;
        let used = Sample::take(self.pid)?.since(&self.before);
        self.took.sort_unstable();
        let at = |index: usize| self.took.get(index).copied().ok_or("expected requests, found none");
        let last = self.took.len().saturating_sub(1);
        Ok(Cost {
            processor: used / u32::try_from(self.took.len())?,
            median: at(last / 2)?,
            slow: at(last * 99 / 100)?,
        })
    }
}
