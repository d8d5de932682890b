//! Lists: tags, repositories. Each shows what resolves for the caller.

use std::collections::BTreeMap;

use crate::authz::{Pull, PullTerms};
use crate::gate::{Mode, RequirementName, Who};
use crate::oci::{Digest, RepositoryName, Tag};

use super::resolve::Decision;
use super::{Allowed, Error, Next, Page, Registry};

/// How many rows are looked at in one read.
pub(super) const BATCH: usize = 256;

/// How many tags are looked at for one page, and how many repositories are passed by, if few of them are shown: a page may
/// hold fewer than were asked for.
pub(super) const LOOKED_AT: usize = 2048;

/// Where the tags of a page are looked for.
#[derive(Clone, Copy, Debug)]
enum Among<'a> {
    /// All tags.
    All,
    /// Those that may resolve under one of these requirements.
    OnceMet(&'a [RequirementName]),
}

impl Registry {
    /// The tags that resolve for the caller, after `after` in lexical order. A page may hold fewer than `n`, and none at
    /// all, though another follows.
    pub async fn tags(&self, allowed: &Allowed<Pull>, after: Option<&str>, n: usize) -> Result<Page<Tag>, Error> {
        let repository = allowed.repository();
        if !self.metadata.repository_exists(repository).await? {
            return Err(Error::NameUnknown);
        }
        let among = self.among(allowed).await?;
        // Each is resolved like a pull, which is dear, whether it ever met a requirement or not.
        let enforced = matches!(allowed.access().terms(), PullTerms::Conditional { mode: Mode::Enforce, .. });
        let mut entries: Vec<Tag> = Vec::new();
        let mut last = after.map(str::to_owned);
        let mut looked_at = 0_usize;
        let read = n.saturating_add(1).min(BATCH);
        loop {
            let batch = self.tags_among(repository, among, last.as_deref(), read).await?;
            let ended = batch.len() < read;
            for (tag, newest) in batch {
                if enforced && looked_at >= LOOKED_AT {
                    let next = last.map(|last| Next::after(last, entries.last().map(Tag::as_str)));
                    return Ok(Page { entries, next });
                }
                looked_at = looked_at.saturating_add(1);
                let shown = self.shows_tag(allowed, &tag, &newest).await?;
                if shown && entries.len() == n {
                    let next = entries.last().map(|tag| Next::Listed(tag.as_str().to_owned()));
                    return Ok(Page { entries, next });
                }
                last = Some(tag.as_str().to_owned());
                if shown {
                    entries.push(tag);
                }
            }
            if ended {
                return Ok(Page { entries, next: None });
            }
            tokio::task::yield_now().await;
        }
    }

    /// Where to look. Under an enforced requirement only what met it resolves, and that is noted before anyone is told; so
    /// unless something is still to be judged, no other tag can.
    async fn among<'a>(&self, allowed: &'a Allowed<Pull>) -> Result<Among<'a>, Error> {
        let PullTerms::Conditional { requirements, mode: Mode::Enforce } = allowed.access().terms() else {
            return Ok(Among::All);
        };
        let knows = self.knows_what_is_met(allowed.current(), allowed.repository()).await?;
        Ok(if knows { Among::OnceMet(requirements) } else { Among::All })
    }

    async fn tags_among(
        &self,
        repository: &RepositoryName,
        among: Among<'_>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Tag, Digest)>, Error> {
        let Among::OnceMet(requirements) = among else {
            return Ok(self.metadata.tags(repository, after, limit).await?);
        };
        let mut merged = BTreeMap::new();
        for requirement in requirements {
            for (tag, newest) in self.metadata.tags_once_met(repository, requirement, after, limit).await? {
                merged.insert((tag.as_str().to_ascii_lowercase(), tag), newest);
            }
        }
        Ok(merged.into_iter().map(|((_, tag), newest)| (tag, newest)).take(limit).collect())
    }

    async fn shows_tag(&self, allowed: &Allowed<Pull>, tag: &Tag, newest: &Digest) -> Result<bool, Error> {
        match allowed.access().terms() {
            PullTerms::Everything | PullTerms::Signing => Ok(true),
            PullTerms::Conditional { mode: Mode::Enforce, .. } => match self.walk(allowed, tag).await {
                Ok(walk) => Ok(walk.is_served()),
                // It was deleted meanwhile.
                Err(Error::ManifestUnknown(_)) => Ok(false),
                Err(error) => Err(error),
            },
            PullTerms::Conditional { .. } | PullTerms::Nothing => self.shows(allowed, newest).await,
        }
    }

    /// The repositories in which `who` may pull, after `after` in byte order. A page may hold fewer than `n`, as with
    /// [`Registry::tags`].
    pub async fn catalog(&self, who: &Who, after: Option<&str>, n: usize) -> Result<Page<RepositoryName>, Error> {
        let current = self.current();
        let mut entries: Vec<RepositoryName> = Vec::new();
        let mut last = after.map(str::to_owned);
        let mut passed_by = 0_usize;
        let read = n.saturating_add(1).min(BATCH);
        loop {
            let batch = self.metadata.repositories(last.as_deref(), read).await?;
            let ended = batch.len() < read;
            for repository in batch {
                if passed_by >= LOOKED_AT {
                    return Ok(Page { entries, next: last.map(Next::Unlisted) });
                }
                let shown = current.revision.access(who, &repository)?.pull().is_some();
                if shown && entries.len() == n {
                    let next = entries.last().map(|name| Next::Listed(name.as_str().to_owned()));
                    return Ok(Page { entries, next });
                }
                last = Some(repository.as_str().to_owned());
                if shown {
                    entries.push(repository);
                } else {
                    passed_by = passed_by.saturating_add(1);
                }
            }
            if ended {
                return Ok(Page { entries, next: None });
            }
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn shows(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<bool, Error> {
        Ok(matches!(self.decide(allowed, digest).await?, Decision::Admitted { .. }))
    }
}
