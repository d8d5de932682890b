//! The two JSON files of a layout.

use std::fmt;
use std::io::{self, BufReader, Read, Write};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::oci::{self, Digest, media_type};
use crate::store::LayoutEntry;

/// The content of `oci-layout`.
pub(super) const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'entries> {
    schema_version: u8,
    media_type: &'static str,
    #[serde(serialize_with = "descriptors")]
    manifests: &'entries [LayoutEntry],
}

/// One by one: there may be many.
fn descriptors<S: Serializer>(entries: &[LayoutEntry], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(entries.iter().map(|entry| Descriptor {
        media_type: &entry.media_type,
        digest: &entry.digest,
        size: entry.size,
        annotations: entry.tag.as_deref().map(|ref_name| Annotations { ref_name }),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'entries> {
    media_type: &'entries str,
    digest: &'entries Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations<'entries>>,
}

#[derive(Serialize)]
struct Annotations<'entries> {
    #[serde(rename = "org.opencontainers.image.ref.name")]
    ref_name: &'entries str,
}

/// Writes `index.json`.
pub(super) fn write(to: &mut impl Write, entries: &[LayoutEntry]) -> io::Result<()> {
    let index = Index { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: entries };
    Ok(serde_json::to_writer(to, &index)?)
}

/// Whether what is read is an index as [`write`] makes one. Its entries are read one by one, and not kept.
pub(super) fn is_whole(from: impl Read) -> bool {
    let index = serde_json::from_reader::<_, Found>(BufReader::new(from));
    index.is_ok_and(|index| index.schema_version == 2 && index.media_type == media_type::OCI_INDEX)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Found {
    schema_version: u64,
    media_type: String,
    #[serde(rename = "manifests")]
    _manifests: Entries,
}

/// Descriptors, of which nothing is kept.
struct Entries;

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of descriptors")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Entries, A::Error> {
                while entries.next_element::<oci::Descriptor>()?.is_some() {}
                Ok(Entries)
            }
        }

        from.deserialize_seq(Each)
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::image::{ANNOTATION_REF_NAME, ImageIndex, OciLayout};

    use super::*;

    fn written(entries: &[LayoutEntry]) -> ImageIndex {
        let mut json = Vec::new();
        write(&mut json, entries).unwrap();
        ImageIndex::from_reader(json.as_slice()).unwrap()
    }

    fn entry(tag: Option<&str>) -> LayoutEntry {
        LayoutEntry {
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            digest: Digest::sha256(b"manifest"),
            size: 8,
            tag: tag.map(str::to_owned),
        }
    }

    #[test]
    fn an_entry_is_a_descriptor_named_by_its_tag() {
        let index = written(&[entry(Some("v1"))]);
        let [descriptor] = index.manifests().as_slice() else { panic!("expected one manifest") };
        assert_eq!(descriptor.digest().to_string(), Digest::sha256(b"manifest").to_string());
        assert_eq!(descriptor.size(), 8);
        assert_eq!(descriptor.annotations().as_ref().unwrap()[ANNOTATION_REF_NAME], "v1");
    }

    #[test]
    fn an_untagged_entry_has_no_annotations() {
        assert_eq!(written(&[entry(None)]).manifests()[0].annotations(), &None);
    }

    #[test]
    fn no_entries_are_a_valid_index() {
        assert!(written(&[]).manifests().is_empty());
    }

    #[test]
    fn what_was_written_is_whole_and_what_rotted_is_not() {
        let mut json = Vec::new();
        write(&mut json, &[entry(None), entry(Some("v1"))]).unwrap();
        assert!(is_whole(json.as_slice()));
        let text = String::from_utf8(json).unwrap();
        let rotten = [
            ("2", "3"),
            ("index.v1", "index.v2"),
            ("sha256", "sha255"),
            ("digest", "digesu"),
            ("manifests", "manifestt"),
            ("]}", "]"),
            ("]}", "]}}"),
        ];
        for (sound, rotten) in rotten {
            assert!(text.contains(sound) && !is_whole(text.replacen(sound, rotten, 1).as_bytes()), "{rotten}");
        }
        assert!(!is_whole(&b""[..]));
    }

    #[test]
    fn the_mark_is_a_valid_layout_file() {
        assert_eq!(OciLayout::from_reader(OCI_LAYOUT).unwrap().image_layout_version(), "1.0.0");
    }
}
