//! Object, evidence or data: told from the stored manifest and its blobs, never from what a client says about them.

use crate::authz::Sign;
use crate::gate::Shape;
use crate::metadata::Kind;
use crate::oci::{Digest, EvidenceTag, Manifest};
use crate::verify::{self, Candidate};

use super::resolve::Decision;
use super::{Allowed, Error, Registry};

/// What a manifest is to the gate, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Classified {
    pub(super) kind: Kind,
    pub(super) subject: Option<Digest>,
    /// For an object: why it is neither evidence nor data.
    pub(super) because: &'static str,
}

impl Classified {
    fn object(manifest: &Manifest, because: &'static str) -> Self {
        Self { kind: Kind::Object, subject: manifest.subject.as_ref().map(|subject| subject.digest), because }
    }
}

impl Registry {
    /// Classifies a manifest about to be stored. What is false under any trust and at any time is refused here.
    pub(super) async fn classify(
        &self,
        allowed: &Allowed<Sign>,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
    ) -> Result<Classified, Error> {
        match verify::candidate(manifest, tag, &self.data_types) {
            Candidate::Object => {
                Ok(Classified::object(manifest, "neither its shape nor its type is one of evidence or data"))
            }
            Candidate::Evidence(shape) => self.classify_evidence(allowed, manifest, tag, shape).await,
            Candidate::Data => self.classify_data(allowed, manifest, tag).await,
            Candidate::ReferrersList => self.classify_list(allowed, manifest, tag).await,
        }
    }

    async fn classify_evidence(
        &self,
        allowed: &Allowed<Sign>,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
        shape: Shape,
    ) -> Result<Classified, Error> {
        self.check_own_blobs(allowed, manifest).await?;
        let limit = self.limits.evidence_blob_bytes;
        let Some(layers) = self.small_layers(allowed.repository(), manifest, limit).await? else {
            // Or they were collected since.
            self.check_own_blobs(allowed, manifest).await?;
            return Ok(Classified::object(
                manifest,
                "its layers are larger than those of evidence may be, or not of the size that is said",
            ));
        };
        match verify::check_evidence(shape, manifest, &layers, tag) {
            Ok(subject) => Ok(Classified { kind: Kind::Evidence(shape), subject: Some(subject), because: "" }),
            Err(falsehood) => Err(Error::ManifestInvalid(format!("{shape}: {falsehood}"))),
        }
    }

    async fn classify_data(
        &self,
        allowed: &Allowed<Sign>,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
    ) -> Result<Classified, Error> {
        for layer in &manifest.layers {
            let holders = self.metadata.holders(allowed.repository(), &layer.digest, 1).await?;
            if holders.iter().any(|holder| holder.kind == Kind::Object) {
                return Ok(Classified::object(manifest, "an object of this repository holds one of its layers"));
            }
        }
        self.check_own_blobs(allowed, manifest).await?;
        let limit = self.limits.evidence_blob_bytes;
        let Some(layers) = self.small_layers(allowed.repository(), manifest, limit).await? else {
            // Or they were collected since.
            self.check_own_blobs(allowed, manifest).await?;
            return Ok(Classified::object(
                manifest,
                "its layers are larger than those of data may be, or not of the size that is said",
            ));
        };
        match verify::check_data(manifest, &layers, tag) {
            Ok(subject) => Ok(Classified { kind: Kind::Data, subject: Some(subject), because: "" }),
            Err(_) => Ok(Classified::object(manifest, "a layer is not text of the type that it claims")),
        }
    }

    /// An index under `sha256-<hex>` is a list of referrers only if every entry that it names is stored here as
    /// evidence or data for `<hex>`.
    async fn classify_list(
        &self,
        allowed: &Allowed<Sign>,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
    ) -> Result<Classified, Error> {
        let Some(subject) = tag.map(EvidenceTag::subject) else {
            return Ok(Classified::object(manifest, "it is an index"));
        };
        if manifest.manifests.is_empty() {
            // It would be a list about any digest, and is stored about the first only.
            return Ok(Classified::object(manifest, "it lists nothing"));
        }
        for entry in &manifest.manifests {
            let stored = self.metadata.manifest(allowed.repository(), &entry.digest).await?;
            let listed = stored.is_some_and(|stored| stored.kind != Kind::Object && stored.subject == Some(subject));
            if !listed {
                return Ok(Classified::object(manifest, "an entry is not evidence or data for the digest in its tag"));
            }
        }
        Ok(Classified { kind: Kind::Evidence(Shape::ReferrersList), subject: Some(subject), because: "" })
    }

    /// Evidence and data may name only blobs that their pusher uploaded here or may pull.
    async fn check_own_blobs(&self, allowed: &Allowed<Sign>, manifest: &Manifest) -> Result<(), Error> {
        let mut absent = Vec::new();
        for link in manifest.links() {
            let digest = link.descriptor.digest;
            if self.metadata.uploaded_by(allowed.repository(), &digest, allowed.who()).await? {
                continue;
            }
            let visible = match allowed.pull() {
                Some(pull) => matches!(self.decide_blob(&pull, &digest).await?, Decision::Admitted { .. }),
                None => false,
            };
            if !visible {
                absent.push(digest);
            }
        }
        if absent.is_empty() { Ok(()) } else { Err(Error::ContentAbsent(absent)) }
    }
}
