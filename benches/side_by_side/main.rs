//! Hallmark beside Debian's docker-registry and a bare axum server, under the same load, in turn, in one run.
//!
//! `cargo bench --bench side_by_side [-- --quick]`; what is measured and how: `benches/README.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]
#![expect(clippy::disallowed_methods, reason = "writes the servers' folders, and is a server of its own")]

mod bare;
mod client;
mod cores;
mod files;
mod hex;
mod image;
mod load;
mod phase;
mod plan;
mod processor;
mod push;
mod server;
mod table;

use std::path::Path;
use std::process::ExitCode;

use cores::Cores;
use image::{Image, Key};
use phase::Phase;
use plan::Plan;

/// What a step gives, or why it could not.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        [server::BARE, address, folder] => serve_bare(address, folder),
        // Cargo says `--bench` when it is asked for benchmarks; it may run this among the tests too.
        arguments if arguments.contains(&"--bench") => measure(arguments),
        _ => {
            println!("a benchmark, no test: cargo bench --bench side_by_side [-- --quick]");
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("side_by_side: {error}");
        ExitCode::from(2)
    })
}

fn serve_bare(address: &str, folder: &str) -> Outcome<ExitCode> {
    bare::serve(address.parse()?, Path::new(folder))?;
    Ok(ExitCode::SUCCESS)
}

fn measure(arguments: &[&str]) -> Outcome<ExitCode> {
    let quick = arguments.contains(&"--quick") || std::env::var_os("HALLMARK_BENCH_QUICK").is_some();
    let mut plan = if quick { Plan::quick() } else { Plan::full() };
    if let Some(rounds) = arguments.iter().skip_while(|argument| **argument != "--rounds").nth(1) {
        plan.rounds = rounds.parse()?;
    }
    if let Some(only) = arguments.iter().skip_while(|argument| **argument != "--only").nth(1) {
        plan.loads.retain(|load| load.name.contains(only));
    }
    let cores = Cores::divide()?;
    let busy = std::fs::read_to_string("/proc/loadavg")?;
    let busy = busy.split(' ').next().unwrap_or_default();
    let quick = if quick { "; QUICK: not to be believed" } else { "" };
    println!("median of {}; {cores}; load average before {busy}{quick}", plan.rounds);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(passes(&plan, &cores))
}

async fn passes(plan: &Plan, cores: &Cores) -> Outcome<ExitCode> {
    let password = uuid::Uuid::new_v4().to_string();
    let image = Image::with_layers(&plan::LAYERS)?;
    let small = Image::with_layers(&plan::SMALL)?;
    let key = Key::new()?;
    let mut missing = Vec::new();
    for (title, credentials) in [("Without credentials", false), ("With Basic credentials", true)] {
        eprintln!("{title}");
        let folder = tempfile::Builder::new().prefix("side-by-side-").tempdir_in(server::data_folder())?;
        let setup = files::Setup { password: &password, key: &key, credentials };
        let found = Phase { setup, image: &image, small: &small, plan, cores }.run(folder.path()).await;
        println!("{}", table::render(title, &found));
        missing.extend(found.missing.into_iter().map(|reason| format!("{title}: {reason}")));
    }
    for reason in &missing {
        println!("not measured: {reason}");
    }
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
