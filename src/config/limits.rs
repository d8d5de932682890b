//! The numbers that bound what clients may ask, each with its unit.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;

/// How fast the scrub is unless the configuration says otherwise.
const SCRUB_BYTES_PER_SECOND: u64 = 8 << 20;
/// How deep anything is followed, whatever is configured: so far, the metadata lists the tags of data about data.
const REACH_DEPTH_AT_MOST: usize = 64;
/// How long it rests.
const SCRUB_REST: Duration = Duration::from_hours(24);

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
    /// How long the body of a request, or of an answer, may stand still.
    pub body_idle: Duration,
    /// The most connections that are open at once.
    pub connections: usize,
    /// How long an upload session lives without being written to.
    pub upload_expiry: Duration,
    /// How long a blob stays without a manifest that holds it.
    pub blob_lease: Duration,
    /// How long blobs stay after the last manifest that held them was deleted.
    pub deleted_grace: Duration,
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
    /// How many indexes deep an index admits what it reaches; 64 at the most.
    pub reach_depth: usize,
    /// How many objects an index admits at the most.
    pub reach_objects: usize,
    /// How many bytes are set aside for what must not fail on a full disk.
    pub reserve_bytes: u64,
    /// How many bytes are left free by pushes of objects.
    pub floor_bytes: u64,
    /// How many changes the audit trail keeps.
    pub audit_entries: u64,
    /// How many bytes a second are hashed again in the background; 0 is none.
    pub scrub_bytes_per_second: u64,
    /// How long the scrub rests between two passes.
    pub scrub_rest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        LimitKeys::default().checked()
    }
}

macro_rules! keys {
    ($($(#[doc = $doc:literal])* $key:ident,)*) => {
        /// `[limits]` as written, in the file or as flags: whole numbers above zero.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
        #[serde(deny_unknown_fields)]
        pub struct LimitKeys {
            $(
                $(#[doc = $doc])*
                #[arg(long, value_name = "N")]
                pub $key: Option<NonZeroU64>,
            )*
        }

        impl LimitKeys {
            /// These, and where they say nothing, what `other` says.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($key: self.$key.or(other.$key),)* }
            }
        }
    };
}

keys! {
    /// The largest manifest, in bytes (4194304)
    manifest_bytes,
    /// The most descriptors that one manifest may name (10000)
    manifest_links,
    /// The largest blob, in bytes (without limit)
    blob_bytes,
    /// The largest header section of a request, in bytes (32768)
    header_bytes,
    /// The most header fields of a request (100)
    headers,
    /// How long the header section may take, in seconds (10)
    header_seconds,
    /// How long the body of a request, or of an answer, may stand still, in seconds (60)
    body_idle_seconds,
    /// The most connections that are open at once (10000)
    connections,
    /// How long an upload session lives without being written to, in seconds (86400)
    upload_expiry_seconds,
    /// How long a blob stays without a manifest that holds it, in seconds (86400)
    blob_lease_seconds,
    /// How long blobs stay after the last manifest that held them was deleted, in seconds (3600)
    deleted_grace_seconds,
    /// The largest blob of a piece of evidence, in bytes (1048576)
    evidence_blob_bytes,
    /// The largest upload under `sign` alone, in bytes (4194304)
    sign_blob_bytes,
    /// The most upload sessions that one person keeps open under `sign` alone (16)
    sign_uploads,
    /// The most blobs that no manifest holds, of one person in one repository, under `sign` alone (256)
    sign_unheld_blobs,
    /// The most pieces of evidence and data of one person about one subject (100)
    evidence_per_pusher,
    /// The most pieces of evidence that are considered for one subject (256)
    evidence_considered,
    /// How long evidence waits for its subject, in seconds (604800)
    orphan_evidence_seconds,
    /// After how long a push that waits for evidence is reported, in seconds (600)
    pending_evidence_seconds,
    /// The most entries of one page of a list (1000)
    page_max,
    /// How many indexes deep an index admits what it reaches, 64 at the most (8)
    reach_depth,
    /// How many objects an index admits at the most (1000)
    reach_objects,
    /// Bytes set aside for deletion, collection, signing and records on a full disk (67108864)
    reserve_bytes,
    /// Bytes that pushes of objects leave free (67108864)
    floor_bytes,
    /// Changes that the audit trail keeps (1000000)
    audit_entries,
}

/// `[scrub]` as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ScrubKeys {
    /// Bytes that are hashed again each second; 0 turns it off.
    pub bytes_per_second: Option<u64>,
    /// How long it rests between two passes, in seconds.
    pub rest_seconds: Option<NonZeroU64>,
}

impl ScrubKeys {
    /// Writes what is said here into `limits`.
    pub(super) fn apply(self, limits: &mut Limits) {
        if let Some(rate) = self.bytes_per_second {
            limits.scrub_bytes_per_second = rate;
        }
        if let Some(rest) = self.rest_seconds {
            limits.scrub_rest = Duration::from_secs(rest.get());
        }
    }
}

impl LimitKeys {
    /// With a number for every key.
    pub(super) fn checked(&self) -> Limits {
        const DAY: u64 = 24 * 60 * 60;
        let number = |key: Option<NonZeroU64>, default: u64| key.map_or(default, NonZeroU64::get);
        let count = |key, default| usize::try_from(number(key, default)).unwrap_or(usize::MAX);
        let seconds = |key, default| Duration::from_secs(number(key, default));
        Limits {
            manifest_bytes: count(self.manifest_bytes, 4 << 20),
            manifest_links: count(self.manifest_links, 10_000),
            blob_bytes: self.blob_bytes.map(NonZeroU64::get),
            header_bytes: count(self.header_bytes, 32 << 10),
            headers: count(self.headers, 100),
            header_timeout: seconds(self.header_seconds, 10),
            body_idle: seconds(self.body_idle_seconds, 60),
            connections: count(self.connections, 10_000),
            upload_expiry: seconds(self.upload_expiry_seconds, DAY),
            blob_lease: seconds(self.blob_lease_seconds, DAY),
            deleted_grace: seconds(self.deleted_grace_seconds, 60 * 60),
            evidence_blob_bytes: number(self.evidence_blob_bytes, 1 << 20),
            sign_blob_bytes: number(self.sign_blob_bytes, 4 << 20),
            sign_uploads: number(self.sign_uploads, 16),
            sign_unheld_blobs: number(self.sign_unheld_blobs, 256),
            evidence_per_pusher: number(self.evidence_per_pusher, 100),
            evidence_considered: count(self.evidence_considered, 256),
            orphan_evidence: seconds(self.orphan_evidence_seconds, 7 * DAY),
            pending_evidence: seconds(self.pending_evidence_seconds, 600),
            page_max: count(self.page_max, 1000),
            reach_depth: count(self.reach_depth, 8).min(REACH_DEPTH_AT_MOST),
            reach_objects: count(self.reach_objects, 1000),
            reserve_bytes: number(self.reserve_bytes, 64 << 20),
            floor_bytes: number(self.floor_bytes, 64 << 20),
            audit_entries: number(self.audit_entries, 1_000_000),
            scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND,
            scrub_rest: SCRUB_REST,
        }
    }
}
