//! The command line.
//!
//! Exit codes of every command: 0 is yes, 1 is no, 2 is could not tell (and a command line that is not understood).

pub mod audit;
pub mod backup;
pub mod check;
pub mod explain;
pub mod explanation;
pub mod export;
pub mod gc;
pub mod housekeeping;
pub mod htpasswd;
pub mod import;
pub mod init;
mod outcome;
pub mod rebuild;
pub mod root;
pub mod scrub;
pub mod serve;
pub mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use root::RootArgs;

/// An OCI registry that serves only what it can verify.
#[derive(Debug, Parser)]
#[command(name = "hallmark", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves until it is told to stop.
    Serve(serve::Args),
    /// Tells what would be enforced, every mistake with file and line, and what is likely not meant
    Check(check::Args),
    /// Judges a manifest of any registry, or of a layout on disk, as the gate would
    Verify(verify::Args),
    /// Tells what a running Hallmark would say to someone, why, and what would make it pass
    Explain(explain::Args),
    /// Collects what nobody wants any more, at a running Hallmark or in a root without one
    Gc(gc::Args),
    /// Tells what of the stored content is not what its name says, or looks for it now
    Scrub(scrub::Args),
    /// Tells what changed and by whom, or what was refused, one JSON object a line
    Audit(audit::Args),
    /// Writes a commented tree to start from, with three users
    Init(init::Args),
    /// Sets the password of a user
    Htpasswd(htpasswd::Args),
    /// Takes in a tree of OCI image layouts, its blobs linked; while nothing is served
    Import(import::Args),
    /// Writes a repository, or a part of it with its evidence, as an OCI image layout
    Export(export::Args),
    /// Makes the metadata afresh from the layouts on disk; while nothing is served
    Rebuild(rebuild::Args),
    /// Makes a copy of all data that can be served from, beside a running server
    Backup(backup::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Yes: 0.
    Yes,
    /// No: 1.
    No,
    /// Could not tell: 2.
    CouldNotTell,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Yes => Self::SUCCESS,
            Exit::No => Self::from(1),
            Exit::CouldNotTell => Self::from(2),
        }
    }
}

/// The exit of a command whose output could not be written is that it could not tell.
fn told(result: std::io::Result<Exit>) -> Exit {
    result.unwrap_or(Exit::CouldNotTell)
}
