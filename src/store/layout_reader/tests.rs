//! Layouts by friends and by others.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// Writes a layout whose `index.json` is `index`, with these blobs.
fn write(folder: &Path, index: &[u8], blobs: &[Vec<u8>]) {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let file = |name: &str, bytes: &[u8]| File::create(folder.join(name)).unwrap().write_all(bytes).unwrap();
    file("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#);
    file("index.json", index);
    for blob in blobs {
        file(&format!("blobs/sha256/{}", Digest::sha256(blob).hex()), blob);
    }
}

fn index(children: &[Digest]) -> Vec<u8> {
    let entry = |digest: &Digest| json!({"mediaType": media_type::OCI_INDEX, "digest": digest, "size": 1});
    let entries: Vec<Value> = children.iter().map(entry).collect();
    json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries}).to_string().into_bytes()
}

/// A chain of indexes, the outermost last.
fn chain(length: usize) -> Vec<Vec<u8>> {
    let mut all = vec![index(&[])];
    while all.len() < length {
        let last = Digest::sha256(all.last().unwrap());
        all.push(index(&[last]));
    }
    all
}

fn walked(layout: &ImageLayout) -> Result<Vec<Visited>, LayoutError> {
    let mut all = Vec::new();
    layout.walk::<LayoutError>(|visited| {
        all.push(visited);
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn children_are_visited_before_their_parents_and_each_once() {
    let folder = TempDir::new().unwrap();
    let blobs = chain(3);
    let [inner, middle, outer] = [0, 1, 2].map(|at: usize| Digest::sha256(&blobs[at]));
    write(folder.path(), &index(&[middle, outer, inner]), &blobs);
    let layout = ImageLayout::open(folder.path(), Bounds::default()).unwrap();
    let order: Vec<_> = walked(&layout).unwrap().iter().map(|visited| visited.descriptor.digest).collect();
    assert_eq!(order, [inner, middle, outer]);
}

#[test]
fn what_is_nested_too_deep_is_told_and_not_gone_into() {
    let folder = TempDir::new().unwrap();
    let blobs = chain(100);
    write(folder.path(), &index(&[Digest::sha256(&blobs[99])]), &blobs);
    let layout = ImageLayout::open(folder.path(), Bounds::default()).unwrap();
    let all = walked(&layout).unwrap();
    assert_eq!(all.len(), 66);
    assert!(matches!(all[0].read, Err(LayoutError::TooDeep { .. })), "{:?}", all[0]);
}

#[test]
fn more_manifests_than_the_bound_are_refused() {
    let folder = TempDir::new().unwrap();
    let blobs = chain(3);
    write(folder.path(), &index(&[Digest::sha256(&blobs[2])]), &blobs);
    let layout = ImageLayout::open(folder.path(), Bounds { manifests: 2, ..Bounds::default() }).unwrap();
    assert!(matches!(walked(&layout), Err(LayoutError::TooMany(2))));
}

#[test]
fn files_over_their_bound_are_refused() {
    let folder = TempDir::new().unwrap();
    let blobs = chain(1);
    write(folder.path(), &index(&[Digest::sha256(&blobs[0])]), &blobs);
    let open = |bounds| ImageLayout::open(folder.path(), bounds);
    assert!(matches!(open(Bounds { index_bytes: 10, ..Bounds::default() }), Err(LayoutError::TooLarge { .. })));
    let layout = open(Bounds { manifest_bytes: 10, ..Bounds::default() }).unwrap();
    let all = walked(&layout).unwrap();
    assert!(matches!(all[0].read, Err(LayoutError::ManifestTooLarge { .. })), "{all:?}");
    assert_eq!(layout.blob(&Digest::sha256(&blobs[0]), 10).unwrap(), LayoutBlob::TooLarge);
}

#[test]
fn a_blob_of_other_bytes_is_never_shown() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &index(&[]), &[]);
    let digest = Digest::sha256(b"content");
    fs::copy(folder.path().join("oci-layout"), folder.path().join("blobs/sha256").join(digest.hex())).unwrap();
    let layout = ImageLayout::open(folder.path(), Bounds::default()).unwrap();
    assert!(matches!(layout.blob(&digest, 100), Err(LayoutError::Mismatch(_))));
}

#[test]
fn a_folder_of_another_version_is_no_layout() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &index(&[]), &[]);
    File::create(folder.path().join("oci-layout")).unwrap().write_all(br#"{"imageLayoutVersion": "2.0.0"}"#).unwrap();
    let refused = ImageLayout::open(folder.path(), Bounds::default()).unwrap_err().to_string();
    assert!(refused.contains("found version \"2.0.0\""), "{refused}");
}

#[test]
fn links_are_followed_within_the_layout_and_out_of_it_only_where_that_is_allowed() {
    let (folder, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(folder.path(), &index(&[]), &[b"inside".to_vec()]);
    write(outside.path(), &index(&[]), &[b"outside".to_vec()]);
    let [inside, out] = [b"inside".as_slice(), b"outside"].map(Digest::sha256);
    let blobs = folder.path().join("blobs/sha256");
    fs::copy(blobs.join(inside.hex()), folder.path().join("elsewhere")).unwrap();
    fs::remove_file(blobs.join(inside.hex())).unwrap();
    symlink("../../elsewhere", blobs.join(inside.hex())).unwrap();
    symlink(outside.path().join("blobs/sha256").join(out.hex()), blobs.join(out.hex())).unwrap();
    let layout = ImageLayout::open(folder.path(), Bounds::default()).unwrap();
    assert!(matches!(layout.blob(&inside, 10), Ok(LayoutBlob::Bytes(_))));
    let refused = layout.blob(&out, 10).unwrap_err().to_string();
    assert!(refused.contains("a link that leads out of the layout"), "{refused}");
    let layout = ImageLayout::open(folder.path(), Bounds { links_out: true, ..Bounds::default() }).unwrap();
    assert!(matches!(layout.blob(&out, 10), Ok(LayoutBlob::Bytes(_))));
}

#[test]
fn a_folder_of_blobs_that_is_a_link_out_of_the_layout_leads_nowhere() {
    let (folder, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(outside.path(), &index(&[]), &[b"outside".to_vec()]);
    write(folder.path(), &index(&[]), &[]);
    fs::remove_dir_all(folder.path().join("blobs")).unwrap();
    symlink(outside.path().join("blobs"), folder.path().join("blobs")).unwrap();
    let layout = ImageLayout::open(folder.path(), Bounds::default()).unwrap();
    assert!(layout.blob(&Digest::sha256(b"outside"), 10).is_err());
}

#[test]
fn a_pipe_in_the_place_of_a_blob_is_refused_and_not_waited_for() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &index(&[]), &[]);
    let digest = Digest::sha256(b"content");
    let pipe = folder.path().join("blobs/sha256").join(digest.hex());
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let layout = ImageLayout::open(folder.path(), Bounds::default()).unwrap();
    let refused = layout.blob(&digest, 10).unwrap_err().to_string();
    assert!(refused.contains("no regular file"), "{refused}");
}

#[test]
fn layouts_are_found_by_the_names_of_their_folders() {
    let folder = TempDir::new().unwrap();
    for name in ["a", "a/b/c", "a/_blobs/d", "_cas/x", ".hidden/y", "a/blobs/sha256/z"] {
        write(&folder.path().join(name), &index(&[]), &[]);
    }
    symlink(folder.path().join("a"), folder.path().join("link")).unwrap();
    let found = find_layouts(folder.path()).unwrap();
    let names: Vec<_> = found.layouts.iter().map(|layout| layout.name.as_str()).collect();
    assert_eq!(names, ["a", "a/b/c", "a/blobs/d"]);
}

#[test]
fn folders_overlap_if_one_is_in_the_other() {
    let folder = TempDir::new().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    fs::create_dir_all(a.join("inner")).unwrap();
    fs::create_dir_all(&b).unwrap();
    symlink(&a, b.join("link")).unwrap();
    assert!(overlap(&a, &a.join("inner")).unwrap() && overlap(&a.join("inner"), &a).unwrap());
    assert!(overlap(&a, &b.join("link")).unwrap());
    assert!(!overlap(&a, &b).unwrap());
}

/// Bytes that are nearly an index, or anything.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let child = prop_oneof![Just(0_u8), any::<u8>()];
    let nearly = (proptest::collection::vec(child, 0..4), "[a-z]{0,3}").prop_map(|(children, name)| {
        let digests: Vec<_> = children.iter().map(|child| Digest::sha256(&[*child])).collect();
        let mut text = String::from_utf8(index(&digests)).unwrap();
        text.insert_str(text.len() / 2, &name);
        text.into_bytes()
    });
    prop_oneof![nearly, proptest::collection::vec(any::<u8>(), 0..64), Just(index(&[Digest::sha256(&[0])]))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_lies_there_is_read_or_refused(
        top in document(),
        blobs in proptest::collection::vec(document(), 0..4),
        under_other_names in proptest::collection::vec(document(), 0..3),
    ) {
        let folder = TempDir::new().unwrap();
        write(folder.path(), &top, &blobs);
        for (number, bytes) in under_other_names.iter().enumerate() {
            let name = Digest::sha256(&[u8::try_from(number).unwrap()]).hex();
            File::create(folder.path().join("blobs/sha256").join(name)).unwrap().write_all(bytes).unwrap();
        }
        if let Ok(layout) = ImageLayout::open(folder.path(), Bounds::default()) {
            for visited in walked(&layout).unwrap() {
                if let Ok(Some(read)) = visited.read {
                    prop_assert_eq!(Digest::sha256(&read.bytes), visited.descriptor.digest);
                }
            }
            layout.blobs().unwrap();
        }
    }
}
