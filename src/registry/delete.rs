//! Delete: manifests, tags, blobs.

use std::sync::Arc;

use crate::authz::Delete;
use crate::metadata::{BlobDeleted, By, DeleteTag, Metadata, TagDeleted};
use crate::oci::{Digest, Precondition, Reference, Tag};

use super::{Allowed, Error, Registry};

impl Registry {
    /// Takes a manifest out of the repository and out of every tag's history.
    pub async fn delete_manifest(
        &self,
        allowed: &Allowed<Delete>,
        digest: &Digest,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        self.check_no_pending_push(allowed, digest).await?;
        // As long as it is there, it is what it is: that is no race.
        let wanted = precondition.holds(Some(digest));
        let there = if wanted {
            self.commit_deletion(allowed, *digest).await?
        } else {
            self.metadata.manifest(allowed.repository(), digest).await?.is_some()
        };
        match there {
            true if wanted => Ok(()),
            true => Err(Error::unlike(Some(*digest))),
            false => Err(self.unknown(allowed, Reference::Digest(*digest)).await?),
        }
    }

    /// Deletes a tag with its history. A tag kept for evidence is the one handle that its evidence has: what was pushed
    /// under it goes too, also what a later push had replaced.
    pub async fn delete_tag(
        &self,
        allowed: &Allowed<Delete>,
        tag: &Tag,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        let change = |metadata: Arc<dyn Metadata>| {
            let deletion = DeleteTag {
                repository: allowed.repository().clone(),
                tag: tag.clone(),
                precondition: precondition.clone(),
                by: self.by(allowed),
            };
            async move { metadata.delete_tag(deletion).await }
        };
        match self.commit_with_reserve(allowed.repository(), change).await? {
            TagDeleted::Deleted => Ok(()),
            TagDeleted::Absent => Err(self.unknown(allowed, Reference::Tag(tag.clone())).await?),
            TagDeleted::Unlike(found) => Err(Error::unlike(found)),
        }
    }

    /// Takes a blob that no manifest holds out of the repository.
    pub async fn delete_blob(
        &self,
        allowed: &Allowed<Delete>,
        digest: &Digest,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        if !precondition.holds(Some(digest)) {
            return Err(self.undeleted_blob(allowed, digest).await?);
        }
        let change = |metadata: Arc<dyn Metadata>| {
            let (repository, doomed, by) = (allowed.repository().clone(), *digest, self.by(allowed));
            async move { metadata.delete_blob(&repository, &doomed, &by).await }
        };
        match self.commit_with_reserve(allowed.repository(), change).await? {
            BlobDeleted::Deleted => Ok(()),
            BlobDeleted::Absent => Err(Error::BlobUnknown(*digest)),
            BlobDeleted::Held => Err(Error::BlobHeld(*digest)),
        }
    }

    /// Why a blob is not deleted whose precondition does not hold: a condition counts only where the request would else
    /// be carried out.
    async fn undeleted_blob(&self, allowed: &Allowed<Delete>, digest: &Digest) -> Result<Error, Error> {
        if self.metadata.blob(allowed.repository(), digest).await?.is_none() {
            return Ok(Error::BlobUnknown(*digest));
        }
        let held = !self.metadata.holders(allowed.repository(), digest, 1).await?.is_empty();
        Ok(if held { Error::BlobHeld(*digest) } else { Error::unlike(Some(*digest)) })
    }

    /// A tag that resolves to this digest for the caller, while a newer push of it is pending, would stop to resolve.
    async fn check_no_pending_push(&self, allowed: &Allowed<Delete>, digest: &Digest) -> Result<(), Error> {
        let Some(pull) = allowed.pull() else { return Ok(()) };
        for tag in self.metadata.tags_of(allowed.repository(), digest).await? {
            let pushes = self.metadata.pushes(allowed.repository(), &tag).await?;
            let Some(newest) = pushes.first().filter(|newest| newest.digest != *digest) else { continue };
            let resolved = match self.resolve(&pull, &Reference::Tag(tag.clone())).await {
                Ok(resolved) => resolved.digest,
                Err(Error::Withheld(_) | Error::ManifestUnknown(_) | Error::NameUnknown) => continue,
                Err(error) => return Err(error),
            };
            if resolved == *digest {
                return Err(Error::Conflict(format!(
                    "tag {tag} resolves to {digest} while its newer push {} is pending: delete the tag, or sign or delete the newer push first",
                    newest.digest
                )));
            }
        }
        Ok(())
    }

    async fn commit_deletion(&self, allowed: &Allowed<Delete>, digest: Digest) -> Result<bool, Error> {
        let change = |metadata: Arc<dyn Metadata>| {
            let (repository, by) = (allowed.repository().clone(), self.by(allowed));
            async move { metadata.delete_manifest(&repository, &digest, &by).await }
        };
        self.commit_with_reserve(allowed.repository(), change).await
    }

    fn by(&self, allowed: &Allowed<Delete>) -> By {
        By { who: allowed.who().clone(), at: self.clock.now() }
    }
}
