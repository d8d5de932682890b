//! The `hallmark` program.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use hallmark::app::{self, Options};
use hallmark::cli::{
    Cli, Command, Exit, audit, backup, check, explain, export, gc, htpasswd, import, init, rebuild, scrub, serve,
    verify,
};
use hallmark::clock::SystemClock;
use hallmark::http::Format;
use hallmark::store::AT_THE_DISK;

/// Threads that wait for disks and hash passwords: as many as uploads may take, and as many again for all else.
const BLOCKING_THREADS: usize = 2 * AT_THE_DISK;
const STACK: usize = 1 << 20;
/// Idle threads hold memory.
const IDLE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Before anything speaks TLS. An error is a provider that is there already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    match command {
        Command::Serve(args) => serve(&args),
        Command::Check(args) => check(&args).into(),
        Command::Verify(args) => verify(&args).into(),
        Command::Explain(args) => explain(&args).into(),
        Command::Gc(args) => gc(&args).into(),
        Command::Scrub(args) => scrub(&args).into(),
        Command::Audit(args) => audit(&args).into(),
        Command::Init(args) => init::run(&args, &mut std::io::stdout().lock()).into(),
        Command::Htpasswd(args) => {
            htpasswd::run(&args, &mut std::io::stdin().lock(), &mut std::io::stdout().lock()).into()
        }
        Command::Import(args) => {
            offline(import::run(&args, Arc::new(SystemClock), &mut std::io::stdout().lock())).into()
        }
        Command::Export(args) => offline(until_stopped(export::run(&args, &mut std::io::stdout().lock()))).into(),
        Command::Rebuild(args) => {
            offline(rebuild::run(&args, Arc::new(SystemClock), &mut std::io::stdout().lock())).into()
        }
        Command::Backup(args) => {
            let done = async { backup::run(&args, Arc::new(SystemClock), &mut std::io::stdout().lock()).await };
            offline(until_stopped(done)).into()
        }
    }
}

#[expect(clippy::print_stderr, reason = "what keeps it from starting is for whoever started it")]
fn serve(args: &serve::Args) -> ExitCode {
    let config = match args.configuration() {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in mistakes {
                eprintln!("{mistake}");
            }
            return ExitCode::from(1);
        }
    };
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .thread_keep_alive(IDLE)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("can't start threads: {error}");
            return ExitCode::from(2);
        }
    };
    let log_format = match args.log_format {
        serve::LogFormat::Json => Format::Json,
        serve::LogFormat::Text => Format::Text,
    };
    let options = Options { config, log_format, access_log: args.logs_access() };
    match runtime.block_on(app::serve(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(1)
        }
    }
}

/// Takes as many descriptors as the system grants: each connection and each open blob is one, and the usual 1,024
/// are fewer than the connections that the configuration allows.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        // What was granted before has to do.
    }
}

/// Runs a command that works on a root.
fn offline(command: impl Future<Output = Exit>) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_or(Exit::CouldNotTell, |runtime| runtime.block_on(command))
}

/// Runs what writes into a draft: one that is stopped takes that away with it, and so after the blob that it is at.
async fn until_stopped(command: impl Future<Output = Exit>) -> Exit {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::interrupt()).and_then(|first| Ok((first, signal(SignalKind::terminate())?)));
    let Ok((mut interrupt, mut terminate)) = signals else { return Exit::CouldNotTell };
    tokio::select! {
        exit = command => exit,
        _ = interrupt.recv() => Exit::CouldNotTell,
        _ = terminate.recv() => Exit::CouldNotTell,
    }
}

fn check(args: &check::Args) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let (clock, mut out) = (SystemClock, std::io::stdout().lock());
    runtime.map_or(Exit::CouldNotTell, |runtime| runtime.block_on(check::run(args, &clock, &mut out)))
}

fn verify(args: &verify::Args) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let judged = |runtime: tokio::runtime::Runtime| {
        runtime.block_on(verify::run(args, &SystemClock, &mut std::io::stdout().lock()))
    };
    runtime.map_or(Exit::CouldNotTell, judged)
}

fn explain(args: &explain::Args) -> Exit {
    // An error is a provider that is there already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (mut out, mut complaints) = (std::io::stdout().lock(), std::io::stderr().lock());
    runtime.map_or(Exit::CouldNotTell, |runtime| runtime.block_on(explain::run(args, &mut out, &mut complaints)))
}

fn gc(args: &gc::Args) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (mut out, mut complaints) = (std::io::stdout().lock(), std::io::stderr().lock());
    runtime.map_or(Exit::CouldNotTell, |runtime| runtime.block_on(gc::run(args, &mut out, &mut complaints)))
}

fn scrub(args: &scrub::Args) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (mut out, mut complaints) = (std::io::stdout().lock(), std::io::stderr().lock());
    runtime.map_or(Exit::CouldNotTell, |runtime| runtime.block_on(scrub::run(args, &mut out, &mut complaints)))
}

fn audit(args: &audit::Args) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (mut out, mut complaints) = (std::io::stdout().lock(), std::io::stderr().lock());
    runtime.map_or(Exit::CouldNotTell, |runtime| runtime.block_on(audit::run(args, &mut out, &mut complaints)))
}
