//! The numbers that bound what clients may ask, each with its unit.

use std::time::Duration;

/// Every bound that the configuration can move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest manifest, in bytes.
    pub manifest_bytes: usize,
    /// The most descriptors that one manifest may name.
    pub manifest_links: usize,
    /// The largest blob, in bytes; none is without limit.
    pub blob_bytes: Option<u64>,
    /// The largest header section of a request, in bytes.
    pub header_bytes: usize,
    /// The most header fields of a request.
    pub headers: usize,
    /// How long the header section may take.
    pub header_timeout: Duration,
    /// How long a request body may stand still.
    pub body_idle: Duration,
    /// The most connections that are open at once.
    pub connections: usize,
    /// How long an upload session lives without being written to.
    pub upload_expiry: Duration,
    /// How long a blob stays without a manifest that holds it.
    pub blob_lease: Duration,
    /// The largest blob of a piece of evidence, in bytes.
    pub evidence_blob_bytes: u64,
    /// The largest upload under `sign` alone, in bytes.
    pub sign_blob_bytes: u64,
    /// The most upload sessions that one person keeps open under `sign` alone.
    pub sign_uploads: u64,
    /// The most blobs that no manifest holds, of one person in one repository, under `sign` alone.
    pub sign_unheld_blobs: u64,
    /// The most pieces of evidence and data of one person about one subject.
    pub evidence_per_pusher: u64,
    /// The most pieces of evidence that are considered for one subject.
    pub evidence_considered: usize,
    /// How long evidence waits for its subject.
    pub orphan_evidence: Duration,
    /// After how long a push that waits for evidence is reported.
    pub pending_evidence: Duration,
    /// The most entries of one page of a list.
    pub page_max: usize,
    /// How many indexes deep an index admits what it reaches.
    pub reach_depth: usize,
    /// How many objects an index admits at the most.
    pub reach_objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            manifest_bytes: 4 << 20,
            manifest_links: 10_000,
            blob_bytes: None,
            header_bytes: 32 << 10,
            headers: 100,
            header_timeout: Duration::from_secs(10),
            body_idle: Duration::from_secs(60),
            connections: 10_000,
            upload_expiry: Duration::from_secs(DAY),
            blob_lease: Duration::from_secs(DAY),
            evidence_blob_bytes: 1 << 20,
            sign_blob_bytes: 4 << 20,
            sign_uploads: 16,
            sign_unheld_blobs: 256,
            evidence_per_pusher: 100,
            evidence_considered: 256,
            orphan_evidence: Duration::from_secs(7 * DAY),
            pending_evidence: Duration::from_secs(600),
            page_max: 1000,
            reach_depth: 8,
            reach_objects: 1000,
        }
    }
}
