//! Collection: rows first, in one transaction; then the bytes that the transaction put in the trash.
//!
//! # Why collection, scrub and pushes can't race
//!
//! Every change of what is stored is one transaction of [`Metadata`], and the engine runs transactions one after another.
//! So only two things are to be shown: that each transaction keeps the invariants, and that what is done *between*
//! transactions, to files, can't break them.
//!
//! The invariants, after each transaction:
//!
//! - **I1** What a manifest of a repository must have is a blob of that repository, and each blob has a live key.
//! - **I2** A blob's lease is null exactly while a manifest of its repository holds it.
//! - **I3** No live key is in the trash. A key comes to life once: it has a generation of its own, one that is in the
//!   trash is refused, and one that was not sealed for the commit that names it must be live already.
//! - **I4** Each live key has its file, whole and durable, as far as the medium keeps it.
//! - **I5** A content that is quarantined is so under its live key, and is served to nobody until it is live under another,
//!   or that one's file is found to be whole.
//!
//! | step | where | one transaction | keeps the invariants because |
//! |---|---|---|---|
//! | HEAD, GET of a blob | `Registry::blob` | [`touch_blob`](crate::metadata::Metadata::touch_blob), if nothing holds it | it only lengthens a lease, and finds no row if the sweep was first: the client was told of the blob, and its manifest is refused below |
//! | bytes arrive | `UploadWriter::write` | none | no metadata names the upload's file as an object |
//! | reserve | `Registry::commit_blob` | none; [`reserve`](crate::metadata::Metadata::reserve) reads | what it says may be stale when it is used, so the commit asks again |
//! | seal | [`Store::seal`](crate::store::Store::seal) | none | the name has a fresh generation: no row, live or trash, has it |
//! | commit of a blob, mount | `Registry::commit_blob` | [`commit_blob`](crate::metadata::Metadata::commit_blob) | I4: a key that is new was sealed before. I3: one that was live and is trash now is [`Gone`](crate::metadata::Committed::Gone), and the caller reserves again; if another was first, the new one goes to the trash in the same transaction. I2: a lease unless a manifest holds it |
//! | manifest | `Registry::put_manifest` | [`put_manifest`](crate::metadata::Metadata::put_manifest) | I1: what it must have is looked up in the transaction that links it, else it is refused. I2: the same transaction clears the leases |
//! | deletion of a manifest | `Registry::delete_manifest` | [`delete_manifest`](crate::metadata::Metadata::delete_manifest) | I1: it removes only what holds. I2: what nothing holds any more gets a lease in the same transaction |
//! | deletion of a blob | `Registry::delete_blob` | [`delete_blob`](crate::metadata::Metadata::delete_blob) | I1: refused while a manifest holds it, asked in the same transaction. I3: the last row takes the key from live to trash |
//! | sweep: rows | [`Registry::sweep`] | [`sweep`](crate::metadata::Metadata::sweep) | as a deletion of each blob whose lease ended and that nothing holds |
//! | sweep: files | [`Registry::sweep`] | none; [`Store::remove`](crate::store::Store::remove) | I4: it unlinks only what the transaction before it found in the trash, which by I3 is not live and never will be |
//! | sweep: end | [`Registry::sweep`] | [`forget_trash`](crate::metadata::Metadata::forget_trash) | the file is gone; the key is remembered for a day |
//! | scrub: hash again | `Housekeeping::check_content` | none; [`contents`](crate::metadata::Metadata::contents) reads | what it saw may be stale when it is used, so each step below asks again |
//! | scrub, pull, view: quarantine | `Housekeeping::note_rot` | [`quarantine_content`](crate::metadata::Metadata::quarantine_content) | I5: only if the key that was looked at is live. The epochs of all that have the content advance before the step is done |
//! | scrub: move aside | `Housekeeping::repair_content` | none; [`Store::quarantine`](crate::store::Store::quarantine) | I4: the key is quarantined, in the trash or forgotten, and only this pass could give it back |
//! | scrub: copy | `Housekeeping::repair_content` | none; [`give_back`](crate::store::Store::give_back), [`salvage`](crate::store::LayoutView::salvage) | as a seal: hashed, durable, and under a generation that is fresh; what is kept aside is read and stays until its copy is live |
//! | scrub: repair | `Housekeeping::check_content` | [`replace_content`](crate::metadata::Metadata::replace_content) | I4: what comes to life was hashed by this pass. I3, I5: only if the content is still quarantined under the key that was looked at, which goes to the trash if it is another; else a copy is surplus and goes |
//! | scrub: forget | `Housekeeping::repair_content` | none; [`forget_quarantined`](crate::store::Store::forget_quarantined) | I4: what is kept aside has no live key; its copy has one since the transaction before it |
//! | scrub: conceal | `Housekeeping::repair_content` | [`conceal_content`](crate::metadata::Metadata::conceal_content) | it marks layouts as behind, which ask what is so when they are written |
//! | scrub, pull: a manifest | `Housekeeping::quarantine_manifest` | [`quarantine_manifest`](crate::metadata::Metadata::quarantine_manifest), [`replace_manifest`](crate::metadata::Metadata::replace_manifest) | a note for operators: only if the bytes are those that were looked at. Whoever reads a manifest hashes it |
//! | scrub: unnamed | `Housekeeping::collect_unnamed` | [`trash_unnamed`](crate::metadata::Metadata::trash_unnamed) | I3: only keys that no content, no intent and no trash names, asked in the transaction that takes them |
//!
//! **A push and a sweep meet in the transactions alone.** If the sweep of a blob is first, `put_manifest` finds it absent
//! and refuses the push whole. If `put_manifest` is first, the blob has a holder and no lease, and the sweep does not see
//! it. The lease makes the first case rare: from the commit of a blob on, a client has `blob_lease_seconds` until its
//! manifest.
//!
//! **An unlink never hits a live file.** Its key is in the trash. Content that comes back is sealed under another
//! generation, so under another name; a commit that was told of the old key while it was live is `Gone`, however late it
//! comes and whatever the clock said meanwhile.
//!
//! **A pull** that read a key before the sweep opens the file or finds it absent, and then answers that the blob is
//! unknown, or looks again if its content has another key by now; an open file stays readable. A layout that links it
//! finds it absent, and reads its view again.
//!
//! **No scrub takes what somebody was told is there.** What is under a key is sealed once, and nothing but the medium
//! changes it. So what a scrub found under a key is true of that key, however late it acts on it, and of no other: the
//! content may have been collected and pushed again since, but then it is under a key that was not looked at, and
//! `quarantine_content` compares keys in its transaction. A file that is absent because it was collected had its key in the
//! trash before, so by I3 that key is not live.
//!
//! From then on `reserve` speaks of the content as of one that is not stored. Whoever uploads it is told that it is there
//! after its own bytes were sealed, under a fresh key; a commit that was told of the old one is `Gone`; a mount is an
//! upload; a new manifest that names it is refused. So nobody is told anything that rests on the quarantined file, and
//! moving it takes nothing from anybody. But it may be given back: a file that was out of sight is found whole by a later
//! pass. Were it moved by whoever noticed its absence, the move could come after that, and hit a key that is served again.
//! So requests only note, and passes alone move and give back, one pass at a time.
//!
//! `replace_content` asks for the key that was looked at, and not only whether the content is quarantined. For that could
//! be said of its next life: deleted, its key in the trash, pushed again under another key, and that one lost as well.
//!
//! **No scrub makes rotten bytes live.** A key comes to life by a commit, of bytes that were hashed as they came; by a copy
//! that was hashed as it was made, be it of what was put aside; or again by its own file, which the same pass has just hashed to its end.
//!
//! **What has no name can't come to life.** A key has a name before its file does: the intent, noted before the seal, stays
//! until the commit that makes the key live, and what is not live any more is in the trash. A copy that is salvaged has
//! no intent, but the pass that commits it is the one that looks for what has no name, and does so later. Only a power
//! cut takes an intent from a file, and with it whoever could have committed it. That a file must be a day old besides
//! is not needed for this.
//!
//! What is left is the time until anybody looks: rotten bytes are served until then, and a push is told that they are
//! there. Clients hash what they pull; the scrub's rate bounds the time.
//!
//! **A crash** between two steps leaves: before the seal, an upload with its session, which goes on or expires; between
//! seal and commit, a file that only its intent names, which is taken back at the start or by the next sweep; between the
//! sweep's transaction and its unlinks, or between those and `forget_trash`, rows in the trash, which the next sweep takes
//! along, and removing what is absent succeeds; between a quarantine and its move, a file that the next pass moves; between
//! a copy and its commit, an object that nothing names, which a pass puts in the trash when it is a day old; between that
//! commit and the forgetting, a file in `_quarantine` that is as good as the live one, and that nothing looks at.
//!
//! `registry::tests::schedule` searches for a counter-example by interleaving all of this at every call, while files rot,
//! go, and come back. It finds what is left out on purpose: a sweep that unlinks first, that heeds no lease, that forgets
//! before it unlinks; a push that does not ask again; a scrub that compares no keys, that asks for names too early; a move
//! beside the pass. `registry::tests::faults_in_turn` lets each call fail.
//!
//! [`Metadata`]: crate::metadata::Metadata
//! [`Registry::sweep`]: super::Registry::sweep

use super::{Error, Registry};

impl Registry {
    /// Collects abandoned uploads, blobs that nothing holds and whose lease ended, and orphaned evidence. Bytes that can't
    /// be removed now stay in the trash, and hold up no others.
    pub async fn sweep(&self) -> Result<(), Error> {
        let swept = self.housekeeping.sweep_rows().await?;
        for upload in &swept.uploads {
            self.trusted.forget(*upload);
        }
        self.housekeeping.remove_swept(&swept).await?;
        self.take_back_adrift().await
    }
}
