//! Upload sessions: begun, asked for, gone on with, cancelled.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use crate::authz::Sign;
use crate::metadata::Upload;
use crate::oci::{Algorithm, ContentRange, Hasher};

use super::commit::carried_through;
use super::writer::UploadWriter;
use super::{Allowed, Error, Registry};

/// Which sessions a request is writing to now.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<Mutex<HashSet<Uuid>>>);

/// Proof that no other request writes to the session.
#[derive(Debug)]
pub(super) struct Exclusive {
    busy: Busy,
    id: Uuid,
}

impl Busy {
    fn claim(&self, id: Uuid) -> Result<Exclusive, Error> {
        let claimed = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id);
        if claimed { Ok(Exclusive { busy: self.clone(), id }) } else { Err(Error::UploadBusy) }
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.busy.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&self.id);
    }
}

impl Registry {
    /// Begins a session, hashed by `algorithm`.
    pub async fn begin_upload(
        self: &Arc<Self>,
        allowed: &Allowed<Sign>,
        algorithm: Algorithm,
    ) -> Result<UploadWriter, Error> {
        self.begin(allowed, algorithm, false).await
    }

    /// Begins an upload that nobody is told the name of: it becomes a blob now, or nothing is left of it.
    pub async fn begin_whole_upload(
        self: &Arc<Self>,
        allowed: &Allowed<Sign>,
        algorithm: Algorithm,
    ) -> Result<UploadWriter, Error> {
        self.begin(allowed, algorithm, true).await
    }

    async fn begin(
        self: &Arc<Self>,
        allowed: &Allowed<Sign>,
        algorithm: Algorithm,
        whole: bool,
    ) -> Result<UploadWriter, Error> {
        let id = Uuid::new_v4();
        let hasher = Hasher::new(algorithm);
        let upload = Upload {
            id,
            repository: allowed.repository().clone(),
            who: allowed.who().clone(),
            sign_only: allowed.grant().is_sign_only(),
            whole,
            offset: 0,
            algorithm,
            hash: hasher.save(),
            at: self.clock.now(),
        };
        let exclusive = self.busy.claim(id)?;
        // Its client may go away before it has begun, and would leave bytes that no session names.
        let writer = self.writer(upload.clone(), hasher, None, exclusive).whole_or_nothing();
        match self.begin_session(upload).await {
            Ok(()) if whole => Ok(writer),
            Ok(()) => Ok(writer.resumable()),
            Err(error) => {
                writer.leave().await;
                Err(error)
            }
        }
    }

    async fn begin_session(&self, upload: Upload) -> Result<(), Error> {
        let (id, sign_only) = (upload.id, upload.sign_only);
        let begin = || async { Ok(self.store.begin(id).await?) };
        self.housekeeping.where_room(sign_only, 0, begin).await?;
        if upload.whole && !upload.sign_only {
            // It is no session, and there is no cap to count it against.
            return Ok(());
        }
        let cap = sign_only.then_some(self.limits.sign_uploads);
        let begin = || async { Ok(self.metadata.begin_upload(upload.clone(), cap).await?) };
        if self.housekeeping.where_room(sign_only, 0, begin).await? {
            self.trusted.trust(id);
            return Ok(());
        }
        Err(Error::Capped(format!("expected at most {} open uploads under `sign` alone", self.limits.sign_uploads)))
    }

    /// How far a session is, in bytes.
    pub async fn upload_status(&self, allowed: &Allowed<Sign>, id: Uuid) -> Result<u64, Error> {
        let upload = self.session(allowed, id).await?;
        self.check_bytes(&upload).await?;
        Ok(upload.offset)
    }

    /// Goes on with a session, at its end.
    pub async fn resume_upload(
        self: &Arc<Self>,
        allowed: &Allowed<Sign>,
        id: Uuid,
        range: Option<ContentRange>,
    ) -> Result<UploadWriter, Error> {
        let exclusive = self.busy.claim(id)?;
        let upload = self.session(allowed, id).await?;
        if range.is_some_and(|range| range.first != upload.offset) {
            return Err(Error::RangeInvalid { offset: upload.offset });
        }
        self.check_bytes(&upload).await?;
        let hasher = Hasher::restore(upload.algorithm, &upload.hash)
            .ok_or_else(|| Error::Unavailable(format!("the hash state of upload {id} can't be read")))?;
        Ok(self.writer(upload, hasher, range.map(|range| range.length()), exclusive))
    }

    /// Ends a session without a blob.
    pub async fn cancel_upload(self: &Arc<Self>, allowed: &Allowed<Sign>, id: Uuid) -> Result<(), Error> {
        let exclusive = self.busy.claim(id)?;
        self.session(allowed, id).await?;
        let registry = Arc::clone(self);
        carried_through(async move {
            registry.trusted.forget(id);
            registry.housekeeping.with_reserve(|| async { Ok(registry.metadata.cancel_upload(id).await?) }).await?;
            registry.store.discard(id).await?;
            drop(exclusive);
            Ok(())
        })
        .await
    }

    async fn session(&self, allowed: &Allowed<Sign>, id: Uuid) -> Result<Upload, Error> {
        let upload = self.metadata.upload(id).await?.ok_or(Error::UploadUnknown)?;
        let own = upload.repository == *allowed.repository() && upload.who == *allowed.who() && !upload.whole;
        if own { Ok(upload) } else { Err(Error::UploadUnknown) }
    }

    fn writer(
        self: &Arc<Self>,
        upload: Upload,
        hasher: Hasher,
        chunk: Option<u64>,
        exclusive: Exclusive,
    ) -> UploadWriter {
        let limit = if upload.sign_only { Some(self.limits.sign_blob_bytes) } else { self.limits.blob_bytes };
        UploadWriter::new(Arc::clone(self), upload, hasher, chunk, limit, exclusive)
    }
}
