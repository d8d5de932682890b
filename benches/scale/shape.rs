//! What a store of a size holds. A larger one holds all that a smaller one does, so that one store can grow.

use hallmark::oci::Digest;

/// The media type of an image's manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The repository with the most tags.
pub(crate) const LARGEST: &str = "big/app";
/// The repository with the subject of many referrers.
pub(crate) const REFERRED: &str = "big/referred";
/// The artifact type of most referrers.
pub(crate) const COMMON: &str = "application/spdx+json";
/// The artifact type of each hundredth.
pub(crate) const RARE: &str = "application/sarif+json";

/// The config and the one layer that all images share.
pub(crate) const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
pub(crate) const LAYER: &[u8] = b"the one layer that all images share";

/// Tags of each of the many repositories.
pub(crate) const TAGS_OF_ONE: u64 = 89;

/// How much of everything: a million manifests are 100,000 tags in one repository, 10,000 referrers of one subject, and
/// 10,000 repositories with 89 tags each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) manifests: u64,
    pub(crate) largest: u64,
    pub(crate) referrers: u64,
    pub(crate) repositories: u64,
}

impl Shape {
    pub(crate) const fn of(manifests: u64) -> Self {
        Self { manifests, largest: manifests / 10, referrers: manifests / 100, repositories: manifests / 100 }
    }
}

/// The name of one of the many repositories.
pub(crate) fn repository(number: u64) -> String {
    format!("team-{:02}/app-{number:05}", number % 37)
}

/// The name of a tag.
pub(crate) fn tag(number: u64) -> String {
    format!("v{number:06}")
}

/// The manifest of an image that nothing else equals.
pub(crate) fn image(repository: &str, number: u64) -> Vec<u8> {
    manifest(CONFIG, LAYER, &format!("{repository} {number}"))
}

/// The manifest of an image with this config, this layer and this title.
pub(crate) fn manifest(config: &[u8], layer: &[u8], title: &str) -> Vec<u8> {
    let (config, layer) = (descriptor(config), descriptor(layer));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar",{layer}}}],"annotations":{{"org.opencontainers.image.title":"{title}"}}}}"#
    )
    .into_bytes()
}

/// The manifest of a referrer of `subject`.
pub(crate) fn referrer(subject: &Digest, subject_size: usize, number: u64) -> Vec<u8> {
    let (empty, layer, of) = (descriptor(b"{}"), descriptor(LAYER), kind(number));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"{of}","config":{{"mediaType":"application/vnd.oci.empty.v1+json",{empty}}},"layers":[{{"mediaType":"{of}",{layer}}}],"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":{subject_size}}},"annotations":{{"org.opencontainers.image.version":"{number}"}}}}"#
    )
    .into_bytes()
}

/// The artifact type of a referrer.
pub(crate) const fn kind(number: u64) -> &'static str {
    if number.is_multiple_of(100) { RARE } else { COMMON }
}

fn descriptor(content: &[u8]) -> String {
    format!(r#""digest":"{}","size":{}"#, Digest::sha256(content), content.len())
}
