//! The schema, and its version from day one.

use rusqlite::Connection;

use crate::metadata::Unavailable;

/// `Hmrk`: marks the file as Hallmark's, so that no other database is taken for it.
const APPLICATION: i64 = 0x486d_726b;

/// How each version is made from the one before it. Steps that were released are never edited.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// Brings a database to the newest version that this program knows. A newer one, and one that is not Hallmark's, is refused.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Unavailable> {
    let found = usize::try_from(pragma(connection, "user_version")?).unwrap_or(usize::MAX);
    if found > STEPS.len() {
        return Err(Unavailable::Broken(format!("expected schema version {} or older, found {found}", STEPS.len())));
    }
    check_owner(connection, found)?;
    let transaction = connection.transaction()?;
    for step in STEPS.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    if found < STEPS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or(i64::MAX))?;
    }
    transaction.commit()?;
    Ok(())
}

/// Refuses a database of another version than this program's, and one that is not Hallmark's.
pub(super) fn check(connection: &Connection) -> Result<(), Unavailable> {
    let found = usize::try_from(pragma(connection, "user_version")?).unwrap_or(usize::MAX);
    check_owner(connection, found)?;
    if found == STEPS.len() {
        return Ok(());
    }
    Err(Unavailable::Broken(format!("expected schema version {}, found {found}", STEPS.len())))
}

/// Whether nothing was ever made in the database.
pub(super) fn is_none(connection: &Connection) -> Result<bool, Unavailable> {
    Ok(pragma(connection, "user_version")? == 0 && tables(connection)? == 0)
}

fn tables(connection: &Connection) -> Result<i64, Unavailable> {
    Ok(connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?)
}

fn check_owner(connection: &Connection, version: usize) -> Result<(), Unavailable> {
    let tables = tables(connection)?;
    let ours = pragma(connection, "application_id")? == APPLICATION;
    if ours || (version == 0 && tables == 0) {
        return Ok(());
    }
    Err(Unavailable::Broken("expected a database of Hallmark, found another".to_owned()))
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
