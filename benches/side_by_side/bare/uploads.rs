//! The bare server's uploads: hashed and written as they come, synced and renamed at their end.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::Outcome;
use crate::hex::hex;

/// How much of an upload is gathered before it goes to a blocking thread, in bytes.
const GATHERED: usize = 1 << 20;

/// Uploads by the path that they are written to.
#[derive(Debug)]
pub(super) struct Uploads {
    folder: PathBuf,
    open: Mutex<HashMap<String, Upload>>,
}

/// An upload on its way to the disk.
#[derive(Debug)]
struct Upload {
    temporary: PathBuf,
    file: File,
    hash: Sha256,
}

impl Uploads {
    /// Uploads that become files in `folder`.
    pub(super) fn below(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), open: Mutex::default() }
    }

    /// Takes in `body`, at the end of what came before under this path.
    pub(super) async fn append(&self, path: &str, mut body: Body) -> Outcome<()> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        let mut upload = match open {
            Some(upload) => upload,
            None => Upload::begin(&self.folder)?,
        };
        let mut gathered = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if gathered.capacity() == 0 {
                gathered.reserve(if data.len() < GATHERED / 16 { data.len() } else { GATHERED });
            }
            gathered.extend_from_slice(&data);
            if gathered.len() >= GATHERED {
                let full = std::mem::replace(&mut gathered, Vec::with_capacity(GATHERED));
                upload = spawn_blocking(move || upload.append(&full)).await??;
            }
        }
        if !gathered.is_empty() {
            upload = spawn_blocking(move || upload.append(&gathered)).await??;
        }
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), upload);
        Ok(())
    }

    /// Makes what was written under this path the file called `name`, if that is its hash.
    pub(super) async fn finish(&self, path: &str, name: String) -> Outcome<()> {
        let upload = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        let upload = upload.ok_or("expected an upload, found none")?;
        let folder = self.folder.clone();
        spawn_blocking(move || upload.finish(&folder, &name)).await?
    }

    /// Makes `bytes` the file called `name`, if that is their hash.
    pub(super) async fn store(&self, name: String, bytes: Bytes) -> Outcome<()> {
        let folder = self.folder.clone();
        spawn_blocking(move || Upload::begin(&folder)?.append(&bytes)?.finish(&folder, &name)).await?
    }
}

impl Upload {
    fn begin(folder: &Path) -> Outcome<Self> {
        let temporary = folder.join(uuid::Uuid::new_v4().to_string());
        Ok(Self { file: File::create(&temporary)?, temporary, hash: Sha256::new() })
    }

    fn append(mut self, bytes: &[u8]) -> Outcome<Self> {
        self.hash.update(bytes);
        self.file.write_all(bytes)?;
        Ok(self)
    }

    fn finish(self, folder: &Path, name: &str) -> Outcome<()> {
        let found = hex(self.hash.finalize());
        if found != name {
            return Err(format!("expected the digest {name}, found {found}").into());
        }
        self.file.sync_all()?;
        std::fs::rename(&self.temporary, folder.join(name))?;
        Ok(File::open(folder)?.sync_all()?)
    }
}
