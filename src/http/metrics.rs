//! Counters of requests, and their Prometheus text.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use super::endpoint::Kind;
use super::error::Reason;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];
const STATUSES: [u16; 20] =
    [200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 413, 416, 429, 500, 503, 507, 0];
/// Upper bounds of the buckets, in microseconds.
const BUCKETS: [u64; 12] =
    [50, 100, 250, 500, 1_000, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000, 60_000_000];

/// What requests added up to; every counter is a relaxed atomic, none is behind a lock.
#[derive(Debug)]
pub struct Metrics {
    requests: Vec<AtomicU64>,
    refusals: Vec<AtomicU64>,
    times: Vec<Histogram>,
    lost_lines: AtomicU64,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

impl Histogram {
    fn observe(&self, micros: u64) {
        let at = BUCKETS.iter().position(|bound| micros <= *bound);
        if let Some(bucket) = at.and_then(|at| self.buckets.get(at)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let zeros = |length: usize| std::iter::repeat_with(AtomicU64::default).take(length).collect();
        Self {
            requests: zeros(place(Kind::ALL.len(), 0, 0)),
            refusals: zeros(Reason::ALL.len()),
            times: std::iter::repeat_with(Histogram::default).take(Kind::ALL.len()).collect(),
            lost_lines: AtomicU64::new(0),
        }
    }
}

const fn place(kind: usize, method: usize, status: usize) -> usize {
    kind.wrapping_mul(METHODS.len()).wrapping_add(method).wrapping_mul(STATUSES.len()).wrapping_add(status)
}

fn place_of_method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        _ => 6,
    }
}

impl Metrics {
    /// One answered request.
    #[expect(clippy::as_conversions, reason = "the number of a fieldless variant is its place")]
    pub fn answered(&self, kind: Kind, method: &Method, status: StatusCode, took: Duration) {
        let other = STATUSES.len().wrapping_sub(1);
        let status = STATUSES.iter().position(|listed| *listed == status.as_u16()).unwrap_or(other);
        if let Some(counter) = self.requests.get(place(kind as usize, place_of_method(method), status)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(times) = self.times.get(kind as usize) {
            times.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// One refusal.
    #[expect(clippy::as_conversions, reason = "the number of a fieldless variant is its place")]
    pub fn refused(&self, reason: Reason) {
        if let Some(counter) = self.refusals.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One line of the log that nobody will read, because the writer was too slow.
    pub fn lost_line(&self) {
        self.lost_lines.fetch_add(1, Ordering::Relaxed);
    }

    /// The Prometheus text of what was counted here; what is zero and has labels is left out.
    pub fn write(&self, page: &mut Page) {
        page.family("hallmark_requests_total", "counter", "Answered requests.");
        for (at, counter) in self.requests.iter().enumerate() {
            let count = counter.load(Ordering::Relaxed);
            if count > 0 {
                page.labelled("hallmark_requests_total", &request_labels(at), count);
            }
        }
        page.family("hallmark_refusals_total", "counter", "Refused requests by reason.");
        for (reason, counter) in Reason::ALL.into_iter().zip(&self.refusals) {
            let labels = format!("reason=\"{}\"", reason.as_str());
            page.labelled("hallmark_refusals_total", &labels, counter.load(Ordering::Relaxed));
        }
        page.family("hallmark_request_seconds", "histogram", "Time from a request's head to its answer's end.");
        for (kind, times) in Kind::ALL.into_iter().zip(&self.times) {
            times.write(kind, page);
        }
        let lost = self.lost_lines.load(Ordering::Relaxed);
        page.single(
            "hallmark_log_lines_lost_total",
            "counter",
            "Log lines dropped because the writer was behind.",
            lost,
        );
    }
}

impl Histogram {
    fn write(&self, kind: Kind, page: &mut Page) {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return;
        }
        let endpoint = kind.as_str();
        let mut sum = 0_u64;
        for (bound, bucket) in BUCKETS.into_iter().zip(&self.buckets) {
            sum = sum.saturating_add(bucket.load(Ordering::Relaxed));
            let labels = format!("endpoint=\"{endpoint}\",le=\"{}\"", seconds(bound));
            page.labelled("hallmark_request_seconds_bucket", &labels, sum);
        }
        page.labelled("hallmark_request_seconds_bucket", &format!("endpoint=\"{endpoint}\",le=\"+Inf\""), count);
        let labels = format!("endpoint=\"{endpoint}\"");
        page.labelled("hallmark_request_seconds_sum", &labels, seconds(self.micros.load(Ordering::Relaxed)));
        page.labelled("hallmark_request_seconds_count", &labels, count);
    }
}

fn seconds(micros: u64) -> String {
    let (whole, rest) = (micros.wrapping_div(1_000_000), micros.wrapping_rem(1_000_000));
    let text = format!("{whole}.{rest:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn request_labels(at: usize) -> String {
    let status = STATUSES.get(at.wrapping_rem(STATUSES.len())).copied().unwrap_or_default();
    let at = at.wrapping_div(STATUSES.len());
    let method = METHODS.get(at.wrapping_rem(METHODS.len())).copied().unwrap_or_default();
    let endpoint = Kind::ALL.get(at.wrapping_div(METHODS.len())).map_or("", |kind| kind.as_str());
    let status = if status == 0 { "other".to_owned() } else { status.to_string() };
    format!("endpoint=\"{endpoint}\",method=\"{method}\",status=\"{status}\"")
}

/// A page of Prometheus text, format 0.0.4.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// One sample with labels, written as they stand between the braces.
    pub fn labelled(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{name}{{{labels}}} {value}"));
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        if writeln!(self.0, "{text}").is_err() {
            self.0.push('\n');
        }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        let mut page = Page::default();
        metrics.write(&mut page);
        page.into_text()
    }

    #[test]
    fn a_request_is_counted_under_its_labels() {
        let metrics = Metrics::default();
        metrics.answered(Kind::ReadBlob, &Method::HEAD, StatusCode::NOT_FOUND, Duration::from_micros(70));
        let text = text(&metrics);
        assert!(text.contains("hallmark_requests_total{endpoint=\"read-blob\",method=\"HEAD\",status=\"404\"} 1\n"));
        assert!(text.contains("hallmark_request_seconds_bucket{endpoint=\"read-blob\",le=\"0.00005\"} 0\n"));
        assert!(text.contains("hallmark_request_seconds_bucket{endpoint=\"read-blob\",le=\"0.0001\"} 1\n"));
        assert!(text.contains("hallmark_request_seconds_sum{endpoint=\"read-blob\"} 0.00007\n"));
    }

    #[test]
    fn a_status_that_is_not_listed_is_other() {
        let metrics = Metrics::default();
        metrics.answered(Kind::None, &Method::TRACE, StatusCode::IM_A_TEAPOT, Duration::ZERO);
        assert!(text(&metrics).contains("{endpoint=\"none\",method=\"other\",status=\"other\"} 1\n"));
    }

    #[test]
    #[expect(clippy::as_conversions, reason = "the place of a variant")]
    fn every_reason_counts_at_its_own_place() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            let metrics = Metrics::default();
            metrics.refused(reason);
            let line = format!("hallmark_refusals_total{{reason=\"{}\"}} 1\n", reason.as_str());
            assert!(text(&metrics).contains(&line), "{line}");
        }
    }
}
