//! The files that users own, as read: what checks them never touches a disk.

use std::collections::BTreeMap;

/// Contents by name as the user would write it: `trust/signers.toml`, `policies/policy.csv`, always with `/`.
pub type Files = BTreeMap<String, Vec<u8>>;
