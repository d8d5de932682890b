//! What is asked of each server, how often, and what it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::{Caller, Connection, Request};
use crate::hex::digest;
use crate::image::{Image, MANIFEST};
use crate::processor::Sample;
use crate::push::Fresh;

/// How long the server is left to finish what it does after its last answer, which counts too.
const SETTLE: Duration = Duration::from_millis(200);

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    /// How many connections ask at the same time.
    pub(crate) clients: u64,
    /// The most requests of one round.
    pub(crate) requests: u64,
    /// The longest that one round takes, save the requests that are under way then.
    pub(crate) at_most: Duration,
    pub(crate) target: Target,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    ManifestByTag,
    ManifestByDigest,
    HeadByTag,
    HeadByDigest,
    /// The blob of this many bytes.
    Blob(usize),
    /// A fresh blob of this many bytes, in one request after the one that opens the upload.
    Push(usize),
    /// The same, in chunks.
    PushInChunks(usize),
    /// A fresh manifest under a fresh tag.
    PutManifest,
}

/// How Hallmark compares with another server; more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ratio {
    /// Its rate as a multiple of docker-registry's.
    DockerRegistry,
    /// docker-registry's processor time for a request as a multiple of its own.
    DockerProcessor,
    /// Its rate as a multiple of the bare server's.
    Bare,
    /// The bare server's processor time for a request as a multiple of its own.
    BareProcessor,
}

/// What Hallmark should reach: ratios, and how large each should be at least.
pub(crate) type Target = &'static [(Ratio, f64)];

/// What one round took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) requests: u64,
    pub(crate) wall: Duration,
    /// The server's processor time.
    pub(crate) processor: Duration,
}

impl Load {
    /// The same, so short that two in a row meet the same machine, however much others do on it.
    pub(crate) const fn slice(self) -> Self {
        Self { requests: 8_000, at_most: Duration::from_millis(500), ..self }
    }
}

impl Verb {
    /// The size of what a request moves, if that is what matters, in bytes.
    pub(crate) const fn bulk(self) -> Option<usize> {
        match self {
            Self::Blob(size) | Self::Push(size) | Self::PushInChunks(size) if size >= 1 << 20 => Some(size),
            _ => None,
        }
    }

    /// Whether what the server spends on it is of the order of what the gate might cost.
    pub(crate) const fn is_cheap(self) -> bool {
        self.bulk().is_none() && !self.is_push()
    }

    /// Whether it writes.
    pub(crate) const fn is_push(self) -> bool {
        matches!(self, Self::Push(_) | Self::PushInChunks(_) | Self::PutManifest)
    }
}

/// A load that is ready to run against one server.
#[derive(Debug)]
pub(crate) struct Work {
    caller: Caller,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Read { request: Request, length: u64 },
    Push { repository: String, fresh: Fresh },
}

impl Work {
    /// A pull from `repository`, after a look that what comes is what was pushed.
    pub(crate) async fn read(caller: &Caller, repository: &str, image: &Image, verb: Verb) -> Outcome<Self> {
        let (method, path, expected) = match verb {
            Verb::ManifestByTag => ("GET", format!("manifests/{}", image.tag), image.digest()),
            Verb::HeadByTag => ("HEAD", format!("manifests/{}", image.tag), image.digest()),
            Verb::ManifestByDigest => ("GET", format!("manifests/{}", image.digest()), image.digest()),
            Verb::Blob(size) => ("GET", format!("blobs/{}", image.layer(size)?), image.layer(size)?),
            Verb::HeadByDigest => ("HEAD", format!("manifests/{}", image.digest()), image.digest()),
            Verb::Push(_) | Verb::PushInChunks(_) | Verb::PutManifest => {
                return Err("expected a load that reads, found a push".into());
            }
        };
        let path = format!("/v2/{repository}/{path}");
        let look = caller.request("GET", &path, &[("Accept", MANIFEST)]);
        let (status, body) = Connection::open(caller.address).await?.fetch(&look).await?;
        if status != 200 || digest(&body) != expected {
            let start = String::from_utf8_lossy(body.get(..300).unwrap_or(&body)).into_owned();
            return Err(format!("expected {expected} at {path}, found status {status} and {start:?}").into());
        }
        let request = caller.request(method, &path, &[("Accept", MANIFEST)]);
        Ok(Self { caller: caller.clone(), task: Task::Read { request, length: u64::try_from(body.len())? } })
    }

    /// Pushes of `fresh` content into `repository`.
    pub(crate) fn push(caller: &Caller, repository: &str, fresh: Fresh) -> Self {
        Self { caller: caller.clone(), task: Task::Push { repository: repository.to_owned(), fresh } }
    }

    async fn once(&self, connection: &mut Connection) -> Outcome<()> {
        match &self.task {
            Task::Push { repository, fresh } => fresh.push(connection, &self.caller, repository).await,
            Task::Read { request, length } => {
                let found = connection.exchange(request, &[]).await?.expect(200)?.length;
                if found == *length { Ok(()) } else { Err(format!("expected {length} bytes, found {found}").into()) }
            }
        }
    }

    /// Runs one round of `load` against the server that runs as process `pid`.
    ///
    /// Connections are opened before the measurement, and those that read are used once.
    pub(crate) async fn round(self: &Arc<Self>, load: &Load, pid: u32) -> Outcome<Round> {
        let mut connections = Vec::new();
        for _ in 0..load.clients {
            let mut connection = Connection::open(self.caller.address).await?;
            if !load.verb.is_push() {
                self.once(&mut connection).await?;
            }
            connections.push(connection);
        }
        let before = Sample::take(pid)?;
        let start = Instant::now();
        let end = start.checked_add(load.at_most).ok_or("expected a shorter round")?;
        let tickets = Arc::new(AtomicU64::new(0));
        let mut clients = JoinSet::new();
        for connection in connections {
            clients.spawn(Arc::clone(self).client(connection, Arc::clone(&tickets), load.requests, end));
        }
        let mut requests = 0_u64;
        while let Some(done) = clients.join_next().await {
            requests = requests.saturating_add(done??);
        }
        let wall = start.elapsed();
        tokio::time::sleep(SETTLE).await;
        Ok(Round { requests, wall, processor: Sample::take(pid)?.since(&before) })
    }

    /// Asks until all tickets are gone or the time is up; gives how often it asked.
    async fn client(
        self: Arc<Self>,
        mut connection: Connection,
        tickets: Arc<AtomicU64>,
        requests: u64,
        end: Instant,
    ) -> Outcome<u64> {
        let mut done = 0_u64;
        while tickets.fetch_add(1, Ordering::Relaxed) < requests {
            self.once(&mut connection).await?;
            done = done.saturating_add(1);
            if Instant::now() >= end {
                break;
            }
        }
        Ok(done)
    }
}
