//! Every manifest that a layout's `index.json` reaches, children before their parents.

use std::collections::HashSet;
use std::vec;

use bytes::Bytes;

use super::{ImageLayout, LayoutBlob, LayoutError, parse_manifest};
use crate::oci::{Descriptor, Digest, Manifest, ManifestError, media_type};

/// A manifest as it was read.
#[derive(Debug)]
pub struct Read {
    /// Its bytes; they hash to its name.
    pub bytes: Bytes,
    /// What they say.
    pub manifest: Result<Manifest, ManifestError>,
}

/// One manifest that a layout reaches.
#[derive(Debug)]
pub struct Visited {
    /// The descriptor that led to it first.
    pub descriptor: Descriptor,
    /// What was read; none is that it is absent, as children of a sparse index may be.
    pub read: Result<Option<Read>, LayoutError>,
}

/// A manifest whose children are looked at before itself.
struct Open {
    visited: Visited,
    children: vec::IntoIter<Descriptor>,
}

impl ImageLayout {
    /// Shows `visit` each manifest that `index.json` reaches through `manifests`, once, in the order of the entries,
    /// children before their parents. What is no manifest by its type is not looked at.
    pub fn walk<E: From<LayoutError>>(&self, mut visit: impl FnMut(Visited) -> Result<(), E>) -> Result<(), E> {
        let mut seen = HashSet::new();
        for entry in &self.entries {
            let mut path: Vec<Open> = Vec::new();
            let mut next = Some(entry.clone());
            loop {
                if let Some(descriptor) = next.take().filter(|next| is_new(next, &mut seen)) {
                    if seen.len() > self.bounds.manifests {
                        return Err(LayoutError::TooMany(self.bounds.manifests).into());
                    }
                    path.push(self.look_at(descriptor, path.len()));
                }
                let Some(open) = path.last_mut() else { break };
                next = open.children.next();
                if next.is_none()
                    && let Some(done) = path.pop()
                {
                    visit(done.visited)?;
                }
            }
        }
        Ok(())
    }

    fn look_at(&self, descriptor: Descriptor, depth: usize) -> Open {
        let read = if depth > self.bounds.depth {
            Err(LayoutError::TooDeep { limit: self.bounds.depth, digest: descriptor.digest })
        } else {
            self.read_manifest(&descriptor.digest, &descriptor.media_type)
        };
        let manifest = match &read {
            Ok(Some(Read { manifest: Ok(manifest), .. })) => Some(manifest),
            Ok(_) | Err(_) => None,
        };
        let children = manifest.map(|manifest| manifest.manifests.clone()).unwrap_or_default().into_iter();
        Open { visited: Visited { descriptor, read }, children }
    }

    /// The manifest of that digest, which a descriptor says is of the type `said`; none is that it is not there.
    pub fn read_manifest(&self, digest: &Digest, said: &str) -> Result<Option<Read>, LayoutError> {
        let limit = self.bounds.manifest_bytes;
        match self.blob(digest, limit)? {
            LayoutBlob::Bytes(bytes) => {
                let manifest = parse_manifest(&bytes, said, self.bounds.links);
                Ok(Some(Read { bytes, manifest }))
            }
            LayoutBlob::Absent => Ok(None),
            LayoutBlob::TooLarge => Err(LayoutError::ManifestTooLarge { digest: *digest, limit }),
        }
    }
}

fn is_new(descriptor: &Descriptor, seen: &mut HashSet<Digest>) -> bool {
    media_type::is_manifest(&descriptor.media_type) && seen.insert(descriptor.digest)
}
