//! One content: hashed again, quarantined, repaired.

use std::sync::Arc;

use crate::metadata::{Content, Reserved, Unavailable};
use crate::oci::{Digest, Hasher};
use crate::store::{Object, ObjectKey, READ_BYTES, StoreError};

use super::super::Error;
use super::super::commit::carried_through;
use super::pace::Pace;
use super::{Housekeeping, News, count};

/// In how many repositories another copy is looked for.
const COPIES: usize = 1024;

/// Where sound bytes were found: under the key that was quarantined,
const OWN_FILE: &str = "its own file";
/// or under the name of the digest in a layout.
const LAYOUT: &str = "a layout's own copy";

/// What was found under a key.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// What the name says.
    Sound,
    /// Something else, in one clause.
    Rotten(String),
    /// Nothing, for the medium refused it twice, in one clause.
    Refused(String),
}

/// What came of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// What was found was dealt with.
    Done,
    /// The medium refused it, as the clause says: what that means, those that come after it tell.
    Refused(String),
}

/// Why a content was not checked.
#[derive(Debug)]
pub(super) enum Unchecked {
    /// The store can't answer about this one, which says nothing about it and nothing about others.
    One(StoreError),
    /// Nothing can be checked now.
    All(Error),
}

impl From<StoreError> for Unchecked {
    fn from(error: StoreError) -> Self {
        Self::One(error)
    }
}

impl From<Error> for Unchecked {
    fn from(error: Error) -> Self {
        Self::All(error)
    }
}

impl From<Unavailable> for Unchecked {
    fn from(error: Unavailable) -> Self {
        Self::All(error.into())
    }
}

impl Housekeeping {
    /// Hashes a content again. What is not what its name says is quarantined, and repaired if there is another copy.
    pub(super) async fn check_content(&self, content: &Content, pace: &mut Pace) -> Result<Checked, Unchecked> {
        let found = self.examine(content, pace).await?;
        match found {
            Found::Sound if content.quarantined => {
                // Its file was out of sight for a while.
                let (digest, key) = (&content.digest, &content.key);
                if self.metadata.replace_content(digest, key, key, OWN_FILE, self.clock.now()).await? {
                    self.repaired_content(digest, OWN_FILE).await?;
                }
                Ok(Checked::Done)
            }
            Found::Sound => Ok(Checked::Done),
            Found::Rotten(why) => self.lose_content(content, &why, pace).await.map(|()| Checked::Done),
            Found::Refused(why) => Ok(Checked::Refused(why)),
        }
    }

    /// Quarantines a content, and repairs it if there is another copy.
    pub(super) async fn lose_content(&self, content: &Content, why: &str, pace: &mut Pace) -> Result<(), Unchecked> {
        if !content.quarantined && !self.note_rot(&content.digest, &content.key, why).await? {
            return Ok(());
        }
        self.repair_content(content, pace).await
    }

    /// Tells of a content that could not be checked.
    pub(super) fn note_unchecked(&self, digest: &Digest, why: String) {
        count(&self.counters.unchecked, 1);
        self.news.push(News::Unchecked { digest: *digest, why });
    }

    /// Why what lies under `key`, of `size` bytes, is not `digest`; nothing if it is.
    pub(in super::super) async fn why_rotten(
        &self,
        digest: &Digest,
        key: &ObjectKey,
        size: u64,
    ) -> Result<Option<String>, Error> {
        let content = Content { digest: *digest, key: key.0.clone(), size, quarantined: false };
        Ok(match self.examine(&content, &mut Pace::new(None)).await? {
            Found::Sound => None,
            Found::Rotten(why) | Found::Refused(why) => Some(why),
        })
    }

    /// What lies under the key of a content. What the machine can't do now is an error, for it says nothing about the content.
    async fn examine(&self, content: &Content, pace: &mut Pace) -> Result<Found, StoreError> {
        let mut refused = None;
        for _ in 0..2 {
            match self.hash_content(content, pace).await {
                Err(error) if error.is_of_the_medium() => refused = Some(error),
                Err(StoreError::Absent(_)) => return Ok(Found::Rotten("expected a file, found none".to_owned())),
                Err(error) => return Err(error),
                Ok(found) => return Ok(found),
            }
        }
        let why = refused.map(Error::from).map_or_else(String::new, |error| error.to_string());
        Ok(Found::Refused(format!("expected bytes that can be read, found: {why}")))
    }

    async fn hash_content(&self, content: &Content, pace: &mut Pace) -> Result<Found, StoreError> {
        let object = self.store.open_cold(&ObjectKey(content.key.clone())).await?;
        self.hash_object(&*object, content, pace).await
    }

    async fn hash_object(&self, object: &dyn Object, content: &Content, pace: &mut Pace) -> Result<Found, StoreError> {
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

    /// Notes that what is under `key` is not the content: from then on nothing serves it. False if it is not the key of
    /// the content any more, or that was noted already.
    ///
    /// The file stays where it is until the next pass of the scrub: a pass alone moves files aside and gives them back, so
    /// that none is moved that was given back.
    pub(in super::super) async fn note_rot(&self, digest: &Digest, key: &str, why: &str) -> Result<bool, Error> {
        self.with_reserve(|| self.note_rot_in(digest, key, why)).await
    }

    /// The one that noticed may be a client that goes away: what was answered before the note is not answered after it,
    /// whoever still waits.
    async fn note_rot_in(&self, digest: &Digest, key: &str, why: &str) -> Result<bool, Error> {
        let (metadata, epochs, changed) =
            (Arc::clone(&self.metadata), Arc::clone(&self.epochs), Arc::clone(&self.changed));
        let (counters, news) = (Arc::clone(&self.counters), Arc::clone(&self.news));
        let soundness = Arc::clone(&self.soundness);
        let (digest, key, why, at) = (*digest, key.to_owned(), why.to_owned(), self.clock.now());
        carried_through(async move {
            let noted = metadata.quarantine_content(&digest, &key, &why, at).await;
            soundness.note_quarantine();
            let Some(repositories) = noted.inspect_err(|_| epochs.advance_all())? else { return Ok(false) };
            for repository in &repositories {
                epochs.advance(repository);
            }
            changed.tell();
            count(&counters.quarantined, 1);
            news.push(News::Quarantined { digest, repository: repositories.into_iter().next(), why });
            Ok(true)
        })
        .await
    }

    /// Looks whether what is kept of a quarantined content is sound by now, and for another copy; without one, the layouts
    /// lose it too.
    async fn repair_content(&self, content: &Content, pace: &mut Pace) -> Result<(), Unchecked> {
        let (digest, rotten) = (&content.digest, ObjectKey(content.key.clone()));
        // The row keeps it from being served; this keeps it for whoever wants to look.
        self.store.quarantine(&rotten).await?;
        let Reserved::Fresh(generation) = self.metadata.reserve(*digest).await? else { return Ok(()) };
        let Some((key, from)) = self.sound_copy(content, &rotten, generation, pace).await? else {
            self.metadata.conceal_content(digest).await?;
            self.changed.tell();
            return Ok(());
        };
        if self.metadata.replace_content(digest, &rotten.0, &key.0, from, self.clock.now()).await? {
            self.repaired_content(digest, from).await?;
            if from == OWN_FILE {
                // What is live now is a copy of it, byte for byte.
                self.store.forget_quarantined(&rotten).await?;
            }
            return Ok(());
        }
        // It was pushed again meanwhile, or given up.
        Ok(self.store.remove(&key).await?)
    }

    /// A sound copy of a content, in a generation that is fresh, and where it was found. What the medium refused once may
    /// be read now: so it begins with what was put aside.
    async fn sound_copy(
        &self,
        content: &Content,
        rotten: &ObjectKey,
        generation: u64,
        pace: &mut Pace,
    ) -> Result<Option<(ObjectKey, &'static str)>, Unchecked> {
        let Content { digest, size, .. } = content;
        if self.is_sound_aside(content, rotten, pace).await
            && let Some(key) = self.store.give_back(rotten, digest, *size, generation).await?
        {
            // It was read once more.
            pace.spend(*size).await;
            return Ok(Some((key, OWN_FILE)));
        }
        let Some(layout) = self.store.layout() else { return Ok(None) };
        let repositories = self.metadata.repositories_with(digest, COPIES).await?;
        let salvaged = layout.salvage(digest, *size, rotten, generation, repositories).await?;
        Ok(salvaged.map(|key| (key, LAYOUT)))
    }

    /// Whether what was put aside is sound by now. Most of it never is, and each pass comes here: so it is hashed before
    /// anything is written. What can't be read now may be read by the next pass.
    async fn is_sound_aside(&self, content: &Content, rotten: &ObjectKey, pace: &mut Pace) -> bool {
        let Ok(aside) = self.store.open_quarantined(rotten).await else { return false };
        self.hash_object(&*aside, content, pace).await.is_ok_and(|found| found == Found::Sound)
    }

    async fn repaired_content(&self, digest: &Digest, from: &'static str) -> Result<(), Error> {
        count(&self.counters.repaired, 1);
        self.news.push(News::Repaired { digest: *digest, repository: None, from });
        self.changed(&self.metadata.repositories_with(digest, usize::MAX).await?);
        Ok(())
    }
}
