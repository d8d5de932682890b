//! The store, grown through the traits of the registry in large groups.
//!
//! Layouts are not written: a million links say nothing about requests. What is pending is noted as done, so that the
//! server writes the layouts only of repositories that the loads change.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hallmark::clock::{Clock, SystemClock};
use hallmark::gate::Who;
use hallmark::metadata::{CommitBlob, Kind, Metadata, PutLink, PutManifest, Reserved, Sqlite};
use hallmark::oci::{Algorithm, Digest, Hasher, LinkKind, RepositoryName};
use hallmark::store::{Filesystem, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Outcome;
use crate::shape::{self, CONFIG, LARGEST, LAYER, MANIFEST, REFERRED, Shape, TAGS_OF_ONE};

/// How many changes are under way at once: what the writer puts into one transaction.
const GROUP: usize = 256;

/// How many sweeps are timed.
const SWEEPS: usize = 5;

/// Grows the store in `folder`; gives how long a sweep of it takes that finds nothing.
pub(crate) async fn grow(folder: &Path, from: Shape, to: Shape) -> Outcome<Duration> {
    let root = folder.join("data");
    std::fs::create_dir_all(&root)?;
    let store = Filesystem::open(&root)?;
    let metadata = Arc::new(Sqlite::open(&root.join("_metadata.sqlite"))?);
    let mut growing = Growing { metadata, under_way: JoinSet::new() };
    for name in [LARGEST, REFERRED] {
        growing.hold_blobs(&store, name).await?;
    }
    for number in from.largest..to.largest {
        growing.put(image(LARGEST, number)?).await?;
    }
    growing.refer(from.referrers, to.referrers).await?;
    for number in from.repositories..to.repositories {
        let name = shape::repository(number);
        growing.hold_blobs(&store, &name).await?;
        for number in 0..TAGS_OF_ONE {
            growing.put(image(&name, number)?).await?;
        }
    }
    growing.finish(from, to).await
}

struct Growing {
    metadata: Arc<Sqlite>,
    under_way: JoinSet<Outcome<()>>,
}

impl Growing {
    async fn put(&mut self, manifest: PutManifest) -> Outcome<()> {
        let metadata = Arc::clone(&self.metadata);
        self.begin(async move { Ok(metadata.put_manifest(manifest).await.map(drop)?) }).await
    }

    async fn begin(&mut self, change: impl Future<Output = Outcome<()>> + Send + 'static) -> Outcome<()> {
        self.under_way.spawn(change);
        if self.under_way.len() < GROUP { Ok(()) } else { self.settle().await }
    }

    async fn settle(&mut self) -> Outcome<()> {
        while let Some(done) = self.under_way.join_next().await {
            done??;
        }
        Ok(())
    }

    /// Makes the shared content part of a repository.
    async fn hold_blobs(&mut self, store: &Filesystem, name: &str) -> Outcome<()> {
        self.settle().await?;
        for content in [CONFIG, LAYER, b"{}"] {
            let digest = Digest::sha256(content);
            let key = match self.metadata.reserve(digest).await? {
                Reserved::Live(key) => key,
                Reserved::Fresh(generation) => seal(store, content, &digest, generation).await?,
            };
            let (metadata, blob) = (Arc::clone(&self.metadata), blob(name, digest, content, key)?);
            self.begin(async move { Ok(metadata.commit_blob(blob).await.map(drop)?) }).await?;
        }
        self.settle().await
    }

    async fn refer(&mut self, from: u64, to: u64) -> Outcome<()> {
        let subject = image(REFERRED, 0)?;
        let (digest, size) = (subject.digest, subject.bytes.len());
        self.put(subject).await?;
        for number in from..to {
            let bytes = shape::referrer(&digest, size, number);
            let links = [(LinkKind::Config, b"{}".as_slice()), (LinkKind::Layer, LAYER)];
            let manifest = PutManifest {
                artifact_type: Some(shape::kind(number).to_owned()),
                kind: Kind::Data,
                subject: Some(digest),
                is_referrer: true,
                // Nobody's cap is reached: a hundred people attach them.
                who: Who::user(&format!("scanner-{}", number % 100))?,
                ..manifest(REFERRED, bytes, &links)?
            };
            self.put(manifest).await?;
        }
        Ok(())
    }

    /// Notes as done what the server would do in the background after so many pushes at once, and times sweeps.
    async fn finish(mut self, from: Shape, to: Shape) -> Outcome<Duration> {
        self.settle().await?;
        loop {
            let waiting = self.metadata.to_judge(SystemClock.now(), GROUP * 16).await?;
            if waiting.is_empty() {
                break;
            }
            let judged: Vec<_> = waiting.into_iter().map(|one| (one, None)).collect();
            self.metadata.judged(&judged).await?;
        }
        let many = (from.repositories..to.repositories).map(shape::repository);
        for name in [LARGEST, REFERRED].map(str::to_owned).into_iter().chain(many) {
            let (metadata, name): (_, RepositoryName) = (Arc::clone(&self.metadata), name.parse()?);
            self.begin(async move { Ok(metadata.clean_view(&name, u64::MAX).await?) }).await?;
        }
        self.settle().await?;
        let swept = self.sweep().await?;
        Ok(self.metadata.close().await.map(|()| swept)?)
    }

    async fn sweep(&self) -> Outcome<Duration> {
        let now = SystemClock.now();
        let start = Instant::now();
        for _ in 0..SWEEPS {
            self.metadata.sweep(now, now, 512).await?;
        }
        Ok(start.elapsed() / u32::try_from(SWEEPS)?)
    }
}

async fn seal(store: &Filesystem, content: &'static [u8], digest: &Digest, generation: u64) -> Outcome<String> {
    let upload = Uuid::new_v4();
    store.begin(upload).await?;
    store.append(upload, 0, Bytes::from_static(content), Hasher::new(Algorithm::Sha256)).await?;
    Ok(store.seal(upload, u64::try_from(content.len())?, digest, generation).await?.0)
}

fn blob(repository: &str, digest: Digest, content: &[u8], key: String) -> Outcome<CommitBlob> {
    let now = SystemClock.now();
    Ok(CommitBlob {
        repository: repository.parse()?,
        digest,
        size: u64::try_from(content.len())?,
        key,
        sealed: true,
        who: Who::user("ci")?,
        upload: None,
        lease: now.plus(Duration::from_hours(24)),
        lost: None,
        unheld_cap: None,
        at: now,
    })
}

fn image(repository: &str, number: u64) -> Outcome<PutManifest> {
    let links = [(LinkKind::Config, CONFIG), (LinkKind::Layer, LAYER)];
    let manifest = manifest(repository, shape::image(repository, number), &links)?;
    Ok(PutManifest { tags: vec![shape::tag(number).parse()?], ..manifest })
}

fn manifest(repository: &str, bytes: Vec<u8>, links: &[(LinkKind, &[u8])]) -> Outcome<PutManifest> {
    let now = SystemClock.now();
    let link =
        |(kind, content): &(LinkKind, &[u8])| PutLink { kind: *kind, digest: Digest::sha256(content), required: true };
    Ok(PutManifest {
        repository: repository.parse()?,
        digest: Digest::sha256(&bytes),
        bytes: bytes.into(),
        media_type: MANIFEST.to_owned(),
        artifact_type: None,
        annotations: BTreeMap::new(),
        kind: Kind::Object,
        subject: None,
        is_referrer: false,
        links: links.iter().map(link).collect(),
        tags: Vec::new(),
        only_if: None,
        tag_history: 20,
        evidence_cap: None,
        orphan_lease: now.plus(Duration::from_hours(24)),
        who: Who::user("ci")?,
        at: now,
    })
}
