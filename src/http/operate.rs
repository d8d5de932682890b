//! What operators ask: `/healthz`, `/readyz`, `/metrics`, and the commands of `admin`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwapOption;
use axum::http::StatusCode;
use axum::response::Response;
use tokio::sync::oneshot;

use super::endpoint::Kind;
use super::error::{Reason, Refusal};
use super::metrics::Page;
use super::{Call, Http, answer, housekeeping};
use crate::oci::ErrorCode;

const OPENING: u8 = 0;
const OPEN: u8 = 1;
const DRAINING: u8 = 2;

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the registry is open, and on which revision it runs.
#[derive(Debug, Default)]
pub struct Condition {
    phase: AtomicU8,
    degraded: ArcSwapOption<String>,
}

impl Condition {
    /// From now on requests are welcome.
    pub fn open(&self) {
        self.phase.store(OPEN, Ordering::Release);
    }

    /// From now on no more requests should come.
    pub fn drain(&self) {
        self.phase.store(DRAINING, Ordering::Release);
    }

    /// The files as they are can't be taken, and why; or, with none, they are what is enforced.
    pub fn set_degraded(&self, why: Option<String>) {
        self.degraded.store(why.map(Arc::new));
    }

    /// Why the files as they are can't be taken, if so.
    pub fn degraded(&self) -> Option<Arc<String>> {
        self.degraded.load_full()
    }
}

/// The three endpoints that need no grant.
pub(super) async fn read(call: &Call<'_>, kind: Kind) -> Result<Response, Refusal> {
    match kind {
        Kind::Ready => ready(call).await,
        Kind::Metrics => Ok(answer::text(call.is_head(), PROMETHEUS, metrics(call.http).await)),
        _ => Ok(answer::text(call.is_head(), TEXT, "alive\n".to_owned())),
    }
}

async fn ready(call: &Call<'_>) -> Result<Response, Refusal> {
    let condition = &call.http.condition;
    match condition.phase.load(Ordering::Acquire) {
        OPENING => return Err(Refusal::unavailable("the registry is opening")),
        DRAINING => return Err(Refusal::unavailable("the registry is draining")),
        _ => {}
    }
    call.registry().totals().await?;
    let text = match condition.degraded() {
        None => "ready\n".to_owned(),
        // What is wrong is in the log: it quotes policy lines, which need `admin`.
        Some(_) => "ready\ndegraded: the files were refused, the last good revision is enforced\n".to_owned(),
    };
    Ok(answer::text(call.is_head(), TEXT, text))
}

/// The page of `/metrics`.
async fn metrics(http: &Http) -> String {
    let mut page = Page::default();
    page.family("hallmark_build_info", "gauge", "The version that runs.");
    page.labelled("hallmark_build_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
    page.family("hallmark_revision_info", "gauge", "The revision of policy and trust that is enforced.");
    page.labelled("hallmark_revision_info", &format!("revision=\"{}\"", http.registry.revision().id()), 1);
    http.metrics.write(&mut page);
    let degraded = u8::from(http.condition.degraded().is_some());
    page.single(
        "hallmark_degraded",
        "gauge",
        "Whether the last good revision is enforced instead of the files.",
        degraded,
    );
    gate(http, &mut page);
    storage(http, &mut page).await;
    housekeeping::metrics(http, &mut page).await;
    page.into_text()
}

fn gate(http: &Http, page: &mut Page) {
    let counters = http.registry.counters();
    page.family(
        "hallmark_verdicts_total",
        "counter",
        "Verdicts that were reached; remembered ones are not counted again.",
    );
    page.labelled("hallmark_verdicts_total", "verdict=\"met\"", counters.met());
    page.labelled("hallmark_verdicts_total", "verdict=\"unmet\"", counters.unmet());
    for (name, help, value) in [
        (
            "hallmark_lenient_total",
            "Answers served though their requirement was unmet and only warns.",
            counters.lenient(),
        ),
        ("hallmark_pushed_manifests_total", "Manifests stored.", counters.manifests()),
        ("hallmark_pushed_blobs_total", "Blobs stored or mounted.", counters.blobs()),
        (
            "hallmark_audit_untold_refusals_total",
            "Refusals that the audit trail does not tell of.",
            counters.untold_refusals(),
        ),
    ] {
        page.single(name, "counter", help, value);
    }
    let waits = http.registry.waits();
    page.single("hallmark_pushes_waiting", "gauge", "Tags whose newest push meets no requirement yet.", waits.pushes);
    let oldest = waits.oldest.unwrap_or_default().as_secs();
    page.single("hallmark_pushes_waiting_oldest_seconds", "gauge", "How long the oldest of them waits.", oldest);
}

async fn storage(http: &Http, page: &mut Page) {
    if let Ok(totals) = http.registry.totals().await {
        for (name, help, value) in [
            ("hallmark_storage_repositories", "Repositories.", totals.repositories),
            ("hallmark_storage_manifests", "Manifests over all repositories.", totals.manifests),
            ("hallmark_storage_tags", "Tags over all repositories.", totals.tags),
            ("hallmark_storage_blobs", "Distinct blobs.", totals.blobs),
            ("hallmark_storage_blob_bytes", "Bytes of distinct blobs.", totals.blob_bytes),
            ("hallmark_storage_uploads", "Open upload sessions.", totals.uploads),
        ] {
            page.single(name, "gauge", help, value);
        }
    }
    if let Ok(Some(free)) = http.registry.free_bytes().await {
        page.single("hallmark_storage_free_bytes", "gauge", "Bytes that are free on the medium.", free);
    }
}

/// `POST /_hallmark/reload`: reads the files anew; 409 says what is wrong with them.
pub(super) async fn reload(call: &Call<'_>) -> Result<Response, Refusal> {
    call.registry().allow_admin(call.who)?;
    let (answer_to, answered) = oneshot::channel();
    let gone = || Refusal::unavailable("nobody reloads any more");
    call.http.reload.send(answer_to).await.map_err(|_gone| gone())?;
    match answered.await.map_err(|_gone| gone())? {
        Ok(()) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        Err(mistakes) => Err(Refusal::new(StatusCode::CONFLICT, ErrorCode::Denied, Reason::Conflict, mistakes)),
    }
}

/// `POST /_hallmark/flush`: returns when every layout on disk shows what was stored before.
pub(super) async fn flush(call: &Call<'_>) -> Result<Response, Refusal> {
    call.registry().allow_admin(call.who)?;
    call.registry().flush_views().await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
