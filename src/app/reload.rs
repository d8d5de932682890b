//! Revisions of policy and trust: the first one, and those that follow while it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::Failure;
use super::tls::Certificates;
use crate::authn::Htpasswd;
use crate::config::{Config, files};
use crate::http::{Http, Reload};
use crate::metadata::Metadata;
use crate::mistake::Mistake;
use crate::registry::Revision;
use crate::telemetry::Telemetry;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The revision to begin with, and why it is not what the files say, if so.
pub(super) struct First {
    pub(super) revision: Revision,
    pub(super) refused: Option<String>,
}

/// The files' revision, or else the last one that was accepted.
pub(super) async fn first_revision(config: &Config, metadata: &dyn Metadata) -> Result<First, Failure> {
    let mistakes = match revision(config).await {
        Ok(revision) => return Ok(First { revision, refused: None }),
        Err(mistakes) => told(&mistakes),
    };
    let accepted =
        metadata.accepted_revision().await.map_err(|error| Failure::open("the last good revision", error))?;
    let Some(accepted) = accepted else { return Err(Failure::Mistakes(mistakes)) };
    match Revision::load(accepted.files, &config.hostnames()).await {
        Ok(revision) => Ok(First { revision, refused: Some(mistakes) }),
        Err(also) => Err(Failure::Mistakes(format!("{mistakes}\nand of the last good revision:\n{}", told(&also)))),
    }
}

async fn revision(config: &Config) -> Result<Revision, Vec<Mistake>> {
    let (policies, trust) = (config.policies.clone(), config.trust.clone());
    let read = off_the_runtime(move || files::read(&policies, &trust)).await;
    let read = read.ok_or_else(|| vec![Mistake::new("policies", 0, "expected to read it, which broke off")])??;
    Revision::load(read, &config.hostnames()).await
}

/// Waits for disks without holding up requests; nothing if `work` did not end.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// The users, if there is a file of them.
pub(super) fn htpasswd(config: &Config) -> Result<Option<Htpasswd>, Failure> {
    read_htpasswd(config).map_err(|mistakes| Failure::Mistakes(told(&mistakes)))
}

fn read_htpasswd(config: &Config) -> Result<Option<Htpasswd>, Vec<Mistake>> {
    let Some(path) = &config.htpasswd else { return Ok(None) };
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Htpasswd::parse(&name, &text).map(Some),
        Err(error) => Err(vec![Mistake::new(name, 0, format!("expected a file that can be read: {error}"))]),
    }
}

fn told(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What the files look like now. To be asked before they are read, so that no change in between is missed.
pub(super) async fn fingerprint(config: &Config) -> Option<u64> {
    let mut paths: Vec<PathBuf> = vec![config.policies.clone(), config.trust.clone()];
    paths.extend(config.htpasswd.clone());
    if let Some(tls) = &config.tls {
        paths.extend([tls.certificate.clone(), tls.key.clone()]);
    }
    off_the_runtime(move || files::fingerprint(&paths.iter().map(PathBuf::as_path).collect::<Vec<&Path>>())).await
}

/// Takes the files anew when they change, on SIGHUP, and when an administrator asks.
pub(super) struct Reloader {
    config: Config,
    http: Arc<Http>,
    telemetry: Telemetry,
    certificates: Option<Arc<Certificates>>,
    /// What the files looked like before they were read last.
    seen: Option<u64>,
    hung_up: Option<Signal>,
}

impl Reloader {
    /// From now on SIGHUP no longer kills the process: to be made before anybody is told that it listens.
    pub(super) fn new(
        config: Config,
        http: Arc<Http>,
        telemetry: Telemetry,
        certificates: Option<Arc<Certificates>>,
        seen: Option<u64>,
    ) -> Self {
        Self { config, http, telemetry, certificates, seen, hung_up: signal(SignalKind::hangup()).ok() }
    }

    /// Tells everybody that the last good revision is enforced, and why; or, with none, that the files are.
    pub(super) fn note_degraded(&self, refused: Option<String>) {
        if let Some(mistakes) = &refused {
            self.telemetry.event("degraded", &[("reason", mistakes)]);
        }
        self.http.condition.set_degraded(refused);
    }

    /// Until it is aborted.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Reload>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    let now = fingerprint(&self.config).await;
                    if now != self.seen {
                        self.seen = now;
                        drop(self.reload("change").await);
                    }
                }
                () = next_signal(self.hung_up.as_mut()) => {
                    self.seen = fingerprint(&self.config).await;
                    drop(self.reload("SIGHUP").await);
                }
                Some(answer_to) = asked.recv() => {
                    self.seen = fingerprint(&self.config).await;
                    // Whoever asked may have left.
                    drop(answer_to.send(self.reload("request").await));
                }
            }
        }
    }

    /// Takes each part anew that can be taken; what can't keeps its last good state.
    async fn reload(&mut self, why: &'static str) -> Result<(), String> {
        let mut mistakes = Vec::new();
        match read_htpasswd(&self.config) {
            Ok(users) => self.http.authenticator.replace(users.as_ref()),
            Err(found) => mistakes.push(told(&found)),
        }
        if let Some(Err(error)) = self.certificates.as_ref().map(|certificates| certificates.reload()) {
            mistakes.push(error.to_string());
        }
        if let Err(found) = self.swap().await {
            mistakes.push(match found {
                NotSwapped::Refused(mistakes) => mistakes,
                NotSwapped::Unavailable(why) => {
                    // The files may be good: the next look takes them again.
                    self.seen = None;
                    why
                }
            });
        }
        let refused = (!mistakes.is_empty()).then(|| mistakes.join("\n"));
        if refused.is_none() {
            self.telemetry.event("reload", &[("why", &why)]);
        }
        self.note_degraded(refused.clone());
        refused.map_or(Ok(()), Err)
    }

    async fn swap(&self) -> Result<(), NotSwapped> {
        let revision = revision(&self.config).await.map_err(|mistakes| NotSwapped::Refused(told(&mistakes)))?;
        let swapped = self.http.registry.swap(revision).await;
        swapped.map_err(|error| NotSwapped::Unavailable(error.to_string()))
    }
}

/// Why the revision before stays in force.
enum NotSwapped {
    /// The files can't be taken as they are.
    Refused(String),
    /// They could not be judged or kept now.
    Unavailable(String),
}

async fn next_signal(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
