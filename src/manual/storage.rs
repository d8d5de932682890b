//! The disk: what lies where, in which order it becomes durable, and how what nobody wants is collected.
//!
//! **Truth is the metadata; bytes are immutable objects named by digest and generation; the OCI layout is a view made
//! of hard links.**
//!
//! ```text
//! <root>/
//!   _hallmark.lock                        one process owns the tree (`_` can't begin a repository name)
//!   _metadata.sqlite                      the authority for everything small and mutable
//!   _cas/<algorithm>/ab/<hex>.<generation>
//!   _uploads/<uuid>                       same file system; offset and hash state are in the metadata
//!   <repository>/oci-layout, index.json, blobs/<algorithm>/<hex>
//! ```
//!
//! Manifest bytes are in the metadata, in the row that makes them exist. `store::filesystem::path` alone builds paths
//! below the root, and `store::filesystem::durable` alone syncs and renames.
//!
//! # The order
//!
//! 1. [`Store::append`]: bytes in the upload's file, hashed on the way. Survives the death of the process.
//! 2. [`Store::seal`]: the file synced, renamed to its name in `_cas`, the folder synced. Survives a power cut. No
//!    metadata names it yet: a crash here leaves garbage, never a lie.
//! 3. [`Metadata::commit_blob`], [`Metadata::put_manifest`]: one transaction makes it visible, and marks the layout as
//!    behind.
//! 4. The repository's epoch advances; the client is answered.
//!
//! At the start, uploads that the metadata does not know are discarded; trash, judgements and layouts that were pending
//! go on from their rows.
//!
//! # The metadata
//!
//! `metadata::sqlite::writer` is one thread that takes what is waiting, runs each piece in a savepoint of its own, and
//! answers when the one transaction is committed. A group in which anything must survive a power cut is synced; one of
//! upload sessions alone is not. Reads run inline in the thread that asks. The schema has its version from day one, and a
//! newer one, or another program's database, is refused.
//!
//! # Generations of blobs
//!
//! A content has one live key. When it is collected and comes back, its file gets a generation that was never used, so an
//! unlink that is under way can't hit the new file. [`Metadata::reserve`] hands one out without a transaction: each
//! opening of the database has 2³² numbers of its own.
//!
//! # Collection
//!
//! Nothing is locked and nothing stands still. A blob's `lease` is null exactly while a manifest of its repository holds
//! it, else the moment until which it stays:
//!
//! | event | lease |
//! |---|---|
//! | an upload or a mount is committed | now + `blob_lease_seconds`, unless held |
//! | a manifest that holds it is stored | null |
//! | the last such manifest goes | now + one hour: a push under way may count on it |
//! | it is read while nothing holds it, with less than half of the lease left | extended |
//!
//! `Registry::sweep` runs each 30 seconds. [`Metadata::sweep`] takes, in one transaction and at most so many at once,
//! abandoned sessions, blobs whose lease ended (asking once more that nothing holds them), and evidence whose subject
//! never came; the key of content that no repository has left goes to the trash. Then the files are unlinked, then
//! [`Metadata::forget_trash`]. A manifest's commit checks its content in the transaction that links it, so it and the
//! sweep serialise, and whoever comes first, nothing dangles: the documentation of `registry::garbage` shows it step by
//! step, and `registry::tests::schedule` searches for a counter-example. A removed key is remembered for a day, so that
//! a commit that was told of it while it was live is sent back to [`Metadata::reserve`]. An open file survives its
//! unlink.
//!
//! # The layout
//!
//! Each repository is an
//! [OCI image layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md) that other tools read.
//! `Registry::tend` lets changes gather for 100 ms, makes the missing links, writes `index.json` beside and renames it;
//! one view is written at a time, from reading what is pending to noting that it is done;
//! the next rewrite waits 20 times as long as the last one took, a minute at the most. `index.json` names each tag's
//! newest push, and each manifest that has neither tag nor parent. After a clean stop it is exact; `POST /_hallmark/flush`
//! waits for it.
//!
//! A component of a repository name that an OCI layout uses itself (`blobs`, `index.json`, `oci-layout`) is stored with a
//! `_` before it. Where the file system refuses one link more, the file is copied.
//!
//! # When it can't answer
//!
//! [`Unavailable`] and `StoreError::Io` become 503. A full disk is 507. "Absent" is said only of what is known to be
//! absent. One kind of loss does not heal: content whose *file* is gone while its row says that it is live.
//!
//! # Differs from the first drawing
//!
//! - **Readers by slot.** Connections sit in 64 slots, and a thread comes back to its own, instead of in thread-local
//!   storage: so they close with the database, and blocking threads do not each open one.
//! - **No counts of holders.** The drawing counted references; a lease that is null while linked says the same, has
//!   nothing that can drift, and finds what to sweep by an index.
//! - **Generations are `epoch << 32 | n`**, where the epoch counts openings: no transaction for each upload.
//! - **A deleted manifest's blobs stay an hour**, whatever their lease was.
//!
//! [`Store::append`]: crate::store::Store::append
//! [`Store::seal`]: crate::store::Store::seal
//! [`Metadata::commit_blob`]: crate::metadata::Metadata::commit_blob
//! [`Metadata::put_manifest`]: crate::metadata::Metadata::put_manifest
//! [`Metadata::reserve`]: crate::metadata::Metadata::reserve
//! [`Metadata::sweep`]: crate::metadata::Metadata::sweep
//! [`Metadata::forget_trash`]: crate::metadata::Metadata::forget_trash
//! [`Unavailable`]: crate::metadata::Unavailable
