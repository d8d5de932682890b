//! How commands that work on a root end, and what they tell.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::explanation::plain;
use super::{Exit, told};
use crate::mistake::Mistake;
use crate::registry::{Error, Refused};

/// Why a command did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed(Vec<String>);

impl Failed {
    pub(super) fn one(why: String) -> Self {
        Self(vec![why])
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl From<Vec<Mistake>> for Failed {
    fn from(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes.iter().map(ToString::to_string).collect())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.to_string().lines().map(str::to_owned).collect())
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::one(error.to_string())
    }
}

/// Refuses a root that is not there: a command that only reads it makes none.
pub(super) fn expect_root(root: &Path) -> Result<(), Failed> {
    if root.join("_cas").is_dir() {
        return Ok(());
    }
    let found = if root.is_dir() { "a folder without _cas" } else { "no folder" };
    Err(Failed::one(format!("expected the data of a registry in {}, found {found}", root.display())))
}

/// Refuses a place for a new folder that is taken, or in no folder.
pub(super) fn expect_place(dir: &Path) -> Result<(), Failed> {
    if dir.symlink_metadata().is_ok() {
        return Err(Failed::one(format!("expected {} not to exist, found it there", dir.display())));
    }
    match dir.parent().filter(|above| !above.as_os_str().is_empty() && !above.is_dir()) {
        Some(above) => Err(Failed::one(format!("expected a folder {} to put it in, found none", above.display()))),
        None => Ok(()),
    }
}

/// Writes what was done, or why nothing was: then the command could not tell.
pub(super) fn tell<T: Serialize>(
    done: Result<&T, &Failed>,
    exit: impl FnOnce(&T) -> Exit,
    as_json: bool,
    text: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
    out: &mut dyn Write,
) -> Exit {
    let (exit, written) = match done {
        Ok(done) if as_json => (exit(done), json(done, out)),
        Ok(done) => (exit(done), text(done, out)),
        Err(Failed(mistakes)) if as_json => (Exit::CouldNotTell, json(&json!({ "mistakes": mistakes }), out)),
        Err(Failed(mistakes)) => {
            let lines = mistakes.iter().try_for_each(|mistake| writeln!(out, "{}", plain(mistake)));
            (Exit::CouldNotTell, lines)
        }
    };
    told(written.map(|()| exit))
}

fn json(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// What could not be taken, line by line.
pub(super) fn refused(refused: &[Refused], out: &mut dyn Write) -> io::Result<()> {
    refused.iter().try_for_each(|it| writeln!(out, "not taken: {}: {}", plain(&it.what), plain(&it.why)))
}
