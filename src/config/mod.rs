//! The configuration: `hallmark.toml` as written → [`Config`] as checked.

pub mod files;
mod limits;
#[cfg(test)]
mod tests;
mod written;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::mistake::Mistake;

pub use limits::{LimitKeys, Limits};
use written::Written;

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "hallmark.toml";

/// Artifact types that are data unless the configuration says otherwise: SPDX, `CycloneDX`, SARIF, in-toto.
const DATA_TYPES: [&str; 6] = [
    "application/spdx+json",
    "text/spdx",
    "application/vnd.cyclonedx+json",
    "application/vnd.cyclonedx+xml",
    "application/sarif+json",
    "application/vnd.in-toto+json",
];

/// What `serve` was told on the command line; each wins over the file's key of the same name.
/// Paths are relative to the working folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Flags {
    /// Where to listen, for example 127.0.0.1:5000
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// What references name, for example registry.example.org
    #[arg(long)]
    pub hostname: Option<String>,
    /// Another name for the same registry; may be repeated
    #[arg(long = "alias", visible_alias = "aliases", value_delimiter = ',')]
    pub aliases: Vec<String>,
    /// The folder of all data
    #[arg(long)]
    pub root: Option<PathBuf>,
    /// The folder of policies
    #[arg(long)]
    pub policies: Option<PathBuf>,
    /// The folder of trust
    #[arg(long)]
    pub trust: Option<PathBuf>,
    /// The certificate chain, leaf first, as PEM
    #[arg(long)]
    pub tls_certificate: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long)]
    pub tls_key: Option<PathBuf>,
    /// The users, with bcrypt hashes
    #[arg(long)]
    pub htpasswd: Option<PathBuf>,
    /// Allow plain HTTP off loopback: passwords and content can be read and altered on the way
    #[arg(long)]
    pub danger_plain_http: bool,
    /// An artifact type that is data; may be repeated
    #[arg(long = "data-type", visible_alias = "data-types", value_delimiter = ',')]
    pub data_types: Vec<String>,
    /// How many pushes a tag keeps (20)
    #[arg(long)]
    pub tag_history: Option<std::num::NonZeroUsize>,
    /// Accept images whose layers were never pushed here: a pull gets 404 for them until they are
    #[arg(long)]
    pub sparse_images: bool,
    /// The bounds.
    #[command(flatten)]
    pub limits: LimitKeys,
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
    /// Whether the layers of an image may be absent when it is pushed.
    pub sparse_images: bool,
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
    /// Paths in the file are relative to its folder.
    pub fn load(path: Option<&Path>, flags: &Flags) -> Result<Self, Vec<Mistake>> {
        let default = Path::new(DEFAULT_FILE);
        let file = path.or_else(|| default.exists().then_some(default));
        let Some(file) = file else { return Self::check(None, &Written::default(), "", flags) };
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| {
            vec![Mistake::new(&name, 0, format!("expected a file that can be read, found: {error}"))]
        })?;
        let written = Written::parse(&name, &text).map_err(|mistake| vec![mistake])?;
        Self::check(Some(file), &written, &text, flags)
    }

    /// What references name: the hostname, then its aliases.
    pub fn hostnames(&self) -> Vec<String> {
        std::iter::once(&self.hostname).chain(&self.aliases).cloned().collect()
    }

    fn check(file: Option<&Path>, written: &Written, text: &str, flags: &Flags) -> Result<Self, Vec<Mistake>> {
        let name = file.map_or_else(|| DEFAULT_FILE.to_owned(), |file| file.display().to_string());
        let mut mistakes = Vec::new();
        let mut wrong =
            |key: &str, message: String| mistakes.push(Mistake::new(&name, written::line(text, key), message));
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let from =
            |flag: &Option<PathBuf>, key: Option<&PathBuf>| flag.clone().or_else(|| key.map(|path| folder.join(path)));

        let listen = flags.listen.or(written.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 5000)));
        let hostname = flags.hostname.clone().or_else(|| written.hostname.clone());
        // Port 0 takes a free one, which nobody knows yet.
        let local = || if listen.port() == 0 { "localhost".to_owned() } else { format!("localhost:{}", listen.port()) };
        let hostname = hostname.unwrap_or_else(local);
        let aliases = if flags.aliases.is_empty() { written.aliases.clone() } else { flags.aliases.clone() };
        if !is_host(&hostname) {
            wrong("hostname", format!("expected <host> or <host>:<port> in lower case, found {hostname:?}"));
        }
        for alias in aliases.iter().filter(|alias| !is_host(alias)) {
            wrong("aliases", format!("expected <host> or <host>:<port> in lower case, found {alias:?}"));
        }
        let tls = match (from(&flags.tls_certificate, written.certificate()), from(&flags.tls_key, written.key())) {
            (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
            (None, None) => None,
            _ => {
                wrong("tls", "expected both certificate and key, found one".to_owned());
                None
            }
        };
        let danger_plain_http = flags.danger_plain_http || written.danger_plain_http;
        if tls.is_none() && !listen.ip().is_loopback() && !danger_plain_http {
            wrong(
                "listen",
                format!(
                    "expected TLS or a loopback address, found {listen} with plain HTTP: set [tls], or danger_plain_http"
                ),
            );
        }
        let data_types = [&flags.data_types, &written.data_types].into_iter().find(|types| !types.is_empty());
        let config = Self {
            file: file.map(Path::to_owned),
            listen,
            hostname,
            aliases,
            root: from(&flags.root, written.root.as_ref()).unwrap_or_else(|| folder.join("data")),
            policies: from(&flags.policies, written.policies.as_ref()).unwrap_or_else(|| folder.join("policies")),
            trust: from(&flags.trust, written.trust.as_ref()).unwrap_or_else(|| folder.join("trust")),
            tls,
            htpasswd: from(&flags.htpasswd, written.htpasswd()),
            danger_plain_http,
            data_types: data_types.cloned().unwrap_or_else(|| DATA_TYPES.map(str::to_owned).to_vec()),
            tag_history: flags.tag_history.or(written.tag_history).map_or(20, std::num::NonZeroUsize::get),
            sparse_images: flags.sparse_images || written.sparse_images,
            limits: flags.limits.clone().or(written.limits.clone()).checked(),
        };
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bracketed {
        return port_is_one && address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    port_is_one && host.len() <= 253 && host.split('.').all(label)
}
