//! Adding an endpoint: the list that it touches, in this order.
//!
//! The compiler asks for most of it, as the matches are exhaustive; a test asks for the rest.
//!
//! 1. **Endpoint.** A variant of [`Endpoint`], its path in [`Endpoint::parse`] (read from the right, nothing decoded),
//!    its [`Kind`] in `Endpoint::kind` and [`Kind::ALL`], its repository in `Endpoint::repository`, its word for metrics
//!    and log in [`Kind::as_str`]. A row in `http/endpoint_tests.rs`, with the methods that it refuses.
//! 2. **Action.** Which [`Action`] covers it? A new one is a change of the policy's language: of the README, of
//!    [`Action::ALL`], and of what [`Access::decide`] asks.
//! 3. **Authorisation.** Its row in [`Kind::access`]: open, challenge, for each entry, an action in the repository, an
//!    action in the registry, or an insight. The test `no_endpoint_is_without_an_authorisation_row` lists them. Its handler asks the
//!    registry for exactly that, with one of the `allow_` functions ([`Registry::allow_pull`] and so on), before it reads
//!    the body.
//! 4. **Verb.** A method of [`Registry`] that takes an [`Allowed`] of the right action, in a file of that name. If it
//!    gives content, it gives [`Admitted`], through `Registry::resolve` or `Registry::decide_blob`: never around them.
//!    If it changes a repository: bytes first, one transaction last, then `Epochs::advance` *before* the answer, and
//!    `changed.notify_one` if the layout shows it. What it needs of [`Metadata`] is one whole operation, with its
//!    contract in the trait and its facts in `metadata/contract/`.
//! 5. **Handler.** A function in the file of its noun below `http/`, and an arm in `http::dispatch`; boxed, unless it is a
//!    hot read. A body is read through `http::incoming`, within a limit that has a number in
//!    [`Limits`](crate::config::Limits). HEAD needs its own `Content-Length`.
//! 6. **Error.** A variant of [`Error`], one lower-case clause that says what was expected and found; its row in the one
//!    mapping (`http/error.rs`: status, code of the
//!    [specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes), [`Reason`]), and
//!    the reason in [`Reason::ALL`]. A caller without a grant must learn no more than of an absent repository.
//! 7. **Wire.** `tests/wire/`: request → answer byte by byte, the headers of every answer, and for each refusal that
//!    nothing was stored. With a real client, if one speaks it: `tests/story/`.
//! 8. **Manual and papers.** The walk-through here, the table of refusals in README.md, and for each thing that it must
//!    withstand, a row with its test in SECURITY.md.
//!
//! An operator's endpoint (`/_hallmark/…`) is the same, with [`Registry::allow_admin`] and no repository in its path;
//! `/_hallmark/explain` names one in its query, read strictly, and asks [`Registry::allow_explain`].
//!
//! [`Endpoint`]: crate::http::Endpoint
//! [`Endpoint::parse`]: crate::http::Endpoint::parse
//! [`Kind`]: crate::http::Kind
//! [`Kind::ALL`]: crate::http::Kind::ALL
//! [`Kind::as_str`]: crate::http::Kind::as_str
//! [`Kind::access`]: crate::http::Kind::access
//! [`Action`]: crate::gate::Action
//! [`Action::ALL`]: crate::gate::Action::ALL
//! [`Access::decide`]: crate::authz::Access::decide
//! [`Registry`]: crate::registry::Registry
//! [`Registry::allow_pull`]: crate::registry::Registry::allow_pull
//! [`Registry::allow_admin`]: crate::registry::Registry::allow_admin
//! [`Registry::allow_explain`]: crate::registry::Registry::allow_explain
//! [`Allowed`]: crate::registry::Allowed
//! [`Admitted`]: crate::registry::Admitted
//! [`Metadata`]: crate::metadata::Metadata
//! [`Error`]: crate::registry::Error
//! [`Reason`]: crate::http::Reason
//! [`Reason::ALL`]: crate::http::Reason::ALL
