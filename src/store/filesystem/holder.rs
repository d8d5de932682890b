//! Who owns the tree, written into its lock for whoever finds it taken.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::path::Root;

/// How long the note is at the least: its bytes are written over in place, so that a full disk keeps no holder from
/// saying who it is.
const NOTE_BYTES: usize = 1024;

/// Who owns a tree: a command, and where it serves if it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The command, as `serve`.
    pub command: String,
    /// The number of its process.
    pub process: u32,
    /// Where it serves; none is that it does not, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Serves>,
}

/// Where a tree is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serves {
    /// Where it is reached from this machine.
    pub address: SocketAddr,
    /// Whether by TLS.
    pub tls: bool,
    /// What references to it name, and its certificate.
    pub hostname: String,
    /// Made at random at each start: who answers to it serves this tree, and no other.
    pub id: String,
}

impl Holder {
    /// This process, by the command that it runs.
    pub fn this(command: &str) -> Self {
        Self { command: command.to_owned(), process: std::process::id(), serves: None }
    }

    /// Writes it into the lock of the tree at `root`, which this process must own. This blocks.
    pub fn note(&self, root: &Path) -> io::Result<()> {
        let mut note = serde_json::to_vec(self)?;
        note.resize(note.len().saturating_add(1).max(NOTE_BYTES), b' ');
        if let Some(last) = note.last_mut() {
            *last = b'\n';
        }
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(lock(root), flags, Mode::empty())?);
        file.write_all_at(&note, 0)?;
        file.set_len(u64::try_from(note.len()).unwrap_or(u64::MAX))
    }

    /// Who wrote itself into the lock of the tree at `root` last, if that can be told. It owns the tree only if the lock
    /// is taken. This blocks.
    pub fn of(root: &Path) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(lock(root), flags, Mode::empty()).ok()?);
        let mut note = Vec::new();
        file.take(1 << 16).read_to_end(&mut note).ok()?;
        serde_json::from_slice(&note).ok()
    }

    /// Who is in the way of one that finds the lock of the tree at `root` taken.
    pub(super) fn in_the_way(root: &Root) -> String {
        Self::of(root.folder()).map_or_else(|| "a server or another command".to_owned(), |holder| holder.to_string())
    }
}

fn lock(root: &Path) -> std::path::PathBuf {
    Root::new(root.to_owned()).lock()
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`hallmark {}` (process {})", self.command, self.process)?;
        match &self.serves {
            Some(serves) => write!(f, " at {serves}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Serves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}
