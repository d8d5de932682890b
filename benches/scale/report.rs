//! What was found, as a table and as a page.

use std::time::Duration;

use crate::Outcome;
use crate::cores::Cores;
use crate::load::Cost;
use crate::measure::Column;

const MIB: u64 = 1 << 20;

/// The page `docs/scale.md`.
pub(crate) fn page(columns: &[Column], cores: &Cores) -> Outcome<String> {
    let (machine, date) = machine(cores)?;
    Ok(format!(
        "# Cost against size\n\n\
         Written by `cargo bench --bench scale`, {date}; {machine}. What each line is: `benches/README.md`.\n\n\
         {}\n![Processor time of one request against the number of manifests](scale.svg)\n",
        table(columns)
    ))
}

fn machine(cores: &Cores) -> Outcome<(String, String)> {
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ':', ' ']);
    let count = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let date = hallmark::clock::Clock::now(&hallmark::clock::SystemClock).to_string();
    let date = date.split('T').next().unwrap_or_default().to_owned();
    Ok((format!("{model}, {count} of its cores; {cores}; load average after {load}"), date))
}

/// The table, in Markdown.
pub(crate) fn table(columns: &[Column]) -> String {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    let mut row = |name: &str, cell: &dyn Fn(&Column) -> String| {
        rows.push((name.to_owned(), columns.iter().map(cell).collect()));
    };
    row("tags of the largest repository", &|c| c.shape.largest.to_string());
    row("referrers of one subject", &|c| c.shape.referrers.to_string());
    row("repositories", &|c| c.shape.repositories.to_string());
    row("database, MiB", &|c| (c.stored / MIB).to_string());
    row("start to the first answer, ms", &|c| milliseconds(c.start[0]));
    row("start to the first manifest, ms", &|c| milliseconds(c.start[1]));
    row("memory after the start, MiB", &|c| (c.memory[0] / MIB).to_string());
    row("memory after all loads, MiB", &|c| (c.memory[1] / MIB).to_string());
    row("a second in which nobody asks, µs", &|c| c.idle.as_micros().to_string());
    row("a sweep that finds nothing, µs", &|c| c.sweep.as_micros().to_string());
    for (at, (name, _)) in columns.first().map_or(&[][..], |column| &column.costs).iter().enumerate() {
        rows.push(((*name).to_owned(), columns.iter().map(|column| cell(column, at)).collect()));
    }
    let heads = columns.iter().map(|column| column.shape.manifests.to_string()).collect();
    render("manifests", heads, &rows)
}

fn cell(column: &Column, at: usize) -> String {
    let Some((_, Cost { processor, median, slow })) = column.costs.get(at) else { return "-".to_owned() };
    let micros = |duration: &Duration| duration.as_micros();
    format!("{} ({}, {})", micros(processor), micros(median), micros(slow))
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

fn render(head: &str, heads: Vec<String>, rows: &[(String, Vec<String>)]) -> String {
    let rule = vec!["---:".to_owned(); heads.len()];
    let mut text = String::new();
    let first = [(head.to_owned(), heads), ("---".to_owned(), rule)];
    for (name, cells) in first.iter().chain(rows) {
        let mut line = format!("| {name:<48} |");
        for cell in cells {
            line.extend([format!(" {cell:>24} |")]);
        }
        text.extend([line.as_str(), "\n"]);
    }
    text
}
