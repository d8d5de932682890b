//! `serve`: everything wired together, from the configuration to a clean stop.

mod connections;
mod listen;
mod reads;
mod reload;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::authn::Authenticator;
use crate::cli::root::{self, NotOpened};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::http::{AccessLog, Condition, Cursors, Format, Http, Ids, Metrics};
use crate::oci::RepositoryName;
use crate::registry::{News, Notice, Parts, Registry};
use crate::store::{Holder, Serves};
use crate::telemetry::Telemetry;
use crate::verify::SignatureVerifier;

use listen::{Listening, StopSignals};
use reload::Reloader;

/// How long requests that are under way may take after the signal to stop.
const DRAIN_AT_MOST: Duration = Duration::from_secs(30);

/// What `serve` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration as checked.
    pub config: Config,
    /// How log lines are written.
    pub log_format: Format,
    /// Whether each request is one line.
    pub access_log: bool,
}

/// Why `serve` ended other than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Credentials and content would travel in the clear.
    #[error(
        "expected TLS off loopback: {0} would serve plain HTTP; set tls, or danger_plain_http = true behind a proxy that ends TLS"
    )]
    PlainHttp(std::net::SocketAddr),
    /// The files can't be taken, and no revision was accepted before.
    #[error("expected files that can be enforced, and no revision was accepted before:\n{0}")]
    Mistakes(String),
    /// The root can't be opened.
    #[error(transparent)]
    Root(#[from] NotOpened),
    /// Something that is needed can't be opened.
    #[error("can't open {what}: {why}")]
    Open {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

impl Failure {
    fn open(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Open { what: what.into(), why: why.to_string() }
    }
}

/// Serves until SIGTERM or SIGINT, then drains and closes.
pub async fn serve(options: Options) -> Result<(), Failure> {
    let config = &options.config;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let telemetry =
        Telemetry::start(options.log_format, Arc::clone(&clock)).map_err(|error| Failure::open("the log", error))?;
    if config.tls.is_none() && !config.listen.ip().is_loopback() && !config.danger_plain_http {
        return Err(Failure::PlainHttp(config.listen));
    }
    let listening = Listening::bind(config).await?;
    let (store, metadata) = root::open(config, "serve").await?;
    let seen = reload::fingerprint(config).await;
    let authenticator = Arc::new(Authenticator::new(reload::htpasswd(config)?, secret()?));
    let first = reload::first_revision(config, &*metadata).await?;
    let parts = Parts {
        store: Arc::clone(&store),
        metadata: Arc::clone(&metadata),
        verifier: Arc::new(SignatureVerifier),
        clock: Arc::clone(&clock),
        limits: config.limits.clone(),
        tag_history: config.tag_history,
        sparse_images: config.sparse_images,
        data_types: config.data_types.clone(),
    };
    let registry = Registry::open(parts, first.revision).await.map_err(|error| Failure::open("the registry", error))?;
    let (reload_sender, reload_receiver) = mpsc::channel(1);
    let access_log = options.access_log.then(|| AccessLog { lines: telemetry.lines(), format: telemetry.format() });
    let cursors =
        Cursors::new(&secret()?).ok_or_else(|| Failure::open("the list cursors", "expected a key for AES-256"))?;
    let http = Arc::new(Http {
        registry,
        authenticator,
        clock,
        limits: config.limits.clone(),
        challenge: challenge(&config.hostname)?,
        condition: Condition::default(),
        metrics: Metrics::default(),
        access_log,
        reload: reload_sender,
        cursors,
        ids: Ids::default(),
        served: Uuid::new_v4(),
    });
    let reloader = Reloader::new(config.clone(), Arc::clone(&http), telemetry.clone(), listening.certificates(), seen);
    reloader.note_degraded(first.refused);
    note_where(config, &listening, http.served, &telemetry);
    run(http, listening, reloader, reload_receiver, &telemetry, StopSignals::take()?).await;
    telemetry.flush();
    Ok(())
}

/// Writes into the root's lock where it is served, for commands that find it taken.
fn note_where(config: &Config, listening: &Listening, id: Uuid, telemetry: &Telemetry) {
    let serves = Serves {
        address: listening.reached(),
        tls: config.tls.is_some(),
        hostname: config.hostname.clone(),
        id: id.to_string(),
    };
    let holder = Holder { serves: Some(serves), ..Holder::this("serve") };
    if let Err(error) = holder.note(&config.root) {
        telemetry.event("error", &[("what", &"say in the lock where it serves"), ("reason", &error)]);
    }
}

fn secret() -> Result<[u8; 32], Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| Failure::open("the source of randomness", error))?;
    Ok(secret)
}

fn challenge(hostname: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(&format!("Basic realm=\"{hostname}\"")).map_err(|error| Failure::open("the hostname", error))
}

async fn run(
    http: Arc<Http>,
    listening: Listening,
    reloader: Reloader,
    reloads: mpsc::Receiver<crate::http::Reload>,
    telemetry: &Telemetry,
    mut signals: StopSignals,
) {
    let (stop, stopped) = watch::channel(false);
    let tending = tokio::spawn(tend(Arc::clone(&http.registry), stopped.clone(), telemetry.clone()));
    let reloading = tokio::spawn(reloader.run(reloads));
    let address = listening.url();
    http.condition.open();
    telemetry.event("start", &[("listen", &address), ("version", &env!("CARGO_PKG_VERSION"))]);
    say_listening(&address);
    let connections = tokio::spawn(connections::accept(listening, Arc::clone(&http), stopped));

    let signal = signals.wait().await;
    telemetry.event("drain", &[("signal", &signal)]);
    http.condition.drain();
    stop.send_replace(true);
    let in_time = tokio::time::timeout(DRAIN_AT_MOST, connections).await.is_ok();
    reloading.abort();
    if tending.await.is_err() {
        telemetry.event("error", &[("what", &"background work"), ("reason", &"it ended before its time")]);
    }
    // What was pushed while requests drained.
    if let Err(error) = http.registry.flush_views().await {
        telemetry.event("error", &[("what", &"flush views"), ("reason", &error)]);
    }
    if let Err(error) = http.registry.close().await {
        telemetry.event("error", &[("what", &"close"), ("reason", &error)]);
    }
    telemetry.event("stop", &[("drained", &in_time)]);
}

async fn tend(registry: Arc<Registry>, mut stopped: watch::Receiver<bool>, telemetry: Telemetry) {
    let stop = async move {
        // An error is a sender that is gone: the end as well.
        drop(stopped.wait_for(|stopped| *stopped).await);
    };
    let report = |notice: Notice<'_>| match notice {
        Notice::Failed(what, error) => telemetry.event("error", &[("what", &what), ("reason", error)]),
        Notice::Waiting(push) => telemetry.event(
            "waiting",
            &[
                ("repository", &push.repository),
                ("tag", &push.tag),
                ("digest", &push.digest),
                ("since", &push.since),
                ("reason", &"a push has been waiting for evidence for too long"),
            ],
        ),
        Notice::MoreWaiting => {
            telemetry.event(
                "waiting",
                &[("reason", &"more pushes than were told have been waiting for evidence for too long")],
            );
        }
        Notice::News(news) => tell(&telemetry, news),
    };
    registry.tend(stop, report).await;
}

fn tell(telemetry: &Telemetry, news: &News) {
    let named = |repository: &Option<RepositoryName>| repository.as_ref().map(ToString::to_string).unwrap_or_default();
    match news {
        News::Quarantined { digest, repository, why } => {
            telemetry.event("quarantine", &[("digest", digest), ("repository", &named(repository)), ("reason", why)]);
        }
        News::Unchecked { digest, why } => telemetry.event("unchecked", &[("digest", digest), ("reason", why)]),
        News::Repaired { digest, repository, from } => {
            telemetry.event("repair", &[("digest", digest), ("repository", &named(repository)), ("from", from)]);
        }
        News::Reserve { held: true } => telemetry.event("reserve", &[("held", &true)]),
        News::Reserve { held: false } => {
            let why = "no space was left for what must not fail";
            telemetry.event("reserve", &[("held", &false), ("reason", &why)]);
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one line that scripts wait for")]
fn say_listening(address: &str) {
    println!("listening on {address}");
}
