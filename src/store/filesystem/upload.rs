//! Uploads in progress.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::mem;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::fs::OFlags;
use tokio::sync::{Mutex as Turn, Semaphore};
use uuid::Uuid;

use super::object::open_file;
use super::path::Root;
use super::shard::Shards;
use super::{absent, blocking, durable};
use crate::oci::Hasher;
use crate::store::StoreError;

/// How many uploads stay open between two appends.
const KEPT_OPEN: usize = 64;

/// How many uploads wait for the disk at once. A program needs more threads than that for what may block: on a disk that
/// takes seconds for a sync, pulls and passwords are to find one.
pub const AT_THE_DISK: usize = 64;

/// How much [`Uploads::rehash`] reads at once.
const REHASH_BYTES: u64 = 1024 * 1024;

/// The uploads of the tree, and those that are open.
///
/// Everything that touches one upload takes its turn, in the order of the calls. The turn moves to the thread that
/// writes: a caller that goes away in mid-append leaves no write behind that could land on top of a later one.
#[derive(Debug)]
pub(super) struct Uploads {
    pub(super) root: Arc<Root>,
    pub(super) shards: Shards,
    open: Mutex<HashMap<Uuid, Slot>>,
    at_the_disk: Arc<Semaphore>,
}

type Slot = Arc<Turn<State>>;

#[derive(Debug, Default)]
enum State {
    /// Nobody has looked yet.
    #[default]
    Unopened,
    Open(File),
    /// Sealed, discarded, or never there.
    Gone,
}

impl Uploads {
    pub(super) fn new(root: Arc<Root>, shards: Shards) -> Self {
        Self { root, shards, open: Mutex::default(), at_the_disk: Arc::new(Semaphore::new(AT_THE_DISK)) }
    }

    /// The folders that objects lie in.
    pub(super) const fn shards(&self) -> &Shards {
        &self.shards
    }

    pub(super) async fn begin(self: &Arc<Self>, upload: Uuid) -> Result<(), StoreError> {
        self.in_turn(upload, move |uploads, state| {
            let file = File::options().read(true).write(true).create_new(true).open(uploads.root.upload(upload))?;
            *state = State::Open(file);
            Ok(())
        })
        .await
    }

    pub(super) async fn append(
        self: &Arc<Self>,
        upload: Uuid,
        offset: u64,
        bytes: Bytes,
        mut hasher: Hasher,
    ) -> Result<Hasher, StoreError> {
        self.in_turn(upload, move |uploads, state| {
            uploads.file(upload, state)?.write_all_at(&bytes, offset)?;
            hasher.update(&bytes);
            Ok(hasher)
        })
        .await
    }

    pub(super) async fn rehash(
        self: &Arc<Self>,
        upload: Uuid,
        size: u64,
        hasher: Hasher,
    ) -> Result<Hasher, StoreError> {
        self.in_turn(upload, move |uploads, state| {
            let file = uploads.file(upload, state)?;
            expect_bytes(file, size)?;
            Ok(hash(file, size, hasher)?)
        })
        .await
    }

    /// Makes the first `size` bytes the file `to`, durably.
    pub(super) async fn seal(self: &Arc<Self>, upload: Uuid, size: u64, to: PathBuf) -> Result<(), StoreError> {
        self.in_turn(upload, move |uploads, state| {
            let file = uploads.file(upload, state)?;
            if expect_bytes(file, size)? > size {
                file.set_len(size)?;
            }
            uploads.shards.make_for(&to)?;
            let State::Open(file) = mem::replace(state, State::Gone) else { return Err(absent(upload)) };
            uploads.forget(upload);
            let from = uploads.root.upload(upload);
            let published = durable::publish(&file, &from, &to);
            if published.is_err() {
                // After a sync that failed the kernel may have dropped the bytes, and the next sync would succeed:
                // nothing of this upload can be trusted again.
                durable::remove(&from).ok();
                durable::remove(&to).ok();
            }
            Ok(published?)
        })
        .await
    }

    /// Makes the file `from` the upload again that it was. One that is absent was not sealed yet, or never.
    pub(super) async fn unseal(self: &Arc<Self>, from: PathBuf, upload: Uuid) -> Result<(), StoreError> {
        self.in_turn(upload, move |uploads, state| {
            *state = State::Unopened;
            match durable::rename(&from, &uploads.root.upload(upload)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                renamed => Ok(renamed?),
            }
        })
        .await
    }

    pub(super) async fn discard(self: &Arc<Self>, upload: Uuid) -> Result<(), StoreError> {
        self.in_turn(upload, move |uploads, state| {
            durable::remove(&uploads.root.upload(upload))?;
            *state = State::Gone;
            uploads.forget(upload);
            Ok(())
        })
        .await
    }

    /// The uploads that lie in the tree.
    pub(super) fn list(&self) -> Result<Vec<Uuid>, StoreError> {
        let mut uploads = Vec::new();
        for entry in fs::read_dir(self.root.uploads())? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            let Ok(upload) = Uuid::try_parse(name) else { continue };
            // Other spellings of an identifier are other files, and not ours.
            if upload.to_string() == name {
                uploads.push(upload);
            }
        }
        Ok(uploads)
    }

    /// Waits for the upload's turn, then does `work` where it may block.
    async fn in_turn<T: Send + 'static>(
        self: &Arc<Self>,
        upload: Uuid,
        work: impl FnOnce(&Self, &mut State) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let uploads = Arc::clone(self);
        let mut state = self.slot(upload).lock_owned().await;
        // It is never closed.
        let place = Arc::clone(&self.at_the_disk).acquire_owned().await;
        blocking(move || {
            let done = work(&uploads, &mut state);
            drop(place);
            done
        })
        .await
    }

    fn slot(&self, upload: Uuid) -> Slot {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = open.get(&upload) {
            return Arc::clone(slot);
        }
        if open.len() >= KEPT_OPEN {
            // Only one that nobody else holds: two slots for one upload would be two turns.
            let idle = open.iter().find(|(_, slot)| Arc::strong_count(slot) == 1).map(|(upload, _)| *upload);
            idle.and_then(|idle| open.remove(&idle));
        }
        let slot = Slot::default();
        open.insert(upload, Arc::clone(&slot));
        slot
    }

    fn forget(&self, upload: Uuid) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&upload);
    }

    /// The upload's file, opened if it is not yet.
    fn file<'state>(&self, upload: Uuid, state: &'state mut State) -> Result<&'state File, StoreError> {
        if matches!(state, State::Unopened) {
            *state = match open_file(&self.root.upload(upload), OFlags::RDWR) {
                Ok(file) => State::Open(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => State::Gone,
                Err(error) => return Err(error.into()),
            };
        }
        match state {
            State::Open(file) => Ok(file),
            State::Unopened | State::Gone => {
                self.forget(upload);
                Err(absent(upload))
            }
        }
    }
}

/// The length of `file`, which must be `size` or more.
fn expect_bytes(file: &File, size: u64) -> io::Result<u64> {
    let found = file.metadata()?.len();
    if found >= size {
        return Ok(found);
    }
    let message = format!("expected an upload of {size} bytes, found {found}");
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
}

fn hash(file: &File, size: u64, mut hasher: Hasher) -> io::Result<Hasher> {
    let mut buffer = Vec::new();
    let mut offset = 0;
    while offset < size {
        let piece = size.saturating_sub(offset).min(REHASH_BYTES);
        buffer.resize(usize::try_from(piece).unwrap_or_default(), 0);
        file.read_exact_at(&mut buffer, offset)?;
        hasher.update(&buffer);
        offset = offset.saturating_add(piece);
    }
    Ok(hasher)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use tempfile::TempDir;

    use super::*;

    fn empty() -> (Arc<Uploads>, TempDir) {
        let folder = TempDir::new().unwrap();
        let root = Arc::new(Root::new(folder.path().to_path_buf()));
        let shards = Shards::open(&root).unwrap();
        (Arc::new(Uploads::new(root, shards)), folder)
    }

    #[tokio::test]
    async fn work_whose_caller_went_away_is_done_before_the_next() {
        let (uploads, _folder) = empty();
        let upload = Uuid::new_v4();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (log, logged) = mpsc::channel();
        let (first, second) = (log.clone(), log);
        let slow = Arc::clone(&uploads);
        let caller = tokio::spawn(async move {
            slow.in_turn(upload, move |_, _| {
                started.send(()).unwrap();
                may_go_on.recv().unwrap();
                first.send("first").unwrap();
                Ok(())
            })
            .await
        });
        has_started.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        let next = tokio::spawn(async move {
            uploads
                .in_turn(upload, move |_, _| {
                    second.send("second").unwrap();
                    Ok(())
                })
                .await
        });
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        go_on.send(()).unwrap();
        next.await.unwrap().unwrap();
        assert_eq!(logged.iter().collect::<Vec<_>>(), ["first", "second"]);
    }

    #[tokio::test]
    async fn on_a_slow_disk_uploads_leave_threads_to_others() {
        let (uploads, _folder) = empty();
        let (stalled, disk) = mpsc::channel::<()>();
        let (at_the_disk, disk) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(disk)));
        let many: Vec<_> = (0..AT_THE_DISK + 10)
            .map(|_| {
                let (uploads, at_the_disk, disk) = (Arc::clone(&uploads), Arc::clone(&at_the_disk), Arc::clone(&disk));
                tokio::spawn(async move {
                    let work = move |_: &Uploads, _: &mut State| {
                        at_the_disk.fetch_add(1, Ordering::SeqCst);
                        // Until the disk goes on.
                        disk.lock().unwrap().recv().unwrap_err();
                        Ok(())
                    };
                    uploads.in_turn(Uuid::new_v4(), work).await
                })
            })
            .collect();
        while at_the_disk.load(Ordering::SeqCst) < AT_THE_DISK {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert_eq!(at_the_disk.load(Ordering::SeqCst), AT_THE_DISK);
        drop(stalled);
        for one in many {
            one.await.unwrap().unwrap();
        }
        assert_eq!(at_the_disk.load(Ordering::SeqCst), AT_THE_DISK + 10);
    }
}
