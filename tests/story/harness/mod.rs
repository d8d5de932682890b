//! The real binary, the real clients, and people who use them.

mod answer;
mod image;
mod keys;
mod notation;
mod person;
mod programs;
mod registry;
mod setup;

pub(crate) use answer::Answer;
pub(crate) use image::{Descriptor, Image, Index, descriptor, digest_of, manifest};
pub(crate) use keys::Key;
pub(crate) use notation::{ACME, authority, leaf, now, sound};
pub(crate) use person::Person;
pub(crate) use programs::{Ran, Run};
pub(crate) use registry::{Registry, passwords};
pub(crate) use setup::Setup;

/// The media type of an OCI image manifest.
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an OCI index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of an OCI image's config.
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a layer.
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The media type of the config that says nothing.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The media type of a Sigstore bundle.
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The media type of cosign's older payload.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// What a registry with a name of its own is called; clients reach it as they reach the world from behind a proxy.
pub(crate) const HOSTNAME: &str = "registry.example.org";
/// Another name of the same registry.
pub(crate) const ALIAS: &str = "registry.example.net";
