//! The root of a registry, opened by the one process that owns it.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use crate::config::Config;
use crate::metadata::{Metadata, Sqlite};
use crate::store::{Filesystem, Store, StoreError};

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
    let path = config.root.join("_metadata.sqlite");
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
