//! The root that a command works on: which it is, and the opening of it by the one process that owns it.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Config, Flags};
use crate::metadata::{self, Metadata, Sqlite};
use crate::mistake::Mistake;
use crate::registry::{Lost, lost};
use crate::store::{Filesystem, Store, StoreError};

/// The configuration, and what of it is told by flags.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RootArgs {
    /// The configuration [default: hallmark.toml, or without one what it would say by default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of all data
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

impl RootArgs {
    /// The configuration with these flags.
    pub fn configuration(&self) -> Result<Config, Vec<Mistake>> {
        // Where it would listen has no say here.
        let flags = Flags { root: self.root.clone(), danger_plain_http: true, ..Flags::default() };
        Config::load(self.config.as_deref(), &flags)
    }
}

/// Where a root keeps its bytes and its facts.
pub type Root = (Arc<dyn Store>, Arc<dyn Metadata>);

/// How many bytes the opening of a database takes at the most.
const OPENING: u64 = 1 << 20;

/// Why a root could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// Another process owns it.
    #[error("can't open the store in {0}: expected to own it alone, found its lock taken")]
    Taken(String),
    /// Its metadata is lost.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// Anything else.
    #[error("can't open {what}: {why}")]
    Failed {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

/// Opens the root of `config` and owns it as long as what is returned lives. Blocks, but for a moment.
pub async fn open(config: &Config) -> Result<Root, NotOpened> {
    let root = config.root.display().to_string();
    let store = Filesystem::open(&config.root).map_err(|error| not_opened(&root, &error))?;
    if let Some(lost) = lost(&config.root) {
        return Err(lost.into());
    }
    let path = config.root.join(metadata::FILE);
    let metadata = match Sqlite::open(&path) {
        // A full disk must not keep those out who would make room on it.
        Err(_) if is_cramped(&store).await && store.release_reserve().await.unwrap_or(false) => Sqlite::open(&path),
        opened => opened,
    };
    let metadata = metadata
        .map_err(|error| NotOpened::Failed { what: format!("the metadata in {root}"), why: error.to_string() })?
        .with_grace(config.limits.deleted_grace);
    Ok((Arc::new(store), Arc::new(metadata)))
}

/// Whether there is no room to open a database in. The engine has many words for that.
async fn is_cramped(store: &Filesystem) -> bool {
    store.free_bytes().await.is_ok_and(|free| free.is_some_and(|free| free < OPENING))
}

fn not_opened(root: &str, error: &StoreError) -> NotOpened {
    if matches!(error, StoreError::Io(cause) if cause.kind() == io::ErrorKind::ResourceBusy) {
        return NotOpened::Taken(root.to_owned());
    }
    // The store's own sentence hides the medium's, which names the reason.
    let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
    NotOpened::Failed { what: format!("the store in {root}"), why: format!("{error}{source}") }
}
