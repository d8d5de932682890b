//! A verification: `hallmark verify`, the gate's question about a manifest of any registry, or of a layout on disk.
//!
//! # The line
//!
//! ```text
//! Config::load → files::read → Requirements::with_trust → Source → Gather::about → Requirement::explain
//! ```
//!
//! - The policy has no say: who may do what is a question about one registry. Trust and `requirements.toml` alone judge,
//!   and mistakes in either are all told. notation's scopes begin with the reference's registry; if a configuration is
//!   read and the reference names *its* registry, with all of its names.
//! - The reference is resolved once. From there on everything is asked for by digest, and hashed here.
//! - Evidence is the union of all shapes: what the referrers API lists, or the list under `sha256-<hex>` where there is
//!   none, and the manifests under `.sig` and `.att`. What a list says of its entries is a claim: each is classified
//!   from its own bytes, by [`candidate`] and [`check_evidence`], as it would be at a push. What would be refused there
//!   is told as a finding that counts for nothing.
//! - The bounds are those of the gate: `evidence_considered`, `evidence_blob_bytes`, `reach_depth`, `reach_objects`,
//!   `manifest_bytes`. What is listed is read one by one, and all of it may take a quarter of an hour.
//! - Here the gate says more: evidence and data it serves to whoever may have what they are about. A reference to such a
//!   manifest asks whether it is signed *itself*: a script that is attached to a signed image is not.
//!
//! # Indexes
//!
//! An index that meets a requirement admits what it reaches. A layout shows which indexes those are. Over HTTP nobody can
//! ask for them, so `--through` names one: its reach is computed here, from its own bytes. Signed children never admit
//! their index, and the hint says so.
//!
//! # Three answers
//!
//! | exit | when |
//! |---|---|
//! | 0 | met |
//! | 1 | unmet: every question was answered, and the evidence does not suffice |
//! | 2 | could not tell: a question without an answer (a status other than 200 or 404, a time-out, bytes of another digest, more than anyone should read), a reference that does not exist, mistakes in trust or requirements, more evidence than is considered |
//!
//! A question that failed is never taken for "there is none": only 404 is. Of the referrers API, 400, 405 and 406 are
//! also how registries without it answer. Evidence that is listed and absent, or whose layer is not of its size, counts
//! for nothing: whoever may push to a lax registry could otherwise keep everybody from telling.
//!
//! # The client
//!
//! [`Client`] finds out with `GET /v2/` whether there is TLS and what the registry asks for. HTTPS comes first; plain
//! HTTP is tried on loopback alone (or everywhere, with `--danger-plain-http`), and nothing leads from TLS to plain text.
//! Credentials are those of docker's configuration; no entry is anonymous, and a helper that fails is an error, because a
//! client with other credentials sees something else. They go to the registry and to the token endpoint that it names: a
//! redirect to another host goes without, and a challenge from there is not answered.
//!
//! [`candidate`]: crate::verify::candidate
//! [`check_evidence`]: crate::verify::check_evidence
//! [`Client`]: crate::client::Client
