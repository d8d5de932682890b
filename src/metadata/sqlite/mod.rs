//! The embedded engine: one `SQLite` file, one writer that groups commits, readers that are called inline.
//!
//! Each file here is one noun; the functions in them are the parts of a transaction, and [`operations`] says which of
//! them make up each operation of the contract.

mod audit;
mod blobs;
mod connection;
mod counters;
mod files;
mod garbage;
#[cfg(test)]
mod integrity;
mod intents;
mod judgements;
mod links;
mod log;
mod manifests;
mod met;
mod operations;
mod page;
#[cfg(test)]
mod plans;
mod push;
mod quarantine;
mod readers;
mod removal;
mod repositories;
mod revisions;
mod schema;
mod scrub;
mod sweep;
mod tags;
mod uploads;
mod values;
mod view;
mod waiting;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::task::spawn_blocking;

use self::readers::Readers;
use self::writer::{Durability, Writer};
use super::Unavailable;
use crate::oci::RepositoryName;

/// The name of the database below the root of all data.
pub const FILE: &str = "_metadata.sqlite";

/// `SQLITE_IOERR_SHMSIZE`: there is no room for the index of the log.
const SHARED_MEMORY_SIZE: i32 = 4874;

/// Generations that one opening of the file has for itself, so that none needs a transaction.
const GENERATIONS: u64 = 1 << 32;

/// How long blobs stay, unless it is said, after the last manifest that held them went: a push under way may count on
/// them.
const GRACE: Duration = Duration::from_hours(1);

/// Metadata in one `SQLite` file. It belongs to one process: the store's lock sees to that.
#[derive(Debug)]
pub struct Sqlite {
    readers: Readers,
    /// One more, for reads that take long. They run on threads that come and go, each of which would fill another's pages.
    long: Arc<Readers>,
    /// None if the file belongs to another process.
    writer: Option<Writer>,
    /// What a change survives that must survive a power cut: less in a file that nobody counts on yet.
    durable: Durability,
    /// The next generation that no content was ever stored under.
    generation: AtomicU64,
    grace: Duration,
}

impl Sqlite {
    /// Opens the database at `path`, which is made if it is absent. A schema newer than this program is refused.
    pub fn open(path: &Path) -> Result<Self, Unavailable> {
        let mut connection = connection::open(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        schema::migrate(&mut connection)?;
        // Durable before the first generation is handed out: those of an earlier opening never return.
        let epoch = u64::try_from(counters::epoch(&connection)?).unwrap_or_default();
        Ok(Self {
            readers: Readers::new(path, readers::SLOTS),
            long: Arc::new(Readers::new(path, 1)),
            writer: Some(Writer::start(connection)?),
            durable: Durability::Power,
            generation: AtomicU64::new(epoch.saturating_mul(GENERATIONS)),
            grace: GRACE,
        })
    }

    /// Opens the database at `path` for much work that is done as one: what is changed survives a power cut when
    /// [`crate::metadata::Metadata::close`] returned, and the database is whole whenever that comes.
    pub fn open_in_bulk(path: &Path) -> Result<Self, Unavailable> {
        Ok(Self { durable: Durability::Process, ..Self::open(path)? })
    }

    /// The same, with another time that blobs stay after the last manifest that held them went.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Opens the database at `path` for reading, beside the process that it belongs to. Every change is refused.
    /// `is_still` says that nobody changes it as long as it is open, and that nothing can be written beside it.
    pub fn open_beside(path: &Path, is_still: bool) -> Result<Self, Unavailable> {
        let readers = Readers::new(path, readers::SLOTS).still(is_still);
        readers.run(|connection| Ok(schema::check(connection)))??;
        let (long, generation) = (Arc::new(Readers::new(path, 1).still(is_still)), AtomicU64::default());
        Ok(Self { readers, long, writer: None, durable: Durability::Power, generation, grace: GRACE })
    }

    fn writer(&self) -> Result<&Writer, Unavailable> {
        let beside =
            || Unavailable::Broken("expected to own the metadata, found it opened beside its owner".to_owned());
        self.writer.as_ref().ok_or_else(beside)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unavailable> {
        self.readers.run(read)
    }

    /// Reads of a repository that take several statements; of one that does not exist, nothing is read.
    fn in_repository<T: Default>(
        &self,
        repository: &RepositoryName,
        read: impl FnOnce(&Connection, repositories::RepositoryId) -> rusqlite::Result<T>,
    ) -> Result<T, Unavailable> {
        self.readers.snapshot(|connection| match repositories::find(connection, repository)? {
            Some(id) => read(connection, id),
            None => Ok(T::default()),
        })
    }

    /// A read that takes long, all of it at one moment: no thread that serves requests waits for it, nor for its
    /// connection.
    async fn read_long<T, F>(&self, read: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let long = Arc::clone(&self.long);
        let done = spawn_blocking(move || long.snapshot(read)).await;
        done.map_err(|error| Unavailable::Broken(format!("a long read broke off: {error}")))?
    }

    /// A change that must survive a power cut.
    async fn write<T, F>(&self, work: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer()?.run(self.durable, work).await
    }

    /// A change that must survive the death of the process only.
    async fn note<T, F>(&self, work: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer()?.run(Durability::Process, work).await
    }

    fn next_generation(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed)
    }
}

impl From<rusqlite::Error> for Unavailable {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            Some(_) if error.sqlite_error().is_some_and(|error| error.extended_code == SHARED_MEMORY_SIZE) => {
                Self::Full
            }
            _ => Self::Broken(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::metadata::Metadata as _;
    use crate::oci::Digest;

    #[tokio::test(flavor = "multi_thread")]
    async fn reads_go_on_while_a_commit_waits_for_the_medium() {
        let folder = tempfile::tempdir().unwrap();
        let metadata = Arc::new(Sqlite::open(&folder.path().join("metadata")).unwrap());
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let slow = Arc::clone(&metadata);
        let waits = tokio::spawn(async move {
            slow.write(move |_| {
                started.send(()).unwrap();
                may_go_on.recv().unwrap();
                Ok(())
            })
            .await
        });
        has_started.await.unwrap();
        let repository = "r".parse().unwrap();
        assert_eq!(metadata.blob(&repository, &Digest::sha256(b"")).await.unwrap(), None);
        assert!(!waits.is_finished());
        go_on.send(()).unwrap();
        waits.await.unwrap().unwrap();
    }

    /// What a future that is asked once answers.
    pub(super) fn asked_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(answer) => Some(answer),
            std::task::Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn what_reads_long_keeps_no_reader_of_requests_and_waits_for_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let metadata = Arc::new(Sqlite::open(&folder.path().join("metadata")).unwrap());
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let long = Arc::clone(&metadata.long);
        let holds = std::thread::spawn(move || {
            long.run(|_| {
                started.send(()).unwrap();
                may_go_on.recv().unwrap();
                Ok(())
            })
        });
        has_started.recv().unwrap();
        let at = crate::clock::Timestamp::from_micros(0);
        let (mut garbage, mut view) = (metadata.garbage(at, at, 10_000), metadata.dirty_views());
        // Read on this thread, each would be done at once.
        assert!(asked_once(&mut garbage).is_none() && asked_once(&mut view).is_none());
        let (repository, digest) = ("r".parse().unwrap(), Digest::sha256(b""));
        let mut read = metadata.blob(&repository, &digest);
        assert!(asked_once(&mut read).is_some_and(|found| found.unwrap().is_none()));
        go_on.send(()).unwrap();
        holds.join().unwrap().unwrap();
        assert_eq!(garbage.await.unwrap(), crate::metadata::Garbage::default());
        assert_eq!(view.await.unwrap(), []);
    }
}
