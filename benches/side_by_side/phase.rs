//! One pass over all loads, without credentials or with them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Outcome;
use crate::client::Caller;
use crate::cores::Cores;
use crate::files::{DROP, GATED, OPEN, Setup};
use crate::image::Image;
use crate::load::{Load, Round, Verb, Work};
use crate::plan::Plan;
use crate::processor::{most_resident, resident};
use crate::push::{Contents, Fresh, Manifests, push_image};
use crate::server::{Kind, Server};

/// How long the servers are left alone before their idle memory is read.
const IDLE: Duration = Duration::from_secs(2);

/// What is measured side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    DockerRegistry,
    Bare,
    /// Hallmark, where a pull needs a signature.
    Gated,
    /// The same, in slices.
    GateOn,
    /// Hallmark, where a pull needs none, in slices.
    GateOff,
}

/// The rounds of one load, by column; a column that could not be measured is absent.
pub(crate) type Row = BTreeMap<Column, Vec<Round>>;

/// What one pass found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) rows: Vec<(Load, Row)>,
    pub(crate) memory: Vec<Memory>,
    /// What could not be measured, and why.
    pub(crate) missing: Vec<String>,
}

/// The resident memory of one server, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) kind: Kind,
    /// Before it was given anything.
    pub(crate) idle: u64,
    /// After all loads.
    pub(crate) after: u64,
    /// The most it ever was.
    pub(crate) peak: u64,
}

/// One pass.
pub(crate) struct Phase<'a> {
    pub(crate) setup: Setup<'a>,
    pub(crate) image: &'a Image,
    /// What the manifests that are pushed name.
    pub(crate) small: &'a Image,
    pub(crate) plan: &'a Plan,
    pub(crate) cores: &'a Cores,
}

/// A server that holds the image.
#[derive(Debug)]
struct Ready {
    kind: Kind,
    server: Server,
    /// Its idle memory before it was given anything, in bytes.
    memory: u64,
}

/// The work of one column.
#[derive(Debug)]
struct Lane {
    column: Column,
    work: Arc<Work>,
    pid: u32,
}

impl Column {
    const fn kind(self) -> Kind {
        match self {
            Self::DockerRegistry => Kind::DockerRegistry,
            Self::Bare => Kind::Bare,
            Self::Gated | Self::GateOn | Self::GateOff => Kind::Hallmark,
        }
    }

    const fn repository(self) -> &'static str {
        match self {
            Self::DockerRegistry | Self::Bare | Self::Gated | Self::GateOn => GATED,
            Self::GateOff => OPEN,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::DockerRegistry | Self::Bare => self.kind().name(),
            Self::Gated | Self::GateOn => "Hallmark, gate on",
            Self::GateOff => "Hallmark, gate off",
        }
    }
}

impl Phase<'_> {
    /// Starts the servers on empty folders, gives each the image, and runs every load against each in turn.
    pub(crate) async fn run(&self, folder: &Path) -> Found {
        let mut found = Found::default();
        let servers = self.servers(folder, &mut found.missing).await;
        for load in &self.plan.loads {
            eprintln!("  {}", load.name);
            let row = self.row(load, &servers, &mut found.missing).await;
            found.rows.push((*load, row));
        }
        tokio::time::sleep(IDLE).await;
        for Ready { kind, server, memory } in &servers {
            let pid = server.pid();
            match resident(pid).and_then(|now| Ok((now, most_resident(pid)?))) {
                Ok((after, peak)) => found.memory.push(Memory { kind: *kind, idle: *memory, after, peak }),
                Err(error) => found.missing.push(format!("{}: memory: {error}", kind.name())),
            }
        }
        found
    }

    async fn servers(&self, folder: &Path, missing: &mut Vec<String>) -> Vec<Ready> {
        let mut started = Vec::new();
        for kind in [Kind::DockerRegistry, Kind::Bare, Kind::Hallmark] {
            let folder = folder.join(kind.name().replace(' ', "-"));
            started.push((kind, kind.start(&folder, &self.setup, self.cores).await));
        }
        tokio::time::sleep(IDLE).await;
        let mut servers = Vec::new();
        for (kind, server) in started {
            let ready = match server {
                Ok(server) => self.prepare(kind, server).await,
                Err(error) => Err(error),
            };
            match ready {
                Ok(ready) => servers.push(ready),
                Err(error) => missing.push(format!("{}: {error}", kind.name())),
            }
        }
        servers
    }

    /// Reads the memory of an idle server, and gives it the image.
    async fn prepare(&self, kind: Kind, server: Server) -> Outcome<Ready> {
        let memory = resident(server.pid())?;
        let ci = self.caller(kind, &server, "ci");
        push_image(&ci, GATED, self.image).await?;
        push_image(&ci, DROP, self.small).await?;
        if kind == Kind::Hallmark {
            let signature = self.setup.key.sign(self.image, GATED)?;
            push_image(&self.caller(kind, &server, "signer"), GATED, &signature).await?;
            push_image(&ci, OPEN, self.image).await?;
        }
        Ok(Ready { kind, server, memory })
    }

    /// The rounds of one load, and where the gate is measured its slices.
    async fn row(&self, load: &Load, servers: &[Ready], missing: &mut Vec<String>) -> Row {
        let mut row = Row::new();
        let lanes = self.lanes(load, &[Column::DockerRegistry, Column::Bare, Column::Gated], servers, missing).await;
        in_turn(load, self.plan.rounds, lanes, &mut row, missing).await;
        if load.verb.is_cheap() {
            let lanes = self.lanes(load, &[Column::GateOn, Column::GateOff], servers, missing).await;
            in_turn(&load.slice(), self.plan.slices, lanes, &mut row, missing).await;
        }
        row
    }

    async fn lanes(&self, load: &Load, columns: &[Column], servers: &[Ready], missing: &mut Vec<String>) -> Vec<Lane> {
        let fresh = match load.verb {
            Verb::Push(size) => Some(Fresh::Blob(Arc::new(Contents::new(size)))),
            Verb::PushInChunks(size) => Some(Fresh::Chunks(Arc::new(Contents::new(size)))),
            Verb::PutManifest => match Manifests::of(self.small) {
                Ok(manifests) => Some(Fresh::Manifest(Arc::new(manifests))),
                Err(error) => {
                    missing.push(format!("{}: {error}", load.name));
                    return Vec::new();
                }
            },
            _ => None,
        };
        let mut lanes = Vec::new();
        for &column in columns {
            let Some(ready) = servers.iter().find(|ready| ready.kind == column.kind()) else { continue };
            let caller = self.loader(ready, load.verb);
            let work = match &fresh {
                Some(fresh) => Ok(Work::push(&caller, DROP, fresh.clone())),
                None => Work::read(&caller, column.repository(), self.image, load.verb).await,
            };
            match work {
                Ok(work) => lanes.push(Lane { column, work: Arc::new(work), pid: ready.server.pid() }),
                Err(error) => missing.push(format!("{}: {}: {error}", column.name(), load.name)),
            }
        }
        lanes
    }

    /// Who makes the load: nobody, or the one who pushes or pulls.
    fn loader(&self, ready: &Ready, verb: Verb) -> Caller {
        if !self.setup.credentials {
            return Caller { address: ready.server.address, authorization: None };
        }
        self.caller(ready.kind, &ready.server, if verb.is_push() { "ci" } else { "deploy" })
    }

    /// Somebody with a password, where passwords are asked for.
    fn caller(&self, kind: Kind, server: &Server, user: &str) -> Caller {
        let asked = self.setup.credentials || kind == Kind::Hallmark;
        let basic = || format!("Basic {}", STANDARD.encode(format!("{user}:{}", self.setup.password)));
        Caller { address: server.address, authorization: asked.then(basic) }
    }
}

/// Runs `rounds` of one load over the lanes, one after the other. A lane that fails is left out of the row.
async fn in_turn(load: &Load, rounds: usize, mut lanes: Vec<Lane>, row: &mut Row, missing: &mut Vec<String>) {
    for _ in 0..rounds {
        let mut failed = Vec::new();
        for lane in &lanes {
            match lane.work.round(load, lane.pid).await {
                Ok(round) => row.entry(lane.column).or_default().push(round),
                Err(error) => {
                    missing.push(format!("{}: {}: {error}", lane.column.name(), load.name));
                    failed.push(lane.column);
                }
            }
        }
        lanes.retain(|lane| !failed.contains(&lane.column));
        row.retain(|column, _| !failed.contains(column));
        // Who goes first has no advantage over all rounds.
        lanes.reverse();
    }
}
