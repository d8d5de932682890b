//! A push, function by function: blobs, then a manifest; then a signature.
//!
//! Clause: [pushing](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push).
//!
//! # A blob
//!
//! 1. `http::uploads` asks [`Registry::allow_sign`], which both `push` and `sign` give.
//! 2. `POST` with `mount`: [`Registry::mount`] makes a blob of another repository one of this, if it is admitted to the
//!    caller there, with or without `from`; else the client gets 202 and uploads.
//! 3. [`Registry::begin_upload`] opens a session: a file of the store, and a row with offset and hash state. A session
//!    under `sign` alone is capped in number and size. It belongs to its person and its repository.
//! 4. [`UploadWriter::write`] gathers about 1 MiB before it hands over to a blocking thread, where bytes are written
//!    and hashed. The memory for it is used again: where the allocator gives it back to the system after each piece, its
//!    pages are cleared for each. `pause` notes offset and hash state at the end of a chunk, so an upload goes on after a
//!    crash from where its status says. A body that breaks off or stands still leaves what came, and the client goes on from
//!    there; a session that can't become a blob (over a limit, no space) is forgotten and its bytes are given back, as
//!    is one that nobody was told of (`POST` with `digest`). One request at a time writes to a session; another gets 409.
//! 5. [`UploadWriter::finish`] compares the hash with the digest that was given. If it differs, the session ends and
//!    nothing is stored.
//! 6. `Registry::commit_blob` loops over four steps: [`Metadata::reserve`] (is the content live, or under which new
//!    generation shall it be stored; what is live must be there), [`Metadata::intend`] (what a crash would leave),
//!    [`Store::seal`] (bytes and name durable), [`Metadata::commit_blob`] (one transaction). Content that was collected meanwhile means: once more. A key that another was faster with is
//!    removed.
//!
//! # A manifest
//!
//! 1. `http::manifests::put` reads at most `manifest_bytes`; it is the only body that is held whole.
//! 2. [`Registry::put_manifest`] hashes it by the algorithm that the path asks for, and parses it: what two clients
//!    would read differently is refused ([`Manifest::parse`],
//!    [image manifest](https://github.com/opencontainers/image-spec/blob/main/manifest.md)).
//! 3. `Registry::classify` tells object, evidence and data apart, from the stored manifest, its blobs and the tag, never
//!    from what a client says about it. [`candidate`] names what it looks like; [`check_evidence`] and [`check_data`]
//!    read the layers. What is false under any trust and at any time is refused here. Evidence and data name only blobs
//!    that their pusher uploaded here or may pull (`check_own_blobs`).
//! 4. `check_tags`: evidence and data get no tag but their own, about the digest in its name. Data under a tag of its
//!    own is judged as an object.
//! 5. An object needs the grant to push, and `check_push_requirement` judges it **if a tag is set**, on the digest that
//!    the tag will name. A push by digest needs the right alone: push by digest, sign, then tag. What is not enforced
//!    admits no tag.
//! 6. [`Metadata::put_manifest`] is one transaction: that `If-Match` and `If-None-Match` hold of the tag's newest push
//!    ([`Precondition`], [RFC 9110 §13](https://www.rfc-editor.org/rfc/rfc9110#section-13)), that required content is in *this* repository, the cap on
//!    evidence, the manifest with its links, the tags with their histories, the generations of what it concerns, what
//!    is to be judged, the entry of the audit trail, and that the layout is behind. Children of an index may be missing, and so may layers that are
//!    not distributable.
//! 7. `after_manifest` judges what the commit changed, so that a requirement that is met now is known to have been met.
//!    A failure there is no failure of the push: the queue holds it (`Registry::judge_queue`, each second).
//! 8. 201, with `OCI-Subject`
//!    ([pushing manifests with subject](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject)),
//!    and a `Warning` for each signature in it that counts for nothing now.
//!
//! # What is evidence
//!
//! | pushed | is |
//! |---|---|
//! | under `sha256-<hex>.sig` or `.att`, or with only simple-signing or DSSE layers | evidence, if every layer parses and is about one subject; else refused |
//! | a Sigstore bundle or a notation envelope, with `subject` and the config `{}` | evidence, likewise |
//! | an index under `sha256-<hex>` whose entries are all stored as evidence or data for it | evidence: a list of referrers |
//! | under `sha256-<hex>.sbom`, or with `subject`, a listed type, the config `{}` and layers of text | data, if the layers are text of their kind and no object holds them |
//! | everything else | an object |
//!
//! A layer that is larger than `evidence_blob_bytes`, or layers that are larger than eight times as much together, make
//! an object of it, which whoever may only `sign` can't push. The manifest of evidence and data is bounded alike.
//! A digest that was stored as an object stays one.
//!
//! # Deleting
//!
//! [`Registry::delete_manifest`] takes a manifest out of every tag's history; 409 while a tag that resolves to it for
//! the caller has a newer pending push. [`Registry::delete_tag`] deletes the history. **Deleting an evidence tag
//! withdraws what was pushed under it**, also what a later push had replaced: it is the one handle that such evidence
//! has, and `cosign clean` would otherwise leave a signature in force that nobody can name. Referrers are untouched. Tag and
//! evidence go in one transaction, which decides the precondition too; of a digest or a blob it is decided beside it, for
//! these are what they are as long as they are there.
//!
//! # Differs from the first drawing
//!
//! - The drawing said that deleting a tag deletes its history and nothing else; for evidence tags the paragraph above.
//! - The audit row is part of the commit, not a step between it and 201: so it costs no second sync, and no crash comes
//!   between the two.
//!
//! [`Registry::allow_sign`]: crate::registry::Registry::allow_sign
//! [`Registry::mount`]: crate::registry::Registry::mount
//! [`Registry::begin_upload`]: crate::registry::Registry::begin_upload
//! [`UploadWriter::write`]: crate::registry::UploadWriter::write
//! [`UploadWriter::finish`]: crate::registry::UploadWriter::finish
//! [`Registry::put_manifest`]: crate::registry::Registry::put_manifest
//! [`Registry::delete_manifest`]: crate::registry::Registry::delete_manifest
//! [`Registry::delete_tag`]: crate::registry::Registry::delete_tag
//! [`Metadata::reserve`]: crate::metadata::Metadata::reserve
//! [`Metadata::commit_blob`]: crate::metadata::Metadata::commit_blob
//! [`Metadata::put_manifest`]: crate::metadata::Metadata::put_manifest
//! [`Precondition`]: crate::oci::Precondition
//! [`Metadata::intend`]: crate::metadata::Metadata::intend
//! [`Store::seal`]: crate::store::Store::seal
//! [`Manifest::parse`]: crate::oci::Manifest::parse
//! [`candidate`]: crate::verify::candidate
//! [`check_evidence`]: crate::verify::check_evidence
//! [`check_data`]: crate::verify::check_data
