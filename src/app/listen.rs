//! The socket, its TLS, and the signals that end it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use super::tls::Certificates;
use crate::config::Config;

/// A bound socket.
pub(super) struct Listening {
    pub(super) listener: TcpListener,
    address: SocketAddr,
    certificates: Option<Arc<Certificates>>,
}

impl Listening {
    /// Binds, and loads the certificates.
    pub(super) async fn bind(config: &Config) -> Result<Self, Failure> {
        let certificates = match &config.tls {
            Some(tls) => {
                let loaded =
                    Certificates::load(tls.clone()).map_err(|error| Failure::open("the certificates", error))?;
                Some(Arc::new(loaded))
            }
            None => None,
        };
        let failed = |error| Failure::open(config.listen.to_string(), error);
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, certificates })
    }

    /// Where it is, with the port that was given for 0.
    pub(super) fn url(&self) -> String {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The address by which this machine reaches it: one that stands for all is its loopback.
    pub(super) fn reached(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// The certificates, to be loaded anew.
    pub(super) fn certificates(&self) -> Option<Arc<Certificates>> {
        self.certificates.clone()
    }
}

/// The signals that end it.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From now on these signals no longer kill the process: to be called before anybody is told that it listens.
    pub(super) fn take() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(|error| Failure::open("the signals", error));
        Ok(Self { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())? })
    }

    /// Waits for one of them and names it.
    pub(super) async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
