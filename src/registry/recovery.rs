//! What was in flight when a process died, or when the medium failed: taken back, so that nothing is left uncounted.
//!
//! An intent names the key of bytes that are about to be sealed, and the commit that names the key forgets it. So an
//! intent that is still there speaks of bytes that nobody can reach: they become the upload again that they were, if its
//! session is there still, and go otherwise. A power cut may take the newest intents with it, for they are not synced:
//! what it leaves is found only by a walk over the store.

use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::metadata::{Intent, Upload};
use crate::oci::Hasher;
use crate::store::{ObjectKey, StoreError};

use super::{Error, Registry};

/// How many intents are taken back at once.
const BATCH: usize = 512;

/// Keys whose bytes no commit has named, and that nobody is about to commit any more.
#[derive(Debug, Default)]
pub(super) struct Adrift(Mutex<HashSet<String>>);

impl Adrift {
    pub(super) fn note(&self, key: &ObjectKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.0.clone());
    }

    fn all(&self) -> HashSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, keys: &HashSet<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key| !keys.contains(key));
    }
}

/// Sessions whose bytes are known to be what was hashed, because this process wrote them or has read them.
#[derive(Debug, Default)]
pub(super) struct Trusted(Mutex<HashSet<Uuid>>);

impl Trusted {
    pub(super) fn trust(&self, upload: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(upload);
    }

    pub(super) fn forget(&self, upload: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&upload);
    }

    fn has(&self, upload: Uuid) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&upload)
    }
}

impl Registry {
    /// Refuses a session whose bytes are not what was hashed.
    ///
    /// Appends are not synced: a power cut may leave fewer bytes than were noted, or others, and the noted state of the
    /// hash would vouch for them. So what another process wrote is read once before anything is built on it.
    pub(super) async fn check_bytes(&self, upload: &Upload) -> Result<(), Error> {
        if self.trusted.has(upload.id) {
            return Ok(());
        }
        let found = match self.store.rehash(upload.id, upload.offset, Hasher::new(upload.algorithm)).await {
            Err(StoreError::Absent(_)) => return Err(Error::UploadUnknown),
            Err(StoreError::Io(short)) if short.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Error::UploadUnknown);
            }
            found => found?.finish(),
        };
        let noted = Hasher::restore(upload.algorithm, &upload.hash).map(Hasher::finish);
        if noted != Some(found) {
            return Err(Error::UploadUnknown);
        }
        self.trusted.trust(upload.id);
        Ok(())
    }

    /// At start-up, when nothing is under way: takes back what the process before left half-made.
    pub(super) async fn recover(&self) -> Result<(), Error> {
        self.metadata.end_whole_uploads().await?;
        loop {
            let intents = self.metadata.intents(BATCH).await?;
            if intents.is_empty() {
                break;
            }
            self.take_back(&intents).await?;
        }
        self.discard_unknown_uploads().await
    }

    /// The same for what failed since, while everything else goes on.
    pub(super) async fn take_back_adrift(&self) -> Result<(), Error> {
        let adrift = self.adrift.all();
        if adrift.is_empty() {
            return Ok(());
        }
        let mut intents = self.metadata.intents(usize::MAX).await?;
        intents.retain(|intent| adrift.contains(&intent.key));
        self.take_back(&intents).await?;
        // What was adrift and has no intent was committed after all.
        self.adrift.forget(&adrift);
        Ok(())
    }

    async fn take_back(&self, intents: &[Intent]) -> Result<(), Error> {
        let mut keys = Vec::with_capacity(intents.len());
        for intent in intents {
            let key = ObjectKey(intent.key.clone());
            if self.metadata.upload(intent.upload).await?.is_some() {
                self.store.unseal(&key, intent.upload).await?;
            } else {
                match self.store.remove(&key).await {
                    Ok(()) | Err(StoreError::Absent(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            keys.push(intent.key.clone());
        }
        Ok(self.metadata.forget_intents(&keys).await?)
    }

    /// Discards uploads that the metadata does not know: what a crash left.
    async fn discard_unknown_uploads(&self) -> Result<(), Error> {
        let found: HashSet<_> = self.store.uploads().await?.into_iter().collect();
        for id in found {
            if self.metadata.upload(id).await?.is_none() {
                self.store.discard(id).await?;
            }
        }
        Ok(())
    }
}
