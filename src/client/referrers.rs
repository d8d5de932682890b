//! What refers to a digest: by the [referrers API](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers), or under the tag that clients keep where there is none.

use std::collections::HashSet;

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, LINK};

use super::error::told;
use super::exchange::{Answer, Wanted};
use super::origin::is_same;
use super::{Client, ClientError};
use crate::oci::{Descriptor, Digest, Manifest, ManifestKind, Reference, RepositoryName, media_type};

/// The most pages of one list.
const MAX_PAGES: usize = 64;
/// The most entries of one list.
const MAX_ENTRIES: usize = 10_000;
/// How registries without the API answer.
const NO_API: [u16; 4] = [400, 404, 405, 406];

impl Client {
    /// What refers to `digest`: every page of the referrers API, or, of a registry without it, the list under the tag
    /// `sha256-<hex>`. What is listed is a claim of the registry: only the manifests themselves say what they are about.
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Descriptor>, ClientError> {
        let mut next = Some(self.session.url(&format!("/v2/{repository}/referrers/{digest}")).await?);
        let mut asked = HashSet::new();
        let mut found: Vec<Descriptor> = Vec::new();
        while let Some(url) = next {
            let wanted = Wanted { accept: Some(media_type::OCI_INDEX), limit: self.manifest_bytes };
            let answer = self.ask_in(repository, &url, wanted).await?;
            if asked.is_empty() && NO_API.contains(&answer.status) {
                return self.listed_under_tag(repository, digest).await;
            }
            if answer.status != 200 {
                return Err(answer.refused());
            }
            found.extend(entries(&answer)?);
            next = next_page(&answer, &url)?;
            asked.insert(url);
            check_bounds(next.as_ref(), &asked, found.len())?;
        }
        Ok(found)
    }

    async fn listed_under_tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Descriptor>, ClientError> {
        // Longer digests are cut, to fit a tag.
        let hex: String = digest.hex().chars().take(64).collect();
        let name = format!("{}-{hex}", digest.algorithm().as_str());
        let Ok(tag) = name.parse() else { return Ok(Vec::new()) };
        let Some(list) = self.manifest(repository, &Reference::Tag(tag)).await? else { return Ok(Vec::new()) };
        let meaning = |found: String| ClientError::Meaning {
            url: format!("{}/{repository}:{name}", self.registry),
            expected: "a list of referrers",
            found,
        };
        let manifest =
            Manifest::parse(&list.bytes, &list.media_type, MAX_ENTRIES).map_err(|error| meaning(error.to_string()))?;
        if manifest.kind == ManifestKind::Index {
            return Ok(manifest.manifests);
        }
        // Not a list, but it may be evidence itself.
        let size = u64::try_from(list.bytes.len()).unwrap_or(u64::MAX);
        Ok(vec![Descriptor {
            media_type: manifest.media_type,
            digest: list.digest,
            size,
            annotations: manifest.annotations,
            artifact_type: manifest.artifact_type,
        }])
    }
}

fn entries(answer: &Answer) -> Result<Vec<Descriptor>, ClientError> {
    let meaning =
        |found: String| ClientError::Meaning { url: answer.url.to_string(), expected: "an index of referrers", found };
    let said = answer.header(&CONTENT_TYPE).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    if ![media_type::OCI_INDEX, "application/json", ""].contains(&essence) {
        return Err(meaning(told(said)));
    }
    let index = Manifest::parse(&answer.body, media_type::OCI_INDEX, MAX_ENTRIES)
        .map_err(|error| meaning(told(&error.to_string())))?;
    Ok(index.manifests)
}

/// Where `Link` says that the next page is: of the same registry.
fn next_page(answer: &Answer, asked: &Url) -> Result<Option<Url>, ClientError> {
    for value in answer.headers.get_all(LINK) {
        let wrong = || ClientError::Meaning {
            url: asked.to_string(),
            expected: "a link to the next page of this registry",
            found: told(&String::from_utf8_lossy(value.as_bytes())),
        };
        let text = value.to_str().map_err(|_text| wrong())?;
        let Some(target) = next_target(text).map_err(|NoLink| wrong())? else { continue };
        let next = asked.join(target).map_err(|_parse| wrong())?;
        return if is_same(asked, &next) { Ok(Some(next)) } else { Err(wrong()) };
    }
    Ok(None)
}

/// Not a list of links.
#[derive(Debug, PartialEq, Eq)]
struct NoLink;

/// The target of the link to what is next, if there is one.
fn next_target(text: &str) -> Result<Option<&str>, NoLink> {
    let (_, mut rest) = text.split_once('<').ok_or(NoLink)?;
    loop {
        let (target, after) = rest.split_once('>').ok_or(NoLink)?;
        let (parameters, more) = after.split_once('<').map_or((after, None), |(own, more)| (own, Some(more)));
        if parameters.split([';', ',']).any(|one| matches!(one.trim(), "rel=\"next\"" | "rel=next")) {
            return Ok(Some(target));
        }
        let Some(more) = more else { return Ok(None) };
        rest = more;
    }
}

fn check_bounds(next: Option<&Url>, asked: &HashSet<Url>, found: usize) -> Result<(), ClientError> {
    let too_much = |limit: usize, unit| {
        let url = asked.iter().next().map(ToString::to_string).unwrap_or_default();
        Err(ClientError::TooMuch { url, limit: u64::try_from(limit).unwrap_or(u64::MAX), unit })
    };
    if found > MAX_ENTRIES {
        return too_much(MAX_ENTRIES, "referrers");
    }
    let Some(next) = next else { return Ok(()) };
    if asked.contains(next) {
        let found = "pages that lead in a circle".to_owned();
        return Err(ClientError::Meaning { url: next.to_string(), expected: "a next page", found });
    }
    if asked.len() >= MAX_PAGES { too_much(MAX_PAGES, "pages") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        assert_eq!(next_target("</a?x=1,2>; rel=\"next\""), Ok(Some("/a?x=1,2")));
        assert_eq!(next_target("</a>; rel=\"prev\", </b>; title=x; rel=next"), Ok(Some("/b")));
    }

    #[test]
    fn links_to_something_else_are_no_next_page() {
        assert_eq!(next_target("</a>; rel=\"prev\""), Ok(None));
        assert_eq!(next_target("</a>"), Ok(None));
    }

    #[test]
    fn what_is_no_link_is_not_taken_for_the_last_page() {
        assert_eq!(next_target("/a; rel=\"next\""), Err(NoLink));
        assert_eq!(next_target("</a; rel=\"next\""), Err(NoLink));
    }
}
