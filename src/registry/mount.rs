//! Mounting: a blob of another repository, without its bytes being sent, if it is admitted to the caller there.

use crate::authz::{Pull, Sign};
use crate::oci::{Digest, RepositoryName};

use super::blob::NewBlob;
use super::resolve::Decision;
use super::{Allowed, Error, Registry};

/// In how many repositories a blob is looked for when the client names none.
const SOURCES: usize = 16;

impl Registry {
    /// Mounts `digest` from `from`, or from wherever the caller may pull it. False if there is no such place: the
    /// client then uploads.
    pub async fn mount(
        &self,
        allowed: &Allowed<Sign>,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<bool, Error> {
        let sources = match from {
            Some(from) => vec![from.clone()],
            None => self.metadata.repositories_with(digest, SOURCES).await?,
        };
        for source in sources {
            let Some(size) = self.mountable(allowed, &source, digest).await? else { continue };
            let sign_only = allowed.grant().is_sign_only();
            if sign_only && size > self.limits.sign_blob_bytes {
                return Ok(false);
            }
            let blob = NewBlob {
                repository: allowed.repository(),
                who: allowed.who(),
                digest: *digest,
                size,
                upload: None,
                sign_only,
            };
            return match self.commit_blob(blob).await {
                Ok(()) => Ok(true),
                // Collected meanwhile.
                Err(Error::BlobUnknown(_)) => Ok(false),
                Err(error) => Err(error),
            };
        }
        Ok(false)
    }

    async fn mountable(
        &self,
        allowed: &Allowed<Sign>,
        source: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, Error> {
        let access = allowed.current().revision.access(allowed.who(), source)?;
        let Some(pull): Option<Allowed<Pull>> = allowed.also(access.pull()) else { return Ok(None) };
        let blob = self.metadata.blob(source, digest).await?;
        let Some(blob) = blob.filter(|blob| !blob.quarantined) else { return Ok(None) };
        Ok(match self.decide_blob(&pull, digest).await? {
            Decision::Admitted { .. } => Some(blob.size),
            Decision::Withheld { .. } => None,
        })
    }
}
