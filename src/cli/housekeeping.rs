//! Where `hallmark gc`, `hallmark scrub` and `hallmark audit` find the registry that they are about: a server, or a root without one.

use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::outcome::expect_root;
use super::root::{self, NotOpened};
use crate::client::{At, Client, Options};
use crate::clock::SystemClock;
use crate::config::{Config, Flags};
use crate::registry::Housekeeping;
use crate::store::{Holder, Serves};

/// Which registry.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// A running Hallmark, as host or host:port; its `admin` is asked for [default: the one that serves the root, else the root]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// The configuration [default: hallmark.toml, or without one what it would say by default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of all data
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Allows plain HTTP to other machines
    #[arg(long)]
    pub danger_plain_http: bool,
    /// A PEM file of certificates to trust beside the system's
    #[arg(long, value_name = "FILE")]
    pub ca_certificate: Option<PathBuf>,
}

/// Whom to ask.
pub(super) enum Keeper {
    /// A running registry.
    Server(Box<Server>),
    /// The root itself, which nobody serves.
    Alone(Box<Housekeeping>),
}

/// A running registry.
pub(super) struct Server {
    client: Client,
    name: String,
}

impl Place {
    pub(super) async fn keeper(&self, command: &str) -> Result<Keeper, String> {
        if let Some(server) = &self.server {
            return self.server(server, None);
        }
        let flags = Flags { root: self.root.clone(), ..Flags::default() };
        let config = Config::load(self.config.as_deref(), &flags)
            .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        expect_root(&config.root).map_err(|failed| failed.to_string())?;
        match root::open(&config, command).await {
            Ok((store, metadata)) => {
                Ok(Keeper::Alone(Box::new(Housekeeping::alone(store, metadata, Arc::new(SystemClock), config.limits))))
            }
            Err(NotOpened::Taken { root, holder: Some(Holder { command, process, serves }) }) if command == "serve" => {
                let Some(Serves { address, tls, hostname, id }) = serves else {
                    return Err(format!(
                        "expected the server of {root} to listen, found process {process} not yet there"
                    ));
                };
                self.server(&hostname, Some(At { address, tls, served: id }))
            }
            Err(error @ NotOpened::Taken { holder: None, .. }) => Err(format!("{error}; --server names a server")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn server(&self, name: &str, at: Option<At>) -> Result<Keeper, String> {
        let options = Options {
            danger_plain_http: self.danger_plain_http,
            ca_certificate: self.ca_certificate.clone(),
            at: at.clone(),
            ..Options::default()
        };
        let client = Client::new(name, &options).map_err(|error| error.to_string())?;
        let name = at.map_or_else(|| name.to_owned(), |at| at.address.to_string());
        Ok(Keeper::Server(Box::new(Server { client, name })))
    }
}

impl Server {
    /// The answer to a GET.
    pub(super) async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        self.understand(self.client.ask(path).await.map_err(|error| error.to_string())?)
    }

    /// The answer to a POST.
    pub(super) async fn tell<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        self.understand(self.client.tell(path).await.map_err(|error| error.to_string())?)
    }

    /// The lines of the answer to a GET.
    pub(super) async fn lines(&self, path: &str) -> Result<Vec<String>, String> {
        let answer = self.client.ask(path).await.map_err(|error| error.to_string())?;
        let body = self.accepted(answer)?;
        Ok(std::str::from_utf8(&body).map_err(|_binary| self.another())?.lines().map(str::to_owned).collect())
    }

    fn understand<T: DeserializeOwned>(&self, answer: (u16, bytes::Bytes)) -> Result<T, String> {
        serde_json::from_slice(&self.accepted(answer)?).map_err(|_another| self.another())
    }

    /// Who was refused, as the policy names them.
    fn who(&self) -> String {
        self.client.user().map_or_else(|| "anonymous".to_owned(), |user| format!("user:{user}"))
    }

    /// What would grant it.
    fn grant(&self) -> String {
        let who = self.client.user().unwrap_or("NAME");
        format!("the line `p, user:{who}, _registry, admin, unverified, allow` of its policy.csv grants it")
    }

    fn another(&self) -> String {
        format!("expected a Hallmark at {}, found something else", self.name)
    }

    fn accepted(&self, (status, body): (u16, bytes::Bytes)) -> Result<bytes::Bytes, String> {
        let name = &self.name;
        match status {
            200 | 202 => Ok(body),
            401 => Err(format!(
                "{name} refuses {}: expected credentials of docker's configuration that it knows; {}",
                self.who(),
                self.grant()
            )),
            404 => Err(format!(
                "expected a Hallmark at {name} that grants `admin` to {}, found neither; {}",
                self.who(),
                self.grant()
            )),
            421 => Err(format!("expected the server of the root at {name}, found a server of another root")),
            other => {
                let why = message(&body).map(|why| format!(": {why}")).unwrap_or_default();
                Err(format!("expected an answer from {name}, found status {other}{why}"))
            }
        }
    }
}

/// What the body of a refusal says.
fn message(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body.get("errors")?.get(0)?.get("message")?.as_str()?.to_owned())
}
