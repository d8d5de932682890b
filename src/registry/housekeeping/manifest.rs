//! One manifest: its bytes are in the metadata, and are hashed again like any others.

use bytes::Bytes;

use crate::metadata::PlacedManifest;
use crate::oci::{Digest, RepositoryName};

use super::super::Error;
use super::{Housekeeping, News, count};

/// In how many repositories another copy is looked for.
const COPIES: usize = 16;

impl Housekeeping {
    /// Hashes a manifest again. One whose bytes are not what its name says is quarantined, and repaired if there is another
    /// copy.
    pub(super) async fn check_manifest(&self, manifest: &PlacedManifest) -> Result<(), Error> {
        let PlacedManifest { repository, digest, bytes, quarantined, .. } = manifest;
        if Digest::of(digest.algorithm(), bytes) != *digest {
            return self.quarantine_manifest(repository, digest, bytes).await;
        }
        if *quarantined {
            // Its bytes were read otherwise for a while.
            self.repair_manifest(repository, digest, (bytes.clone(), "its own bytes")).await?;
        }
        Ok(())
    }

    /// Notes that the bytes of a manifest are not what its name says, unless they are others by now; and looks for a copy.
    pub(in super::super) async fn quarantine_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let why = format!("expected bytes that hash to their name, found {}", Digest::of(digest.algorithm(), bytes));
        if self.metadata.quarantine_manifest(repository, digest, bytes, &why, self.clock.now()).await? {
            self.changed(std::slice::from_ref(repository));
            count(&self.counters.quarantined, 1);
            self.news.push(News::Quarantined { digest: *digest, repository: Some(repository.clone()), why });
        }
        match self.manifest_copy(repository, digest).await? {
            Some(copy) => self.repair_manifest(repository, digest, copy).await,
            None => Ok(()),
        }
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
