//! What one worker was told: the names that are its own, and what they must be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hallmark::oci::Digest;

use crate::facts::Facts;

/// How many pushes a tag keeps.
const TAG_HISTORY: usize = 20;

/// A manifest as it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) digest: Digest,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) media_type: &'static str,
    pub(crate) subject: Option<Digest>,
    /// What must be in the repository with it.
    pub(crate) blobs: Vec<Digest>,
}

/// What a worker has in one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) manifests: BTreeMap<Digest, Manifest>,
    /// Newest first.
    pub(crate) tags: BTreeMap<String, Vec<Digest>>,
    /// Manifests that were deleted and not pushed again.
    gone: BTreeSet<Digest>,
    /// Blobs likewise.
    gone_blobs: BTreeSet<Digest>,
}

/// What a worker has in all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct World(pub(crate) BTreeMap<String, Repository>);

impl World {
    pub(crate) fn repository(&mut self, name: &str) -> &mut Repository {
        self.0.entry(name.to_owned()).or_default()
    }

    pub(crate) fn push(&mut self, name: &str, manifest: &Manifest, tags: &[String]) {
        let repository = self.repository(name);
        repository.gone.remove(&manifest.digest);
        repository.manifests.insert(manifest.digest, manifest.clone());
        for tag in tags {
            let pushes = repository.tags.entry(tag.clone()).or_default();
            if pushes.first() != Some(&manifest.digest) {
                pushes.insert(0, manifest.digest);
                pushes.truncate(TAG_HISTORY);
            }
        }
    }

    pub(crate) fn delete(&mut self, name: &str, digest: Digest) {
        let repository = self.repository(name);
        repository.manifests.remove(&digest);
        repository.gone.insert(digest);
        for pushes in repository.tags.values_mut() {
            pushes.retain(|push| *push != digest);
        }
        repository.tags.retain(|_, pushes| !pushes.is_empty());
    }

    pub(crate) fn delete_tag(&mut self, name: &str, tag: &str) {
        self.repository(name).tags.remove(tag);
    }

    pub(crate) fn blob_came(&mut self, name: &str, digest: Digest) {
        self.repository(name).gone_blobs.remove(&digest);
    }

    pub(crate) fn blob_went(&mut self, name: &str, digest: Digest) {
        self.repository(name).gone_blobs.insert(digest);
    }

    /// What of this world is not as the metadata has it; `other` knows more names that must be absent then.
    pub(crate) fn differences(&self, other: &Self, facts: &Facts) -> Vec<String> {
        let mut found = Vec::new();
        let nothing = Repository::default();
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        for name in names {
            let own = self.0.get(name).unwrap_or(&nothing);
            let more = other.0.get(name).unwrap_or(&nothing);
            own.compare(more, name, facts, &mut found);
        }
        found
    }
}

impl Repository {
    fn compare(&self, other: &Self, name: &str, facts: &Facts, found: &mut Vec<String>) {
        for digest in self.manifests.keys().filter(|digest| !facts.has_manifest(name, digest)) {
            found.push(format!("{name}: expected manifest {digest}, found none"));
        }
        let absent = self.gone.iter().chain(other.manifests.keys().filter(|d| !self.manifests.contains_key(d)));
        for digest in absent.filter(|digest| facts.has_manifest(name, digest)) {
            found.push(format!("{name}: expected manifest {digest} to be gone, found it"));
        }
        for digest in self.gone_blobs.iter().filter(|digest| facts.has_blob(name, digest)) {
            found.push(format!("{name}: expected blob {digest} to be gone, found it"));
        }
        let tags: BTreeSet<&String> = self.tags.keys().chain(other.tags.keys()).collect();
        for tag in tags {
            let (expected, pushes) = (self.tags.get(tag).cloned().unwrap_or_default(), facts.pushes(name, tag));
            if expected != pushes {
                found.push(format!("{name}: expected tag {tag} to be {expected:?}, found {pushes:?}"));
            }
        }
        for manifest in self.manifests.values() {
            for blob in manifest.blobs.iter().filter(|blob| !facts.has_blob(name, blob)) {
                found.push(format!("{name}: expected blob {blob} of manifest {}, found none", manifest.digest));
            }
        }
    }
}
