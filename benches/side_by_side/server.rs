//! The three servers, each a process of its own with a folder of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Caller, Connection};
use crate::cores::Cores;
use crate::files::Setup;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where Debian puts docker-registry.
const DOCKER_REGISTRY: &str = "/usr/bin/docker-registry";

/// The argument that makes this program the bare server.
pub(crate) const BARE: &str = "--bare-server";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    DockerRegistry,
    Bare,
    Hallmark,
}

/// A running server, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Kind {
    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DockerRegistry => "docker-registry",
            Self::Bare => "bare axum",
            Self::Hallmark => "Hallmark",
        }
    }

    /// Writes the server's files below `folder`, starts it, and waits until it answers.
    pub(crate) async fn start(self, folder: &Path, setup: &Setup<'_>, cores: &Cores) -> Outcome<Server> {
        std::fs::create_dir_all(folder)?;
        let address = free_address()?;
        let mut command = match self {
            Self::DockerRegistry => docker_registry(folder, address, setup, cores)?,
            Self::Bare => bare(folder, address, cores)?,
            Self::Hallmark => hallmark(folder, address, setup, cores)?,
        };
        let heard = std::env::var_os("HALLMARK_BENCH_LOG").is_some();
        let output = || if heard { Stdio::inherit() } else { Stdio::null() };
        command.current_dir(folder).stdin(Stdio::null()).stdout(output()).stderr(output());
        let mut server = Server { address, child: command.spawn()? };
        server.answers().await?;
        Ok(server)
    }
}

impl Server {
    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn answers(&mut self) -> Outcome<()> {
        let request = Caller { address: self.address, authorization: None }.request("GET", "/v2/", &[]);
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("expected it to serve, found that it ended with {status}").into());
            }
            if let Ok(mut connection) = Connection::open(self.address).await {
                connection.exchange(&request, &[]).await?;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("expected an answer within {PATIENCE:?}, found none").into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn docker_registry(folder: &Path, address: SocketAddr, setup: &Setup<'_>, cores: &Cores) -> Outcome<Command> {
    if !Path::new(DOCKER_REGISTRY).exists() {
        return Err(format!("expected {DOCKER_REGISTRY} (apt-get install docker-registry), found none").into());
    }
    let configuration = setup.write_docker_registry(folder, address)?;
    let mut command = cores.serving(DOCKER_REGISTRY);
    command.arg("serve").arg(configuration);
    Ok(command)
}

fn bare(folder: &Path, address: SocketAddr, cores: &Cores) -> Outcome<Command> {
    let this = std::env::current_exe()?;
    let mut command = cores.serving(text(&this)?);
    command.args([BARE, &address.to_string(), text(folder)?]);
    Ok(command)
}

fn hallmark(folder: &Path, address: SocketAddr, setup: &Setup<'_>, cores: &Cores) -> Outcome<Command> {
    setup.write_hallmark(folder, address)?;
    let mut command = cores.serving(env!("CARGO_BIN_EXE_hallmark"));
    command.args(["serve", "--access-log", "off"]);
    Ok(command)
}

fn text(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| format!("expected a path in UTF-8, found {}", path.display()).into())
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The folder for all data: on a disk, so that `fsync` means something.
pub(crate) fn data_folder() -> PathBuf {
    std::env::var_os("HALLMARK_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
}
