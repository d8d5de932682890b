//! What the writer's connection and the readers' have in common.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::metadata::Unavailable;

/// How long a connection waits for another: only while a log is recovered does one have to.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared: all of them.
const STATEMENTS: usize = 256;

/// Opens the database at `path`, with `access` beside the right to read and write.
///
/// Plans depend on the schema alone (`ENABLE_QPSG`). Otherwise the engine looks at the values bound to a `LIMIT`, and
/// prepares the statement anew whenever another is bound.
pub(super) fn open(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    prepared(Connection::open_with_flags(path, flags)?)
}

fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY)?;
    // What a failed change would undo: the engine's own files for it lie in the system's folder for temporary files, which
    // may be full or read-only while the root is neither.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Opens the database at `path` for reading, where nobody changes it and nothing can be written beside it.
///
/// The engine reads a log by an index of it, a file beside it. Where there is nothing in the log, it does without both if it
/// is told that [nothing changes](https://sqlite.org/uri.html#uriimmutable); told so beside a log that has something, it
/// would not look at that. An index that is there already is read, and if there is none, that is told.
pub(super) fn open_still(path: &Path) -> Result<Connection, Unavailable> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    let length = match fs::metadata(&log) {
        Ok(log) => log.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(Unavailable::Broken(format!("{}: {error}", log.display()))),
    };
    if length == 0 {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        return Ok(prepared(Connection::open_with_flags(immutable(path), flags)?)?);
    }
    let connection = open(path, OpenFlags::empty())?;
    let read = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    read.map(|_| connection).map_err(|error| {
        Unavailable::Broken(format!(
            "expected a log {} of no bytes, for nothing can be written beside it, found {length}: {error}; stop the server \
             in good order before, or copy the folder to where it can be written to",
            log.display()
        ))
    })
}

/// The name of a database that nobody changes, for the engine.
fn immutable(path: &Path) -> String {
    let mut name = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => name.push(char::from(*byte)),
            _ => {
                name.push('%');
                name.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
            }
        }
    }
    name.push_str("?immutable=1");
    name
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn nothing_is_written_outside_the_database_s_folder() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open(&folder.path().join("database"), OpenFlags::SQLITE_OPEN_CREATE).unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)").unwrap();
        let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
          INSERT INTO t SELECT i, randomblob(1000) FROM n";
        connection.execute_batch(fill).unwrap();
        connection.execute_batch("BEGIN; SAVEPOINT job; UPDATE t SET b = randomblob(1000)").unwrap();
        let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        let outside: Vec<_> = open.filter(|path| path.to_string_lossy().contains("etilqs_")).collect();
        assert_eq!(outside, Vec::<PathBuf>::new());
        connection.execute_batch("ROLLBACK TO job; RELEASE job; COMMIT").unwrap();
    }

    #[test]
    fn a_statement_is_prepared_once_whatever_its_limit_is() {
        let connection = open(Path::new(":memory:"), OpenFlags::SQLITE_OPEN_CREATE).unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)").unwrap();
        let mut statement = connection.prepare("SELECT a FROM t WHERE a > ?1 ORDER BY a LIMIT ?2").unwrap();
        for limit in 1..=2 {
            let found = statement.query_map([0, limit], |row| row.get::<_, i64>(0)).unwrap().count();
            assert_eq!(i64::try_from(found).unwrap(), limit);
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
