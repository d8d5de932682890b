//! Manifests and indexes: the [image specification](https://github.com/opencontainers/image-spec/blob/main/manifest.md)'s, and Docker's schema 2.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{self, JsonError};
use super::{Digest, media_type};

/// The digest of `{}`.
pub const EMPTY_CONFIG: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// A content descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Free text by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The type of the artifact that it names, in referrers lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// Image or index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// A manifest with config and layers.
    Image,
    /// An index of manifests.
    Index,
}

/// How a manifest holds what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// Through `config`.
    Config,
    /// Through `layers`.
    Layer,
    /// Through `manifests`.
    Manifest,
}

/// One thing that a manifest holds; `subject` is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Through which field.
    pub kind: LinkKind,
    /// What.
    pub descriptor: Descriptor,
}

/// A manifest as parsed from the bytes that hash to its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Image or index.
    pub kind: ManifestKind,
    /// One of the four types of [`media_type::is_manifest`].
    pub media_type: String,
    /// `artifactType` as written.
    pub artifact_type: Option<String>,
    /// `config`, of an image.
    pub config: Option<Descriptor>,
    /// `layers`, of an image.
    pub layers: Vec<Descriptor>,
    /// `manifests`, of an index.
    pub manifests: Vec<Descriptor>,
    /// `subject`.
    pub subject: Option<Descriptor>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// Why bytes are not a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON within the limits.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A content type that is stored nowhere.
    #[error("expected a manifest or index type of OCI or Docker schema 2, found {0:?}")]
    MediaType(String),
    /// `mediaType` and `Content-Type` disagree.
    #[error("expected mediaType to equal the Content-Type {expected:?}, found {found:?}")]
    MediaTypeMismatch {
        /// The Content-Type.
        expected: String,
        /// The field.
        found: String,
    },
    /// `schemaVersion` is not 2.
    #[error("expected schemaVersion 2")]
    SchemaVersion,
    /// A key that readers which ignore case, as Go's do, take for one that this reader does not see.
    #[error("expected the key {expected:?}, found {found:?}, which some clients read as the same")]
    Spelling {
        /// The key as the specification writes it.
        expected: &'static str,
        /// The key that is there.
        found: String,
    },
    /// Fields of an image and of an index in one document: clients differ in how they read it.
    #[error("expected either config and layers or manifests, found both")]
    Ambiguous,
    /// An image without config.
    #[error("expected a config")]
    NoConfig,
    /// More descriptors than the limit.
    #[error("expected at most {limit} descriptors, found {found}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
}

/// The keys of manifests and descriptors that decide what is fetched and how it is read.
const KEYS: [&str; 12] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "digest",
    "size",
    "urls",
    "data",
];

/// Refuses keys of the manifest and of its descriptors that are known ones in another spelling.
fn check_spelling(value: &Value) -> Result<(), ManifestError> {
    let descriptors = ["config", "layers", "manifests", "subject"].iter().filter_map(|key| value.get(key));
    let each = descriptors.flat_map(|held| held.as_array().map_or(std::slice::from_ref(held), Vec::as_slice));
    for found in std::iter::once(value).chain(each).filter_map(Value::as_object).flat_map(serde_json::Map::keys) {
        if let Some(expected) = KEYS.into_iter().find(|key| key != found && is_same_folded(key, found)) {
            return Err(ManifestError::Spelling { expected, found: found.clone() });
        }
    }
    Ok(())
}

/// Whether two keys are the same to a reader that ignores case: U+017F folds to `s`, U+212A to `k`.
fn is_same_folded(key: &str, found: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(found.chars().map(fold))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// How deep the JSON may nest.
    pub const MAX_DEPTH: usize = 32;
    /// How many objects a descriptor may be on average: itself, its annotations, its platform, and one that a later
    /// version may know.
    const OBJECTS_PER_LINK: usize = 4;
    /// How many more objects there may be.
    const OBJECTS_BESIDE: usize = 1024;

    /// Parses `bytes` as the manifest that `content_type` says it is (parameters after `;` are ignored; empty leaves it to
    /// `mediaType`), naming at most `max_links` descriptors.
    pub fn parse(bytes: &[u8], content_type: &str, max_links: usize) -> Result<Self, ManifestError> {
        let said = content_type.split_once(';').map_or(content_type, |(essence, _)| essence).trim();
        if !said.is_empty() && !media_type::is_manifest(said) {
            return Err(ManifestError::MediaType(said.to_owned()));
        }
        let objects = max_links.saturating_mul(Self::OBJECTS_PER_LINK).saturating_add(Self::OBJECTS_BESIDE);
        let value = json::parse_few(bytes, Self::MAX_DEPTH, objects)?;
        check_spelling(&value)?;
        // Clients should send a Content-Type; what they store may say it for them.
        let content_type = if said.is_empty() { value.get("mediaType").and_then(Value::as_str) } else { Some(said) };
        let content_type = content_type.unwrap_or_default().to_owned();
        let content_type = content_type.as_str();
        if !media_type::is_manifest(content_type) {
            return Err(ManifestError::MediaType(content_type.to_owned()));
        }
        let document: Document = serde_json::from_value(value).map_err(|error| JsonError::Syntax(error.to_string()))?;
        if document.schema_version != 2 {
            return Err(ManifestError::SchemaVersion);
        }
        if let Some(found) = document.media_type.as_ref().filter(|found| *found != content_type) {
            return Err(ManifestError::MediaTypeMismatch { expected: content_type.to_owned(), found: found.clone() });
        }
        let kind = if [media_type::OCI_INDEX, media_type::DOCKER_LIST].contains(&content_type) {
            ManifestKind::Index
        } else {
            ManifestKind::Image
        };
        let image_fields = document.config.is_some() || document.layers.is_some();
        match kind {
            ManifestKind::Index if image_fields => return Err(ManifestError::Ambiguous),
            ManifestKind::Image if document.manifests.is_some() => return Err(ManifestError::Ambiguous),
            ManifestKind::Image if document.config.is_none() => return Err(ManifestError::NoConfig),
            _ => {}
        }
        let manifest = Self {
            kind,
            media_type: content_type.to_owned(),
            artifact_type: document.artifact_type.filter(|text| !text.is_empty()),
            config: document.config,
            layers: document.layers.unwrap_or_default(),
            manifests: document.manifests.unwrap_or_default(),
            subject: document.subject,
            annotations: document.annotations.unwrap_or_default(),
        };
        let found = manifest.links().count();
        if found > max_links { Err(ManifestError::TooMany { limit: max_links, found }) } else { Ok(manifest) }
    }

    /// What it holds: config, layers, manifests; never the subject.
    pub fn links(&self) -> impl Iterator<Item = Link> {
        let with = |kind| move |descriptor: &Descriptor| Link { kind, descriptor: descriptor.clone() };
        (self.config.iter().map(with(LinkKind::Config)))
            .chain(self.layers.iter().map(with(LinkKind::Layer)))
            .chain(self.manifests.iter().map(with(LinkKind::Manifest)))
    }

    /// The artifact type that referrers lists show: `artifactType`, else the config's media type.
    pub fn effective_artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref().or_else(|| self.config.as_ref().map(|config| config.media_type.as_str()))
    }

    /// Whether the config is the empty descriptor: `{}` under its own media type.
    pub fn has_empty_config(&self) -> bool {
        self.config.as_ref().is_some_and(|config| {
            config.media_type == media_type::OCI_EMPTY && config.digest.to_string() == EMPTY_CONFIG
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_type::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

    fn image(extra: &str) -> String {
        format!(
            r#"{{"schemaVersion": 2, "config": {{"mediaType": "application/vnd.oci.empty.v1+json", "digest": "{EMPTY_CONFIG}", "size": 2}}, "layers": []{extra}}}"#
        )
    }

    #[test]
    fn an_image_holds_config_and_layers_and_never_its_subject() {
        let subject =
            format!(r#", "subject": {{"mediaType": "{OCI_MANIFEST}", "digest": "{EMPTY_CONFIG}", "size": 2}}"#);
        let manifest = Manifest::parse(image(&subject).as_bytes(), OCI_MANIFEST, 9).unwrap();
        assert!(manifest.has_empty_config());
        assert!(manifest.subject.is_some());
        assert_eq!(manifest.links().count(), 1);
        assert_eq!(manifest.effective_artifact_type(), Some(media_type::OCI_EMPTY));
    }

    /// Four mebibytes of them took four hundred.
    #[test]
    fn a_manifest_of_endless_objects_is_refused_before_they_are_made() {
        let objects = |count: usize| image(&format!(r#", "x": [{}0]"#, "{},".repeat(count)));
        let parse = |count| Manifest::parse(objects(count).as_bytes(), OCI_MANIFEST, 1);
        assert!(parse(1000).is_ok());
        assert_eq!(parse(1100), Err(ManifestError::Json(JsonError::Objects { limit: 1028 })));
    }

    #[test]
    fn what_two_clients_would_read_differently_is_refused() {
        let both = image(r#", "manifests": []"#);
        assert_eq!(Manifest::parse(both.as_bytes(), OCI_MANIFEST, 9), Err(ManifestError::Ambiguous));
        assert_eq!(Manifest::parse(image("").as_bytes(), OCI_INDEX, 9), Err(ManifestError::Ambiguous));
        let other = image(&format!(r#", "mediaType": "{DOCKER_MANIFEST}""#));
        assert!(matches!(
            Manifest::parse(other.as_bytes(), OCI_MANIFEST, 9),
            Err(ManifestError::MediaTypeMismatch { .. })
        ));
    }

    #[test]
    fn a_key_that_go_would_read_and_we_would_not_is_refused() {
        let layer = format!(r#"{{"mediaType": "a/b", "digest": "{EMPTY_CONFIG}", "size": 2}}"#);
        for key in ["Layers", "layer\u{17f}", "LAYERS", "Manifests", "Config", "Subject", "SchemaVersion"] {
            let text = image(&format!(r#", "{key}": [{layer}]"#));
            let parsed = Manifest::parse(text.as_bytes(), OCI_MANIFEST, 9);
            assert!(matches!(parsed, Err(ManifestError::Spelling { .. })), "{key}: {parsed:?}");
        }
        let inner = layer.replace("\"size\"", &format!("\"Digest\": \"{EMPTY_CONFIG}\", \"size\""));
        let parsed =
            Manifest::parse(format!(r#"{{"schemaVersion": 2, "manifests": [{inner}]}}"#).as_bytes(), OCI_INDEX, 9);
        assert!(matches!(parsed, Err(ManifestError::Spelling { expected: "digest", .. })), "{parsed:?}");
        assert!(
            Manifest::parse(image(r#", "annotations": {"Layers": "x"}, "x": 1"#).as_bytes(), OCI_MANIFEST, 9).is_ok()
        );
    }

    #[test]
    fn without_a_content_type_the_media_type_says_it() {
        let typed = image(&format!(r#", "mediaType": "{OCI_MANIFEST}""#));
        assert_eq!(Manifest::parse(typed.as_bytes(), "", 9).unwrap().media_type, OCI_MANIFEST);
        assert_eq!(Manifest::parse(image("").as_bytes(), "", 9), Err(ManifestError::MediaType(String::new())));
    }

    #[test]
    fn other_documents_are_refused() {
        let parse = |text: &str, content_type| Manifest::parse(text.as_bytes(), content_type, 0);
        assert!(matches!(parse("{}", "text/plain"), Err(ManifestError::MediaType(_))));
        assert!(matches!(parse("{}", OCI_MANIFEST), Err(ManifestError::Json(_))));
        assert!(matches!(parse(r#"{"schemaVersion": 1}"#, OCI_MANIFEST), Err(ManifestError::SchemaVersion)));
        assert!(matches!(parse(r#"{"schemaVersion": 2}"#, OCI_MANIFEST), Err(ManifestError::NoConfig)));
        assert!(matches!(parse(&image(""), OCI_MANIFEST), Err(ManifestError::TooMany { limit: 0, found: 1 })));
    }
}
