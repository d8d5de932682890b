//! Media types that the registry knows by name.

/// An OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A Docker image manifest, version 2, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// `{}`.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A Sigstore bundle begins so; the version follows.
pub const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The bundle version that cosign 3 writes.
pub const SIGSTORE_BUNDLE_V03: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// A simple-signing payload.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// cosign's signature artifact, OCI 1.1 form.
pub const COSIGN_SIGNATURE_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// A DSSE envelope.
pub const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
/// An in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// A notation signature.
pub const NOTATION: &str = "application/vnd.cncf.notary.signature";

/// Whether clients need not push the content: layers that are fetched from elsewhere.
pub fn is_nondistributable(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.")
        || media_type == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
}

/// Whether it is one of the four manifest types that are stored.
pub fn is_manifest(media_type: &str) -> bool {
    [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&media_type)
}
