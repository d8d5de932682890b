//! Push of a manifest: cap → hash → parse → classify → judge the tag → one commit.

use std::sync::Arc;

use bytes::Bytes;

use crate::authz::{Push, Sign};
use crate::clock::Timestamp;
use crate::gate::{Outcome, RequirementName, Shape, Who};
use crate::metadata::{Event, Kind, Metadata, OnlyIf, Put, PutLink, PutManifest};
use crate::oci::{
    Digest, EvidenceTag, Link, LinkKind, Manifest, Precondition, Reference, RepositoryName, Tag, media_type,
};

use super::classify::Classified;
use super::resolve::Decision;
use super::{Allowed, Error, Registry};

/// A manifest as it arrives.
#[derive(Clone, Debug)]
pub struct ManifestPut {
    /// The tag or digest in the path.
    pub reference: Reference,
    /// More tags, of the query.
    pub tags: Vec<Tag>,
    /// What must hold of what the reference names now: of a tag, of its newest push.
    pub precondition: Precondition,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub bytes: Bytes,
}

/// A manifest as it was stored.
#[derive(Clone, Debug)]
pub struct ManifestStored {
    /// Its digest.
    pub digest: Digest,
    /// The digest of its `subject`, if it has one: `OCI-Subject`.
    pub subject: Option<Digest>,
    /// The tags that were set.
    pub tags: Vec<Tag>,
    /// What its pusher should know: evidence that counts for nothing now.
    pub warnings: Vec<String>,
}

impl Registry {
    /// Stores a manifest and sets its tags.
    pub async fn put_manifest(&self, allowed: &Allowed<Sign>, put: ManifestPut) -> Result<ManifestStored, Error> {
        if put.bytes.len() > self.limits.manifest_bytes {
            return Err(Error::ManifestTooLarge { limit: self.limits.manifest_bytes });
        }
        let (digest, tags) = named(&put)?;
        let manifest = Manifest::parse(&put.bytes, &put.content_type, self.limits.manifest_links)
            .map_err(|error| Error::ManifestInvalid(error.to_string()))?;
        let evidence_tag = only_evidence_tag(&tags)?;
        let classified = self.classify(allowed, &manifest, evidence_tag.as_ref()).await?;
        let classified = classified.under(evidence_tag.as_ref(), &tags);
        if evidence_tag.is_none() && !tags.is_empty() && allowed.access().push().is_none() {
            return Err(sets_no_tag());
        }
        check_tags(&classified, evidence_tag.as_ref(), &tags)?;
        if classified.kind == Kind::Object {
            let push = allowed.also(allowed.access().push()).ok_or_else(|| not_evidence(&classified))?;
            self.check_push_requirement(&push, &digest, &tags).await.inspect_err(|error| {
                if let Error::Withheld(withheld) = error {
                    self.count_refusal(Event::PushRefused, allowed, &put.reference, withheld);
                }
            })?;
        }
        check_size(&put.bytes, &classified, self.limits.evidence_blob_bytes)?;
        self.commit_manifest(allowed, &put, digest, &manifest, &classified, &tags).await?;
        let warnings = self.after_manifest(allowed, digest, &classified).await?;
        Ok(ManifestStored { digest, subject: manifest.subject.map(|subject| subject.digest), tags, warnings })
    }

    /// A tag is judged when it is set, on the digest that it will name.
    async fn check_push_requirement(&self, push: &Allowed<Push>, digest: &Digest, tags: &[Tag]) -> Result<(), Error> {
        if tags.is_empty() { Ok(()) } else { self.judge_tag(push, digest).await }
    }

    /// Whether a tag may be set on `digest`.
    pub(super) async fn judge_tag(&self, push: &Allowed<Push>, digest: &Digest) -> Result<(), Error> {
        let requirements = tag_requirements(push)?;
        if requirements.is_empty() {
            return Ok(());
        }
        match self.decide_under(push, digest, requirements).await? {
            Decision::Admitted { .. } => Ok(()),
            Decision::Withheld { unmet, .. } => {
                let more = "push it by digest, sign it, then tag it".to_owned();
                Err(self.withheld(push, unmet, Some(more)).await?)
            }
        }
    }

    async fn commit_manifest(
        &self,
        allowed: &Allowed<Sign>,
        put: &ManifestPut,
        digest: Digest,
        manifest: &Manifest,
        classified: &Classified,
        tags: &[Tag],
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let cap = (classified.kind != Kind::Object).then_some(self.limits.evidence_per_pusher);
        let only_if = || OnlyIf { reference: put.reference.clone(), precondition: put.precondition.clone() };
        let put = PutManifest {
            repository: allowed.repository().clone(),
            tags: tags.to_vec(),
            only_if: (!put.precondition.is_empty()).then(only_if),
            tag_history: self.tag_history,
            evidence_cap: cap,
            orphan_lease: now.plus(self.limits.orphan_evidence),
            ..as_stored((digest, &put.bytes), manifest, classified, allowed.repository(), (allowed.who(), now))
        };
        let change = |metadata: Arc<dyn Metadata>| {
            let put = put.clone();
            async move { metadata.put_manifest(put).await }
        };
        let stored = if classified.kind == Kind::Object {
            self.housekeeping.expect_room(u64::try_from(put.bytes.len()).unwrap_or(u64::MAX)).await?;
            self.commit(allowed.repository(), change).await?
        } else {
            self.commit_with_reserve(allowed.repository(), change).await?
        };
        match stored {
            Put::Stored { .. } => {
                self.counters.count_manifest();
                Ok(())
            }
            Put::Absent(digests) => Err(Error::ContentAbsent(digests)),
            Put::Unlike(found) => Err(Error::unlike(found)),
            Put::Capped => Err(Error::Capped(format!(
                "expected at most {} pieces of evidence and data about one subject by one pusher",
                self.limits.evidence_per_pusher
            ))),
        }
    }

    /// Judges what the commit changed, so that a requirement that is met now is known to have been met; and tells the
    /// pusher of evidence what of it counts for nothing.
    async fn after_manifest(
        &self,
        allowed: &Allowed<Sign>,
        digest: Digest,
        classified: &Classified,
    ) -> Result<Vec<String>, Error> {
        let subject = match classified.kind {
            Kind::Object => digest,
            Kind::Data | Kind::Evidence(Shape::ReferrersList) => return Ok(Vec::new()),
            Kind::Evidence(_) => classified.subject.unwrap_or(digest),
        };
        // A failure here is no failure of the push: the queue of what is to be judged holds it.
        let judged = self.judge_subject(allowed.current(), allowed.repository(), &subject).await;
        if judged.is_err() || classified.kind == Kind::Object {
            return Ok(Vec::new());
        }
        let findings = self.findings(allowed.current(), allowed.repository(), &subject).await.unwrap_or_default();
        let own = findings.into_iter().filter(|finding| finding.evidence == digest);
        Ok(own
            .filter_map(|finding| match finding.outcome {
                Outcome::Verified { .. } => None,
                Outcome::Nothing { expected, found, .. } => {
                    Some(format!("kept, but counts for nothing now: expected {expected}, found {found}"))
                }
            })
            .collect())
    }
}

impl Classified {
    /// What it is under these tags: data under a tag of its own can be used, and is judged like anything else.
    pub(super) fn under(self, evidence_tag: Option<&EvidenceTag>, tags: &[Tag]) -> Self {
        if self.kind == Kind::Data && evidence_tag.is_none() && !tags.is_empty() {
            return Self { kind: Kind::Object, because: "it has a tag of its own", ..self };
        }
        self
    }
}

/// A manifest as it is stored, by what it says itself, without tags.
pub(super) fn as_stored(
    (digest, bytes): (Digest, &Bytes),
    manifest: &Manifest,
    classified: &Classified,
    repository: &RepositoryName,
    (who, at): (&Who, Timestamp),
) -> PutManifest {
    PutManifest {
        repository: repository.clone(),
        digest,
        bytes: bytes.clone(),
        media_type: manifest.media_type.clone(),
        artifact_type: manifest.effective_artifact_type().map(str::to_owned),
        annotations: manifest.annotations.clone(),
        kind: classified.kind,
        subject: classified.subject,
        is_referrer: manifest.subject.is_some(),
        links: manifest.links().map(|link| put_link(&link, classified)).collect(),
        tags: Vec::new(),
        only_if: None,
        tag_history: 1,
        evidence_cap: None,
        orphan_lease: at,
        who: who.clone(),
        at,
    }
}

/// Children of an index may be missing, and so may what clients fetch from elsewhere, and layers where that is allowed.
fn put_link(link: &Link, classified: &Classified) -> PutLink {
    let absent_is_fine = match link.kind {
        LinkKind::Manifest => true,
        LinkKind::Layer if classified.may_be_sparse => true,
        LinkKind::Layer | LinkKind::Config => media_type::is_nondistributable(&link.descriptor.media_type),
    };
    PutLink { kind: link.kind, digest: link.descriptor.digest, required: !absent_is_fine }
}

/// The requirements of which one must be met when a tag is set; none if `unverified` is granted. What is not enforced
/// never admits a tag.
pub(super) fn tag_requirements(push: &Allowed<Push>) -> Result<&[RequirementName], Error> {
    let requirements = push.grant().requirements();
    if requirements.iter().any(RequirementName::is_unverified) {
        return Ok(&[]);
    }
    if requirements.is_empty() {
        return Err(Error::Denied(
            "expected an enforced requirement to judge the tag by; what is granted here is not enforced".to_owned(),
        ));
    }
    Ok(requirements)
}

/// The refusal of a tag to someone who may only sign.
pub(super) fn sets_no_tag() -> Error {
    Error::Denied(
        "expected the right to push to set a tag; found `sign`, which sets only the tags kept for evidence".to_owned(),
    )
}

/// The digest of the bytes, by the algorithm that the path asks for, and the tags to set.
fn named(put: &ManifestPut) -> Result<(Digest, Vec<Tag>), Error> {
    let mut tags = put.tags.clone();
    match &put.reference {
        Reference::Digest(expected) => {
            let found = Digest::of(expected.algorithm(), &put.bytes);
            if found == *expected {
                Ok((found, tags))
            } else {
                Err(Error::DigestMismatch { expected: *expected, found })
            }
        }
        Reference::Tag(tag) => {
            tags.push(tag.clone());
            Ok((Digest::sha256(&put.bytes), tags))
        }
    }
}

/// Evidence and data are small as a whole: every judgement and every list of referrers reads them.
pub(super) fn check_size(bytes: &Bytes, classified: &Classified, limit: u64) -> Result<(), Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if classified.kind != Kind::Object && bytes.len() > limit {
        return Err(Error::ManifestTooLarge { limit });
    }
    Ok(())
}

fn only_evidence_tag(tags: &[Tag]) -> Result<Option<EvidenceTag>, Error> {
    match tags.iter().find_map(Tag::evidence) {
        Some(_) if tags.len() > 1 => {
            Err(Error::ManifestInvalid("expected a tag kept for evidence to be set alone".to_owned()))
        }
        tag => Ok(tag),
    }
}

/// Evidence and data are tagged only as what they are, about the digest in the tag; nothing else resolves to them.
pub(super) fn check_tags(classified: &Classified, tag: Option<&EvidenceTag>, tags: &[Tag]) -> Result<(), Error> {
    // An index under `sha256-<hex>` that is no list of referrers is an object like any other.
    let may_be_object = tag.is_none_or(|kept| matches!(kept, EvidenceTag::Referrers(_)));
    if tags.is_empty() || (classified.kind == Kind::Object && may_be_object) {
        return Ok(());
    }
    let fits = match (classified.kind, tag) {
        (Kind::Evidence(Shape::CosignSignature), Some(EvidenceTag::Signature(_)))
        | (Kind::Evidence(Shape::CosignAttestation), Some(EvidenceTag::Attestation(_)))
        | (Kind::Evidence(Shape::ReferrersList), Some(EvidenceTag::Referrers(_)))
        | (Kind::Data, Some(EvidenceTag::Sbom(_))) => classified.subject == tag.map(EvidenceTag::subject),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let found = match classified.kind {
        Kind::Object => "an object",
        Kind::Data => "data",
        Kind::Evidence(shape) => shape.as_str(),
    };
    Err(Error::ManifestInvalid(format!(
        "expected evidence and data under no tag but their own (sha256-<hex>.sig, .att, .sbom of their subject), and nothing else there; found {found}"
    )))
}

fn not_evidence(classified: &Classified) -> Error {
    Error::Denied(format!(
        "expected evidence or data, which is what `sign` may add; found an object, for {}",
        classified.because
    ))
}
