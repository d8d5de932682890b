//! One manifest: its bytes are in the metadata, and are hashed again like any others.

use std::sync::Arc;

use bytes::Bytes;

use crate::metadata::PlacedManifest;
use crate::oci::{Digest, RepositoryName};
use crate::store::Mended;

use super::super::Error;
use super::super::commit::carried_through;
use super::pace::Pace;
use super::{Housekeeping, News, count};

/// In how many repositories another copy is looked for.
const COPIES: usize = 16;
/// Repositories whose indexes are checked in one go.
const REPOSITORIES: usize = 1000;

impl Housekeeping {
    /// Hashes a manifest again, and says whether its bytes are what its name says. If they are not it is quarantined, and
    /// repaired if there is another copy.
    pub(super) async fn check_manifest(&self, manifest: &PlacedManifest) -> Result<bool, Error> {
        let PlacedManifest { repository, digest, bytes, quarantined, .. } = manifest;
        if Digest::of(digest.algorithm(), bytes) != *digest {
            self.quarantine_manifest(repository, digest, bytes).await?;
            return Ok(false);
        }
        if *quarantined {
            // Its bytes were read otherwise for a while.
            self.repair_manifest(repository, digest, (bytes.clone(), "its own bytes")).await?;
        }
        Ok(true)
    }

    /// Reads what the layout shows of a manifest whose bytes are sound, and puts those in its place where it is anything else.
    /// Nobody was served it from there. One that is absent is shown again by the view.
    pub(super) async fn check_shown(&self, manifest: &PlacedManifest) -> Result<(), Error> {
        let PlacedManifest { repository, digest, bytes, .. } = manifest;
        let Some(layout) = self.store.layout() else { return Ok(()) };
        match layout.mend_manifest(repository, digest, bytes.clone()).await? {
            Mended::Sound => {}
            Mended::Replaced => {
                count(&self.counters.repaired, 1);
                let from = "the metadata, in its layout";
                self.news.push(News::Repaired { digest: *digest, repository: Some(repository.clone()), from });
            }
            Mended::Absent => {
                self.metadata.show_again(repository, std::slice::from_ref(digest)).await?;
                self.changed.tell();
            }
        }
        Ok(())
    }

    /// Has each `index.json` that is absent or does not parse written again by the view: without it nobody finds the rest.
    pub(super) async fn check_indexes(&self, pace: &mut Pace) -> Result<(), Error> {
        let Some(layout) = self.store.layout() else { return Ok(()) };
        let mut after: Option<RepositoryName> = None;
        loop {
            let page = self.metadata.repositories(after.as_ref().map(RepositoryName::as_str), REPOSITORIES).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for repository in page {
                let Some(bytes) = layout.index_bytes(&repository).await? else {
                    self.metadata.show_again(&repository, &[]).await?;
                    self.changed.tell();
                    continue;
                };
                pace.spend(bytes).await;
            }
        }
    }

    /// Notes that the bytes of a manifest are not what its name says, unless they are others by now; and looks for a copy.
    pub(in super::super) async fn quarantine_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let why = format!("expected bytes that hash to their name, found {}", Digest::of(digest.algorithm(), bytes));
        if self.note_rotten_manifest((repository.clone(), *digest), bytes.to_vec(), why.clone()).await? {
            self.changed(std::slice::from_ref(repository));
            count(&self.counters.quarantined, 1);
            self.news.push(News::Quarantined { digest: *digest, repository: Some(repository.clone()), why });
        }
        match self.manifest_copy(repository, digest).await? {
            Some(copy) => self.repair_manifest(repository, digest, copy).await,
            None => Ok(()),
        }
    }

    async fn note_rotten_manifest(
        &self,
        (repository, digest): (RepositoryName, Digest),
        bytes: Vec<u8>,
        why: String,
    ) -> Result<bool, Error> {
        let (metadata, soundness) = (Arc::clone(&self.metadata), Arc::clone(&self.soundness));
        let at = self.clock.now();
        carried_through(async move {
            let noted = metadata.quarantine_manifest(&repository, &digest, &bytes, &why, at).await;
            soundness.note_quarantine();
            Ok(noted?)
        })
        .await
    }

    async fn repair_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        (bytes, from): (Bytes, &'static str),
    ) -> Result<(), Error> {
        if self.metadata.replace_manifest(repository, digest, bytes, from, self.clock.now()).await? {
            self.changed(std::slice::from_ref(repository));
            count(&self.counters.repaired, 1);
            self.news.push(News::Repaired { digest: *digest, repository: Some(repository.clone()), from });
        }
        Ok(())
    }

    async fn manifest_copy(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<(Bytes, &'static str)>, Error> {
        for other in self.metadata.manifest_copies(repository, digest, COPIES).await? {
            let copy = self.metadata.manifest(&other, digest).await?;
            if let Some(copy) = copy.filter(|copy| Digest::of(digest.algorithm(), &copy.bytes) == *digest) {
                return Ok(Some((copy.bytes, "another repository")));
            }
        }
        let Some(layout) = self.store.layout() else { return Ok(None) };
        let limit = u64::try_from(self.limits.manifest_bytes).unwrap_or(u64::MAX);
        let copy = layout.manifest_copy(repository, digest, limit).await?;
        Ok(copy.map(|bytes| (bytes, "its layout")))
    }
}
