//! Floors, fences, seams, and the one line.
//!
//! # The one idea
//!
//! A requirement is a column of the authorisation table. casbin answers *under which requirements* someone may do an
//! action in a repository ([`Authorizer::granted`]); the verification pipeline answers *which requirements a digest
//! meets now* ([`Verdict`]). The gate joins them: one requirement that is granted and met suffices. Admission is a
//! question, not a state: nothing is ever marked as approved, and no job has to run when a key is revoked.
//!
//! # Floors
//!
//! A module imports only from floors below its own; on floor 0, also from its neighbours, and on floor 5, where all is
//! wired, from everywhere. `tests/floors.rs` holds this table against the code.
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 0 | [`gate`] | the words of the gate: who, action, requirement and signer names, finding, verdict |
//! | 0 | [`oci`] | the nouns of the specifications, parsed at the door; no IO |
//! | 0 | [`clock`] | what time it is; nothing else asks the machine |
//! | 0 | [`terminal`] | what would steer a terminal in a stranger's words |
//! | 0 | [`files`], [`document`], [`mistake`] | files as one snapshot, TOML with its places, a mistake with file and line |
//! | 0 | [`interruption`] | a seam for tests: what comes between a caller and each call of a seam |
//! | 1 | [`config`] | `hallmark.toml` as written → as checked; the folders of policies and trust as one snapshot |
//! | 1 | [`store`] | immutable bytes |
//! | 1 | [`metadata`] | small mutable facts; one transaction is the commit |
//! | 1 | [`trust`] | signers and keys; certificates, notation's trust policy and stores |
//! | 1 | [`client`] | a client of other registries, bounded, with docker's credentials |
//! | 2 | [`verify`] | evidence → findings; pure, given bytes, trust and time |
//! | 2 | [`requirements`] | conditions over findings |
//! | 2 | [`authn`] | who asks |
//! | 2 | [`authz`] | who may: casbin, grants, guard rails |
//! | 3 | [`registry`] | the verbs, without HTTP; trust, requirements and policy swapped as one [`Revision`] |
//! | 4 | [`http`] | requests → verbs → answers, a file for each noun, the one error mapping |
//! | 4 | [`cli`] | the commands that do not serve, and what `serve` is told |
//! | 5 | [`app`], [`telemetry`], `main` | wiring, reload, connections, the log |
//!
//! # Fences
//!
//! | crate | only in |
//! |---|---|
//! | axum, hyper, hyper-util, tokio-rustls | [`http`], [`app`] |
//! | rustls | [`http`], [`app`], `main` (which installs the provider) |
//! | casbin | [`authz`] |
//! | openssl, sigstore-verify, x509-cert | [`verify`], [`trust`] |
//! | rusqlite | [`metadata`] |
//! | reqwest, http-auth, `docker_credential` | [`client`] |
//!
//! # Seams
//!
//! Five traits, and no more: [`Store`], [`Metadata`], [`Verifier`], [`Authorizer`], [`Clock`]. A trait's documentation
//! is its contract, and each of the first two has a suite of tests that every implementation must pass. `Store` and
//! `Metadata` are async and object-safe, so that object storage and `PostgreSQL` fit behind them: a store is addressed by
//! an opaque [`ObjectKey`] that the metadata keeps, and the OCI layout is an ability that a store may have
//! ([`Store::layout`]).
//!
//! # The line
//!
//! ```text
//! Endpoint::parse → Authenticator::recall → Registry::allow_… → Allowed<A> → a verb of Registry → answer
//!                                                                                       ↘ Error → Refusal
//! ```
//!
//! - [`Endpoint::parse`] is one total function over the method and the raw path. `<name>` holds slashes, so the path is
//!   read from the right ([the endpoints](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints)).
//! - [`Authenticator::recall`] tells who asks without work, or hands back an attempt that
//!   [`Authenticator::verify`] settles off the runtime's threads.
//! - [`Registry::allow_pull`] and its siblings are the only makers of an [`Allowed`]. It carries the grant *and* the
//!   revision under which it was decided, so what is judged and what was granted can't come from two revisions.
//! - A verb takes an `Allowed` and gives content as [`Admitted`], which only admission makes. Both have `compile_fail`
//!   examples or private fields: they can't be forged above floor 3.
//! - [`Error`] is the one error of the verbs, and [`Refusal`] the one mapping of it to status, code, metric and log.
//!
//! # Differs from the first drawing
//!
//! - The grant travels inside `Allowed`, with its revision, rather than alone.
//! - Floor 0 has four more modules: one for strangers' words, and three so that parsers of users' files on floors 1 to 3
//!   share places and mistakes.
//! - `rustls` is named in `main` too: the provider is installed before anything speaks TLS.
//!
//! [`client`]: crate::client
//! [`gate`]: crate::gate
//! [`oci`]: crate::oci
//! [`clock`]: crate::clock
//! [`files`]: crate::files
//! [`document`]: crate::document
//! [`mistake`]: crate::mistake
//! [`interruption`]: crate::interruption
//! [`terminal`]: crate::terminal
//! [`config`]: crate::config
//! [`store`]: crate::store
//! [`metadata`]: crate::metadata
//! [`trust`]: crate::trust
//! [`verify`]: crate::verify
//! [`requirements`]: crate::requirements
//! [`authn`]: crate::authn
//! [`authz`]: crate::authz
//! [`registry`]: crate::registry
//! [`http`]: crate::http
//! [`cli`]: crate::cli
//! [`app`]: crate::app
//! [`telemetry`]: crate::telemetry
//! [`Revision`]: crate::registry::Revision
//! [`Verdict`]: crate::gate::Verdict
//! [`Authorizer`]: crate::authz::Authorizer
//! [`Authorizer::granted`]: crate::authz::Authorizer::granted
//! [`Store`]: crate::store::Store
//! [`Store::layout`]: crate::store::Store::layout
//! [`ObjectKey`]: crate::store::ObjectKey
//! [`Metadata`]: crate::metadata::Metadata
//! [`Verifier`]: crate::verify::Verifier
//! [`Clock`]: crate::clock::Clock
//! [`Endpoint::parse`]: crate::http::Endpoint::parse
//! [`Authenticator::recall`]: crate::authn::Authenticator::recall
//! [`Authenticator::verify`]: crate::authn::Authenticator::verify
//! [`Registry::allow_pull`]: crate::registry::Registry::allow_pull
//! [`Allowed`]: crate::registry::Allowed
//! [`Admitted`]: crate::registry::Admitted
//! [`Error`]: crate::registry::Error
//! [`Refusal`]: crate::http::Refusal
