//! What was found, as text.

use crate::load::{Load, Ratio, Round};
use crate::phase::{Column, Found, Memory, Row};
use crate::plan::{MANIFESTS_BY_MANY, MANIFESTS_BY_ONE};
use crate::server::Kind;

/// What Hallmark may hold in memory when nobody asks, in bytes.
const IDLE_MEMORY: f64 = 20.0 * MIB;

/// How far above the bare server's the most may be that Hallmark ever holds in memory, in bytes.
const MEMORY_ABOVE_BARE: f64 = 24.0 * MIB;

/// How much faster manifests are taken from many clients than from one, for their commits are grouped.
const GROUPED: f64 = 3.0;

/// What the gate may cost a warm pull, in microseconds of processor time.
const GATE: f64 = 1.0;

const MIB: f64 = 1_048_576.0;

/// The median round of one load against one server.
#[derive(Clone, Copy, Debug)]
struct Median {
    /// Requests a second.
    rate: f64,
    /// Processor time of the server for one request, in microseconds.
    processor: f64,
    /// How much of one core the server used, 0 to 1; well below 1, something else was the bound.
    busy: f64,
}

impl Median {
    fn of(rounds: Option<&Vec<Round>>) -> Option<Self> {
        let rounds = rounds?;
        let over = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        Some(Self {
            rate: over(|round| count(round.requests) / round.wall.as_secs_f64())?,
            processor: over(processor)?,
            busy: over(|round| round.processor.as_secs_f64() / round.wall.as_secs_f64())?,
        })
    }

    fn cell(self, load: &Load) -> String {
        let busy = self.busy * 100.0;
        match load.verb.bulk() {
            Some(size) => {
                let rate = self.rate * count(u64::try_from(size).unwrap_or(u64::MAX)) / MIB;
                format!("{:>6} MiB/s {:>6.2} ms {busy:>3.0} %", thousands(rate), self.processor / 1000.0)
            }
            None => format!("{:>10}/s {:>6.1} µs {busy:>3.0} %", thousands(self.rate), self.processor),
        }
    }
}

/// The table of one pass, under its `title`.
pub(crate) fn render(title: &str, found: &Found) -> String {
    let mut text = String::new();
    let heads = ["docker-registry", "bare axum", "Hallmark, gate on"].map(|head| format!("{head:^28}"));
    line(
        &mut text,
        &format!(
            "\n{title:<24}{} {:>8} {:>7} {:>7} {:>7}   targets",
            heads.join(""),
            "/docker",
            "in cpu",
            "/bare",
            "in cpu"
        ),
    );
    for (load, row) in &found.rows {
        line(&mut text, &compared(load, row));
    }
    line(&mut text, "\nThe gate: processor time of a warm pull under a requirement, less that of one without (µs)");
    for (load, row) in found.rows.iter().filter(|(load, _)| load.verb.is_cheap()) {
        line(&mut text, &gate(load, row));
    }
    line(&mut text, "\nCommits are grouped: the rate of manifest PUT by 64 clients over that by one");
    line(&mut text, &grouped(&found.rows));
    line(&mut text, "\nResident memory (MiB): after the start; after all of the above; the most it ever was");
    let bare = found.memory.iter().find(|memory| memory.kind == Kind::Bare);
    for memory in &found.memory {
        line(&mut text, &resident(memory, bare));
    }
    text
}

fn compared(load: &Load, row: &Row) -> String {
    let medians = [Column::DockerRegistry, Column::Bare, Column::Gated].map(|column| Median::of(row.get(&column)));
    let cells = medians.map(|median| median.map_or_else(|| "missing".to_owned(), |median| median.cell(load)));
    let cells = cells.map(|cell| format!("{cell:>28}")).concat();
    let [docker_registry, bare, hallmark] = medians;
    let ratio = |ratio: Ratio| {
        let ours = hallmark?;
        Some(match ratio {
            Ratio::DockerRegistry => ours.rate / docker_registry?.rate,
            Ratio::DockerProcessor => docker_registry?.processor / ours.processor,
            Ratio::Bare => ours.rate / bare?.rate,
            Ratio::BareProcessor => bare?.processor / ours.processor,
        })
    };
    let shown = |asked: Ratio| ratio(asked).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let target = |(asked, least): &(Ratio, f64)| {
        let name = match asked {
            Ratio::DockerRegistry => "/docker",
            Ratio::DockerProcessor => "/docker in cpu",
            Ratio::Bare => "/bare",
            Ratio::BareProcessor => "/bare in cpu",
        };
        format!("{name} >= {least}: {}", verdict(ratio(*asked).map(|ratio| ratio >= *least)))
    };
    let targets: Vec<String> = load.target.iter().map(target).collect();
    format!(
        "{:<24}{cells} {:>8} {:>7} {:>7} {:>7}   {}",
        load.name,
        shown(Ratio::DockerRegistry),
        shown(Ratio::DockerProcessor),
        shown(Ratio::Bare),
        shown(Ratio::BareProcessor),
        targets.join(", ")
    )
}

fn grouped(rows: &[(Load, Row)]) -> String {
    let rate = |name| {
        let (_, row) = rows.iter().find(|(load, _)| load.name == name)?;
        Some(Median::of(row.get(&Column::Gated))?.rate)
    };
    match rate(MANIFESTS_BY_MANY).zip(rate(MANIFESTS_BY_ONE)) {
        Some((many, one)) => {
            let ratio = many / one;
            format!("{:<24} {ratio:>6.1}   >= {GROUPED}: {}", "Hallmark", verdict(Some(ratio >= GROUPED)))
        }
        None => format!("{:<24} missing", "Hallmark"),
    }
}

fn gate(load: &Load, row: &Row) -> String {
    let pairs = row.get(&Column::GateOn).zip(row.get(&Column::GateOff));
    let difference = |(on, off): (&Round, &Round)| processor(on) - processor(off);
    let mut costs: Vec<f64> = pairs.map_or_else(Vec::new, |(on, off)| on.iter().zip(off).map(difference).collect());
    costs.sort_by(f64::total_cmp);
    let (slices, quarter) = (costs.len(), costs.len() / 4);
    let half = costs.get(quarter).copied().zip(costs.iter().rev().nth(quarter).copied());
    let Some((cost, (least, most))) = median(costs).zip(half) else {
        return format!("{:<24} missing", load.name);
    };
    let verdict = verdict(Some(cost <= GATE));
    format!(
        "{:<24} {cost:>+6.2}   <= {GATE}: {verdict}   (half of {slices} pairs between {least:+.2} and {most:+.2})",
        load.name
    )
}

fn resident(memory: &Memory, bare: Option<&Memory>) -> String {
    let [idle, after, peak] = [memory.idle, memory.after, memory.peak].map(count);
    let verdicts = match (memory.kind, bare) {
        (Kind::Hallmark, Some(bare)) => format!(
            "   idle <= {}: {}, the most <= {} above bare axum's: {}",
            IDLE_MEMORY / MIB,
            verdict(Some(idle <= IDLE_MEMORY)),
            MEMORY_ABOVE_BARE / MIB,
            verdict(Some(peak - count(bare.peak) <= MEMORY_ABOVE_BARE))
        ),
        _ => String::new(),
    };
    let figures = [idle, after, peak].map(|figure| format!(" {:>6.1}", figure / MIB)).concat();
    format!("{:<24}{figures}{verdicts}", memory.kind.name())
}

const fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "not measured",
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Processor time for one request, in microseconds.
fn processor(round: &Round) -> f64 {
    round.processor.as_secs_f64() * 1e6 / count(round.requests)
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let upper = figures.get(figures.len() / 2)?;
    let lower = figures.get(figures.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

/// A whole number with commas.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
