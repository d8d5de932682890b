//! A pass: contents, then manifests, then what has no name. Where it stands is kept, so that a restart goes on.

use std::num::NonZeroU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::metadata::{Content, ScrubPass};

use super::super::Error;
use super::content::{Checked, Unchecked};
use super::pace::Pace;
use super::{Housekeeping, count};

/// Contents and manifests of one page.
const CONTENTS: usize = 256;
const MANIFESTS: usize = 64;
/// After so many bytes at the latest the place is noted.
const NOTE_AFTER: u64 = 64 << 20;
/// After so many contents in a row that the medium refuses it is not these contents that are lost.
const REFUSED_IN_A_ROW: usize = 8;
/// How long an object may lie there without a name: longer than any commit takes.
const UNNAMED_FOR: Duration = Duration::from_hours(24);
/// The rate of a pass that was asked for where none is configured.
const ASKED_RATE: u64 = 8 << 20;

/// Says at its end that no pass is under way.
struct Running<'h>(&'h Housekeeping);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

impl Housekeeping {
    /// How long until the next pass is due; nothing if none comes by itself. One that was begun is due at once.
    pub(in super::super) async fn scrub_due(&self) -> Result<Option<Duration>, Error> {
        if self.limits.scrub_bytes_per_second == 0 {
            return Ok(None);
        }
        let ended = self.metadata.scrub_pass().await?.and_then(|pass| pass.ended);
        let Some(ended) = ended else { return Ok(Some(Duration::ZERO)) };
        Ok(Some(ended.plus(self.limits.scrub_rest).since(self.clock.now())))
    }

    /// Waits until someone asks for a pass.
    pub(in super::super) async fn scrub_asked(&self) {
        self.asked.notified().await;
    }

    /// Asks for a pass; one that is under way will do.
    pub(in super::super) fn ask_scrub(&self) {
        if !self.running.load(Ordering::Acquire) {
            self.asked.notify_one();
        }
    }

    /// Whether a pass is under way in this process.
    pub(super) fn is_scrubbing(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Goes through everything at the bounded rate.
    pub(in super::super) async fn scrub(&self) -> Result<(), Error> {
        let configured = NonZeroU64::new(self.limits.scrub_bytes_per_second);
        self.run_pass(configured.or(NonZeroU64::new(ASKED_RATE))).await
    }

    /// Goes through everything as fast as the medium allows.
    pub async fn scrub_at_once(&self) -> Result<(), Error> {
        self.run_pass(None).await
    }

    async fn run_pass(&self, rate: Option<NonZeroU64>) -> Result<(), Error> {
        // What is quarantined is moved and given back by a pass alone: by one, never by two at once.
        let _turn = self.passing.lock().await;
        self.running.store(true, Ordering::Release);
        let _running = Running(self);
        let under_way = self.metadata.scrub_pass().await?.filter(|pass| pass.ended.is_none());
        let mut pass = under_way.unwrap_or_else(|| ScrubPass::begin(self.clock.now()));
        let mut pace = Pace::new(rate);
        self.scrub_contents(&mut pass, &mut pace).await?;
        self.scrub_manifests(&mut pass, &mut pace).await?;
        self.check_indexes(&mut pace).await?;
        self.collect_unnamed(&mut pass).await?;
        pass.ended = Some(self.clock.now());
        Ok(self.metadata.note_scrub_pass(pass).await?)
    }

    async fn scrub_contents(&self, pass: &mut ScrubPass, pace: &mut Pace) -> Result<(), Error> {
        let mut refused = Vec::new();
        loop {
            let contents = self.metadata.contents(pass.content.as_ref(), CONTENTS).await?;
            if contents.is_empty() {
                return self.lose_refused(&mut refused, pass, pace).await;
            }
            let mut since = 0_u64;
            for content in contents {
                let before = (self.counters.quarantined(), self.counters.repaired());
                let (digest, size) = (content.digest, content.size);
                match self.check_content(&content, pace).await {
                    Ok(Checked::Refused(why)) => refused.push((content, why)),
                    done => {
                        self.note_check(pass, &content, done.map(drop), before)?;
                        self.lose_refused(&mut refused, pass, pace).await?;
                    }
                }
                pass.content = Some(digest);
                if refused.len() >= REFUSED_IN_A_ROW {
                    return self.break_off(refused, pass).await;
                }
                since = since.saturating_add(size);
                if since >= NOTE_AFTER {
                    self.metadata.note_scrub_pass(pass.clone()).await?;
                    since = 0;
                }
            }
            self.metadata.note_scrub_pass(pass.clone()).await?;
        }
    }

    /// Quarantines what the medium refused while it gave others.
    async fn lose_refused(
        &self,
        refused: &mut Vec<(Content, String)>,
        pass: &mut ScrubPass,
        pace: &mut Pace,
    ) -> Result<(), Error> {
        for (content, why) in refused.drain(..) {
            let before = (self.counters.quarantined(), self.counters.repaired());
            let lost = self.lose_content(&content, &why, pace).await;
            self.note_check(pass, &content, lost, before)?;
        }
        Ok(())
    }

    /// Ends this attempt, for the medium is at fault: nothing that it refused is quarantined. The next goes on behind it,
    /// so that a part of the medium that is lost does not keep the pass from the rest.
    async fn break_off(&self, refused: Vec<(Content, String)>, pass: &mut ScrubPass) -> Result<(), Error> {
        let count = refused.len();
        let mut last = String::new();
        for (content, why) in refused {
            pass.unchecked = pass.unchecked.saturating_add(1);
            self.note_unchecked(&content.digest, why.clone());
            last = why;
        }
        self.metadata.note_scrub_pass(pass.clone()).await?;
        Err(Error::Unavailable(format!(
            "the medium refused {count} contents in a row, so none of them is taken for lost: {last}"
        )))
    }

    /// Counts a content that was checked, or could not be: the others are none the worse for it, and a pass that ended
    /// here would never come to them.
    fn note_check(
        &self,
        pass: &mut ScrubPass,
        content: &Content,
        checked: Result<(), Unchecked>,
        before: (u64, u64),
    ) -> Result<(), Error> {
        match checked {
            Ok(()) => self.note_checked(pass, content.size, before),
            Err(Unchecked::One(error)) => {
                self.note_unchecked(&content.digest, Error::from(error).to_string());
                pass.unchecked = pass.unchecked.saturating_add(1);
            }
            Err(Unchecked::All(error)) => return Err(error),
        }
        Ok(())
    }

    async fn scrub_manifests(&self, pass: &mut ScrubPass, pace: &mut Pace) -> Result<(), Error> {
        loop {
            let manifests = self.metadata.placed_manifests(pass.manifest, MANIFESTS).await?;
            if manifests.is_empty() {
                return Ok(());
            }
            for manifest in manifests {
                let before = (self.counters.quarantined(), self.counters.repaired());
                if self.check_manifest(&manifest).await?
                    && let Err(error) = self.check_shown(&manifest).await
                {
                    self.note_unchecked(&manifest.digest, error.to_string());
                    pass.unchecked = pass.unchecked.saturating_add(1);
                }
                let size = u64::try_from(manifest.bytes.len()).unwrap_or(u64::MAX);
                count(&self.counters.bytes, size);
                pass.manifest = manifest.place;
                self.note_checked(pass, size, before);
                pace.spend(size).await;
            }
            self.metadata.note_scrub_pass(pass.clone()).await?;
        }
    }

    /// Counts one that was checked. What readers found beside it counts as found in this pass too.
    fn note_checked(&self, pass: &mut ScrubPass, size: u64, before: (u64, u64)) {
        count(&self.counters.objects, 1);
        pass.objects = pass.objects.saturating_add(1);
        pass.bytes = pass.bytes.saturating_add(size);
        let (quarantined, repaired) = before;
        pass.quarantined = pass.quarantined.saturating_add(self.counters.quarantined().saturating_sub(quarantined));
        pass.repaired = pass.repaired.saturating_add(self.counters.repaired().saturating_sub(repaired));
    }

    /// Puts objects in the trash that nothing names: what a power cut left between their name and their commit.
    async fn collect_unnamed(&self, pass: &mut ScrubPass) -> Result<(), Error> {
        let before = self.clock.now().minus(UNNAMED_FOR);
        let mut after = None;
        loop {
            let group = self.store.objects(after.as_ref()).await?;
            let Some(last) = group.last() else { return Ok(()) };
            after = Some(last.key.clone());
            let old: Vec<String> =
                group.into_iter().filter(|object| object.at < before).map(|object| object.key.0).collect();
            if old.is_empty() {
                continue;
            }
            let trashed = self.metadata.trash_unnamed(&old).await?;
            pass.unnamed = pass.unnamed.saturating_add(trashed);
            count(&self.counters.unnamed, trashed);
        }
    }
}
