//! Whether anything is quarantined: known without a look, once it was seen that nothing is.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::Error;
use super::Housekeeping;

/// Remembers that nothing was quarantined, until something is.
#[derive(Debug)]
pub(super) struct Soundness {
    /// How often something was quarantined here, and one more.
    quarantines: AtomicU64,
    /// What that was before nothing was found to be quarantined; 0 while nobody has looked.
    sound_at: AtomicU64,
}

impl Default for Soundness {
    fn default() -> Self {
        Self { quarantines: AtomicU64::new(1), sound_at: AtomicU64::new(0) }
    }
}

impl Soundness {
    /// Something was quarantined, or may have been: call it after the change, before that is told.
    pub(super) fn note_quarantine(&self) {
        self.quarantines.fetch_add(1, Ordering::AcqRel);
    }
}

impl Housekeeping {
    /// Whether nothing is quarantined. Asks the metadata only while something is, or after something was.
    pub(in super::super) async fn nothing_is_quarantined(&self) -> Result<bool, Error> {
        // Read before the look: what is quarantined after it makes another number.
        let now = self.soundness.quarantines.load(Ordering::Acquire);
        if self.soundness.sound_at.load(Ordering::Acquire) == now {
            return Ok(true);
        }
        let nothing = self.metadata.quarantined_count().await? == 0;
        if nothing {
            self.soundness.sound_at.store(now, Ordering::Release);
        }
        Ok(nothing)
    }
}
