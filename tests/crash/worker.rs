//! Someone who pushes, pulls, signs, mounts and deletes, one change after another, and remembers what was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hallmark::oci::{Algorithm, Digest};
use openssl::pkey::{PKey, Private};

use crate::contended::{self, Contended};
use crate::content::{self, Blob, shared};
use crate::http::{Answer, send};
use crate::random::Random;
use crate::uploads::Session;
use crate::world::{Manifest, World};

/// A worker keeps about this many manifests in a repository.
const MANIFESTS: usize = 25;

pub(crate) struct Worker {
    name: String,
    pub(crate) random: Random,
    pub(crate) address: String,
    pub(crate) world: World,
    /// The world if the change was made whose answer never came.
    pub(crate) doubt: Option<World>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) log: Vec<String>,
    pub(crate) failures: Vec<String>,
    contended: Arc<Contended>,
    key: PKey<Private>,
    serial: u64,
    pub(crate) tally: Tally,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    /// Changes whose answer never came and that were found to be made, and those that were not.
    pub(crate) made: u64,
    pub(crate) unmade: u64,
}

impl Worker {
    pub(crate) fn new(name: String, seed: u64, contended: Arc<Contended>, key: PKey<Private>) -> Self {
        Self {
            name,
            random: Random::new(seed),
            address: String::new(),
            world: World::default(),
            doubt: None,
            sessions: Vec::new(),
            log: Vec::new(),
            failures: Vec::new(),
            contended,
            key,
            serial: 0,
            tally: Tally::default(),
        }
    }

    /// Works until it is told to stop, or no answer comes because the program was killed.
    pub(crate) fn work(&mut self, killed: &AtomicBool) {
        while !killed.load(Ordering::SeqCst) {
            if self.step().is_none() {
                let waits = (0..100).any(|_| {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    killed.load(Ordering::SeqCst)
                });
                self.expect(waits, || "expected an answer while the program was alive".to_owned());
                return;
            }
        }
    }

    pub(crate) fn expect(&mut self, right: bool, else_say: impl FnOnce() -> String) {
        if !right {
            let failure = else_say();
            self.log.push(format!("FAILED: {failure}"));
            self.failures.push(failure);
        }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        send(&self.address, method, path, headers, body)
    }

    /// Asks for the change that makes the world `after`. Whether it was made; nothing if that is in doubt.
    fn change(&mut self, after: World, refusal: u16, request: (&str, &str, &str, &[u8])) -> Option<bool> {
        let (method, path, media_type, body) = request;
        self.log.push(format!("{method} {path} {}", if body.is_empty() { String::new() } else { short(body) }));
        self.doubt = Some(after);
        let headers = [("content-type", media_type)];
        let answer = send(&self.address, method, path, if media_type.is_empty() { &[] } else { &headers }, body)?;
        let after = self.doubt.take();
        let made = [200, 201, 202, 204].contains(&answer.status);
        self.log.push(format!("  {}", answer.status));
        self.expect(made || answer.status == refusal, || {
            format!("{method} {path}: expected it to be done, found {} {}", answer.status, answer.text())
        });
        if made {
            self.world = after.unwrap();
            self.tally.acknowledged += 1;
        } else {
            self.tally.refused += 1;
        }
        Some(made)
    }

    /// One of the repositories that it works in.
    pub(crate) fn repository(&mut self) -> String {
        match self.random.below(4) {
            0 => contended::REPOSITORY.to_owned(),
            1 => format!("open/{}/below", self.name),
            _ => format!("open/{}", self.name),
        }
    }

    fn tag(&mut self) -> String {
        format!("{}-{}", self.name, self.random.below(6))
    }

    fn note(&mut self) -> String {
        self.serial += 1;
        format!("{} {}", self.name, self.serial)
    }

    /// A manifest that it has in a repository.
    fn own_manifest(&mut self, repository: &str) -> Option<Manifest> {
        let own: Vec<_> = self.world.repository(repository).manifests.values().cloned().collect();
        self.random.pick(&own).cloned()
    }

    /// Does one thing. Nothing if no answer came.
    pub(crate) fn step(&mut self) -> Option<()> {
        let repository = self.repository();
        if self.world.repository(&repository).manifests.len() > MANIFESTS {
            return self.delete_manifest(&repository);
        }
        match self.random.below(22) {
            0..=4 => self.push_image(&repository, false),
            5 | 6 => self.push_image(&repository, true),
            7 => self.push_index(&repository),
            8 | 9 => self.sign(&repository),
            10 => self.push_again(&repository),
            11 => self.push_contended(),
            12 => self.delete_tag(&repository),
            13 => self.delete_manifest(&repository),
            14 => self.upload_and_delete(&repository),
            15 | 16 => self.mount(&repository),
            17 | 18 => self.go_on(),
            _ => self.pull(&repository),
        }
    }

    /// Bytes that everybody pushes, under one digest or the other.
    fn shared_blob(&mut self) -> Blob {
        Blob::new(content::algorithm(&mut self.random), shared(&mut self.random))
    }

    fn blob(&mut self) -> Blob {
        if self.random.once_in(2) { self.shared_blob() } else { self.own_blob() }
    }

    /// Uploads a blob, in one of the ways that there are.
    fn upload(&mut self, repository: &str, blob: &Blob) -> Option<()> {
        let Blob { digest, bytes } = blob;
        let digest = *digest;
        let mut after = self.world.clone();
        after.blob_came(repository, digest);
        let path = match self.random.below(3) {
            0 => format!("/v2/{repository}/blobs/uploads/?digest={digest}"),
            _ => format!("{}?digest={digest}", self.begin_session(repository, digest.algorithm())?),
        };
        if path.contains("/?digest") {
            return self.change(after, 0, ("POST", &path, "", bytes)).map(drop);
        }
        let mut rest = bytes.as_slice();
        if self.random.once_in(2) {
            let (session, _) = path.split_once('?').unwrap();
            let (first, last) = bytes.split_at(bytes.len() / 2);
            rest = last;
            let taken = self.ask("PATCH", session, &[], first)?;
            self.expect(taken.status == 202, || format!("expected a chunk of {path} to be taken, found {taken:?}"));
        }
        self.change(after, 0, ("PUT", &path, "", rest)).map(drop)
    }

    /// Pushes a manifest by digest, under a tag, or under several at once. Under a tag alone its digest is the usual one.
    fn put(&mut self, repository: &str, manifest: &Manifest, tags: &[String]) -> Option<()> {
        let mut after = self.world.clone();
        after.push(repository, manifest, tags);
        let path = match tags {
            [tag] if manifest.digest.algorithm() == Algorithm::Sha256 => format!("/v2/{repository}/manifests/{tag}"),
            tags => {
                let query = tags.iter().map(|tag| format!("tag={tag}")).collect::<Vec<_>>().join("&");
                format!("/v2/{repository}/manifests/{}?{query}", manifest.digest)
            }
        };
        // Blobs that nothing holds may be collected before their manifest comes, on a slow machine.
        self.change(after, 404, ("PUT", &path, manifest.media_type, &manifest.bytes)).map(drop)
    }

    fn push_image(&mut self, repository: &str, about_another: bool) -> Option<()> {
        let subject = if about_another { self.own_manifest(repository) } else { None };
        let config = self.blob();
        let layers: Vec<_> = (0..=self.random.below(2)).map(|_| self.blob()).collect();
        for blob in std::iter::once(&config).chain(&layers) {
            self.upload(repository, blob)?;
        }
        let note = self.note();
        let algorithm = content::algorithm(&mut self.random);
        let image = content::image(algorithm, &note, &config, &layers, subject.as_ref());
        let mut tags: Vec<String> = (0..self.random.below(4)).map(|_| self.tag()).collect();
        tags.dedup();
        self.put(repository, &image, &tags)
    }

    fn push_index(&mut self, repository: &str) -> Option<()> {
        let children: Vec<_> = (0..2).filter_map(|_| self.own_manifest(repository)).collect();
        let note = self.note();
        let algorithm = content::algorithm(&mut self.random);
        let index = content::index(algorithm, &note, &children.iter().collect::<Vec<_>>());
        let tags = [self.tag()];
        self.put(repository, &index, &tags)
    }

    fn push_again(&mut self, repository: &str) -> Option<()> {
        let Some(manifest) = self.own_manifest(repository) else { return Some(()) };
        if manifest.blobs.len() == 2 && self.is_signature(repository, manifest.digest) {
            return Some(());
        }
        let tags = [self.tag()];
        self.put(repository, &manifest, &tags)
    }

    /// A signature stands under no tag but its own.
    fn is_signature(&mut self, repository: &str, digest: Digest) -> bool {
        let tags = &self.world.repository(repository).tags;
        let evidence = tags.iter().filter(|(tag, _)| is_for_signatures(tag));
        evidence.flat_map(|(_, pushes)| pushes).any(|push| *push == digest)
    }

    fn sign(&mut self, repository: &str) -> Option<()> {
        let subject = self.own_manifest(repository);
        // The tag of a signature has no room for a longer digest.
        let Some(subject) = subject.filter(|subject| subject.digest.algorithm() == Algorithm::Sha256) else {
            return Some(());
        };
        let note = self.note();
        let (payload, config, signature) = content::signature(&self.key, &note, &subject);
        self.upload(repository, &payload)?;
        self.upload(repository, &config)?;
        let tags = [format!("sha256-{}.sig", subject.digest.hex())];
        self.put(repository, &signature, &tags)
    }

    /// Pushes the tag that everybody pushes.
    fn push_contended(&mut self) -> Option<()> {
        let repository = contended::REPOSITORY;
        let layer = self.shared_blob();
        self.upload(repository, &layer)?;
        let note = self.note();
        let image = content::image(Algorithm::Sha256, &note, &layer, &[], None);
        let mut after = self.world.clone();
        // The tag is nobody's own, and manifests under it are never deleted here.
        after.push(repository, &image, &[]);
        let path = format!("/v2/{repository}/manifests/{}", contended::TAG);
        self.contended.begin(image.digest);
        let made = self.change(after, 404, ("PUT", &path, image.media_type, &image.bytes))?;
        self.contended.end(image.digest, made);
        Some(())
    }

    fn delete_tag(&mut self, repository: &str) -> Option<()> {
        let tags: Vec<_> = self.world.repository(repository).tags.keys().cloned().collect();
        // With its tag a signature goes too, in several commits.
        let tags: Vec<_> = tags.into_iter().filter(|tag| !is_for_signatures(tag)).collect();
        let Some(tag) = self.random.pick(&tags).cloned() else { return Some(()) };
        let mut after = self.world.clone();
        after.delete_tag(repository, &tag);
        self.change(after, 0, ("DELETE", &format!("/v2/{repository}/manifests/{tag}"), "", b"")).map(drop)
    }

    fn delete_manifest(&mut self, repository: &str) -> Option<()> {
        let Some(manifest) = self.own_manifest(repository) else { return Some(()) };
        let mut after = self.world.clone();
        after.delete(repository, manifest.digest);
        if repository == contended::REPOSITORY && !self.contended.may_go(manifest.digest) {
            return Some(());
        }
        let path = format!("/v2/{repository}/manifests/{}", manifest.digest);
        self.change(after, 0, ("DELETE", &path, "", b"")).map(drop)
    }

    fn upload_and_delete(&mut self, repository: &str) -> Option<()> {
        let blob = self.own_blob();
        self.upload(repository, &blob)?;
        let digest = blob.digest;
        let mut after = self.world.clone();
        after.blob_went(repository, digest);
        // It may have been collected.
        self.change(after, 404, ("DELETE", &format!("/v2/{repository}/blobs/{digest}"), "", b"")).map(drop)
    }

    fn mount(&mut self, repository: &str) -> Option<()> {
        let from = format!("open/{}", self.name);
        let Some(manifest) = self.own_manifest(&from) else { return Some(()) };
        let Some(blob) = self.random.pick(&manifest.blobs).copied() else { return Some(()) };
        let mut after = self.world.clone();
        after.blob_came(repository, blob);
        let path = format!("/v2/{repository}/blobs/uploads/?mount={blob}&from={from}");
        self.change(after, 0, ("POST", &path, "", b""))?;
        let size = self.ask("HEAD", &format!("/v2/{repository}/blobs/{blob}"), &[], b"")?;
        self.expect(size.status == 200, || format!("expected {blob}, mounted in {repository}, found {size:?}"));
        Some(())
    }

    pub(crate) fn pull(&mut self, repository: &str) -> Option<()> {
        let tags: Vec<_> = self.world.repository(repository).tags.clone().into_iter().collect();
        let Some((tag, pushes)) = self.random.pick(&tags).cloned() else { return Some(()) };
        let manifest = self.world.repository(repository).manifests[&pushes[0]].clone();
        let found = self.ask("GET", &format!("/v2/{repository}/manifests/{tag}"), &[], b"")?;
        self.expect(found.status == 200 && *found.body == *manifest.bytes, || {
            format!("expected {repository}:{tag} to be {}, found {} {}", pushes[0], found.status, found.text())
        });
        for blob in &manifest.blobs {
            let found = self.ask("GET", &format!("/v2/{repository}/blobs/{blob}"), &[], b"")?;
            self.expect(found.status == 200 && Digest::of(blob.algorithm(), &found.body) == *blob, || {
                format!("expected blob {blob} of {repository}:{tag}, found {}", found.status)
            });
        }
        Some(())
    }
}

/// Whether a tag is kept for the signatures of a digest.
fn is_for_signatures(tag: &str) -> bool {
    tag.starts_with("sha256-")
}

/// What a body is, for the log.
fn short(body: &[u8]) -> String {
    format!("({} bytes, {})", body.len(), Digest::sha256(body))
}
