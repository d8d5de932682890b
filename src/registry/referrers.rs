//! The list of referrers: what is shown of it to the caller, page by page.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;

use crate::authz::Pull;
use crate::metadata::{Kind, Referrer};
use crate::oci::{Descriptor, Digest, media_type};

use super::list::{BATCH, LOOKED_AT};
use super::{Allowed, Error, Next, Registry};

impl Registry {
    /// The [referrers](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers) of a
    /// digest after `after`, oldest first, as an OCI index: whole as long as it is no larger than a manifest may be, for
    /// few clients follow `Link` here. Evidence and data are shown with their subject, objects by themselves: as with
    /// [`Registry::catalog`], a page that passes many by ends early, and may hold none.
    pub async fn referrers(
        &self,
        allowed: &Allowed<Pull>,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Next<Digest>>,
    ) -> Result<ReferrersPage, Error> {
        let mut index = ReferrersIndex::begin(self.limits.manifest_bytes);
        // A page begins anew if what it should come after was deleted meanwhile.
        let mut seen = HashSet::new();
        let mut with_subject = None;
        let mut passed_by = 0_usize;
        let mut after = match after {
            Some(Next::Unlisted(place)) => Some(*place),
            Some(Next::Listed(last)) => self.listed(allowed, subject, last).await?,
            None => None,
        };
        loop {
            let batch = self.referrers_after(allowed, subject, artifact_type, after.as_ref()).await?;
            if batch.is_empty() {
                return Ok(index.end());
            }
            for referrer in batch {
                let before = after.replace(referrer.digest);
                if !seen.insert(referrer.digest) {
                    continue;
                }
                if passed_by >= LOOKED_AT {
                    return Ok(index.end_at(before));
                }
                let shown = if referrer.kind == Kind::Object {
                    self.shows(allowed, &referrer.digest).await?
                } else if let Some(shown) = with_subject {
                    shown
                } else {
                    *with_subject.insert(self.shows(allowed, subject).await?)
                };
                if !shown {
                    passed_by = passed_by.saturating_add(1);
                } else if !index.add(referrer)? {
                    return Ok(index.end_early());
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn referrers_after(
        &self,
        allowed: &Allowed<Pull>,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
    ) -> Result<Vec<Referrer>, Error> {
        let repository = allowed.repository();
        Ok(match artifact_type {
            None => self.metadata.referrers(repository, subject, after, BATCH).await?,
            Some(of) => self.metadata.referrers_of_type(repository, subject, of, after, BATCH).await?,
        })
    }

    /// `last`, if it is listed for the caller: after anything else a page begins anew, for what is withheld must look as
    /// if it were absent.
    async fn listed(&self, allowed: &Allowed<Pull>, subject: &Digest, last: &Digest) -> Result<Option<Digest>, Error> {
        let Some(stored) = self.metadata.manifest(allowed.repository(), last).await? else { return Ok(None) };
        let with = if stored.kind == Kind::Object { last } else { subject };
        let listed = stored.subject.as_ref() == Some(subject) && self.shows(allowed, with).await?;
        Ok(listed.then_some(*last))
    }
}

/// A page of referrers.
#[derive(Debug)]
pub struct ReferrersPage {
    /// The page, an OCI index.
    pub index: Bytes,
    /// The last entry, if there is one.
    pub last: Option<Digest>,
    /// After what the next page begins, if there may be more.
    pub next: Option<Next<Digest>>,
}

/// An OCI index that is written entry by entry: of thousands of referrers nothing but their text is kept.
struct ReferrersIndex {
    json: Vec<u8>,
    last: Option<Digest>,
    most: usize,
}

impl ReferrersIndex {
    /// One of at most `most` bytes, unless its first entry alone has more.
    fn begin(most: usize) -> Self {
        let of = media_type::OCI_INDEX;
        let json = format!(r#"{{"schemaVersion":2,"mediaType":"{of}","manifests":["#).into_bytes();
        Self { json, last: None, most }
    }

    /// Adds an entry, if there is room for it.
    fn add(&mut self, referrer: Referrer) -> Result<bool, Error> {
        let digest = referrer.digest;
        let entry = entry(referrer)?;
        let needed = self.json.len().saturating_add(entry.len()).saturating_add(",]}".len());
        if self.last.is_some() {
            if needed > self.most {
                return Ok(false);
            }
            self.json.push(b',');
        }
        self.json.extend_from_slice(&entry);
        self.last = Some(digest);
        Ok(true)
    }

    fn end(mut self) -> ReferrersPage {
        self.json.extend_from_slice(b"]}");
        ReferrersPage { index: Bytes::from(self.json), last: self.last, next: None }
    }

    fn end_early(self) -> ReferrersPage {
        let last = self.last;
        self.end_at(last)
    }

    /// Ends where the next page begins after `place`.
    fn end_at(self, place: Option<Digest>) -> ReferrersPage {
        let next = place.map(|place| Next::after(place, self.last.as_ref()));
        ReferrersPage { next, ..self.end() }
    }
}

/// The descriptor of a referrer. Its annotations are JSON already, and may be most of a manifest.
fn entry(referrer: Referrer) -> Result<Vec<u8>, Error> {
    let Referrer { digest, size, media_type, artifact_type, annotations, kind: _ } = referrer;
    let descriptor = Descriptor { media_type, digest, size, annotations: BTreeMap::new(), artifact_type };
    let mut json = serde_json::to_vec(&descriptor).map_err(|error| Error::Unavailable(error.to_string()))?;
    if annotations != "{}" && json.pop().is_some() {
        json.extend_from_slice(br#","annotations":"#);
        json.extend_from_slice(annotations.as_bytes());
        json.push(b'}');
    }
    Ok(json)
}
