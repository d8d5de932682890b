//! Writing to an upload session: cap → hash → bytes, and what becomes of the session when its writer is gone.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::metadata::Upload;
use crate::oci::{Digest, Hasher};

use super::blob::NewBlob;
use super::commit::carried_through;
use super::gathering::Share;
use super::upload::Exclusive;
use super::{Error, Registry};

/// What becomes of a session whose writer is dropped: its client left, its body broke off, or it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// What came so far counts: the client may go on from there.
    Note,
    /// It stays where it was noted last.
    Stay,
    /// It can't become a blob, or nobody knows its name: its bytes are given back.
    Forget,
}

/// A session that one request writes to. Dropped without [`UploadWriter::pause`] or [`UploadWriter::finish`], what
/// came so far is noted, so that the client may go on from there, unless it was begun as whole or nothing.
pub struct UploadWriter {
    registry: Arc<Registry>,
    upload: Upload,
    hasher: Option<Hasher>,
    /// Bytes that are still to be handed to a blocking thread.
    gathered: Share,
    written: u64,
    chunk: Option<u64>,
    began: u64,
    limit: Option<u64>,
    /// None once it is handed on.
    exclusive: Option<Exclusive>,
    fate: Fate,
}

impl UploadWriter {
    /// Goes on at the end of `upload`: with a chunk of `chunk` bytes if that was said, up to `limit` bytes in all.
    pub(super) fn new(
        registry: Arc<Registry>,
        upload: Upload,
        hasher: Hasher,
        chunk: Option<u64>,
        limit: Option<u64>,
        exclusive: Exclusive,
    ) -> Self {
        Self {
            gathered: registry.gathering.join(),
            registry,
            hasher: Some(hasher),
            written: upload.offset,
            began: upload.offset,
            upload,
            chunk,
            limit,
            exclusive: Some(exclusive),
            fate: Fate::Note,
        }
    }

    /// The session's identifier.
    pub const fn id(&self) -> Uuid {
        self.upload.id
    }

    /// How many bytes are in, those gathered included.
    pub fn offset(&self) -> u64 {
        self.written.saturating_add(u64::try_from(self.gathered.len()).unwrap_or(u64::MAX))
    }

    /// The same for a session whose name nobody is told: if it does not become a blob now, it is forgotten.
    pub(super) const fn whole_or_nothing(mut self) -> Self {
        self.fate = Fate::Forget;
        self
    }

    /// The same for a session whose name its client is told, and may go on with.
    #[must_use]
    pub(super) const fn resumable(mut self) -> Self {
        self.fate = Fate::Note;
        self
    }

    /// Ends without a blob: what became of the session is settled when this returns.
    pub async fn leave(mut self) {
        if let Some(leftover) = self.leftover() {
            leftover.settle().await;
        }
    }

    /// What is still to be done for the session, if anything is.
    fn leftover(&mut self) -> Option<Leftover> {
        let exclusive = self.exclusive.take()?;
        let fate = match self.fate {
            Fate::Note if self.offset() == self.upload.offset => Fate::Stay,
            fate => fate,
        };
        (fate != Fate::Stay).then(|| Leftover {
            registry: Arc::clone(&self.registry),
            id: self.upload.id,
            written: self.written,
            gathered: self.gathered.take().unwrap_or_default(),
            hasher: self.hasher.take(),
            forget: fate == Fate::Forget,
            exclusive,
        })
    }

    /// Keeps in mind that a session which ended in `error` is of no use.
    fn failed(&mut self, error: Error) -> Error {
        if matches!(error, Error::Full | Error::AtFloor { .. } | Error::BlobTooLarge { .. } | Error::Capped(_)) {
            self.fate = Fate::Forget;
        }
        error
    }

    /// Takes in `bytes`.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let incoming = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let after = self.offset().saturating_add(incoming);
        if let Some(limit) = self.limit.filter(|limit| after > *limit) {
            return Err(self.failed(Error::BlobTooLarge { limit }));
        }
        let is_enough = self.gathered.gather(&bytes);
        // Before anything is waited for: its memory is the connection's, which reads on into it.
        drop(bytes);
        if is_enough { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        match self.gathered.take() {
            Some(piece) => self.append(piece).await,
            None => Ok(()),
        }
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), Error> {
        let Some(hasher) = self.hasher.take() else {
            return Err(Error::Unavailable("an earlier write of this upload failed".to_owned()));
        };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let append = || async {
            let store = &self.registry.store;
            Ok(store.append(self.upload.id, self.written, bytes.clone(), hasher.clone()).await?)
        };
        let appended = self.registry.housekeeping.where_room(self.upload.sign_only, length, append).await;
        match appended {
            Ok(hasher) => self.hasher = Some(hasher),
            Err(error) => return Err(self.failed(error)),
        }
        self.written = self.written.saturating_add(length);
        Ok(())
    }

    /// Notes how far the session is, at the end of a chunk, and returns it.
    pub async fn pause(mut self) -> Result<u64, Error> {
        let paused = self.try_pause().await;
        self.leave().await;
        paused
    }

    async fn try_pause(&mut self) -> Result<u64, Error> {
        self.flush().await?;
        self.settle()?;
        let hash = self.hasher.as_ref().map(Hasher::save).unwrap_or_default();
        let now = self.registry.clock.now();
        let note = || async {
            Ok(self.registry.metadata.progress_upload(self.upload.id, self.written, hash.clone(), now).await?)
        };
        let noted = self.registry.housekeeping.where_room(self.upload.sign_only, 0, note).await?;
        if noted { Ok(self.written) } else { Err(Error::UploadUnknown) }
    }

    /// Makes what was written a blob of the repository, if it hashes to `digest`.
    ///
    /// A client that goes away does not stop it: bytes that are sealed and never committed would lie there uncounted.
    pub async fn finish(self, digest: &Digest) -> Result<(), Error> {
        let digest = *digest;
        carried_through(async move { self.finish_now(&digest).await }).await
    }

    async fn finish_now(mut self, digest: &Digest) -> Result<(), Error> {
        let finished = self.try_finish(digest).await;
        if finished.is_ok() {
            self.registry.trusted.forget(self.upload.id);
            self.fate = Fate::Stay;
        }
        self.leave().await;
        finished
    }

    async fn try_finish(&mut self, digest: &Digest) -> Result<(), Error> {
        self.flush().await?;
        self.settle()?;
        let Some(mut hasher) = self.hasher.take() else {
            return Err(Error::Unavailable("an earlier write of this upload failed".to_owned()));
        };
        if hasher.algorithm() != digest.algorithm() {
            let other = Hasher::new(digest.algorithm());
            hasher = self.registry.store.rehash(self.upload.id, self.written, other).await?;
        }
        let found = hasher.finish();
        if found != *digest {
            self.fate = Fate::Forget;
            return Err(Error::DigestMismatch { expected: *digest, found });
        }
        let blob = NewBlob {
            repository: &self.upload.repository,
            who: &self.upload.who,
            digest: *digest,
            size: self.written,
            upload: Some(self.upload.id),
            sign_only: self.upload.sign_only,
        };
        let committed = self.registry.commit_blob(blob).await;
        committed.map_err(|error| self.failed(error))
    }

    /// The body is whole: from here on the session stays as it is noted, unless something else is said.
    fn settle(&mut self) -> Result<(), Error> {
        if self.fate == Fate::Note {
            self.fate = Fate::Stay;
        }
        let found = self.written.saturating_sub(self.began);
        match self.chunk.filter(|expected| *expected != found) {
            Some(expected) => Err(Error::SizeMismatch { expected, found }),
            None => Ok(()),
        }
    }
}

impl Drop for UploadWriter {
    fn drop(&mut self) {
        let Some(leftover) = self.leftover() else { return };
        // Without a runtime the process ends: the session stays where it was noted last.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(leftover.settle()));
        }
    }
}

/// A session whose writer is gone.
struct Leftover {
    registry: Arc<Registry>,
    id: Uuid,
    written: u64,
    gathered: Bytes,
    hasher: Option<Hasher>,
    forget: bool,
    /// Until this is done, nobody else writes.
    exclusive: Exclusive,
}

impl Leftover {
    async fn settle(self) {
        let settled = if self.forget { self.forget().await } else { self.note().await };
        // Nobody is left to tell; what could not be settled expires.
        drop(settled);
        drop(self.exclusive);
    }

    async fn forget(&self) -> Result<(), Error> {
        self.registry.trusted.forget(self.id);
        // The bytes first: on a full disk the metadata has no room for the change until they are gone.
        self.registry.store.discard(self.id).await?;
        self.registry.metadata.cancel_upload(self.id).await?;
        Ok(())
    }

    async fn note(&self) -> Result<(), Error> {
        // Without the hash there is no telling what was written.
        let Some(hasher) = self.hasher.clone() else { return Ok(()) };
        let length = u64::try_from(self.gathered.len()).unwrap_or(u64::MAX);
        let hasher = self.registry.store.append(self.id, self.written, self.gathered.clone(), hasher).await?;
        let (offset, now) = (self.written.saturating_add(length), self.registry.clock.now());
        self.registry.metadata.progress_upload(self.id, offset, hasher.save(), now).await?;
        Ok(())
    }
}
