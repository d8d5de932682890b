//! The database as a file: made afresh beside the old one and put in its place, and copied while it is in use.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{GENERATIONS, Sqlite, connection, counters, schema, view};
use crate::metadata::Unavailable;

/// Where `user_version` begins in a database's [header](https://sqlite.org/fileformat2.html#the_database_header).
const VERSION: usize = 60;
const VERSION_END: usize = 64;

/// What `SQLite` keeps beside a database.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

impl Sqlite {
    /// Makes an empty database at `path`, in the place of one that was begun there and never put in its place. It hands
    /// out generations above `generation` only. Its changes survive a power cut once it was closed and put in place by
    /// [`Sqlite::replace`], and not before: until then nobody counts on them.
    pub fn create(path: &Path, generation: u64) -> Result<Self, Unavailable> {
        Self::discard(path)?;
        let made = Self::open(path)?;
        drop(made);
        let connection = connect(path)?;
        counters::raise_epoch(&connection, generation.checked_div(GENERATIONS).unwrap_or_default())?;
        drop(connection);
        Self::open_in_bulk(path)
    }

    /// Whether nothing is at `path`, or a database whose making was interrupted: one without a schema. What can't be
    /// told is not blank; whoever opens it is told why.
    pub fn is_blank(path: &Path) -> bool {
        let mut header = [0; VERSION_END];
        match File::open(path).map(|mut file| file.read_exact(&mut header)) {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            // SQLite makes pages of it whole: a part of a header was never written by it.
            Ok(Err(error)) => error.kind() == io::ErrorKind::UnexpectedEof && header == [0; VERSION_END],
            Ok(Ok(())) if header[VERSION..] != [0; 4] => false,
            // The schema may be in the log yet.
            Ok(Ok(())) => connect(path).and_then(|connection| schema::is_none(&connection)).unwrap_or(false),
        }
    }

    /// Removes the database at `path`, which nobody has open and nobody counts on.
    pub fn discard(path: &Path) -> Result<(), Unavailable> {
        for file in std::iter::once(path.to_owned()).chain(companions(path)) {
            remove(&file).map_err(|error| broken(&file, &error))?;
        }
        Ok(())
    }

    /// Puts the database at `new`, which nobody has open, in the place of the one at `path`, which nobody has open
    /// either and which is kept as `kept`, or what is left of it: a log without its database. Whenever this is interrupted, one of them is at `path`.
    pub fn replace(path: &Path, new: &Path, kept: &Path) -> Result<(), Unavailable> {
        // What is in its log goes into the file, unless it can't be read any more; then the log is kept as well.
        if !Self::is_blank(path) {
            drop(connect(path).and_then(|old| checkpoint(&old)));
        }
        if is_there(path)? {
            link(path, kept)?;
        }
        for (log, name) in companions(path).into_iter().zip(companions(kept)) {
            if is_there(&log)? {
                link(&log, &name)?;
                // It is the old one's: beside the new one it would be taken for its own.
                remove(&log).map_err(|error| broken(&log, &error))?;
            }
        }
        if companions(new).iter().any(|file| file.exists()) {
            return Err(Unavailable::Broken(format!("expected {} to be closed, found its log", new.display())));
        }
        File::open(new).and_then(|file| file.sync_all()).map_err(|error| broken(new, &error))?;
        rename(new, path).and_then(|()| sync_folder(path)).map_err(|error| broken(path, &error))
    }

    /// Copies the database at `from`, as it is at one moment, to `to`, which is not there, durably; the owner of `from`
    /// goes on meanwhile. The copy has no upload sessions and no trash, which are of `from` alone, and every layout is
    /// to be written. `is_still` is as in [`Sqlite::open_beside`].
    pub fn snapshot(from: &Path, to: &Path, is_still: bool) -> Result<(), Unavailable> {
        let source = if is_still { connection::open_still(from)? } else { connect(from)? };
        schema::check(&source)?;
        let Some(name) = to.to_str() else {
            return Err(Unavailable::Broken(format!("expected a path of UTF-8, found {}", to.display())));
        };
        source.execute("VACUUM INTO ?1", [name])?;
        drop(source);
        let mut copy = connect(to)?;
        let transaction = copy.transaction()?;
        transaction.execute_batch("DELETE FROM uploads; DELETE FROM trash; DELETE FROM pending;")?;
        view::mark_all(&transaction)?;
        transaction.commit()?;
        drop(copy);
        File::open(to).and_then(|file| file.sync_all()).map_err(|error| broken(to, &error))
    }
}

/// A database that is there.
fn connect(path: &Path) -> Result<Connection, Unavailable> {
    let connection = connection::open(path, OpenFlags::empty())?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn checkpoint(connection: &Connection) -> Result<(), Unavailable> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

fn companions(path: &Path) -> [PathBuf; 2] {
    COMPANIONS.map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

fn is_there(path: &Path) -> Result<bool, Unavailable> {
    fs::exists(path).map_err(|error| broken(path, &error))
}

fn link(from: &Path, to: &Path) -> Result<(), Unavailable> {
    fs::hard_link(from, to).map_err(|error| broken(to, &error))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[expect(clippy::disallowed_methods, reason = "the database's own file, synced by whoever closed it")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn broken(path: &Path, error: &io::Error) -> Unavailable {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Unavailable::Full,
        _ => Unavailable::Broken(format!("{}: {error}", path.display())),
    }
}
