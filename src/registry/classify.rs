//! Object, evidence or data: told from the stored manifest and its blobs, never from what a client says about them.

use crate::authz::Sign;
use crate::gate::Shape;
use crate::metadata::Kind;
use crate::oci::{Digest, EvidenceTag, Manifest, RepositoryName};
use crate::verify::{self, Candidate};

use super::resolve::Decision;
use super::shelf::Shelf;
use super::{Allowed, Error, Registry};

/// Why data is an object, if an object of its repository has its bytes.
const HELD: &str = "an object of this repository holds one of its layers";

/// What a manifest is to the gate, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Classified {
    pub(super) kind: Kind,
    pub(super) subject: Option<Digest>,
    /// For an object: why it is neither evidence nor data.
    pub(super) because: &'static str,
    /// Whether its layers may be absent: what looks like evidence or data is whole, for without its layers it would be
    /// kept as an object, for ever.
    pub(super) may_be_sparse: bool,
}

impl Classified {
    fn object(manifest: &Manifest, because: &'static str) -> Self {
        let subject = manifest.subject.as_ref().map(|subject| subject.digest);
        Self { kind: Kind::Object, subject, because, may_be_sparse: false }
    }

    fn about(subject: Digest, kind: Kind) -> Self {
        Self { kind, subject: Some(subject), because: "", may_be_sparse: false }
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
        let (shelf, repository) = (self.shelf(), allowed.repository());
        let candidate = verify::candidate(manifest, tag, &self.data_types);
        if candidate == Candidate::Data && shelf.object_holds_layer(repository, manifest).await? {
            return Ok(Classified::object(manifest, HELD));
        }
        if !matches!(candidate, Candidate::Data | Candidate::Evidence(_)) {
            return shelf.settle(candidate, repository, manifest, tag).await;
        }
        self.check_own_blobs(allowed, manifest).await?;
        let classified = shelf.settle(candidate, repository, manifest, tag).await?;
        if classified.kind == Kind::Object {
            // Its layers may have been collected since.
            self.check_own_blobs(allowed, manifest).await?;
        }
        Ok(classified)
    }

    /// Evidence and data may name only blobs that their pusher uploaded here or may pull; what is quarantined can't be
    /// read, and is as absent to them as to an object.
    async fn check_own_blobs(&self, allowed: &Allowed<Sign>, manifest: &Manifest) -> Result<(), Error> {
        let mut absent = Vec::new();
        for link in manifest.links() {
            let digest = link.descriptor.digest;
            if self.metadata.blob(allowed.repository(), &digest).await?.is_some_and(|blob| blob.quarantined) {
                absent.push(digest);
                continue;
            }
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

impl Shelf<'_> {
    /// Classifies a manifest as at a push by someone who may read every blob that it names.
    pub(super) async fn classify(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
    ) -> Result<Classified, Error> {
        let candidate = verify::candidate(manifest, tag, self.data_types);
        if candidate == Candidate::Data && self.object_holds_layer(repository, manifest).await? {
            return Ok(Classified::object(manifest, HELD));
        }
        self.settle(candidate, repository, manifest, tag).await
    }

    /// What a candidate is, by its layers or its entries.
    async fn settle(
        &self,
        candidate: Candidate,
        repository: &RepositoryName,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
    ) -> Result<Classified, Error> {
        match candidate {
            Candidate::Object => {
                let object = Classified::object(manifest, "neither its shape nor its type is one of evidence or data");
                Ok(Classified { may_be_sparse: self.sparse_images, ..object })
            }
            Candidate::Evidence(shape) => self.settle_evidence(repository, manifest, tag, shape).await,
            Candidate::Data => self.settle_data(repository, manifest, tag).await,
            Candidate::ReferrersList => self.settle_list(repository, manifest, tag).await,
        }
    }

    async fn settle_evidence(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
        shape: Shape,
    ) -> Result<Classified, Error> {
        let Some(layers) = self.small_layers(repository, manifest, self.evidence_blob_bytes).await? else {
            return Ok(Classified::object(
                manifest,
                "its layers are larger than those of evidence may be, or not of the size that is said",
            ));
        };
        match verify::check_evidence(shape, manifest, &layers, tag) {
            Ok(subject) => Ok(Classified::about(subject, Kind::Evidence(shape))),
            Err(falsehood) => Err(Error::ManifestInvalid(format!("{shape}: {falsehood}"))),
        }
    }

    async fn settle_data(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        tag: Option<&EvidenceTag>,
    ) -> Result<Classified, Error> {
        let Some(layers) = self.small_layers(repository, manifest, self.evidence_blob_bytes).await? else {
            return Ok(Classified::object(
                manifest,
                "its layers are larger than those of data may be, or not of the size that is said",
            ));
        };
        match verify::check_data(manifest, &layers, tag) {
            Ok(subject) => Ok(Classified::about(subject, Kind::Data)),
            Err(_) => Ok(Classified::object(manifest, "a layer is not text of the type that it claims")),
        }
    }

    async fn object_holds_layer(&self, repository: &RepositoryName, manifest: &Manifest) -> Result<bool, Error> {
        for layer in &manifest.layers {
            let holders = self.metadata.holders(repository, &layer.digest, 1).await?;
            if holders.iter().any(|holder| holder.kind == Kind::Object) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An index under `sha256-<hex>` is a list of referrers only if every entry that it names is stored here as
    /// evidence or data for `<hex>`.
    async fn settle_list(
        &self,
        repository: &RepositoryName,
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
            let stored = self.metadata.manifest(repository, &entry.digest).await?;
            let listed = stored.is_some_and(|stored| stored.kind != Kind::Object && stored.subject == Some(subject));
            if !listed {
                return Ok(Classified::object(manifest, "an entry is not evidence or data for the digest in its tag"));
            }
        }
        Ok(Classified::about(subject, Kind::Evidence(Shape::ReferrersList)))
    }
}
