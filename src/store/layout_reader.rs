//! [Image layouts](https://github.com/opencontainers/image-spec/blob/main/image-layout.md) that anybody wrote, read:
//! bounded, total, and each blob hashed before anyone sees it. Everything here blocks.

mod find;
#[cfg(test)]
mod tests;
mod walk;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;

use crate::oci::{Algorithm, Descriptor, Digest, Hasher, Manifest, ManifestError, media_type};

pub use find::{FoundLayout, FoundLayouts, UnreadableFolder, find_layouts, overlap};
pub use walk::{Read, Visited};

/// How much is read at once.
const PIECE: usize = 256 * 1024;
/// The largest `oci-layout`, in bytes.
const MAX_MARK_BYTES: u64 = 1 << 10;

/// How much of a layout is read, and which links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The largest `index.json`, in bytes.
    pub index_bytes: u64,
    /// The largest manifest, in bytes.
    pub manifest_bytes: u64,
    /// The most manifests, and the most entries of `index.json`.
    pub manifests: usize,
    /// The most descriptors of one manifest.
    pub links: usize,
    /// How deep indexes may nest.
    pub depth: usize,
    /// Whether symbolic links may lead out of the layout.
    pub links_out: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            index_bytes: 1 << 30,
            manifest_bytes: 4 << 20,
            manifests: 4_000_000,
            links: 10_000,
            depth: 64,
            links_out: false,
        }
    }
}

/// Why a layout, or a part of it, can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The folder is no layout of this version.
    #[error("expected an OCI image layout in {}, found {found}", .folder.display())]
    NoLayout {
        /// The folder.
        folder: PathBuf,
        /// What is there.
        found: String,
    },
    /// A file can't be read.
    #[error("expected a file that can be read in {}, found {found}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// A file is over its limit.
    #[error("expected at most {limit} bytes in {}, found more", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A manifest is over the limit.
    #[error("expected at most {limit} bytes of the manifest {digest}, found more")]
    ManifestTooLarge {
        /// The manifest.
        digest: Digest,
        /// The limit.
        limit: u64,
    },
    /// A blob holds other bytes than its name says.
    #[error("expected the blob {0} of the layout to hash to its name, found other bytes")]
    Mismatch(Digest),
    /// More manifests than are read.
    #[error("expected at most {0} manifests in the layout, found more")]
    TooMany(usize),
    /// Indexes nest deeper than is read.
    #[error("expected at most {limit} indexes one in another, found {digest} below")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// What is below.
        digest: Digest,
    },
}

/// A blob of a layout, if it can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutBlob {
    /// All of it; it hashes to its name.
    Bytes(Bytes),
    /// It is not there.
    Absent,
    /// It is larger than was asked for.
    TooLarge,
}

/// One image layout.
#[derive(Clone, Debug)]
pub struct ImageLayout {
    /// Without links on the way to it.
    folder: PathBuf,
    bounds: Bounds,
    entries: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    image_layout_version: String,
}

impl ImageLayout {
    /// The annotation of an entry that is its tag.
    pub const REF_NAME: &'static str = "org.opencontainers.image.ref.name";

    /// Reads `oci-layout` and `index.json` of the layout in `folder`.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<Self, LayoutError> {
        let wrong = |found: String| LayoutError::NoLayout { folder: folder.to_owned(), found };
        let real = folder.canonicalize().map_err(|error| wrong(error.to_string()))?;
        let mut layout = Self { folder: real, bounds, entries: Vec::new() };
        let version = layout.whole("oci-layout", MAX_MARK_BYTES)?.ok_or_else(|| wrong("no oci-layout".to_owned()))?;
        let version: Version = serde_json::from_slice(&version).map_err(|error| wrong(error.to_string()))?;
        if !version.image_layout_version.starts_with("1.") {
            return Err(wrong(format!("version {:?}", version.image_layout_version)));
        }
        let index = layout.whole("index.json", bounds.index_bytes)?.ok_or_else(|| wrong("no index.json".to_owned()))?;
        let index = Manifest::parse(&index, media_type::OCI_INDEX, bounds.manifests)
            .map_err(|error| wrong(format!("an index.json of another kind: {error}")))?;
        layout.entries = index.manifests;
        Ok(layout)
    }

    /// The folder, without links on the way to it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The entries of `index.json`, in order.
    pub fn entries(&self) -> &[Descriptor] {
        &self.entries
    }

    /// The blob of that digest, if it is there and has at most `limit` bytes; it hashes to its name.
    pub fn blob(&self, digest: &Digest, limit: u64) -> Result<LayoutBlob, LayoutError> {
        let path = self.path(digest);
        let Some(file) = self.open_file(&path)? else { return Ok(LayoutBlob::Absent) };
        match read(&file, &path, limit)? {
            None => Ok(LayoutBlob::TooLarge),
            Some(bytes) if Digest::of(digest.algorithm(), &bytes) == *digest => Ok(LayoutBlob::Bytes(bytes)),
            Some(_) => Err(LayoutError::Mismatch(*digest)),
        }
    }

    /// How many bytes the blob's file has, if it is there; they are not hashed.
    pub fn size_of(&self, digest: &Digest) -> Result<Option<u64>, LayoutError> {
        let path = self.path(digest);
        let Some(file) = self.open_file(&path)? else { return Ok(None) };
        Ok(Some(file.metadata().map_err(|error| unreadable(&path, &error))?.len()))
    }

    /// What lies below `blobs` under the name of a digest, in the order of the names.
    pub fn blobs(&self) -> Result<Vec<Digest>, LayoutError> {
        let mut found = Vec::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let folder = self.folder.join("blobs").join(algorithm.as_str());
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|error| unreadable(&folder, &error))?,
            };
            for entry in entries {
                let name = entry.map_err(|error| unreadable(&folder, &error))?.file_name();
                let named = name.to_str().map(|hex| format!("{}:{hex}", algorithm.as_str()).parse::<Digest>());
                found.extend(named.and_then(Result::ok));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Where the blob of that digest lies.
    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// The file at `path`, opened; none is that there is none. What is no regular file is refused, and so is a link
    /// that leads out of the layout, unless such may be followed.
    pub(super) fn open_file(&self, path: &Path) -> Result<Option<File>, LayoutError> {
        let wrong = |found: &str| LayoutError::Unreadable { path: path.to_owned(), found: found.to_owned() };
        let real = match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            real => real.map_err(|error| unreadable(path, &error))?,
        };
        if !self.bounds.links_out && !real.starts_with(&self.folder) {
            return Err(wrong("a link that leads out of the layout"));
        }
        // Without waiting for whoever is at the other end, if it is a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::open(&real, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            file => File::from(file.map_err(|error| unreadable(path, &error.into()))?),
        };
        let is_file = file.metadata().map_err(|error| unreadable(path, &error))?.is_file();
        if is_file { Ok(Some(file)) } else { Err(wrong("no regular file")) }
    }

    fn whole(&self, name: &str, limit: u64) -> Result<Option<Bytes>, LayoutError> {
        let path = self.folder.join(name);
        let Some(file) = self.open_file(&path)? else { return Ok(None) };
        read(&file, &path, limit)?.map(Some).ok_or(LayoutError::TooLarge { path, limit })
    }
}

/// What the manifest says it is; where it says nothing, what its descriptor says.
pub fn parse_manifest(bytes: &[u8], said: &str, max_links: usize) -> Result<Manifest, ManifestError> {
    match Manifest::parse(bytes, "", max_links) {
        Err(ManifestError::MediaType(none)) if none.is_empty() => Manifest::parse(bytes, said, max_links),
        parsed => parsed,
    }
}

/// The file whole; none is that it has more than `limit` bytes.
fn read(file: &File, path: &Path, limit: u64) -> Result<Option<Bytes>, LayoutError> {
    let mut bytes = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok((u64::try_from(read).unwrap_or(u64::MAX) <= limit).then(|| bytes.into()))
}

/// The digest of what is left of `from`, and how many bytes that is; each piece goes through `pass` too.
pub(super) fn hash(
    mut from: impl io::Read,
    algorithm: Algorithm,
    mut pass: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut size) = (Hasher::new(algorithm), 0_u64);
    let mut buffer = vec![0; PIECE];
    loop {
        let length = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            length => length?,
        };
        let piece = buffer.get(..length).unwrap_or_default();
        if piece.is_empty() {
            return Ok((hasher.finish(), size));
        }
        hasher.update(piece);
        pass(piece)?;
        size = size.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
}

fn unreadable(path: &Path, error: &io::Error) -> LayoutError {
    LayoutError::Unreadable { path: path.to_owned(), found: error.to_string() }
}
