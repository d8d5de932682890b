//! What the writer's connection and the readers' have in common.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

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
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

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
