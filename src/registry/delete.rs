//! Delete: manifests, tags, blobs.

use crate::authz::Delete;
use crate::metadata::BlobDeleted;
use crate::oci::{Digest, Reference, Tag};

use super::{Allowed, Error, Registry};

impl Registry {
    /// Takes a manifest out of the repository and out of every tag's history.
    pub async fn delete_manifest(&self, allowed: &Allowed<Delete>, digest: &Digest) -> Result<(), Error> {
        self.check_no_pending_push(allowed, digest).await?;
        let deleted = self.metadata.delete_manifest(allowed.repository(), digest, self.clock.now()).await?;
        self.after_delete(allowed);
        if deleted { Ok(()) } else { Err(self.unknown(allowed, Reference::Digest(*digest)).await?) }
    }

    /// Deletes a tag with its history.
    pub async fn delete_tag(&self, allowed: &Allowed<Delete>, tag: &Tag) -> Result<(), Error> {
        let deleted = self.metadata.delete_tag(allowed.repository(), tag).await?;
        self.after_delete(allowed);
        if deleted { Ok(()) } else { Err(self.unknown(allowed, Reference::Tag(tag.clone())).await?) }
    }

    /// Takes a blob that no manifest holds out of the repository.
    pub async fn delete_blob(&self, allowed: &Allowed<Delete>, digest: &Digest) -> Result<(), Error> {
        let deleted = self.metadata.delete_blob(allowed.repository(), digest).await?;
        self.after_delete(allowed);
        match deleted {
            BlobDeleted::Deleted => Ok(()),
            BlobDeleted::Absent => Err(Error::BlobUnknown(*digest)),
            BlobDeleted::Held => Err(Error::BlobHeld(*digest)),
        }
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

    fn after_delete(&self, allowed: &Allowed<Delete>) {
        self.epochs.advance(allowed.repository());
        self.changed.notify_one();
    }
}
