//! Where a manifest and its evidence come from: a registry, or a layout on disk.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Trouble;
use super::layout::Layout;
use crate::client::{Client, ClientError, Fetched};
use crate::oci::{Digest, EvidenceTag, Reference, RepositoryName, Tag};

/// A registry, or a layout on disk.
#[derive(Debug)]
pub(super) enum Source {
    Registry(Box<Client>),
    Layout(Layout),
}

/// Something that may be evidence.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) digest: Digest,
    /// The tag that it was found under alone.
    pub(super) tag: Option<EvidenceTag>,
    /// None: it is listed, and is read when it is its turn. All at once could be more than there is memory.
    pub(super) manifest: Option<Fetched>,
}

/// A blob, if it can be had.
#[derive(Debug)]
pub(super) enum Found {
    Bytes(Bytes),
    Absent,
    TooLarge,
}

impl Source {
    /// The manifest of that name; none is that there is none.
    pub(super) async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Fetched>, Trouble> {
        match self {
            Self::Registry(client) => Ok(client.manifest(repository, reference).await?),
            Self::Layout(layout) => layout.manifest(reference),
        }
    }

    /// The blob of that digest, of at most `limit` bytes.
    pub(super) async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u64,
    ) -> Result<Found, Trouble> {
        match self {
            Self::Registry(client) => match client.blob(repository, digest, limit).await {
                Err(ClientError::TooMuch { .. }) => Ok(Found::TooLarge),
                answer => Ok(answer?.map_or(Found::Absent, Found::Bytes)),
            },
            Self::Layout(layout) => layout.blob(digest, limit),
        }
    }

    /// At most `limit` pieces that may be evidence about `digest`, in every shape, and whether there are more.
    pub(super) async fn pieces(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<(Vec<Piece>, bool), Trouble> {
        let mut pieces = Vec::new();
        let mut seen = BTreeSet::new();
        let mut more = false;
        // What cosign keeps under its tags comes first: it is one manifest each, and can't be crowded out.
        let tagged = self.tagged(repository, digest).await?;
        let referrers: Vec<Digest> = match self {
            Self::Registry(client) => {
                client.referrers(repository, digest).await?.into_iter().map(|entry| entry.digest).collect()
            }
            Self::Layout(layout) => layout.referrers(digest),
        };
        let listed: BTreeSet<Digest> = referrers.iter().copied().collect();
        for (fetched, tag) in tagged {
            // Who listed it as well is judged by what it is, whatever tag someone hung on it.
            let tag = Some(tag).filter(|_| !listed.contains(&fetched.digest));
            if seen.insert(fetched.digest) {
                pieces.push(Piece { digest: fetched.digest, tag, manifest: Some(fetched) });
            }
        }
        for found in referrers {
            if !seen.insert(found) {
                continue;
            }
            if pieces.len() >= limit {
                more = true;
                break;
            }
            pieces.push(Piece { digest: found, tag: None, manifest: None });
        }
        Ok((pieces, more))
    }

    async fn tagged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<(Fetched, EvidenceTag)>, Trouble> {
        let mut found = Vec::new();
        for suffix in ["sig", "att"] {
            let name = format!("{}-{}.{suffix}", digest.algorithm().as_str(), digest.hex());
            // The names of longer digests fit no tag.
            let Ok(tag) = name.parse::<Tag>() else { continue };
            let Some(evidence) = tag.evidence() else { continue };
            let fetched = self.manifest(repository, &Reference::Tag(tag)).await?;
            found.extend(fetched.map(|fetched| (fetched, evidence)));
        }
        Ok(found)
    }
}
