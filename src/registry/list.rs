//! Lists: tags, repositories, referrers. Each shows what resolves for the caller.

use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;

use crate::authz::{Pull, PullTerms};
use crate::gate::Who;
use crate::metadata::{Kind, StoredManifest};
use crate::oci::{Descriptor, Digest, Reference, RepositoryName, Tag, media_type};

use super::resolve::Decision;
use super::{Allowed, Error, Page, Registry};

/// How many rows are looked at in one read.
const BATCH: usize = 256;

impl Registry {
    /// The tags that resolve for the caller, after `after` in lexical order.
    pub async fn tags(&self, allowed: &Allowed<Pull>, after: Option<&str>, n: usize) -> Result<Page<Tag>, Error> {
        let repository = allowed.repository();
        if !self.metadata.repository_exists(repository).await? {
            return Err(Error::NameUnknown);
        }
        let mut entries: Vec<Tag> = Vec::new();
        let mut last = after.map(str::to_owned);
        let read = n.saturating_add(1).min(BATCH);
        loop {
            let batch = self.metadata.tags(repository, last.as_deref(), read).await?;
            let ended = batch.len() < read;
            for (tag, newest) in batch {
                last = Some(tag.as_str().to_owned());
                if !self.shows_tag(allowed, &tag, &newest).await? {
                    continue;
                }
                if entries.len() == n {
                    let next = entries.last().map(|tag| tag.as_str().to_owned());
                    return Ok(Page { entries, next });
                }
                entries.push(tag);
            }
            if ended {
                return Ok(Page { entries, next: None });
            }
            tokio::task::yield_now().await;
        }
    }

    async fn shows_tag(&self, allowed: &Allowed<Pull>, tag: &Tag, newest: &Digest) -> Result<bool, Error> {
        if matches!(allowed.access().terms(), PullTerms::Everything | PullTerms::Signing) {
            return Ok(true);
        }
        if let Decision::Admitted { .. } = self.decide(allowed, newest).await? {
            return Ok(true);
        }
        match self.resolve(allowed, &Reference::Tag(tag.clone())).await {
            Ok(_) => Ok(true),
            Err(Error::Withheld(_) | Error::ManifestUnknown(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The repositories in which `who` may pull, after `after` in byte order.
    pub async fn catalog(&self, who: &Who, after: Option<&str>, n: usize) -> Result<Page<RepositoryName>, Error> {
        let current = self.current();
        let mut entries: Vec<RepositoryName> = Vec::new();
        let mut last = after.map(str::to_owned);
        let read = n.saturating_add(1).min(BATCH);
        loop {
            let batch = self.metadata.repositories(last.as_deref(), read).await?;
            let ended = batch.len() < read;
            for repository in batch {
                last = Some(repository.as_str().to_owned());
                if current.revision.access(who, &repository)?.pull().is_none() {
                    continue;
                }
                if entries.len() == n {
                    let next = entries.last().map(|name| name.as_str().to_owned());
                    return Ok(Page { entries, next });
                }
                entries.push(repository);
            }
            if ended {
                return Ok(Page { entries, next: None });
            }
            tokio::task::yield_now().await;
        }
    }

    /// The [referrers](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers) of a
    /// digest as an OCI index; whole, for clients do not follow `Link` here. Evidence and data are shown with their
    /// subject, objects by themselves.
    pub async fn referrers(
        &self,
        allowed: &Allowed<Pull>,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Bytes, Error> {
        let mut manifests = Vec::new();
        // A page begins anew if what it should come after was deleted meanwhile.
        let mut seen = HashSet::new();
        let mut with_subject = None;
        let mut after = None;
        loop {
            let batch = self.referrers_after(allowed, subject, artifact_type, after.as_ref()).await?;
            let ended = batch.len() < BATCH;
            after = batch.last().map(|stored| stored.digest);
            for stored in batch {
                if !seen.insert(stored.digest) {
                    continue;
                }
                let shown = if stored.kind == Kind::Object {
                    self.shows(allowed, &stored.digest).await?
                } else if let Some(shown) = with_subject {
                    shown
                } else {
                    *with_subject.insert(self.shows(allowed, subject).await?)
                };
                if shown {
                    manifests.push(descriptor(stored));
                }
            }
            if ended {
                break;
            }
            tokio::task::yield_now().await;
        }
        let index = ReferrersIndex { schema_version: 2, media_type: media_type::OCI_INDEX, manifests };
        serde_json::to_vec(&index).map(Bytes::from).map_err(|error| Error::Unavailable(error.to_string()))
    }

    async fn referrers_after(
        &self,
        allowed: &Allowed<Pull>,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<Vec<StoredManifest>, Error> {
        let repository = allowed.repository();
        Ok(match artifact_type {
            None => self.metadata.referrers(repository, subject, after, BATCH).await?,
            Some(of) => self.metadata.referrers_of_type(repository, subject, of, after, BATCH).await?,
        })
    }

    async fn shows(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<bool, Error> {
        Ok(matches!(self.decide(allowed, digest).await?, Decision::Admitted { .. }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferrersIndex {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

fn descriptor(stored: StoredManifest) -> Descriptor {
    Descriptor {
        size: u64::try_from(stored.bytes.len()).unwrap_or(u64::MAX),
        media_type: stored.media_type,
        digest: stored.digest,
        annotations: stored.annotations,
        artifact_type: stored.artifact_type,
    }
}
