//! `hallmark serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::{Config, Flags};
use crate::http::Format;
use crate::mistake::Mistake;

/// What `serve` takes: every key of `hallmark.toml` has a flag of the same name, which wins over it.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The configuration [default: hallmark.toml, or without one what it would say by default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// What references name: host or host:port
    #[arg(long, value_name = "HOST")]
    pub hostname: Option<String>,
    /// Another name for the same registry; may be given several times
    #[arg(long = "alias", value_name = "HOST")]
    pub aliases: Vec<String>,
    /// The folder of all data
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The folder of policies
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// The folder of trust
    #[arg(long, value_name = "DIR")]
    pub trust: Option<PathBuf>,
    /// The certificate chain, PEM, leaf first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Users with bcrypt hashes
    #[arg(long, value_name = "FILE")]
    pub htpasswd: Option<PathBuf>,
    /// Serve plain HTTP off loopback: passwords travel in the clear unless a proxy in front ends TLS
    #[arg(long)]
    pub danger_plain_http: bool,
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
        let flags = Flags {
            listen: self.listen,
            hostname: self.hostname.clone(),
            aliases: self.aliases.clone(),
            root: self.root.clone(),
            policies: self.policies.clone(),
            trust: self.trust.clone(),
            tls_certificate: self.tls_certificate.clone(),
            tls_key: self.tls_key.clone(),
            htpasswd: self.htpasswd.clone(),
            danger_plain_http: self.danger_plain_http,
        };
        Config::load(self.config.as_deref(), &flags)
    }

    /// How log lines are written.
    pub const fn format(&self) -> Format {
        match self.log_format {
            LogFormat::Json => Format::Json,
            LogFormat::Text => Format::Text,
        }
    }

    /// Whether each request is one line of the log.
    pub fn logs_access(&self) -> bool {
        self.access_log == Switch::On
    }
}
