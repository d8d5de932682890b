//! The write-ahead log, and how long it may get.
//!
//! The engine writes the log back after commits, as far as no reader needs what it would overwrite, and begins the log anew
//! once all of it is written back and nobody reads from it. Readers that overlap without a gap never let that happen: the
//! log grows as long as they come, and a start after a crash reads all of it. So where it got long, the writer waits a
//! short while for those who read older moments; whoever comes meanwhile needs the log no more.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::BUSY;

/// A log that is begun anew keeps so much of its file, in bytes.
const KEPT: i64 = 8 << 20;
/// From this length on a log is long, in bytes.
const LONG: u64 = 16 << 20;
/// How much longer it gets before readers are waited for again.
const STEP: u64 = 4 << 20;
/// How long readers are waited for; the writer does nothing else meanwhile.
const PATIENCE: Duration = Duration::from_millis(100);

/// The log of the writer's database.
#[derive(Debug)]
pub(super) struct Log {
    /// None for a database in memory.
    path: Option<PathBuf>,
    /// How long it was when readers were waited for, and did not end in time.
    tried: u64,
}

impl Log {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let path = connection.path().filter(|path| !path.is_empty()).map(|path| format!("{path}-wal").into());
        connection.pragma_update(None, "journal_size_limit", KEPT)?;
        Ok(Self { path, tried: 0 })
    }

    /// To be called after commits: has a log that got long begin anew with the next one, if readers let it.
    pub(super) fn keep_short(&mut self, connection: &Connection) {
        let Some(length) = self.path.as_ref().and_then(|path| fs::metadata(path).ok()).map(|log| log.len()) else {
            return;
        };
        if length < LONG {
            self.tried = 0;
        } else if length >= self.tried.saturating_add(STEP) {
            self.tried = length;
            // What can't be done now is done after later commits; until then the log is only long.
            drop(begin_anew(connection));
        }
    }
}

fn begin_anew(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    let begun = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
    connection.busy_timeout(BUSY)?;
    begun
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{scope, sleep};

    use rusqlite::OpenFlags;
    use tempfile::TempDir;

    use super::super::{Sqlite, connection};
    use super::*;
    use crate::clock::Timestamp;
    use crate::metadata::{Metadata as _, StoredRevision};

    /// What [`write`] adds to the log at the least, in bytes.
    const PIECE: u64 = 1 << 20;

    async fn write(metadata: &Sqlite, pieces: u64) {
        for piece in 0..pieces {
            let content = vec![u8::try_from(piece % 251).unwrap(); usize::try_from(PIECE).unwrap()];
            let files = BTreeMap::from([("a".to_owned(), content)]);
            metadata.accept_revision(StoredRevision { files, at: Timestamp::from_micros(0) }).await.unwrap();
        }
    }

    fn length(database: &Path) -> u64 {
        fs::metadata(format!("{}-wal", database.display())).unwrap().len()
    }

    fn reader(database: &Path) -> Connection {
        let connection = connection::open(database, OpenFlags::empty()).unwrap();
        connection.execute_batch("BEGIN; SELECT count(*) FROM revision").unwrap();
        connection
    }

    #[tokio::test]
    async fn a_log_that_readers_made_long_is_cut_once_they_ended() {
        let folder = TempDir::new().unwrap();
        let database = folder.path().join("metadata");
        let metadata = Sqlite::open_in_bulk(&database).unwrap();
        let old = reader(&database);
        write(&metadata, 2 * LONG / PIECE).await;
        assert!(length(&database) > 2 * LONG);
        drop(old);
        write(&metadata, 2 * STEP / PIECE).await;
        assert!(length(&database) < LONG, "{}", length(&database));
    }

    #[test]
    fn readers_that_overlap_without_a_gap_leave_the_log_bounded() {
        let folder = TempDir::new().unwrap();
        let database = folder.path().join("metadata");
        let metadata = Sqlite::open_in_bulk(&database).unwrap();
        let ended = AtomicBool::new(false);
        scope(|scope| {
            scope.spawn(|| {
                let mut before = reader(&database);
                while !ended.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(5));
                    before = reader(&database);
                }
                drop(before);
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let written = catch_unwind(AssertUnwindSafe(|| runtime.block_on(write(&metadata, 6 * LONG / PIECE))));
            // Or a failure would wait for the readers, which wait for it.
            ended.store(true, Ordering::Relaxed);
            written.unwrap();
        });
        assert!(length(&database) < 3 * LONG, "{}", length(&database));
    }
}
