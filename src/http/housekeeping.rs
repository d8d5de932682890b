//! `/_hallmark/scrub` and `/_hallmark/gc`

use axum::http::StatusCode;
use axum::response::Response;

use super::error::Refusal;
use super::metrics::Page;
use super::{Call, Http, answer, query};

/// `GET /_hallmark/scrub`: how the scrub stands, and what is quarantined.
pub(super) async fn scrub_status(call: &Call<'_>) -> Result<Response, Refusal> {
    let administrator = call.registry().allow_admin(call.who)?;
    answer::json(call.is_head(), &call.registry().scrub_status(&administrator).await?)
}

/// `POST /_hallmark/scrub`: asks for a pass, which goes on in the background.
pub(super) async fn scrub(call: &Call<'_>) -> Result<Response, Refusal> {
    let administrator = call.registry().allow_admin(call.who)?;
    let mut response = answer::json(false, &call.registry().begin_scrub(&administrator).await?)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// `POST /_hallmark/gc[?dry_run=true|?danger_now=true]`: collects, or tells what would be; or does not wait before.
pub(super) async fn collect(call: &Call<'_>) -> Result<Response, Refusal> {
    let administrator = call.registry().allow_admin(call.who)?;
    query::only(call.query(), &["dry_run", "danger_now"])?;
    let (dry_run, danger_now) = (switch(call, "dry_run")?, switch(call, "danger_now")?);
    if dry_run && danger_now {
        return Err(Refusal::query("expected dry_run or danger_now in the query, found both"));
    }
    if danger_now {
        call.registry().end_grace(&administrator).await?;
    }
    answer::json(false, &call.registry().collect(&administrator, dry_run).await?)
}

fn switch(call: &Call<'_>, name: &str) -> Result<bool, Refusal> {
    match query::one(call.query(), name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Refusal::query(format!("expected {name} to be true or false in the query"))),
    }
}

/// The part of `/metrics`.
pub(super) async fn metrics(http: &Http, page: &mut Page) {
    let housekeeping = http.registry.housekeeping();
    let counters = housekeeping.counters();
    for (name, help, value) in [
        ("hallmark_scrub_objects_total", "Contents and manifests that were hashed again.", counters.objects()),
        ("hallmark_scrub_bytes_total", "Bytes that were hashed again.", counters.bytes()),
        ("hallmark_scrub_quarantined_total", "What was found not to be what its name says.", counters.quarantined()),
        ("hallmark_scrub_repaired_total", "What was repaired from another copy.", counters.repaired()),
        ("hallmark_scrub_unnamed_total", "Objects that nothing named and that were removed.", counters.unnamed()),
        ("hallmark_scrub_unchecked_total", "Contents that could not be opened or read.", counters.unchecked()),
    ] {
        page.single(name, "counter", help, value);
    }
    let Ok((quarantined, ended)) = housekeeping.soundness().await else { return };
    page.single("hallmark_scrub_quarantined", "gauge", "What is quarantined now.", quarantined);
    if let Some(ended) = ended {
        let seconds = ended.micros().checked_div(1_000_000).unwrap_or_default();
        page.single("hallmark_scrub_last_pass_seconds", "gauge", "When the last pass ended, in Unix time.", seconds);
    }
}
