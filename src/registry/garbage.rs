//! Collection: rows first, in one transaction; then the bytes that the transaction put in the trash.
//!
//! # Why collection and pushes can't race
//!
//! Every change of what is stored is one transaction of [`Metadata`], and the engine runs transactions one after another.
//! So only two things are to be shown: that each transaction keeps the invariants, and that what is done *between*
//! transactions, to files, can't break them.
//!
//! The invariants, after each transaction:
//!
//! - **I1** What a manifest of a repository must have is a blob of that repository, and each blob has a live key.
//! - **I2** A blob's lease is null exactly while a manifest of its repository holds it.
//! - **I3** No live key is in the trash. A key comes to life once: it has a generation of its own, and one that was in
//!   the trash is refused while it is remembered.
//! - **I4** Each live key has its file, whole and durable.
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
//!
//! **A push and a sweep meet in the transactions alone.** If the sweep of a blob is first, `put_manifest` finds it absent
//! and refuses the push whole. If `put_manifest` is first, the blob has a holder and no lease, and the sweep does not see
//! it. The lease makes the first case rare: from the commit of a blob on, a client has `blob_lease_seconds` until its
//! manifest.
//!
//! **An unlink never hits a live file.** Its key is in the trash. Content that comes back is sealed under another
//! generation, so under another name; a commit that was told of the old key while it was live is `Gone`. It rests on one
//! thing outside the transactions: a commit takes less than the day for which a removed key is remembered.
//!
//! **A pull** that read a key before the sweep opens the file or finds it absent, and then answers that the blob is
//! unknown; an open file stays readable. A layout that links it finds it absent, and reads its view again.
//!
//! **A crash** between two steps leaves: before the seal, an upload with its session, which goes on or expires; between
//! seal and commit, a file that only its intent names, which is taken back at the start or by the next sweep; between the sweep's transaction and its unlinks, or between those and
//! `forget_trash`, rows in the trash, which the next sweep takes along, and removing what is absent succeeds.
//!
//! `registry::tests::schedule` searches for a counter-example by interleaving all of this at every call, and finds what
//! is left out on purpose: a sweep that unlinks first, that heeds no lease, that forgets before it unlinks, a push that
//! does not ask again. `registry::tests::faults_in_turn` lets each call fail.
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
