//! What goes on in the background: views, the queue of what is to be judged, waiting pushes, sweeps, the audit trail.
//!
//! A registry in which nothing happens does next to nothing: each task waits for a change that is its own, or for a moment
//! that the metadata names.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep, timeout};

use super::judge::TRIED_AGAIN;
use super::{Error, News, Overdue, Registry};

/// How long changes gather before a layout is rewritten.
const COALESCE: Duration = Duration::from_millis(100);
/// The next rewrite waits this many times as long as the last one took.
const REST: u32 = 20;
const REST_AT_MOST: Duration = Duration::from_mins(1);
/// How long views that could not be written wait before they are tried again, though nothing changes.
const FLUSH_AGAIN: Duration = Duration::from_secs(5);
/// Changes gather before they are judged: most were judged by those who made them.
const JUDGE_EVERY: Duration = Duration::from_secs(1);
/// What a revision touches is judged in a fifth of the time.
const REST_FROM_JUDGING: Duration = Duration::from_secs(3);
/// A start is not held up by what nobody waits for: first come those who ask.
const QUIET_AT_FIRST: Duration = Duration::from_millis(200);
const FIRST_LOOK_AFTER: Duration = Duration::from_secs(2);
const LOOK_AT_WAITING_EVERY: Duration = Duration::from_secs(15);
/// The longest sleep until a moment of the wall clock, which may be set.
const SLEEP_AT_MOST: Duration = Duration::from_hours(1);
/// How often what nobody wants is collected, unless something is to live shorter.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How long a scrub that failed rests.
const SCRUB_AGAIN: Duration = Duration::from_mins(1);
/// How long refusals gather before they are noted.
const NOTE_REFUSALS_EVERY: Duration = Duration::from_secs(10);
const FLUSH_AT_MOST: Duration = Duration::from_secs(20);

/// What happens in the background and someone should know.
#[derive(Debug)]
pub enum Notice<'a> {
    /// A task failed; it is tried again.
    Failed(&'static str, &'a Error),
    /// A push has been waiting for evidence for too long.
    Waiting(&'a Overdue),
    /// More of them have than were told.
    MoreWaiting,
    /// Something about the storage.
    News(&'a News),
}

impl Registry {
    /// Tends the registry until `stop` is done, then brings the layouts up to date. `report` is told what someone should know.
    pub async fn tend(
        self: Arc<Self>,
        stop: impl Future<Output = ()> + Send,
        report: impl Fn(Notice<'_>) + Send + Sync,
    ) {
        let forever = async {
            sleep(QUIET_AT_FIRST).await;
            tokio::join!(
                self.tend_views(&report),
                self.tend_judgements(&report),
                self.tend_waiting(&report),
                self.tend_garbage(&report),
                self.tend_scrub(&report),
                self.tell_news(&report),
                self.tend_refusals(&report),
            );
        };
        tokio::select! {
            () = stop => {}
            () = forever => {}
        }
        self.note_what_was_refused(&report).await;
        match timeout(FLUSH_AT_MOST, self.flush_views()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report(Notice::Failed("flush views", &error)),
            Err(_) => report(Notice::Failed("flush views", &Error::Unavailable("it took too long".to_owned()))),
        }
    }

    async fn tend_views(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        let mut told: Option<Instant> = None;
        loop {
            let began = Instant::now();
            let flushed = self.flush_views().await;
            sleep(began.elapsed().saturating_mul(REST).min(REST_AT_MOST)).await;
            match flushed {
                Ok(()) => self.changed.views.notified().await,
                Err(error) => {
                    // Tried again with whatever changes, for that is not held up; told no more often than without.
                    if told.is_none_or(|told| told.elapsed() >= FLUSH_AGAIN) {
                        report(Notice::Failed("flush views", &error));
                        told = Some(Instant::now());
                    }
                    tokio::select! {
                        () = self.changed.views.notified() => {}
                        () = sleep(FLUSH_AGAIN) => {}
                    }
                }
            }
            sleep(COALESCE).await;
        }
    }

    async fn tend_judgements(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        loop {
            if let Err(error) = self.judge_unjudged().await {
                report(Notice::Failed("judge under a new revision", &error));
            }
            if let Err(error) = self.judge_queue().await {
                report(Notice::Failed("judge what came", &error));
            }
            // What failed is tried again, whether something comes or not.
            let due = self.judge_due().await.unwrap_or(Some(TRIED_AGAIN));
            let due = if self.is_unjudged() { Some(REST_FROM_JUDGING) } else { due };
            sleep(JUDGE_EVERY).await;
            tokio::select! {
                () = self.changed.judgements.notified() => {}
                () = sleep(due.unwrap_or(SLEEP_AT_MOST).min(SLEEP_AT_MOST)) => {}
            }
        }
    }

    async fn tend_waiting(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        sleep(FIRST_LOOK_AFTER).await;
        loop {
            let began = Instant::now();
            let next = match self.look_at_waiting(&self.current()).await {
                Ok(look) => {
                    look.overdue.iter().for_each(|push| report(Notice::Waiting(push)));
                    if look.more {
                        report(Notice::MoreWaiting);
                    }
                    look.next
                }
                Err(error) => {
                    report(Notice::Failed("look at waiting pushes", &error));
                    Some(LOOK_AT_WAITING_EVERY)
                }
            };
            let next = next.unwrap_or(SLEEP_AT_MOST).min(SLEEP_AT_MOST);
            // Many repositories take long to look at: that is no reason to do nothing else.
            sleep(began.elapsed().saturating_mul(REST).max(LOOK_AT_WAITING_EVERY)).await;
            tokio::select! {
                () = self.changed.waiting.notified() => {}
                () = sleep(next.saturating_sub(began.elapsed())) => {}
            }
        }
    }

    async fn tend_garbage(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        let limits = &self.limits;
        let lives = [limits.upload_expiry, limits.blob_lease, limits.deleted_grace, limits.orphan_evidence];
        let mut ticks = interval(lives.into_iter().fold(SWEEP_EVERY, Duration::min));
        loop {
            ticks.tick().await;
            if let Err(error) = self.sweep().await {
                report(Notice::Failed("sweep", &error));
            }
            if let Err(error) = self.housekeeping.tend_reserve().await {
                report(Notice::Failed("keep the reserve", &error));
            }
            if let Err(error) = self.housekeeping.prune_audit().await {
                report(Notice::Failed("prune the audit trail", &error));
            }
        }
    }

    async fn tend_scrub(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        loop {
            let due = match self.housekeeping.scrub_due().await {
                Ok(due) => due,
                Err(error) => {
                    report(Notice::Failed("scrub", &error));
                    Some(SCRUB_AGAIN)
                }
            };
            tokio::select! {
                () = sleep(due.unwrap_or(Duration::MAX)) => {}
                () = self.housekeeping.scrub_asked() => {}
            }
            if let Err(error) = self.housekeeping.scrub().await {
                report(Notice::Failed("scrub", &error));
                sleep(SCRUB_AGAIN).await;
            }
        }
    }

    async fn tend_refusals(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        loop {
            sleep(NOTE_REFUSALS_EVERY).await;
            self.note_what_was_refused(report).await;
        }
    }

    async fn note_what_was_refused(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        if let Err(error) = self.note_refusals().await {
            report(Notice::Failed("note what was refused", &error));
        }
    }

    async fn tell_news(&self, report: &(impl Fn(Notice<'_>) + Sync)) {
        loop {
            report(Notice::News(&self.housekeeping.news().await));
        }
    }

    /// Writes back what is buffered, at the end.
    pub async fn close(&self) -> Result<(), Error> {
        Ok(self.metadata.close().await?)
    }
}
