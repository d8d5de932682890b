//! Findings → the answer: of the digest itself, and through the indexes that reach it.

use std::collections::{BTreeSet, VecDeque};

use super::Trouble;
use super::gather::{Gather, Gathered};
use super::layout::parse;
use super::source::Source;
use crate::client::Fetched;
use crate::gate::Explanation;
use crate::oci::{Digest, ManifestKind, Reference};
use crate::requirements::{CHILDREN_FOR_A_HINT, Requirement};

/// One requirement, and what its evidence is gathered with.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) gather: Gather<'a>,
    pub(super) requirement: &'a Requirement,
    /// The index that the digest came by.
    pub(super) through: Option<Fetched>,
    /// Whether it was asked for by digest: an index may have led there.
    pub(super) by_digest: bool,
}

impl Judge<'_> {
    /// Whether what was fetched meets the requirement, and why or why not.
    pub(super) async fn judge(&self, fetched: &Fetched) -> Result<Explanation, Trouble> {
        let digest = &fetched.digest;
        let own = self.gather.about(digest).await?;
        let explanation = self.requirement.explain(digest, digest, &own.findings);
        if explanation.met {
            return Ok(explanation);
        }
        let mut more = own.more;
        for above in self.above(digest).await? {
            let Gathered { findings, more: more_above } = self.gather.about(&above).await?;
            let explanation = self.requirement.explain(digest, &above, &findings);
            if explanation.met {
                return Ok(explanation);
            }
            more |= more_above;
        }
        if more {
            let limit = self.gather.limits.evidence_considered;
            return Err(Trouble::one(format!(
                "expected at most {limit} pieces of evidence about a digest, found more, and {} is not met by those",
                self.requirement.name()
            )));
        }
        self.hinted(fetched, explanation).await
    }

    /// The indexes that reach the digest, the nearest first.
    async fn above(&self, digest: &Digest) -> Result<Vec<Digest>, Trouble> {
        let (depth, limit) = (self.gather.limits.reach_depth, self.gather.limits.reach_objects);
        if let Source::Layout(layout) = self.gather.source {
            return Ok(layout.above(digest, depth, limit));
        }
        let Some(index) = &self.through else { return Ok(Vec::new()) };
        if index.digest != *digest && !self.reaches(index, digest).await? {
            return Err(Trouble::one(format!(
                "expected an index that reaches {digest} within {depth} indexes and {limit} objects, found that {} does not",
                index.digest
            )));
        }
        Ok(vec![index.digest])
    }

    /// Whether `index` reaches `digest`, within the bounds of the gate.
    async fn reaches(&self, index: &Fetched, digest: &Digest) -> Result<bool, Trouble> {
        let mut seen = BTreeSet::from([index.digest]);
        let mut waiting = VecDeque::from([(index.clone(), 1_usize)]);
        while let Some((at, depth)) = waiting.pop_front() {
            let manifest = parse(&at.bytes, &at.media_type)
                .map_err(|error| Trouble::one(format!("expected {} to be a manifest: {error}", at.digest)))?;
            if manifest.kind != ManifestKind::Index {
                continue;
            }
            for child in manifest.manifests {
                if child.digest == *digest {
                    return Ok(true);
                }
                let bounded = depth < self.gather.limits.reach_depth && seen.len() < self.gather.limits.reach_objects;
                if !bounded || !seen.insert(child.digest) {
                    continue;
                }
                let reference = Reference::Digest(child.digest);
                if let Some(fetched) = self.gather.source.manifest(self.gather.repository, &reference).await? {
                    waiting.push_back((fetched, depth.saturating_add(1)));
                }
            }
        }
        Ok(false)
    }

    /// Says "sign the index" where someone signed its children instead, and what else may be why.
    async fn hinted(&self, fetched: &Fetched, mut explanation: Explanation) -> Result<Explanation, Trouble> {
        let manifest = parse(&fetched.bytes, &fetched.media_type);
        let children = manifest.map(|manifest| manifest.manifests).unwrap_or_default();
        let mut signed = 0_usize;
        for child in children.iter().take(CHILDREN_FOR_A_HINT) {
            let found = self.gather.about(&child.digest).await?;
            if self.requirement.evaluate(&child.digest, &child.digest, &found.findings).is_met() {
                signed = signed.saturating_add(1);
            }
        }
        let index = self.requirement.hint_of_children(signed);
        let elsewhere = match self.gather.source {
            Source::Registry(_) if self.by_digest && self.through.is_none() => {
                Some("where it came by an index that is signed, name the index with --through")
            }
            Source::Layout(_) if explanation.evidence.is_empty() => {
                Some("where it was signed before it was copied, copy the signatures too, as oras copy -r does")
            }
            Source::Registry(_) | Source::Layout(_) => None,
        };
        let elsewhere = elsewhere.filter(|_| signed == 0).map(str::to_owned);
        let hints: Vec<String> = [index, explanation.hint, elsewhere].into_iter().flatten().collect();
        explanation.hint = Some(hints.join("; ")).filter(|hint| !hint.is_empty());
        Ok(explanation)
    }
}
