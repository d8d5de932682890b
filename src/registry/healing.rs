//! Whether a push would heal what is quarantined.

use crate::authz::Pull;
use crate::oci::Digest;

use super::{Allowed, Error, Registry};

impl Registry {
    /// Whether the manifest `digest`, or one below it, holds what is quarantined, and the caller may push it again, which
    /// heals it. A client that is told that the manifest is here would send nothing of it.
    pub async fn awaits_push(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<bool, Error> {
        if self.housekeeping.nothing_is_quarantined().await? || allowed.access().push().is_none() {
            return Ok(false);
        }
        let (depth, limit) = (self.limits.reach_depth, self.limits.reach_objects);
        Ok(self.metadata.holds_quarantined(allowed.repository(), digest, depth, limit).await?)
    }
}
