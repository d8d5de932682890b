//! The revision in force, and what of the one before it still stands.

use std::collections::BTreeMap;
use std::sync::Arc;

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
}

impl Current {
    pub(super) fn first(revision: Revision) -> Self {
        let requirements = revision.requirements().iter().map(|one| (one.name().clone(), 1)).collect();
        Self { serial: 1, revision: Arc::new(revision), requirements, trust: 1 }
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
        Self { serial, revision: Arc::new(revision), requirements, trust }
    }

    /// The serial under which verdicts of a requirement stand.
    pub(super) fn of(&self, requirement: &RequirementName) -> u64 {
        self.requirements.get(requirement).copied().unwrap_or(self.serial)
    }
}
