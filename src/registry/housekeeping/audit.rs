//! The audit trail: read, and kept from growing without end.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::metadata::{Audited, Trail};
use crate::oci::Digest;

use super::super::Error;
use super::Housekeeping;

/// How many changes go at once where there are more than are kept.
const PRUNED: usize = 10_000;
/// Who did what nobody asked for.
const ITSELF: &str = "hallmark";

/// One entry, as it is told: a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditRecord {
    /// RFC 3339.
    pub time: Timestamp,
    /// What happened: `push`, `sign`, `delete`, `collect`, `quarantine`, `repair`, `pull-refused`, `push-refused`.
    pub event: &'static str,
    /// Its number in its trail.
    pub id: u64,
    /// `user:<name>`, `anonymous`, `operator` for a command on the root, or `hallmark` for what it did by itself.
    pub who: String,
    /// `blob`, `tag`, `object`, `data`, or a shape of evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// None for the bytes of a blob, which all repositories share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The digest; for a tag, what it names, or named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The tag that was set, deleted, or asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What evidence or data is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// One clause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How often it was refused since `time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

impl From<Audited> for AuditRecord {
    fn from(entry: Audited) -> Self {
        Self {
            time: entry.at,
            event: entry.event.as_str(),
            id: entry.id,
            who: entry.who.unwrap_or_else(|| ITSELF.to_owned()),
            what: entry.what,
            repository: entry.repository.map(|name| name.to_string()),
            digest: entry.digest,
            tag: entry.tag.map(|tag| tag.to_string()),
            subject: entry.subject,
            why: entry.why,
            times: entry.times,
        }
    }
}

impl Housekeeping {
    /// Entries of a trail after the number `after`, oldest first, at most as many as a page has.
    pub async fn audit(&self, trail: Trail, after: u64) -> Result<Vec<AuditRecord>, Error> {
        let entries = self.metadata.audit(trail, after, self.limits.page_max).await?;
        Ok(entries.into_iter().map(AuditRecord::from).collect())
    }

    /// Forgets the oldest changes where there are more than are kept.
    pub(in super::super) async fn prune_audit(&self) -> Result<(), Error> {
        while self.metadata.prune_audit(self.limits.audit_entries, PRUNED).await? {}
        Ok(())
    }
}
