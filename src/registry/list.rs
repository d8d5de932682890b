//! Lists: tags, repositories. Each shows what resolves for the caller.

use std::collections::BTreeMap;

use crate::authz::{Pull, PullTerms};
use crate::gate::{Mode, RequirementName, Who};
use crate::oci::{Digest, RepositoryName, Tag};

use super::resolve::Decision;
use super::{Allowed, Begin, Error, Next, Page, Registry};

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
    /// The tags that resolve for the caller, after `begin.last` in lexical order. A page may hold fewer than `n`, and none
    /// at all, though another follows.
    ///
    /// Whoever could choose where a page that is bounded begins would learn, by halving, behind which name it has passed
    /// by as many as it may. So it begins at what is listed for the caller, or where a page before ended, or at the first.
    pub async fn tags(&self, allowed: &Allowed<Pull>, begin: Begin<'_>, n: usize) -> Result<Page<Tag>, Error> {
        let repository = allowed.repository();
        if !self.metadata.repository_exists(repository).await? {
            return Err(Error::NameUnknown);
        }
        let among = self.among(allowed).await?;
        // Each is resolved like a pull, which is dear, whether it ever met a requirement or not.
        let enforced = matches!(allowed.access().terms(), PullTerms::Conditional { mode: Mode::Enforce, .. });
        let mut entries: Vec<Tag> = Vec::new();
        let is_listed = match begin.last.map(str::parse) {
            Some(Ok(last)) if enforced && begin.place.is_none() => self.serves_tag(allowed, &last).await?,
            _ => !enforced,
        };
        let (start, skipped) = begin.start(is_listed);
        let (mut last, skipped) = (start.map(str::to_owned), skipped.map(lexical));
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
                let is_after = skipped.as_ref().is_none_or(|skipped| *skipped < lexical(tag.as_str()));
                let shown = is_after && self.shows_tag(allowed, &tag, &newest).await?;
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
                merged.insert(lexical(tag.as_str()), (tag, newest));
            }
        }
        Ok(merged.into_values().take(limit).collect())
    }

    async fn shows_tag(&self, allowed: &Allowed<Pull>, tag: &Tag, newest: &Digest) -> Result<bool, Error> {
        match allowed.access().terms() {
            PullTerms::Everything | PullTerms::Signing => Ok(true),
            PullTerms::Conditional { mode: Mode::Enforce, .. } => self.serves_tag(allowed, tag).await,
            PullTerms::Conditional { .. } | PullTerms::Nothing => self.shows(allowed, newest).await,
        }
    }

    /// Whether a tag is there, and served under an enforced requirement.
    async fn serves_tag(&self, allowed: &Allowed<Pull>, tag: &Tag) -> Result<bool, Error> {
        match self.walk(allowed, tag).await {
            Ok(walk) => Ok(walk.is_served()),
            Err(Error::ManifestUnknown(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The repositories in which `who` may pull, after `begin.last` in byte order. A page may hold fewer than `n`, and
    /// begins as with [`Registry::tags`].
    pub async fn catalog(&self, who: &Who, begin: Begin<'_>, n: usize) -> Result<Page<RepositoryName>, Error> {
        let current = self.current();
        let shows =
            |repository: &RepositoryName| Ok::<_, Error>(current.revision.access(who, repository)?.pull().is_some());
        let mut entries: Vec<RepositoryName> = Vec::new();
        let is_listed = match begin.last.map(str::parse) {
            Some(Ok(last)) if begin.place.is_none() => shows(&last)? && self.metadata.repository_exists(&last).await?,
            _ => false,
        };
        let (start, skipped) = begin.start(is_listed);
        let mut last = start.map(str::to_owned);
        let mut passed_by = 0_usize;
        let read = n.saturating_add(1).min(BATCH);
        loop {
            let batch = self.metadata.repositories(last.as_deref(), read).await?;
            let ended = batch.len() < read;
            for repository in batch {
                if passed_by >= LOOKED_AT {
                    return Ok(Page { entries, next: last.map(Next::Unlisted) });
                }
                let is_after = skipped.is_none_or(|skipped| skipped < repository.as_str());
                let shown = is_after && shows(&repository)?;
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

/// By what names are in lexical order: letters without regard to case, then with it.
fn lexical(name: &str) -> (String, String) {
    (name.to_ascii_lowercase(), name.to_owned())
}
