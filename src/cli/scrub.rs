//! `hallmark scrub`: what of the stored content was found not to be what its name says.

use std::io::{self, Write};

use super::explanation::plain;
use super::housekeeping::{Keeper, Place};
use super::{Exit, told};
use crate::registry::ScrubStatus;

/// The arguments of `hallmark scrub`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Begins a pass: a server goes on with it at its rate, a root without one is gone through before this returns
    #[arg(long, conflicts_with = "status")]
    pub now: bool,
    /// Only tells how it stands; this is the default
    #[arg(long)]
    pub status: bool,
    /// Writes one JSON object
    #[arg(long)]
    pub json: bool,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
}

/// Scrubs or asks, and writes how it stands to `out`; why that can't be told goes to `complaints`. No is that something
/// is quarantined.
pub async fn run(args: &Args, out: &mut dyn Write, complaints: &mut dyn Write) -> Exit {
    match scrub(args).await {
        Ok(status) => {
            let exit = if status.quarantined == 0 { Exit::Yes } else { Exit::No };
            told(write(args, &status, out).map(|()| exit))
        }
        Err(why) => told(writeln!(complaints, "can't tell: {}", plain(&why)).map(|()| Exit::CouldNotTell)),
    }
}

async fn scrub(args: &Args) -> Result<ScrubStatus, String> {
    match args.place.keeper().await? {
        Keeper::Server(server) if args.now => server.tell("/_hallmark/scrub").await,
        Keeper::Server(server) => server.ask("/_hallmark/scrub").await,
        Keeper::Alone(housekeeping) => {
            if args.now {
                housekeeping.scrub_at_once().await.map_err(|error| error.to_string())?;
            }
            housekeeping.scrub_status().await.map_err(|error| error.to_string())
        }
    }
}

fn write(args: &Args, status: &ScrubStatus, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{:#}", serde_json::to_value(status).unwrap_or_default());
    }
    match &status.pass {
        None => writeln!(out, "no pass was begun yet")?,
        Some(pass) => {
            let ended = pass.ended.map_or_else(|| "has not ended".to_owned(), |ended| format!("ended {ended}"));
            writeln!(out, "pass: began {}, {ended}: {} objects, {} bytes", pass.began, pass.objects, pass.bytes)?;
            let (found, repaired, unnamed) = (pass.quarantined, pass.repaired, pass.unnamed);
            writeln!(out, "found: {found} not what their names say, {repaired} repaired, {unnamed} without a name")?;
            if pass.unchecked > 0 {
                writeln!(out, "not checked: {} that could not be opened or read", pass.unchecked)?;
            }
        }
    }
    for object in &status.objects {
        let place = object.repository.as_ref().map(|repository| format!("{}@", plain(repository))).unwrap_or_default();
        writeln!(out, "quarantined: {place}{} since {}: {}", object.digest, object.at, plain(&object.why))?;
    }
    writeln!(out, "{} are quarantined now", status.quarantined)
}
