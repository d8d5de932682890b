//! A root that nothing serves: what import and rebuild work on.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::metadata::{FILE, Metadata, Sqlite};
use crate::store::{Filesystem, Holder, Store, StoreError};
use crate::verify::SignatureVerifier;

use super::{Error, Parts, lost};

impl Parts {
    /// The root of `config`, owned by `command` as long as this lives. Refused while a server or another command owns it,
    /// and if its metadata is lost. What is changed in its metadata survives a power cut once that is closed.
    pub fn offline(config: &Config, clock: Arc<dyn Clock>, command: &str) -> Result<Self, Error> {
        let store = own(&config.root, command)?;
        if let Some(lost) = lost(&config.root) {
            return Err(Error::Conflict(lost.to_string()));
        }
        let metadata = Arc::new(Sqlite::open_in_bulk(&config.root.join(FILE))?);
        Ok(Self::over(store, metadata, config, clock))
    }

    pub(super) fn over(
        store: Arc<dyn Store>,
        metadata: Arc<dyn Metadata>,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            metadata,
            verifier: Arc::new(SignatureVerifier),
            clock,
            limits: config.limits.clone(),
            tag_history: config.tag_history,
            sparse_images: config.sparse_images,
            data_types: config.data_types.clone(),
        }
    }
}

pub(super) fn own(root: &Path, command: &str) -> Result<Arc<dyn Store>, Error> {
    let store = Filesystem::open(root).map_err(|error| match error {
        // It is somebody else's, which is no fault of the medium.
        StoreError::Io(taken) if taken.kind() == io::ErrorKind::ResourceBusy => Error::Conflict(taken.to_string()),
        error => error.into(),
    })?;
    // Who is in the way is told if it can be.
    drop(Holder::this(command).note(root));
    Ok(Arc::new(store))
}
