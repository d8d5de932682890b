//! The audit trail: what each transaction notes of itself, and what was refused.

use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, params};

use super::values::{self, Count, integer};
use crate::clock::Timestamp;
use crate::gate::Who;
use crate::metadata::{Audited, By, Event, Refusal, Trail};
use crate::oci::{Digest, RepositoryName, Tag};

/// The word for a blob.
pub(super) const BLOB: &str = "blob";
/// The word for a tag that was deleted.
pub(super) const TAG: &str = "tag";

/// An entry to be noted.
pub(super) struct Entry<'e> {
    event: Event,
    what: &'e str,
    digest: &'e Digest,
    at: Timestamp,
    who: Option<&'e Who>,
    repository: Option<&'e RepositoryName>,
    tag: Option<&'e Tag>,
    subject: Option<&'e Digest>,
    why: Option<&'e str>,
}

impl<'e> Entry<'e> {
    /// What Hallmark did by itself.
    pub(super) const fn of_itself(event: Event, (what, digest): (&'e str, &'e Digest), at: Timestamp) -> Self {
        Self { event, what, digest, at, who: None, repository: None, tag: None, subject: None, why: None }
    }

    /// What someone asked for.
    pub(super) const fn asked(event: Event, what: (&'e str, &'e Digest), (who, at): (&'e Who, Timestamp)) -> Self {
        Self { who: Some(who), ..Self::of_itself(event, what, at) }
    }

    /// A deletion.
    pub(super) const fn deleted(what: (&'e str, &'e Digest), by: &'e By) -> Self {
        Self::asked(Event::Delete, what, (&by.who, by.at))
    }

    pub(super) const fn in_repository(self, repository: &'e RepositoryName) -> Self {
        Self { repository: Some(repository), ..self }
    }

    pub(super) const fn under(self, tag: Option<&'e Tag>) -> Self {
        Self { tag, ..self }
    }

    pub(super) const fn about(self, subject: Option<&'e Digest>) -> Self {
        Self { subject, ..self }
    }

    pub(super) const fn because(self, why: &'e str) -> Self {
        Self { why: Some(why), ..self }
    }

    /// Notes it. Its number is above every other's, for the newest is never removed.
    pub(super) fn note(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO audit (at, event, what, who, repository, digest, tag, subject, why)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let Self { event, what, digest, at, who, repository, tag, subject, why } = self;
        insert.execute(params![at, event, what, who, repository, digest, tag, subject, why]).map(drop)
    }
}

/// Notes refusals, and keeps `keep` of them: where there are more, the oldest of whoever has the most go.
pub(super) fn refuse(connection: &Connection, refusals: &[Refusal], keep: u64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO refusals (at, event, who, repository, digest, tag, why, times)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for refusal in refusals {
        let Refusal { at, event, who, repository, digest, tag, why, times } = refusal;
        insert.execute(params![at, event, who, repository, digest, tag, why, integer(*times)])?;
    }
    let mut shares = shares(connection)?;
    let mut prune = connection.prepare_cached(
        "DELETE FROM refusals WHERE id IN (SELECT id FROM refusals WHERE who = ?1 ORDER BY id LIMIT ?2)",
    )?;
    let mut surplus =
        shares.iter().fold(0_u64, |sum, share| sum.saturating_add(share.count)).saturating_sub(keep.max(1));
    while surplus > 0 {
        // Of those who have as many, whoever's newest is the oldest: the newest of all stays, and no number is
        // used twice.
        shares.sort_by_key(|share| (std::cmp::Reverse(share.count), share.newest));
        let next = shares.get(1).map_or(0, |share| share.count);
        let Some(most) = shares.first_mut().filter(|most| most.count > 0) else { break };
        let goes = most.count.saturating_sub(next).clamp(1, surplus);
        prune.execute(params![most.who, integer(goes)])?;
        most.count = most.count.saturating_sub(goes);
        surplus = surplus.saturating_sub(goes);
    }
    Ok(())
}

/// How many refusals are kept of one person.
struct Share {
    who: String,
    count: u64,
    newest: u64,
}

fn shares(connection: &Connection) -> rusqlite::Result<Vec<Share>> {
    let mut statement = connection.prepare_cached("SELECT who, count(*), max(id) FROM refusals GROUP BY who")?;
    let read = |row: &Row<'_>| {
        Ok(Share { who: row.get(0)?, count: row.get::<_, Count>(1)?.0, newest: row.get::<_, Count>(2)?.0 })
    };
    statement.query_map([], read)?.collect()
}

/// Removes the oldest entries, at most `limit`, but the newest `keep`; whether more are to be removed.
pub(super) fn prune(connection: &Connection, keep: u64, limit: usize) -> rusqlite::Result<bool> {
    // Numbers have no gaps: entries go from the oldest on.
    let mut statement = connection.prepare_cached(
        "DELETE FROM audit WHERE id IN (
           SELECT id FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1 ORDER BY id LIMIT ?2)",
    )?;
    Ok(statement.execute(params![integer(keep.max(1)), values::limit(limit)])? >= limit)
}

pub(super) fn list(connection: &Connection, trail: Trail, after: u64, limit: usize) -> rusqlite::Result<Vec<Audited>> {
    let mut statement = connection.prepare_cached(match trail {
        Trail::Changes => {
            "SELECT id, at, event, who, repository, digest, tag, why, what, subject, NULL FROM audit
             WHERE id > ?1 ORDER BY id LIMIT ?2"
        }
        Trail::Refusals => {
            "SELECT id, at, event, who, repository, digest, tag, why, NULL, NULL, times FROM refusals
             WHERE id > ?1 ORDER BY id LIMIT ?2"
        }
    })?;
    statement.query_map(params![integer(after), values::limit(limit)], read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Audited> {
    Ok(Audited {
        id: row.get::<_, Count>(0)?.0,
        at: row.get(1)?,
        event: row.get(2)?,
        who: row.get(3)?,
        repository: row.get(4)?,
        digest: row.get(5)?,
        tag: row.get(6)?,
        why: row.get(7)?,
        what: row.get(8)?,
        subject: row.get(9)?,
        times: row.get::<_, Option<Count>>(10)?.map(|times| times.0),
    })
}

impl ToSql for Event {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Event {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        Self::parse(word).ok_or_else(|| values::unreadable("what happened", word))
    }
}
