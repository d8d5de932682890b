//! The reader of image layouts that anybody wrote.

use std::fs;
use std::path::Path;

use hallmark::oci::{Algorithm, Digest};
use hallmark::store::{Bounds, ImageLayout, LayoutBlob, LayoutError};

const BOUNDS: Bounds =
    Bounds { index_bytes: 1 << 16, manifest_bytes: 1 << 12, manifests: 8, links: 16, depth: 4, links_out: false };

/// The first piece is `index.json`, each other a blob under its own digest, or, if it begins with `!`, under that of
/// nothing. What is read hashes to its name, each manifest is seen once, and no more are than the bounds allow.
pub fn hold(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), bytes);
    let layout = match ImageLayout::open(folder.path(), BOUNDS) {
        Ok(layout) => layout,
        Err(error) => {
            super::is_brief(&error, bytes);
            return false;
        }
    };
    assert!(layout.entries().len() <= BOUNDS.manifests);
    let mut seen = Vec::new();
    let walked = layout.walk(|visited| -> Result<(), LayoutError> {
        assert!(!seen.contains(&visited.descriptor.digest), "each is seen once");
        seen.push(visited.descriptor.digest);
        if let Ok(Some(read)) = &visited.read {
            let named = visited.descriptor.digest;
            assert_eq!(Digest::of(named.algorithm(), &read.bytes), named);
            assert!(u64::try_from(read.bytes.len()).expect("a length") <= BOUNDS.manifest_bytes);
        }
        Ok(())
    });
    assert!(seen.len() <= BOUNDS.manifests);
    if let Err(error) = walked {
        super::is_brief(&error, bytes);
    }
    for digest in layout.blobs().expect("what was written can be listed") {
        match layout.blob(&digest, 1 << 12) {
            Ok(LayoutBlob::Bytes(bytes)) => assert_eq!(Digest::of(digest.algorithm(), &bytes), digest),
            Ok(LayoutBlob::TooLarge) | Err(LayoutError::Mismatch(_)) => {}
            other => panic!("{digest} was written, found {other:?}"),
        }
    }
    !seen.is_empty()
}

fn write(folder: &Path, bytes: &[u8]) {
    let mut pieces = bytes.split(|b| *b == b'\n');
    put(&folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
    put(&folder.join("index.json"), pieces.next().unwrap_or_default());
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let blobs = folder.join("blobs").join(algorithm.as_str());
        fs::create_dir_all(&blobs).expect("a folder");
        for piece in pieces.clone().take(16) {
            let named = if piece.starts_with(b"!") { &b""[..] } else { piece };
            put(&blobs.join(Digest::of(algorithm, named).hex()), piece);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a layout of a stranger is written by no rule of ours")]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file");
}
