//! The verbs over the real store, the real metadata and real signatures, at a clock that stands still.

mod adoption;
mod audit;
mod backup;
mod collection;
mod concurrency;
mod explain;
mod export;
mod faults;
mod faults_in_turn;
mod healing;
mod import;
mod invariants;
mod listing;
mod lost;
mod meanwhile;
mod missing;
mod notation;
mod rebuild;
mod recovery;
mod referrers;
mod revisions;
mod room;
mod rot;
mod schedule;
mod scrub;
mod signing;
mod sparse;
mod tags;
mod uploads;
mod views;
mod visibility;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Error, ManifestPut, ManifestStored, Parts, Registry, Revision};
use crate::authz::Pull;
use crate::clock::{ManualClock, Timestamp};
use crate::config::Limits;
use crate::files::Files;
use crate::gate::Who;
use crate::metadata::{Failing, Metadata, PutManifest, Sqlite};
use crate::oci::{Algorithm, Digest, Precondition, Reference, RepositoryName, media_type};
use crate::store::{self, Filesystem};
use crate::verify::SignatureVerifier;

/// A table like the one in the design.
pub(super) const POLICY: &str = "\
p, role:ci,      prod/**, push, unverified,     allow
p, role:ci,      prod/**, pull, unverified,     allow
p, role:ci,      prod/**, delete, unverified,   allow
p, role:signer,  prod/**, sign, unverified,     allow
p, role:cluster, prod/**, pull, signed-release, allow
p, role:tagger,  prod/**, push, signed-release, allow
p, role:tagger,  prod/**, delete, unverified,   allow
p, role:tagger,  prod/**, pull, signed-release, allow
g, user:ci,      role:ci
g, user:signer,  role:signer
g, user:deploy,  role:cluster
g, user:tagger,  role:tagger
";

const REQUIREMENTS: &str = "\
[signed-release]
any = [{ signed_by = \"release\" }, { signed_by = \"second\" }]
";

/// Throw-away signing keys.
pub(super) struct Keys {
    release: PKey<Private>,
    second: PKey<Private>,
    pub(super) stranger: PKey<Private>,
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A registry in a temporary folder.
pub(super) struct House {
    pub(super) registry: Arc<Registry>,
    pub(super) metadata: Arc<Failing<Sqlite>>,
    pub(super) store: Arc<store::Failing<Filesystem>>,
    pub(super) keys: Keys,
    pub(super) clock: Arc<ManualClock>,
    pub(super) folder: TempDir,
}

pub(super) fn who(name: &str) -> Who {
    Who::user(name).unwrap()
}

pub(super) fn repository() -> RepositoryName {
    "prod/app".parse().unwrap()
}

pub(super) fn tag(text: &str) -> Reference {
    text.parse().unwrap()
}

/// The files of a revision that trusts `signers`.
fn files(keys: &Keys, signers: &[&str], policy: &str, requirements: &str) -> Files {
    let mut files = Files::new();
    let mut table = String::new();
    for name in signers {
        let key = if *name == "release" { &keys.release } else { &keys.second };
        writeln!(table, "[{name}]\ncosign_key = \"cosign/{name}.pub\"").unwrap();
        files.insert(format!("trust/cosign/{name}.pub"), key.public_key_to_pem().unwrap());
    }
    files.insert("trust/signers.toml".to_owned(), table.into_bytes());
    files.insert("policies/policy.csv".to_owned(), policy.as_bytes().to_vec());
    files.insert("policies/requirements.toml".to_owned(), requirements.as_bytes().to_vec());
    files
}

fn parts(
    store: &Arc<store::Failing<Filesystem>>,
    metadata: &Arc<Failing<Sqlite>>,
    clock: &Arc<ManualClock>,
    limits: Limits,
) -> Parts {
    Parts {
        store: Arc::<store::Failing<Filesystem>>::clone(store),
        metadata: Arc::<Failing<Sqlite>>::clone(metadata),
        verifier: Arc::new(SignatureVerifier),
        clock: Arc::<ManualClock>::clone(clock),
        limits,
        tag_history: 20,
        sparse_images: false,
        data_types: vec!["application/spdx+json".to_owned()],
    }
}

impl House {
    pub(super) async fn new() -> Self {
        Self::with(POLICY, REQUIREMENTS, Limits::default()).await
    }

    pub(super) async fn with(policy: &str, requirements: &str, limits: Limits) -> Self {
        Self::made(tempfile::tempdir().unwrap(), policy, requirements, limits, false).await
    }

    /// One that takes images without their layers.
    pub(super) async fn sparse() -> Self {
        Self::made(tempfile::tempdir().unwrap(), POLICY, REQUIREMENTS, Limits::default(), true).await
    }

    /// One in memory, where the machine has a folder for that: for tests that open many, or sync often.
    pub(super) async fn in_memory(limits: Limits) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self::made(folder, POLICY, REQUIREMENTS, limits, false).await
    }

    async fn made(folder: TempDir, policy: &str, requirements: &str, limits: Limits, sparse_images: bool) -> Self {
        let keys = Keys { release: key(), second: key(), stranger: key() };
        let revision = load(files(&keys, &["release", "second"], policy, requirements)).await;
        Self::open(folder, keys, revision, limits, sparse_images).await
    }

    /// Another process over the same folder.
    pub(super) async fn reopened(self) -> Self {
        self.again(Limits::default()).await
    }

    /// The same under other limits.
    pub(super) async fn again(self, limits: Limits) -> Self {
        let Self { registry, metadata, store, keys, clock: _, folder } = self;
        // Whatever still runs in the background ends by itself and holds on to the folder until then.
        let weak = Arc::downgrade(&registry);
        drop(registry);
        while weak.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        drop((metadata, store));
        let revision = load(files(&keys, &["release", "second"], POLICY, REQUIREMENTS)).await;
        Self::open(folder, keys, revision, limits, false).await
    }

    async fn open(folder: TempDir, keys: Keys, revision: Revision, limits: Limits, sparse_images: bool) -> Self {
        let metadata = Arc::new(Failing::new(Sqlite::open(&folder.path().join("_metadata.sqlite")).unwrap()));
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_780_000_000_000_000)));
        let store = Arc::new(store::Failing::new(Filesystem::open(folder.path()).unwrap()));
        let parts = Parts { sparse_images, ..parts(&store, &metadata, &clock, limits) };
        let registry = Registry::open(parts, revision).await.unwrap();
        Self { registry, metadata, store, keys, clock, folder }
    }

    /// A registry over what this one stored, which starts on a revision.
    pub(super) async fn start_again(&self, signers: &[&str], policy: &str, requirements: &str) -> Arc<Registry> {
        let revision = load(files(&self.keys, signers, policy, requirements)).await;
        let parts = parts(&self.store, &self.metadata, &self.clock, Limits::default());
        Registry::open(parts, revision).await.unwrap()
    }

    /// Puts a revision in force that trusts only `release`, under a requirement that names it alone.
    pub(super) async fn distrust_second(&self) {
        self.revise(&["release"], POLICY, "[signed-release]\nsigned_by = \"release\"\n").await;
    }

    /// Puts another revision in force.
    pub(super) async fn revise(&self, signers: &[&str], policy: &str, requirements: &str) {
        let revision = load(files(&self.keys, signers, policy, requirements)).await;
        self.registry.swap(revision).await.unwrap();
    }

    /// Empties a blob's file behind the registry's back.
    pub(super) fn lose(&self, blob: Digest) {
        for file in self.files_of(blob) {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            std::fs::File::create(file).unwrap();
        }
    }

    /// The files that hold a blob's bytes.
    pub(super) fn files_of(&self, blob: Digest) -> Vec<PathBuf> {
        let shard = self.folder.path().join("_cas/sha256").join(blob.hex().get(..2).unwrap());
        let Ok(entries) = std::fs::read_dir(shard) else { return Vec::new() };
        let files = entries.map(|entry| entry.unwrap().path());
        files.filter(|file| file.file_stem().unwrap().to_string_lossy() == blob.hex()).collect()
    }

    pub(super) async fn upload(&self, name: &str, bytes: &[u8]) -> Result<Digest, Error> {
        let allowed = self.registry.allow_sign(&who(name), &repository())?;
        let mut writer = self.registry.begin_upload(&allowed, Algorithm::Sha256).await?;
        writer.write(Bytes::copy_from_slice(bytes)).await?;
        let digest = Digest::sha256(bytes);
        writer.finish(&digest).await?;
        Ok(digest)
    }

    pub(super) async fn put(
        &self,
        name: &str,
        reference: &Reference,
        kind: &str,
        manifest: &Value,
    ) -> Result<ManifestStored, Error> {
        let allowed = self.registry.allow_sign(&who(name), &repository())?;
        let bytes = Bytes::from(serde_json::to_vec(manifest).unwrap());
        let put = ManifestPut {
            reference: reference.clone(),
            tags: Vec::new(),
            precondition: Precondition::default(),
            content_type: kind.to_owned(),
            bytes,
        };
        self.registry.put_manifest(&allowed, put).await
    }

    /// Pushes an image of one layer with this content; by digest if there is no tag.
    pub(super) async fn push_image(&self, name: &str, content: &str, at: Option<&str>) -> Result<Digest, Error> {
        let config = self.upload(name, format!("{{\"config of\": \"{content}\"}}").as_bytes()).await?;
        let layer = self.upload(name, content.as_bytes()).await?;
        let image = image(config, layer);
        let digest = digest_of(&image);
        let reference = at.map_or(Reference::Digest(digest), tag);
        self.put(name, &reference, media_type::OCI_MANIFEST, &image).await?;
        Ok(digest)
    }

    /// Signs as cosign 2 does: a layer under the tag `sha256-<hex>.sig`.
    pub(super) async fn sign(&self, name: &str, key: &PKey<Private>, subject: Digest) -> Result<ManifestStored, Error> {
        let (manifest, _) = self.signature(name, key, subject).await?;
        self.put(name, &sig_tag(subject), media_type::OCI_MANIFEST, &manifest).await
    }

    pub(super) async fn sign_release(&self, subject: Digest) {
        self.sign("signer", &self.keys.release, subject).await.unwrap();
    }

    pub(super) async fn sign_second(&self, subject: Digest) {
        self.sign("signer", &self.keys.second, subject).await.unwrap();
    }

    /// The manifest of a signature, with its blobs uploaded.
    pub(super) async fn signature(
        &self,
        name: &str,
        key: &PKey<Private>,
        subject: Digest,
    ) -> Result<(Value, Digest), Error> {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": ""},
                "image": {"docker-manifest-digest": subject.to_string()},
                "type": "cosign container image signature"
            },
            "optional": null
        })
        .to_string();
        let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
        let signature = signer.sign_oneshot_to_vec(payload.as_bytes()).unwrap();
        let layer = self.upload(name, payload.as_bytes()).await?;
        let config = self.upload(name, b"{\"a config of\": \"cosign\"}").await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 25},
            "layers": [{
                "mediaType": media_type::SIMPLE_SIGNING,
                "digest": layer,
                "size": payload.len(),
                "annotations": {
                    "dev.cosignproject.cosign/signature": base64::engine::general_purpose::STANDARD.encode(signature)
                }
            }]
        });
        Ok((manifest, layer))
    }

    /// What `name` gets for `reference`.
    pub(super) async fn pull(&self, name: &str, reference: &Reference) -> Result<Digest, Error> {
        let allowed = self.pulls(name)?;
        Ok(self.registry.manifest(&allowed, reference).await?.digest)
    }

    pub(super) async fn pull_blob(&self, name: &str, digest: Digest) -> Result<u64, Error> {
        let allowed = self.pulls(name)?;
        Ok(self.registry.blob(&allowed, &digest).await?.object.size())
    }

    pub(super) fn pulls(&self, name: &str) -> Result<super::Allowed<Pull>, Error> {
        self.registry.allow_pull(&who(name), &repository())
    }
}

async fn load(files: Files) -> Revision {
    match Revision::load(files, &["registry.example.org".to_owned()]).await {
        Ok(revision) => revision,
        Err(mistakes) => panic!("{mistakes:?}"),
    }
}

pub(super) fn sig_tag(subject: Digest) -> Reference {
    tag(&format!("sha256-{}.sig", subject.hex()))
}

pub(super) fn image(config: Digest, layer: Digest) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 1},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 1}]
    })
}

pub(super) fn index(children: &[Digest]) -> Value {
    let entry = |digest: &Digest| json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": 1});
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": children.iter().map(entry).collect::<Vec<_>>()
    })
}

pub(super) fn digest_of(manifest: &Value) -> Digest {
    Digest::sha256(&serde_json::to_vec(manifest).unwrap())
}

/// A manifest of these bytes as the metadata takes it, with nothing in it: for what is not parsed.
pub(super) fn bare(bytes: impl Into<Bytes>, at: Timestamp) -> PutManifest {
    crate::metadata::contract::bare(repository(), bytes.into(), at)
}

/// The reason of a refusal that withholds.
pub(super) fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Withheld(withheld)) => withheld.reason,
        other => panic!("expected to be withheld, found {other:?}"),
    }
}
