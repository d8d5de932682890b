//! `hallmark serve`

use std::path::PathBuf;

use crate::config::{Config, Flags};
use crate::mistake::Mistake;

/// What `serve` takes: every key of `hallmark.toml` has a flag of the same name, which wins over it.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The configuration [default: hallmark.toml, or without one what it would say by default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What wins over the configuration.
    #[command(flatten)]
    pub flags: Flags,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// Whether each request is one line of the log
    #[arg(long, value_name = "SWITCH", value_enum, default_value_t = Switch::On)]
    pub access_log: Switch,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// Words for people
    Text,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

impl Args {
    /// The configuration with these flags.
    pub fn configuration(&self) -> Result<Config, Vec<Mistake>> {
        Config::load(self.config.as_deref(), &self.flags)
    }

    /// Whether each request is one line of the log.
    pub fn logs_access(&self) -> bool {
        self.access_log == Switch::On
    }
}
