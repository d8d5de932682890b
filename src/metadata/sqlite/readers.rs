//! Connections that only read: each thread comes back to its own, whose statements and pages are warm.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::connection;
use crate::metadata::Unavailable;

/// Enough for every runtime thread of a large machine; more threads share.
pub(super) const SLOTS: usize = 64;

/// How many KiB of pages a reader keeps: the upper levels of the trees, for whatever is below is in the kernel's memory.
const PAGES_KIB: i64 = 1024;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
}

/// The readers of one database; they are opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    is_still: bool,
    slots: Vec<Mutex<Option<Connection>>>,
}

impl Readers {
    /// At most `slots` readers of the database at `path`; nothing is opened yet.
    pub(super) fn new(path: &Path, slots: usize) -> Self {
        Self { path: path.to_owned(), is_still: false, slots: (0..slots).map(|_| Mutex::new(None)).collect() }
    }

    /// The same of one that nobody changes, where nothing can be written beside it.
    pub(super) fn still(self, is_still: bool) -> Self {
        Self { is_still, ..self }
    }

    /// Runs `read` on this thread's connection, in the calling thread.
    pub(super) fn run<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unavailable> {
        let mut slot = self.slot()?;
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(self.open()?),
        };
        read(connection).map_err(Unavailable::from)
    }

    /// As [`Readers::run`], for what takes several statements: all of them see the same moment.
    pub(super) fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unavailable> {
        self.run(|connection| {
            connection.prepare_cached("BEGIN")?.execute([])?;
            let _end = Snapshot(connection);
            read(connection)
        })
    }

    fn slot(&self) -> Result<MutexGuard<'_, Option<Connection>>, Unavailable> {
        let index = THREAD.get().checked_rem(self.slots.len()).unwrap_or_default();
        let slot = self.slots.get(index).ok_or_else(|| Unavailable::Broken("no reader is left".to_owned()))?;
        // A read that panicked left no transaction behind: statements reset themselves when they are dropped.
        Ok(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn open(&self) -> Result<Connection, Unavailable> {
        let connection = if self.is_still {
            connection::open_still(&self.path)?
        } else {
            connection::open(&self.path, OpenFlags::empty())?
        };
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -PAGES_KIB)?;
        Ok(connection)
    }
}

/// A transaction that only reads, ended when this is dropped.
struct Snapshot<'c>(&'c Connection);

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was changed; if this fails, the next BEGIN on the connection fails too, and says so.
        drop(self.0.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([])));
    }
}
