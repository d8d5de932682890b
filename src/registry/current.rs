//! The revision in force, and what of the one before it still stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::gate::RequirementName;

use super::Revision;

/// A revision in force. Serials are never used twice within a process.
#[derive(Debug)]
pub(crate) struct Current {
    /// Of the revision: answers carry it.
    pub(super) serial: u64,
    pub(super) revision: Arc<Revision>,
    /// Of each requirement: verdicts carry it, and survive a revision that touches neither the requirement nor its signers.
    requirements: BTreeMap<RequirementName, u64>,
    /// Of trust: findings carry it.
    pub(super) trust: u64,
    judged: AtomicBool,
}

impl Current {
    /// The first one in this process; `judged` says whether an earlier one judged all that it touches.
    pub(super) fn first(revision: Revision, judged: bool) -> Self {
        let requirements = revision.requirements().iter().map(|one| (one.name().clone(), 1)).collect();
        Self { serial: 1, revision: Arc::new(revision), requirements, trust: 1, judged: AtomicBool::new(judged) }
    }

    /// What is in force after `self`-to-be was loaded while `before` was.
    pub(super) fn after(before: &Self, revision: Revision) -> Self {
        let serial = before.serial.saturating_add(1);
        let touched = revision.touched_since(&before.revision);
        let of = |name: &RequirementName| match before.requirements.get(name) {
            Some(earlier) if !touched.contains(name) => *earlier,
            _ => serial,
        };
        let requirements = revision.requirements().iter().map(|one| (one.name().clone(), of(one.name()))).collect();
        let same_trust = revision.trust() == before.revision.trust();
        let trust = if same_trust { before.trust } else { serial };
        Self { serial, revision: Arc::new(revision), requirements, trust, judged: AtomicBool::new(false) }
    }

    /// Notes that all that it touches was judged under it.
    pub(super) fn note_judged(&self) {
        self.judged.store(true, Ordering::Release);
    }

    /// Whether that was noted: what evidence lets meet a requirement under it is known to have met it, but for what is
    /// still to be judged.
    pub(super) fn is_judged(&self) -> bool {
        self.judged.load(Ordering::Acquire)
    }

    /// The serial under which verdicts of a requirement stand.
    pub(super) fn of(&self, requirement: &RequirementName) -> u64 {
        self.requirements.get(requirement).copied().unwrap_or(self.serial)
    }
}
