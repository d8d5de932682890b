//! The release binary over a store.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Caller, Connection};
use crate::cores::Cores;
use crate::image::Key;
use crate::shape::{LARGEST, tag};

/// How long the server may take until it answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// Every repository asks somebody for a signature, so that every push of the store waits for one.
const POLICY: &str = "\
p, user:ci,   **,        pull,   unverified,     allow
p, user:ci,   **,        push,   unverified,     allow
p, user:ci,   **,        delete, unverified,     allow
p, user:ci,   _registry, admin,  unverified,     allow
p, anonymous, **,        pull,   signed-release, allow
";
const REQUIREMENTS: &str = "[signed-release]\nany = [{ signed_by = \"release\" }]\n";
const SIGNERS: &str = "[release]\ncosign_key = \"cosign/release.pub\"\n";

/// The cost of a password, which is what `htpasswd -B` takes unless told otherwise.
const BCRYPT_COST: u32 = 5;

/// A running server, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer to `/v2/`.
    pub(crate) first_answer: Duration,
    /// And to its first manifest.
    pub(crate) first_manifest: Duration,
}

/// Writes the server's files; gives the value of `Authorization` that names `ci`.
pub(crate) fn write_files(folder: &Path, key: &Key) -> Outcome<String> {
    let password = uuid::Uuid::new_v4().to_string();
    let hash = bcrypt::hash_with_result(&password, BCRYPT_COST)?.format_for_version(bcrypt::Version::TwoY);
    for below in ["policies", "trust/cosign"] {
        std::fs::create_dir_all(folder.join(below))?;
    }
    std::fs::write(folder.join("users.htpasswd"), format!("ci:{hash}\n"))?;
    std::fs::write(folder.join("hallmark.toml"), "root = \"data\"\n[authn]\nhtpasswd = \"users.htpasswd\"\n")?;
    std::fs::write(folder.join("policies/policy.csv"), POLICY)?;
    std::fs::write(folder.join("policies/requirements.toml"), REQUIREMENTS)?;
    std::fs::write(folder.join("trust/signers.toml"), SIGNERS)?;
    std::fs::write(folder.join("trust/cosign/release.pub"), key.public()?)?;
    let credentials = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("ci:{password}"));
    Ok(format!("Basic {credentials}"))
}

impl Server {
    /// Starts it, and asks until it answers.
    pub(crate) async fn start(folder: &Path, authorization: &str, cores: &Cores) -> Outcome<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = cores.serving(env!("CARGO_BIN_EXE_hallmark"));
        command.args(["serve", "--access-log", "off", "--listen", &address.to_string()]);
        let heard = std::env::var_os("HALLMARK_BENCH_LOG").is_some();
        let output = || if heard { Stdio::inherit() } else { Stdio::null() };
        command.current_dir(folder).stdin(Stdio::null()).stdout(output()).stderr(output());
        let start = Instant::now();
        let mut server =
            Self { child: command.spawn()?, address, first_answer: Duration::ZERO, first_manifest: Duration::ZERO };
        let caller = Caller { address, authorization: Some(authorization.to_owned()) };
        let mut connection = server.connect(start).await?;
        connection.exchange(&caller.request("GET", "/v2/", &[]), &[]).await?.expect(200)?;
        server.first_answer = start.elapsed();
        let path = format!("/v2/{LARGEST}/manifests/{}", tag(0));
        connection.exchange(&caller.request("GET", &path, &[]), &[]).await?.expect(200)?;
        server.first_manifest = start.elapsed();
        Ok(server)
    }

    async fn connect(&mut self, start: Instant) -> Outcome<Connection> {
        while start.elapsed() < PATIENCE {
            if let Ok(connection) = Connection::open(self.address).await {
                return Ok(connection);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("expected it to serve, found that it ended with {status}").into());
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Err(format!("expected an answer within {PATIENCE:?}, found none").into())
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
