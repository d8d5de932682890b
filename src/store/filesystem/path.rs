//! Where everything lies below the root: the only place that builds these paths.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::oci::{Algorithm, Digest, RepositoryName};
use crate::store::ObjectKey;

/// The algorithms that have a folder of their own.
pub(super) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// Names that an OCI layout uses itself, and that are legal components of a repository name too.
const LAYOUT_NAMES: [&str; 3] = [BLOBS, INDEX, OCI_LAYOUT];

/// The folder of a layout's blobs.
pub(super) const BLOBS: &str = "blobs";
/// The list of what a layout holds.
pub(super) const INDEX: &str = "index.json";
/// The file that makes a folder a layout.
pub(super) const OCI_LAYOUT: &str = "oci-layout";
/// Where a layout's next file is written; no component of a repository name is stored under this name.
pub(super) const WRITING: &str = "_writing";

/// Where objects lie that were found not to be what their names say.
pub(super) const QUARANTINE: &str = "_quarantine";

/// The root of the tree.
#[derive(Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("_hallmark.lock")
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.0.join("_uploads")
    }

    pub(super) fn upload(&self, upload: Uuid) -> PathBuf {
        self.uploads().join(upload.to_string())
    }

    pub(super) fn cas(&self) -> PathBuf {
        self.0.join("_cas")
    }

    /// The file of `key`; nothing unless the key has exactly the shape that [`object_key`] makes.
    pub(super) fn object(&self, key: &ObjectKey) -> Option<PathBuf> {
        let (digest, generation) = key.0.rsplit_once('.')?;
        let (algorithm, rest) = digest.split_once('/')?;
        let (_, hex) = rest.split_once('/')?;
        let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
        let generation: u64 = generation.parse().ok()?;
        (object_key(&digest, generation) == *key).then(|| self.cas().join(&key.0))
    }

    /// Where the file of `key` lies once it is quarantined.
    pub(super) fn quarantined(&self, key: &ObjectKey) -> Option<PathBuf> {
        let object = self.object(key)?;
        object.file_name().map(|name| self.0.join(QUARANTINE).join(name))
    }

    pub(super) fn reserve(&self) -> PathBuf {
        self.0.join("_reserve")
    }

    /// A blob of a repository's layout.
    pub(super) fn layout_blob(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        let blobs = self.0.join(Self::repository(repository)).join(BLOBS);
        blobs.join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// The folder of a repository's layout, relative to the root.
    pub(super) fn repository(repository: &RepositoryName) -> PathBuf {
        repository
            .components()
            .map(
                |component| {
                    if LAYOUT_NAMES.contains(&component) { format!("_{component}") } else { component.to_owned() }
                },
            )
            .collect()
    }
}

/// The key of `digest` in its `generation`: the path below `_cas`.
pub(super) fn object_key(digest: &Digest, generation: u64) -> ObjectKey {
    let hex = digest.hex();
    let shard = hex.get(..2).unwrap_or_default();
    ObjectKey(format!("{}/{shard}/{hex}.{generation}", digest.algorithm().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        Root::new("/data".into())
    }

    #[test]
    fn a_key_is_found_where_it_was_made() {
        let digest = Digest::sha256(b"");
        let key = object_key(&digest, 7);
        let hex = digest.hex();
        assert_eq!(root().object(&key), Some(format!("/data/_cas/sha256/e3/{hex}.7").into()));
    }

    #[test]
    fn keys_of_another_shape_name_nothing() {
        let good = object_key(&Digest::sha256(b""), 7).0;
        let hex = Digest::sha256(b"").hex();
        for bad in [
            format!("../{good}"),
            format!("sha256/../sha256/e3/{hex}.7"),
            format!("sha256/../{hex}.7"),
            format!("/{good}"),
            format!("sha256/e4/{hex}.7"),
            format!("sha256/e3/{hex}"),
            format!("sha256/e3/{hex}.07"),
            format!("sha256/e3/{hex}.+7"),
            format!("sha256/e3/{hex}.7/../../../x.1"),
            format!("sha512/e3/{hex}.7"),
            String::new(),
        ] {
            assert_eq!(root().object(&ObjectKey(bad.clone())), None, "{bad}");
        }
    }

    #[test]
    fn components_that_a_layout_uses_are_moved_aside() {
        let at = |name: &str| Root::repository(&name.parse().unwrap());
        assert_eq!(at("a/blobs/c"), PathBuf::from("a/_blobs/c"));
        assert_eq!(at("index.json"), PathBuf::from("_index.json"));
        assert_eq!(at("oci-layout/blob"), PathBuf::from("_oci-layout/blob"));
    }
}
