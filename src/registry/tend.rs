//! What goes on in the background: views, the queue of what is to be judged, waiting pushes, sweeps.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep, timeout};

use super::{Error, Registry};

/// How long changes gather before a layout is rewritten.
const COALESCE: Duration = Duration::from_millis(100);
/// The next rewrite waits this many times as long as the last one took.
const REST: u32 = 20;
const REST_AT_MOST: Duration = Duration::from_mins(1);
const JUDGE_EVERY: Duration = Duration::from_secs(1);
const LOOK_AT_TAGS_EVERY: Duration = Duration::from_secs(15);
const SWEEP_EVERY: Duration = Duration::from_secs(30);
const FLUSH_AT_MOST: Duration = Duration::from_secs(20);

impl Registry {
    /// Tends the registry until `stop` is done, then brings the layouts up to date. `report` is told of each failure.
    pub async fn tend(
        self: Arc<Self>,
        stop: impl Future<Output = ()> + Send,
        report: impl Fn(&'static str, &Error) + Send + Sync,
    ) {
        let forever = async {
            tokio::join!(self.tend_views(&report), self.tend_judgements(&report), self.tend_garbage(&report));
        };
        tokio::select! {
            () = stop => {}
            () = forever => {}
        }
        match timeout(FLUSH_AT_MOST, self.flush_views()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report("flush views", &error),
            Err(_) => report("flush views", &Error::Unavailable("it took too long".to_owned())),
        }
    }

    async fn tend_views(&self, report: &(impl Fn(&'static str, &Error) + Sync)) {
        loop {
            let began = Instant::now();
            if let Err(error) = self.flush_views().await {
                report("flush views", &error);
            }
            sleep(began.elapsed().saturating_mul(REST).min(REST_AT_MOST)).await;
            self.changed.notified().await;
            sleep(COALESCE).await;
        }
    }

    async fn tend_judgements(&self, report: &(impl Fn(&'static str, &Error) + Sync)) {
        let mut judge = interval(JUDGE_EVERY);
        let mut look = interval(LOOK_AT_TAGS_EVERY);
        loop {
            tokio::select! {
                _ = judge.tick() => {
                    if let Err(error) = self.judge_queue().await {
                        report("judge what came", &error);
                    }
                }
                _ = look.tick() => {
                    if let Err(error) = self.judge_tags(&self.current()).await {
                        report("look at waiting pushes", &error);
                    }
                }
            }
        }
    }

    async fn tend_garbage(&self, report: &(impl Fn(&'static str, &Error) + Sync)) {
        let mut ticks = interval(SWEEP_EVERY.min(self.limits.upload_expiry));
        loop {
            ticks.tick().await;
            if let Err(error) = self.sweep().await {
                report("sweep", &error);
            }
        }
    }

    /// Writes back what is buffered, at the end.
    pub async fn close(&self) -> Result<(), Error> {
        Ok(self.metadata.close().await?)
    }
}
