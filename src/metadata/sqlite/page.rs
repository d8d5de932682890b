//! Pages of rows that end where they would be too much to be held at once.

use rusqlite::{Row, Rows};

/// Reads rows as long as those read before have less than `most` bytes: so one at the least, whatever it has.
pub(super) fn page<T>(
    mut rows: Rows<'_>,
    most: usize,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    bytes: impl Fn(&T) -> usize,
) -> rusqlite::Result<Vec<T>> {
    let mut found = Vec::new();
    let mut held = 0_usize;
    while held < most
        && let Some(row) = rows.next()?
    {
        let item = read(row)?;
        held = held.saturating_add(bytes(&item));
        found.push(item);
    }
    Ok(found)
}
