//! One content: hashed again, quarantined, repaired.

use crate::metadata::{Content, Reserved};
use crate::oci::{Digest, Hasher};
use crate::store::{ObjectKey, READ_BYTES, StoreError};

use super::super::Error;
use super::pace::Pace;
use super::{Housekeeping, News, count};

/// In how many repositories another copy is looked for.
const COPIES: usize = 1024;

/// What was found under a key.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// What the name says.
    Sound,
    /// Something else, in one clause.
    Rotten(String),
}

impl Housekeeping {
    /// Hashes a content again. What is not what its name says is quarantined, and repaired if there is another copy.
    pub(super) async fn check_content(&self, content: &Content, pace: &mut Pace) -> Result<(), Error> {
        let found = self.examine(content, pace).await?;
        match found {
            Found::Sound if content.quarantined => {
                // Its file was out of sight for a while.
                if self.metadata.replace_content(&content.digest, &content.key).await? {
                    self.repaired_content(&content.digest, "its own file").await?;
                }
                Ok(())
            }
            Found::Sound => Ok(()),
            Found::Rotten(why) => {
                if !content.quarantined && !self.quarantine(&content.digest, &content.key, &why).await? {
                    return Ok(());
                }
                self.repair_content(content).await
            }
        }
    }

    /// What lies under the key of a content. What the medium refuses twice is lost; what the machine can't do now is an
    /// error, for it says nothing about the content.
    async fn examine(&self, content: &Content, pace: &mut Pace) -> Result<Found, Error> {
        let mut refused = None;
        for _ in 0..2 {
            match self.hash_content(content, pace).await {
                Err(error) if error.is_of_the_medium() => refused = Some(error),
                Err(StoreError::Absent(_)) => return Ok(Found::Rotten("expected a file, found none".to_owned())),
                Err(error) => return Err(error.into()),
                Ok(found) => return Ok(found),
            }
        }
        let why = refused.map(Error::from).map_or_else(String::new, |error| error.to_string());
        Ok(Found::Rotten(format!("expected bytes that can be read, found: {why}")))
    }

    async fn hash_content(&self, content: &Content, pace: &mut Pace) -> Result<Found, StoreError> {
        let object = self.store.open_cold(&ObjectKey(content.key.clone())).await?;
        if object.size() != content.size {
            return Ok(Found::Rotten(format!("expected {} bytes, found {}", content.size, object.size())));
        }
        let mut hasher = Hasher::new(content.digest.algorithm());
        let mut offset = 0_u64;
        while offset < content.size {
            let bytes = object.read(offset, READ_BYTES).await?;
            let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if read == 0 {
                return Ok(Found::Rotten(format!("expected {} bytes, found {offset}", content.size)));
            }
            hasher.update(&bytes);
            offset = offset.saturating_add(read);
            count(&self.counters.bytes, read);
            pace.spend(read).await;
        }
        let found = hasher.finish();
        if found == content.digest {
            return Ok(Found::Sound);
        }
        Ok(Found::Rotten(format!("expected bytes that hash to their name, found {found}")))
    }

    /// Puts what is under `key` where nothing serves it. False if it is not the key of the content any more, or there
    /// already.
    pub(in super::super) async fn quarantine(&self, digest: &Digest, key: &str, why: &str) -> Result<bool, Error> {
        let at = self.clock.now();
        let note = || async { Ok(self.metadata.quarantine_content(digest, key, why, at).await?) };
        let Some(repositories) = self.with_reserve(note).await? else { return Ok(false) };
        self.changed(&repositories);
        count(&self.counters.quarantined, 1);
        let repository = repositories.first().cloned();
        self.news.push(News::Quarantined { digest: *digest, repository, why: why.to_owned() });
        // From here on the row keeps it from being served; the move keeps it for whoever wants to look.
        self.store.quarantine(&ObjectKey(key.to_owned())).await?;
        Ok(true)
    }

    /// Looks for another copy of a quarantined content; without one, the layouts lose it too.
    async fn repair_content(&self, content: &Content) -> Result<(), Error> {
        let (digest, rotten) = (&content.digest, ObjectKey(content.key.clone()));
        // A crash may have come between the row and the move.
        self.store.quarantine(&rotten).await?;
        let repositories = self.metadata.repositories_with(digest, COPIES).await?;
        let Reserved::Fresh(generation) = self.metadata.reserve(*digest).await? else { return Ok(()) };
        let salvaged = match self.store.layout() {
            Some(layout) => layout.salvage(digest, content.size, &rotten, generation, repositories).await?,
            None => None,
        };
        let Some(key) = salvaged else {
            self.metadata.conceal_content(digest).await?;
            self.changed.tell();
            return Ok(());
        };
        if self.metadata.replace_content(digest, &key.0).await? {
            return self.repaired_content(digest, "a layout's own copy").await;
        }
        // It was pushed again meanwhile.
        Ok(self.store.remove(&key).await?)
    }

    async fn repaired_content(&self, digest: &Digest, from: &'static str) -> Result<(), Error> {
        count(&self.counters.repaired, 1);
        self.news.push(News::Repaired { digest: *digest, repository: None, from });
        self.changed(&self.metadata.repositories_with(digest, usize::MAX).await?);
        Ok(())
    }
}
