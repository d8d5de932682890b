//! How Hallmark's words are written in columns, and read back. What can't be read back is an error, never a default.

use std::fmt::Display;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::clock::Timestamp;
use crate::gate::{RequirementName, Shape, Who};
use crate::metadata::Kind;
use crate::oci::{Digest, LinkKind, RepositoryName, Tag};

/// What a column held that it can't.
#[derive(Debug, thiserror::Error)]
#[error("expected {expected} in the metadata, found {found}")]
struct Unreadable {
    expected: &'static str,
    found: String,
}

/// That a column held `found` where `expected` must be.
pub(super) fn unreadable(expected: &'static str, found: impl Display) -> FromSqlError {
    FromSqlError::other(Unreadable { expected, found: found.to_string() })
}

/// A count as a column holds it; saturates.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A limit as a column holds it; saturates.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A count, as a column held it.
pub(super) struct Count(pub(super) u64);

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_negative| unreadable("a count", number))
    }
}

impl ToSql for Digest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_bytes().into())
    }
}

impl FromSql for Digest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        Self::from_bytes(bytes).ok_or_else(|| unreadable("32 or 64 bytes of a digest", bytes.len()))
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.micros().into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_micros)
    }
}

/// Columns that hold a word as it is displayed and parsed.
macro_rules! words {
    ($($type:ty: $expected:literal),* $(,)?) => {$(
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                text.parse().map_err(|_| unreadable($expected, text))
            }
        }
    )*};
}

words!(RepositoryName: "a repository name", Tag: "a tag", RequirementName: "a requirement's name", Who: "who");

/// Columns that hold a word as it is written.
macro_rules! written {
    ($($type:ty),* $(,)?) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }
    )*};
}

written!(RepositoryName, Tag, RequirementName);

impl ToSql for Who {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

/// The word for a kind.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "object",
        Kind::Data => "data",
        Kind::Evidence(shape) => shape.as_str(),
    }
}

impl ToSql for Kind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(kind(*self).into())
    }
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "object" => Ok(Self::Object),
            "data" => Ok(Self::Data),
            word => Shape::parse(word).map(Self::Evidence).ok_or_else(|| unreadable("the kind of a manifest", word)),
        }
    }
}

/// The column `via` of a link.
pub(super) const fn via(kind: LinkKind) -> i64 {
    match kind {
        LinkKind::Manifest => 0,
        LinkKind::Config => 1,
        LinkKind::Layer => 2,
    }
}

/// The column `rank` of a link: objects come first.
pub(super) const fn rank(kind: Kind) -> i64 {
    match kind {
        Kind::Object => 0,
        Kind::Evidence(_) | Kind::Data => 1,
    }
}
