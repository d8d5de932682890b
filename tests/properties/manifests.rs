//! Manifests and indexes, and the JSON that they are written in.

use hallmark::oci::{Manifest, ManifestKind, json, media_type};

const LINKS: usize = 20;
const TYPES: [&str; 6] = [
    media_type::OCI_MANIFEST,
    media_type::OCI_INDEX,
    media_type::DOCKER_MANIFEST,
    media_type::DOCKER_LIST,
    "",
    "text/html",
];

/// What is a manifest is one of its type alone, within its bounds, and stays the same when it is written otherwise.
pub fn hold(bytes: &[u8]) -> bool {
    let value = json::parse(bytes, Manifest::MAX_DEPTH);
    if let Ok(value) = &value {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(bytes).ok().as_ref(), Some(value));
        assert!(depth(value) <= Manifest::MAX_DEPTH);
    }
    let mut kinds = Vec::new();
    for content_type in TYPES {
        match Manifest::parse(bytes, content_type, LINKS) {
            Ok(manifest) => {
                check(&manifest, content_type);
                let value = value.as_ref().expect("JSON, as a manifest is");
                let rewritten = serde_json::to_vec_pretty(value).expect("JSON");
                assert_eq!(Manifest::parse(&rewritten, content_type, LINKS).as_ref(), Ok(&manifest));
                assert_eq!(
                    Manifest::parse(bytes, &format!("{content_type} ; charset=utf-8"), LINKS),
                    Ok(manifest.clone())
                );
                kinds.push(manifest.kind);
            }
            Err(error) => super::is_brief(&error, bytes),
        }
    }
    assert!(kinds.windows(2).all(|pair| pair[0] == pair[1]), "an image to some and an index to others: {kinds:?}");
    !kinds.is_empty()
}

fn check(manifest: &Manifest, content_type: &str) {
    assert!(media_type::is_manifest(&manifest.media_type));
    assert!(content_type.is_empty() || manifest.media_type == content_type);
    let index = [media_type::OCI_INDEX, media_type::DOCKER_LIST].contains(&manifest.media_type.as_str());
    assert_eq!(manifest.kind == ManifestKind::Index, index);
    assert_eq!(manifest.config.is_some(), !index);
    assert!(if index { manifest.layers.is_empty() } else { manifest.manifests.is_empty() });
    let links: Vec<_> = manifest.links().collect();
    assert!(links.len() <= LINKS);
    let held = usize::from(!index) + manifest.layers.len() + manifest.manifests.len();
    assert_eq!(links.len(), held, "every descriptor is a link, and the subject is none");
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(entries) => 1 + entries.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
