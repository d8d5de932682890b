//! The disk: what lies where, in which order it becomes durable, and how what nobody wants is collected.
//!
//! **Truth is the metadata; bytes are immutable objects named by digest and generation; the OCI layout is a view made
//! of hard links.**
//!
//! ```text
//! <root>/
//!   _hallmark.lock                        one process owns the tree, and says in it who it is and where it
//!                                         serves (`_` can't begin a repository name)
//!   _metadata.sqlite                      the authority for everything small and mutable
//!   _cas/<algorithm>/ab/<hex>.<generation>
//!   _quarantine/<hex>.<generation>        what was found not to be what its name says
//!   _reserve                              room for what must not fail on a full disk
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
//! 2. [`Metadata::intend`]: the key that the bytes are about to get. Survives the death of the process, and is not
//!    synced: it goes with whatever the writer commits next.
//! 3. [`Store::seal`]: the file synced, renamed to its name in `_cas`, the folder synced. Survives a power cut. Nothing
//!    but the intent names it yet: a crash here leaves garbage, never a lie.
//! 4. [`Metadata::commit_blob`], [`Metadata::put_manifest`]: one transaction makes it visible, forgets the intent, and
//!    marks the layout as behind.
//! 5. The repository's epoch advances; the client is answered.
//!
//! # After a crash
//!
//! A start takes back what was in flight, and looks at nothing else (`registry::recovery`):
//!
//! - What an intent names was sealed and never committed. It becomes its upload again, so that its session goes on; if
//!   there is no session, it goes. The same is done at the next sweep for a commit that failed while the process lived.
//! - An upload in one request (`POST` with `digest`) is no session: nobody knows its name. It has no row, or, where it
//!   counts against a cap, a row that ends with the process. Files of `_uploads` that no row names are discarded.
//! - Trash, judgements and layouts that were pending go on from their rows.
//! - A session is read once before the next process goes on with it, and must hash to what was noted: its bytes are not
//!   synced, so after a power cut the noted state of the hash could vouch for bytes that never reached the disk. What
//!   does not is unknown to its client, who begins again.
//!
//! A power cut may take intents with it that were noted last, and leave their bytes in `_cas` under names that nothing
//! knows: only a walk over the store finds those.
//!
//! `tests/crash.rs` kills the program at random moments and compares what it finds with what was acknowledged:
//! `HALLMARK_CRASH_SEED` and `HALLMARK_CRASH_KILLS` repeat and lengthen a run. `store::filesystem::journal` shows tests
//! which bytes and names were synced.
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
//! | the last such manifest goes | now + `deleted_grace_seconds` (an hour), whatever it was: a push under way may count on it |
//! | `hallmark gc --danger-now` | ended, of what would end within `deleted_grace_seconds` |
//! | it is read while nothing holds it, with less than half of the lease left | extended |
//!
//! `Registry::sweep` runs each 30 seconds, or as often as the shortest of these times. [`Metadata::sweep`] takes, in one transaction and at most so many at once,
//! abandoned sessions, blobs whose lease ended (asking once more that nothing holds them), and evidence whose subject
//! never came; the key of content that no repository has left goes to the trash. Then the files are unlinked, then
//! [`Metadata::forget_trash`]. A manifest's commit checks its content in the transaction that links it, so it and the
//! sweep serialise, and whoever comes first, nothing dangles: the documentation of `registry::garbage` shows it step by
//! step, and `registry::tests::schedule` searches for a counter-example. A commit that
//! was told of a removed key while it was live is sent back to [`Metadata::reserve`]. An open file survives its
//! unlink.
//!
//! A link stands whether its child is here or not: children of an index may be absent, and with `sparse_images` layers of
//! an image. What is absent is 404 to everybody, signed for or not. A blob that comes later is held from its first
//! moment, is judged through the objects that hold it, and is linked into the layout. Evidence and data, and what claims
//! to be either, are read when they are pushed: they are whole.
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
//! A flush writes each view once that is pending when it begins, with all that is pending by then, so it ends however fast
//! they change. Manifests come in groups of a mebibyte ahead of the index that names them; where several are new, they are
//! written without names, synced by one `syncfs`, and named then: synced one by one, each would take a commit of the file
//! system's journal. Before Linux 5.8 `syncfs` tells of no bytes that could not be written; the scrub finds those.
//! A view that can't be written, for a stray file is in its place say, is set aside and named by the event; the others are
//! written, and it is tried again with whatever changes next, after 5 seconds at the latest.
//!
//! A component of a repository name that an OCI layout uses itself (`blobs`, `index.json`, `oci-layout`) is stored with a
//! `_` before it. Where the file system refuses one link more, the file is copied.
//!
//! # What grows with the store
//!
//! The files, and nothing that a request waits for. Every statement is a look-up or a walk along an index that ends at a
//! page; `metadata::sqlite::plans` holds the plan of each against the schema, with the few exceptions and what bounds
//! them. What the background looks at is kept apart from what is stored: pending layouts, the trash, leases, judgements,
//! and the pushes that wait for evidence (`tags.waits`); so are the tags that may resolve under a requirement
//! (`met_tags`). Counts are kept by triggers, but those of tags that go, of which a deletion may take thousands. A start opens the database, reads the revision, and does what was in
//! flight.
//!
//! What grows with one repository: its `index.json` is written whole, off the threads that serve requests. With one
//! subject: its list of referrers, which is read and answered in pages of bounded bytes. With what lost a requirement: a page of tags passes by those
//! that met it once and do not resolve any more, up to a bound. `docs/scale.md` has the figures; `benches/README.md` says
//! how they come about.
//!
//! A registry in which nothing happens does nothing but look at its files of policy and trust each second, and for
//! garbage each 30 seconds: each task of `Registry::tend` waits for a change that concerns it, or for a moment that the
//! metadata names.
//!
//! # In, out, afresh, and aside
//!
//! Four commands work on a root without HTTP. [`import`] and [`rebuild`] own it, so they are refused while a server does;
//! [`export`] and [`backup`] read beside the owner, by [`Beside`] and [`Sqlite::open_beside`] or [`Sqlite::snapshot`].
//! Where the root can't be written to, the engine can't make the index by which it reads a log. So if nobody owns the root
//! ([`Beside::is_still`] keeps it so) and the log is absent or empty, it is told that nothing changes, and needs none.
//!
//! - **Import.** [`ImageLayout`] reads what anybody wrote: bounded, total, no link leads out. Each blob is hashed, then
//!   [`LayoutView::adopt`] links or copies it into `_cas` and syncs its bytes. After a thousand of them, or at the end of a
//!   layout, [`LayoutView::settle`] syncs each folder that they lie in once, and only then rows name them: the database is
//!   not synced before the end, but the kernel may write any of its rows whenever it likes, and importing again believes
//!   them. Then come the manifests, children before parents, each classified as at a push by someone who may read all
//!   blobs. Whoever did it is [`Who::Operator`].
//! - **Rebuild** is an import of our own layouts into an empty database, with the objects that lie in `_cas` already
//!   ([`Census`]): the one that the layout's file is a link to, else the newest. Each is hashed before it is taken: that the
//!   old database held it as sound says what was true at its last scrub, and where the database is lost, nothing does. What
//!   is rotten is quarantined once the new database is in place, and found elsewhere where it can be: an older object, the
//!   layout's own file, another repository's. With `--partial`, objects keep
//!   what rotted and was found nowhere else, as quarantined content; evidence and data do not, for what they are is read
//!   from their blobs. Objects also keep that of which nothing is left: it is quarantined under a fresh key that has no file,
//!   as content is that a scrub finds lost, with the size that the manifest tells. What a layout does not show is taken from
//!   the store only where no image is stored without it: a layer that a sparse image names may be another repository's
//!   alone, so `sparse_images` is to be at a rebuild what it was at the pushes. `--unhashed` is for those who would rather
//!   serve first and scrub later.
//!   If the old database can be read, layouts are brought up to date from it first: with what is pending, and with each
//!   sound manifest and `index.json` whose file is lost. The new one is made beside the old, hands out generations above every object's,
//!   and is renamed to its place; the old one was linked aside, its log written back or moved, for a log beside another
//!   database would be taken for that one's. What layouts can't know is [`LAYOUTS_DO_NOT_TELL`].
//!   A root that has content and no database, or one without a schema, is [`lost`]: nothing but a rebuild opens it. A
//!   first start that was interrupted leaves no content, so it is gone on with.
//! - **Backup** copies one moment of the database, then links or copies each object that it names. One that is gone was
//!   collected since, and a later moment does not name it: so moments are taken until one is whole. Each goes on from the
//!   objects of the one before, so that the second has only to catch up with what was pushed meanwhile. What is gone and is
//!   named by the next moment all the same is lost, for collection commits before it unlinks. The copy has no
//!   sessions and no trash, and marks every layout as to be written. [`Draft`] gives it its name at the end. What is
//!   quarantined, lost, of another size, can't be read, or does not hash to its name when it is copied, is refused and named. With
//!   `--partial` it is quarantined in the copy, without a file: what a scrub makes of content that lost its file, so
//!   everything that knows what to do with that knows what to do with this.
//!
//! # When it can't answer
//!
//! [`Unavailable`] and `StoreError::Io` become 503. A full disk is 507. "Absent" is said only of what is known to be
//! absent. While a commit waits for a slow disk, reads go on, and uploads take no more than half of the threads that wait for
//! disks; work that piles up beyond the writer's queue is refused. A file system that is frozen (`fsfreeze`, as some
//! snapshots do it) stops everything until it is thawed: the index of the engine's log is mapped memory, and to note there
//! that a read is under way is a write.
//!
//! # Scrub and quarantine
//!
//! A pass of the scrub hashes contents in the order of their digests, then manifests in the order in which they came
//! (and has those shown again that their layout has lost, with an `index.json` that is absent or does not parse):
//! what was checked first in one pass comes first in the next, so no column tells when, and a push pays nothing for it.
//! How far a pass is, is one row ([`Metadata::note_scrub_pass`]). Files are read by [`Store::open_cold`], which neither
//! fills the page cache nor disturbs what is in it; what *is* in it is checked there, and on the medium some other day.
//!
//! What does not hash to its name, has another size, is lost, or is refused twice by the medium, gets a row in
//! `quarantine`: in one transaction, and the epochs of its repositories advance. From then on [`Metadata::blob`] says so,
//! pulls are 503, and [`Metadata::reserve`] speaks of it as of content that is not stored: so the next upload gets a
//! fresh generation, and its commit heals every repository. To a manifest that must have it it is absent, so that whoever
//! pushes an image is told to send it. Clients that ask for the manifest first would send nothing: to a `HEAD` of who may
//! push, a manifest or index is absent while [`Metadata::holds_quarantined`] says so of it, which is asked only while
//! something is quarantined at all. Then the pass moves the file to `_quarantine`, and nothing
//! removes it there but that it is given back. What is no regular file, as a symbolic link, is lost. What the *machine* can't do (no descriptors, no
//! memory, no permission) says nothing about content and quarantines nothing: the pass counts it as unchecked, tells it
//! (`unchecked`), and goes on. A pull notices for free: a size that differs, a file that is lost, a manifest that does not hash. So does the
//! view that is to link a lost file, and a push, which asks the medium whether live content is there ([`Store::size`])
//! and else stores it under a new key. They note it, and leave the file to the next pass: a pass alone moves files and
//! gives them back, and `registry::garbage` says why. A file whose content is healed before that goes by the trash.
//!
//! Repair looks for sound bytes: a layout's file that is another inode ([`LayoutView::salvage`]), another repository's
//! row of the manifest, the layout's own file of it. One commit puts them in the place of the rotten ones. Without any,
//! the layouts lose the content too. The first place is the quarantined file itself ([`Store::give_back`]), which each
//! pass hashes again, at its rate: what a medium refuses twice it may give an hour later, and then a copy of it goes back
//! under a fresh key. Once that is committed, what was kept aside goes. Where the medium refuses eight contents in a row, none of them is quarantined and the attempt ends: the
//! next goes on behind them. A file that comes back is found by the next pass.
//! The file by which a layout shows a sound manifest is read with it, and replaced where it holds anything else.
//!
//! Objects that nothing names are put in the trash after a day ([`Metadata::trash_unnamed`]), in a transaction that a
//! late commit meets. A file is as old as its last rename, not as its bytes: an upload may have waited for days.
//!
//! # Room
//!
//! Pushes of objects stop at `floor_bytes` of free room. Evidence under `sign` alone, deletes, sweeps, layouts and
//! records go on, and where they find no room at all, `Housekeeping::with_reserve` gives the reserve back and does the
//! work once more: a transaction that failed for want of room left nothing. The reserve is made again when there is room
//! for it beside the floor; while it is not held, its room is part of the floor.
//!
//! # The audit trail
//!
//! Each transaction that changes what is stored inserts its entries itself (`metadata::sqlite::audit`), so the trail is
//! exactly what happened, survives what the change survives, and costs an insert but no sync. It follows that on a full
//! disk an entry finds room where its change does, the reserve included, and that neither goes without the other. Entries
//! have numbers without gaps and go from the oldest on ([`Metadata::prune_audit`], beside the sweep); a test replays the
//! trail against what is there, after every fault and every order of calls that is tried.
//!
//! Refusals change nothing, and anybody who may ask can make as many as they like. They gather in memory, the same ones as
//! one and few at once, and are written in the background to a table of their own, which is bounded: no request waits for
//! them, they never use the reserve, and they crowd out no change; nor do one person's crowd out another's, for whoever has
//! the most gives way. A pull that is admitted passes none of this.
//!
//! # Differs from the first drawing
//!
//! - **Readers by slot.** Connections sit in 64 slots, and a thread comes back to its own, instead of in thread-local
//!   storage: so they close with the database, and blocking threads do not each open one.
//! - **No counts of holders.** The drawing counted references; a lease that is null while linked says the same, has
//!   nothing that can drift, and finds what to sweep by an index.
//! - **Generations are `epoch << 32 | n`**, where the epoch counts openings: no transaction for each upload.
//!
//! [`import`]: crate::registry::import
//! [`export`]: crate::registry::export
//! [`lost`]: crate::registry::lost
//! [`rebuild`]: crate::registry::rebuild
//! [`backup`]: crate::registry::backup
//! [`Beside`]: crate::store::Beside
//! [`Beside::is_still`]: crate::store::Beside::is_still
//! [`Draft`]: crate::store::Draft
//! [`Census`]: crate::store::Census
//! [`ImageLayout`]: crate::store::ImageLayout
//! [`LayoutView::adopt`]: crate::store::LayoutView::adopt
//! [`LayoutView::settle`]: crate::store::LayoutView::settle
//! [`Sqlite::open_beside`]: crate::metadata::Sqlite::open_beside
//! [`Sqlite::snapshot`]: crate::metadata::Sqlite::snapshot
//! [`Who::Operator`]: crate::gate::Who::Operator
//! [`LAYOUTS_DO_NOT_TELL`]: crate::registry::LAYOUTS_DO_NOT_TELL
//! [`Store::append`]: crate::store::Store::append
//! [`Store::seal`]: crate::store::Store::seal
//! [`Store::size`]: crate::store::Store::size
//! [`Metadata::intend`]: crate::metadata::Metadata::intend
//! [`Metadata::commit_blob`]: crate::metadata::Metadata::commit_blob
//! [`Metadata::put_manifest`]: crate::metadata::Metadata::put_manifest
//! [`Metadata::reserve`]: crate::metadata::Metadata::reserve
//! [`Metadata::sweep`]: crate::metadata::Metadata::sweep
//! [`Metadata::forget_trash`]: crate::metadata::Metadata::forget_trash
//! [`Metadata::blob`]: crate::metadata::Metadata::blob
//! [`Metadata::holds_quarantined`]: crate::metadata::Metadata::holds_quarantined
//! [`Metadata::note_scrub_pass`]: crate::metadata::Metadata::note_scrub_pass
//! [`Metadata::prune_audit`]: crate::metadata::Metadata::prune_audit
//! [`Metadata::trash_unnamed`]: crate::metadata::Metadata::trash_unnamed
//! [`Store::open_cold`]: crate::store::Store::open_cold
//! [`Store::give_back`]: crate::store::Store::give_back
//! [`LayoutView::salvage`]: crate::store::LayoutView::salvage
//! [`Unavailable`]: crate::metadata::Unavailable
