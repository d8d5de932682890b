//! A pull, function by function: `GET /v2/prod/app/manifests/v1` by `user:deploy`, who may pull what meets
//! `signed-release`.
//!
//! Clause: [pulling manifests](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests).
//!
//! 1. `app::connections` took the connection within the bound on connections, with a time for the header section.
//!    hyper answers what is over the header limits itself, with a bare 431.
//! 2. `http::handle` gives the request an identifier and an entry of the log, and [`Endpoint::parse`] makes it
//!    [`Endpoint::ReadManifest`]. A path that names nothing ends here.
//! 3. `Http::who` asks [`Authenticator::recall`]. A password that was verified before is known by a keyed hash of its
//!    header; a new one costs bcrypt once. Without configured users everybody is anonymous.
//! 4. `http::manifests::read` asks [`Registry::allow_pull`]. [`Revision::access`] decides everything that this person
//!    may do in this repository once under a revision and remembers it by its full key. Without any grant: 404, byte
//!    for byte that of an absent repository; for anonymous 401, as credentials may help.
//! 5. [`Registry::manifest`] looks whether the same question (repository, reference, and the caller's [`PullTerms`])
//!    has an answer that still stands: same revision, same epoch of the repository, time not up. Then that is the
//!    answer; a warm pull asks neither metadata nor casbin.
//! 6. Else the resolver, `Registry::resolve`, which HEAD, GET, lists and deletes share. By digest: that digest, if it
//!    is admitted. By tag, under an enforced requirement, `resolve_enforced` walks the tag's pushes from the newest:
//!    - admitted → that push;
//!    - withheld, and it *met* a granted requirement once → 403, nobody is taken back to an older push;
//!    - withheld, never met → skipped, as far as `tag_fallback = "pending"` allows.
//!
//!    When none is admitted, the refusal speaks of the newest.
//! 7. `decide_under` takes the granted requirements one by one; the first that is met admits. `Registry::verdict` gives
//!    the verdict, remembered or judged now: see [`super::verdicts`]. Evidence and data are judged as their subject
//!    (`judged_digest`).
//! 8. Judging: `Metadata::evidence` (what verified once first, then the newest, within `evidence_considered`),
//!    [`Verifier::verify`] for each piece, [`Requirement::evaluate`] over the findings; then over those of each index
//!    that reaches the digest through `manifests` ([`Metadata::ancestors`]), within `reach_depth` and `reach_objects`.
//! 9. The stored bytes must hash to the digest that was judged; else 503. They become [`Admitted`], and the answer is
//!    remembered with the epoch that was read *before* all its inputs.
//! 10. `http::manifests::read` writes the answer, or 304 if the client has that digest. `Cache-Control: private,
//!     no-cache` and `Vary: Authorization` are on everything below `/v2`.
//!
//! # When it is refused
//!
//! [`Error::Withheld`] becomes 403 `DENIED`; `detail` is [`Withheld`]: each granted requirement as a tree, and each
//! piece of evidence with what was expected and what was found, and what would make it pass (`requirements::hint`).
//! `Registry::hint` puts "sign the index" before it where children are signed and the index is not.
//! [`Error::Unavailable`] becomes 503, and only the log learns why.
//!
//! `hallmark explain` asks `GET /_hallmark/explain` for the same words without pulling: [`Registry::explain`] takes an
//! [`Insight`] (about oneself with any grant there, about others with `admin`) and walks, resolves and judges with the
//! functions named above. It decides nothing itself, writes nothing but that a requirement was met, and calls what they
//! find withheld or unknown an answer. Which pushes of a tag are skipped is told to administrators by digest, to others
//! by reason alone; a blob that is withheld is told to others as if it were absent.
//!
//! # A blob
//!
//! [`Registry::blob`] reads where the bytes are and who holds them ([`Metadata::holders`]), then `decide_blob`:
//!
//! | the caller's terms | the blob is shown if |
//! |---|---|
//! | `unverified` granted | it is in this repository |
//! | conditional | an object that holds it is admitted (those that once met a requirement are tried first); if no object holds it, the subject of the evidence or data that does |
//! | `sign` alone | evidence or data holds it and no object does, or nothing does and the caller uploaded it |
//!
//! What is not shown is 404 `BLOB_UNKNOWN`, as if absent: cosign takes only 404 for "no signature yet". The empty
//! config `{}` is nobody's secret and is judged by any holder. A read of a blob that nothing holds extends its lease.
//! Bodies go out in positioned reads of 256 KiB, the next one under way while one is sent (`http::download`); over HTTP/2
//! of 64 KiB, for each of a hundred streams that stand still holds what was read for it.
//!
//! # Lists
//!
//! [`Registry::tags`] shows what resolves for the caller, [`Registry::catalog`] where they may pull at all, and
//! [`Registry::referrers`] evidence and data with their subject, objects by themselves
//! ([listing referrers](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers)).
//! A referrers list is whole as long as it fits `manifest_bytes`, for few clients follow `Link` there; what is more, which
//! takes thousands of referrers or large annotations, follows after a `Link`. What it should go on after counts only if
//! it is listed for the caller. A page that passes by two thousand objects that are not shown ends there as well, and its
//! `Link` names the place by a word that the caller can't read, as the catalog's does.
//!
//! Under an enforced requirement only what met it can resolve, and that it did is noted before anyone is told. So a page
//! of tags is made of those that are listed under one of the caller's requirements ([`Metadata::tags_once_met`]): tags
//! that remember a push which ever met it, or evidence or data about what did. Each is still resolved like a pull, for it
//! may have lost its signer. What is left to be judged in the repository is judged first; where that is much, or a
//! revision came and not all was judged under it, or what was judged can't be noted, every tag is looked at. Either way a
//! page looks at 2,048 at the most: it may hold fewer tags than were asked for, or none, and a `Link`. So may a page of the
//! catalog, which passes by as many repositories at the most.
//!
//! A `Link` names the last entry that was listed (`last`). A page that ends at what is not listed for the caller begins the
//! next one there, and its `Link` must not tell where: `next` is that place, sealed for this list and this caller under a
//! key that each start draws (`http::cursor`). To a client it is a word to send back as it is; one of another start is as
//! good as none, and the list goes on from `last`.
//!
//! # Differs from the first drawing
//!
//! The caller's *terms* are part of the remembered question, not who they are: a thousand clusters under one role share
//! one answer.
//!
//! [`Endpoint::parse`]: crate::http::Endpoint::parse
//! [`Metadata::tags_once_met`]: crate::metadata::Metadata::tags_once_met
//! [`Endpoint::ReadManifest`]: crate::http::Endpoint::ReadManifest
//! [`Authenticator::recall`]: crate::authn::Authenticator::recall
//! [`Registry::allow_pull`]: crate::registry::Registry::allow_pull
//! [`Registry::manifest`]: crate::registry::Registry::manifest
//! [`Registry::blob`]: crate::registry::Registry::blob
//! [`Registry::tags`]: crate::registry::Registry::tags
//! [`Registry::catalog`]: crate::registry::Registry::catalog
//! [`Registry::referrers`]: crate::registry::Registry::referrers
//! [`Revision::access`]: crate::registry::Revision::access
//! [`PullTerms`]: crate::authz::PullTerms
//! [`Verifier::verify`]: crate::verify::Verifier::verify
//! [`Requirement::evaluate`]: crate::requirements::Requirement::evaluate
//! [`Metadata::ancestors`]: crate::metadata::Metadata::ancestors
//! [`Metadata::holders`]: crate::metadata::Metadata::holders
//! [`Admitted`]: crate::registry::Admitted
//! [`Registry::explain`]: crate::registry::Registry::explain
//! [`Insight`]: crate::registry::Insight
//! [`Error::Withheld`]: crate::registry::Error::Withheld
//! [`Error::Unavailable`]: crate::registry::Error::Unavailable
//! [`Withheld`]: crate::registry::Withheld
