//! The command line.
//!
//! Exit codes of every command: 0 is yes, 1 is no, 2 is could not tell (and a command line that is not understood).

pub mod serve;

use clap::{Parser, Subcommand};

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
}
