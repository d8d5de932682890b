//! What must hold whatever happened, asked of a house.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{House, who};
use crate::metadata::{Event, Metadata as _, Trail};
use crate::oci::{Digest, Link, LinkKind, Manifest, Reference, RepositoryName, media_type};
use crate::store::{ObjectKey, Store as _};

/// What a medium did to files, by their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Harmed {
    /// Those that were ever other than what was sealed: they may be quarantined.
    pub(super) ever: BTreeSet<String>,
    /// Those that are not there.
    pub(super) lost: BTreeSet<String>,
}

impl House {
    /// What holds at any moment, also while much is under way: every live key has its file, and none is quarantined whose
    /// file nothing harmed.
    pub(super) fn broken_now(&self, harmed: &Harmed) -> Vec<String> {
        let facts = self.metadata.inner();
        let mut broken: Vec<String> = facts.broken().unwrap().into_iter().map(str::to_owned).collect();
        let keys = facts.keys().unwrap();
        for key in &keys.live {
            let excused = keys.quarantined.contains(key) || harmed.lost.contains(key);
            if !excused && !self.file_of(key).is_file() {
                broken.push(format!("the file of {key}, which is live, is missing"));
            }
        }
        let innocent = keys.quarantined.iter().filter(|key| !harmed.ever.contains(*key));
        broken.extend(innocent.map(|key| format!("{key} is quarantined, and nothing harmed its file")));
        broken
    }

    /// What holds when nothing is under way, of files that nothing harmed.
    pub(super) async fn broken(&self) -> Vec<String> {
        self.broken_but(&Harmed::default()).await
    }

    /// What holds when nothing is under way, and every file that was harmed was noticed.
    pub(super) async fn broken_but(&self, harmed: &Harmed) -> Vec<String> {
        let mut broken = self.lies_but(&Harmed { lost: BTreeSet::new(), ..harmed.clone() }).await;
        broken.extend(self.unnamed());
        self.check_sessions(&mut broken).await;
        broken
    }

    /// What holds when nothing is under way, whatever failed half-way: that may leave bytes which nothing names, garbage
    /// and never a lie. Of files that were harmed: it was noticed, or is lost.
    pub(super) async fn lies_but(&self, harmed: &Harmed) -> Vec<String> {
        let mut lies = self.broken_now(harmed);
        self.check_manifests(&mut lies).await;
        self.check_blobs(&mut lies).await;
        self.check_answers(&mut lies).await;
        self.check_audit(&mut lies).await;
        lies
    }

    /// Each tag and manifest is answered for as it is stored, whatever was remembered before.
    async fn check_answers(&self, broken: &mut Vec<String>) {
        for (repository, digest) in self.metadata.inner().all_manifests().unwrap() {
            let allowed = self.registry.allow_pull(&who("ci"), &repository).unwrap();
            if let Err(error) = self.registry.manifest(&allowed, &Reference::Digest(digest)).await {
                broken.push(format!("manifest {digest} of {repository} is stored, and not answered: {error}"));
            }
        }
        for repository in self.metadata.repositories(None, usize::MAX).await.unwrap() {
            let allowed = self.registry.allow_pull(&who("ci"), &repository).unwrap();
            for (tag, newest) in self.metadata.tags(&repository, None, usize::MAX).await.unwrap() {
                let answered = self.registry.manifest(&allowed, &Reference::Tag(tag.clone())).await;
                if !answered.as_ref().is_ok_and(|answered| answered.digest == newest) {
                    let answered = answered.map(|answered| answered.digest);
                    broken.push(format!("tag {tag} of {repository} names {newest}, answered is {answered:?}"));
                }
            }
        }
    }

    /// What the audit trail says came and did not go is what is there.
    async fn check_audit(&self, broken: &mut Vec<String>) {
        let mut told = BTreeSet::new();
        for entry in self.metadata.audit(Trail::Changes, 0, usize::MAX).await.unwrap() {
            let is_blob = entry.what.as_deref() == Some("blob");
            let Some(repository) = entry.repository.filter(|_| entry.what.as_deref() != Some("tag")) else { continue };
            let here = (is_blob, repository, entry.digest.unwrap());
            match entry.event {
                Event::Push | Event::Sign => drop(told.insert(here)),
                Event::Delete | Event::Collect if told.remove(&here) => {}
                Event::Delete | Event::Collect => {
                    broken.push(format!("the audit trail tells that {here:?} went twice"));
                }
                _ => {}
            }
        }
        let facts = self.metadata.inner();
        let manifests = facts.all_manifests().unwrap().into_iter().map(|(place, digest)| (false, place, digest));
        let blobs = facts.all_blobs().unwrap().into_iter().map(|(place, digest)| (true, place, digest));
        let there: BTreeSet<_> = manifests.chain(blobs).collect();
        let differ = told.symmetric_difference(&there);
        broken.extend(differ.map(|it| format!("the audit trail and what is there differ in {it:?}")));
    }

    fn cas(&self) -> PathBuf {
        self.folder.path().join("_cas")
    }

    /// The file of an object.
    pub(super) fn file_of(&self, key: &str) -> PathBuf {
        self.cas().join(key)
    }

    /// Files of the store that neither live content nor the trash names.
    pub(super) fn unnamed(&self) -> Vec<String> {
        let keys = self.metadata.inner().keys().unwrap();
        let named: BTreeSet<_> = keys.live.into_iter().chain(keys.trash).map(PathBuf::from).collect();
        let unnamed = files_below(&self.cas()).into_iter().filter(|file| !named.contains(file));
        unnamed.map(|file| format!("nothing names {}", file.display())).collect()
    }

    async fn check_manifests(&self, broken: &mut Vec<String>) {
        let mut referrers: BTreeMap<(String, String), Vec<Digest>> = BTreeMap::new();
        for (repository, digest) in self.metadata.inner().all_manifests().unwrap() {
            let stored = self.metadata.manifest(&repository, &digest).await.unwrap().unwrap();
            if Digest::of(digest.algorithm(), &stored.bytes) != digest {
                broken.push(format!("manifest {digest} does not hash to its name"));
            }
            let manifest = Manifest::parse(&stored.bytes, &stored.media_type, usize::MAX).unwrap();
            for link in manifest.links().filter(must_be_here) {
                let child = link.descriptor.digest;
                if self.metadata.blob(&repository, &child).await.unwrap().is_none() {
                    broken.push(format!("manifest {digest} of {repository} has lost {child}"));
                }
            }
            if let Some(subject) = manifest.subject {
                let about = (repository.to_string(), subject.digest.to_string());
                referrers.entry(about).or_default().push(digest);
            }
        }
        for ((repository, subject), mut expected) in referrers {
            let (repository, subject) = (repository.parse().unwrap(), subject.parse().unwrap());
            let listed = self.metadata.referrers(&repository, &subject, None, usize::MAX).await.unwrap();
            let mut listed: Vec<_> = listed.into_iter().map(|stored| stored.digest).collect();
            listed.sort();
            expected.sort();
            if listed != expected {
                broken.push(format!("{subject} has referrers {expected:?}, listed are {listed:?}"));
            }
        }
    }

    async fn check_blobs(&self, broken: &mut Vec<String>) {
        let mut seen = BTreeSet::new();
        for (repository, digest) in self.metadata.inner().all_blobs().unwrap() {
            let blob = self.metadata.blob(&repository, &digest).await.unwrap().unwrap();
            if blob.quarantined || !seen.insert(blob.key.clone()) {
                continue;
            }
            match self.read_all(&ObjectKey(blob.key)).await {
                Ok(bytes) if Digest::of(digest.algorithm(), &bytes) == digest => {}
                Ok(bytes) => broken.push(format!("blob {digest} does not hash to its name: {} bytes", bytes.len())),
                Err(error) => broken.push(format!("blob {digest} of {repository} can't be read: {error}")),
            }
        }
    }

    async fn read_all(&self, key: &ObjectKey) -> Result<Vec<u8>, crate::store::StoreError> {
        let object = self.store.open(key).await?;
        Ok(object.read(0, usize::MAX).await?.to_vec())
    }

    /// Each open upload has its session.
    async fn check_sessions(&self, broken: &mut Vec<String>) {
        for id in self.store.uploads().await.unwrap() {
            if self.metadata.upload(id).await.unwrap().is_none() {
                broken.push(format!("upload {id} has bytes and no session"));
            }
        }
    }

    /// Where the layouts differ from the metadata, though nothing is noted as pending.
    pub(super) async fn broken_layouts(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut expected: BTreeMap<RepositoryName, BTreeSet<String>> = BTreeMap::new();
        let facts = self.metadata.inner();
        let quarantined = facts.keys().unwrap().quarantined;
        let is_held = |digest: &Digest| quarantined.iter().any(|key| key.contains(&digest.hex()));
        for (repository, digest) in facts.all_manifests().unwrap().into_iter().chain(facts.all_blobs().unwrap()) {
            let expected = expected.entry(repository).or_default();
            if !is_held(&digest) {
                expected.insert(digest.hex());
            }
        }
        for repository in self.metadata.repositories(None, usize::MAX).await.unwrap() {
            let folder = self.folder.path().join(repository.as_str());
            let blobs = folder.join("blobs/sha256");
            let found: BTreeSet<_> = files_below(&blobs).iter().map(|file| file.display().to_string()).collect();
            let expected = expected.remove(&repository).unwrap_or_default();
            if found != expected {
                broken.push(format!("the layout of {repository} has {found:?}, expected were {expected:?}"));
            }
            for name in &found {
                let content = std::fs::read(blobs.join(name)).unwrap();
                if Digest::sha256(&content).hex() != *name {
                    broken.push(format!("{name} in the layout of {repository} does not hash to its name"));
                }
            }
            let tags = self.metadata.tags(&repository, None, usize::MAX).await.unwrap();
            let tags: BTreeMap<_, _> = tags.iter().map(|(tag, digest)| (tag.to_string(), digest.to_string())).collect();
            let listed = tags_of_index(&folder.join("index.json"));
            if listed != tags {
                broken.push(format!("index.json of {repository} names {listed:?}, expected were {tags:?}"));
            }
        }
        broken
    }
}

/// The tags of an `index.json`; none if it is absent.
fn tags_of_index(path: &Path) -> BTreeMap<String, String> {
    let Ok(bytes) = std::fs::read(path) else { return BTreeMap::new() };
    let index: Value = serde_json::from_slice(&bytes).unwrap();
    let mut tags = BTreeMap::new();
    for entry in index["manifests"].as_array().unwrap() {
        if let Some(tag) = entry["annotations"]["org.opencontainers.image.ref.name"].as_str() {
            tags.insert(tag.to_owned(), entry["digest"].as_str().unwrap().to_owned());
        }
    }
    tags
}

/// The files below a folder, relative to it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(next) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    files
}

/// Children of an index may be missing, and so may what clients fetch from elsewhere.
fn must_be_here(link: &Link) -> bool {
    link.kind != LinkKind::Manifest && !media_type::is_nondistributable(&link.descriptor.media_type)
}
