//! `/_hallmark/audit`

use axum::http::HeaderValue;
use axum::response::Response;

use super::error::Refusal;
use super::{Call, answer, query};
use crate::metadata::Trail;

/// One JSON object a line.
const JSON_LINES: &str = "application/x-ndjson";

/// `GET /_hallmark/audit[?after=<id>][&trail=changes|refusals]`: the entries after a number, oldest first, a page of
/// them; none is that there are no more yet.
pub(super) async fn read(call: &Call<'_>) -> Result<Response, Refusal> {
    let administrator = call.registry().allow_admin(call.who)?;
    query::only(call.query(), &["after", "trail"])?;
    let trail = match query::one(call.query(), "trail")?.as_deref() {
        None | Some("changes") => Trail::Changes,
        Some("refusals") => Trail::Refusals,
        Some(_) => return Err(Refusal::query("expected trail to be changes or refusals in the query")),
    };
    let after = match query::one(call.query(), "after")? {
        None => 0,
        Some(number) => {
            number.parse().map_err(|_no_number| Refusal::query("expected after to be a whole number in the query"))?
        }
    };
    let mut lines = Vec::new();
    for entry in call.registry().audit(&administrator, trail, after).await? {
        serde_json::to_writer(&mut lines, &entry).map_err(|error| Refusal::unavailable(error.to_string()))?;
        lines.push(b'\n');
    }
    Ok(answer::content(call.is_head(), HeaderValue::from_static(JSON_LINES), lines.into()))
}
