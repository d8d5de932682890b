//! Which root a command works on that does not serve.

use std::path::PathBuf;

use crate::config::{Config, Flags};
use crate::mistake::Mistake;

/// The configuration, and what of it is told by flags.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RootArgs {
    /// The configuration [default: hallmark.toml, or without one what it would say by default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of all data
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

impl RootArgs {
    /// The configuration with these flags.
    pub fn configuration(&self) -> Result<Config, Vec<Mistake>> {
        // Where it would listen has no say here.
        let flags = Flags { root: self.root.clone(), danger_plain_http: true, ..Flags::default() };
        Config::load(self.config.as_deref(), &flags)
    }
}
