//! `hallmark scrub`: what of the stored content was found not to be what its name says.

use std::io::{self, Write};
use std::time::Duration;

use super::explanation::plain;
use super::housekeeping::{Keeper, Place, Server};
use super::{Exit, told};
use crate::registry::ScrubStatus;

const PATH: &str = "/_hallmark/scrub";
/// How often a server is asked whether the pass ended.
const EVERY: Duration = Duration::from_millis(250);
/// How long a pass that was asked for may not run before it is given up.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// The arguments of `hallmark scrub`.
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command")]
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Begins a pass, or joins the one under way, and waits for its end: a server's goes at its rate
    #[arg(long, conflicts_with = "status")]
    pub now: bool,
    /// Leaves once a server was asked for the pass: what is told is how it stood then
    #[arg(long, requires = "now")]
    pub no_wait: bool,
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
    match args.place.keeper("scrub").await? {
        Keeper::Server(server) if args.now && args.no_wait => server.tell(PATH).await,
        Keeper::Server(server) if args.now => pass(&server).await,
        Keeper::Server(server) => server.ask(PATH).await,
        Keeper::Alone(housekeeping) => {
            if args.now {
                housekeeping.scrub_at_once().await.map_err(|error| error.to_string())?;
                housekeeping.flush_views().await.map_err(|error| error.to_string())?;
            }
            housekeeping.scrub_status().await.map_err(|error| error.to_string())
        }
    }
}

/// How it stands at the end of a pass that was asked for.
async fn pass(server: &Server) -> Result<ScrubStatus, String> {
    let ended = |status: &ScrubStatus| status.pass.as_ref().and_then(|pass| pass.ended);
    let before = ended(&server.ask::<ScrubStatus>(PATH).await?);
    server.tell::<ScrubStatus>(PATH).await?;
    let mut idle = Duration::ZERO;
    while idle < STARTS_WITHIN {
        tokio::time::sleep(EVERY).await;
        let status: ScrubStatus = server.ask(PATH).await?;
        // One that reads a large blob notes nothing for long, and runs.
        idle = if status.running { Duration::ZERO } else { idle.saturating_add(EVERY) };
        if !status.running && ended(&status).is_some_and(|at| Some(at) != before) {
            return Ok(status);
        }
    }
    Err("expected the pass to end, found that it does not run; the server's log says why".to_owned())
}

fn write(args: &Args, status: &ScrubStatus, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{:#}", serde_json::to_value(status).unwrap_or_default());
    }
    if args.no_wait {
        writeln!(out, "a pass was asked for; `hallmark scrub` tells how it stands, and this is from before")?;
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
        if !object.repositories.is_empty() {
            let more = if object.more { " and others" } else { "" };
            writeln!(out, "  in {}{more}", plain(&object.repositories.join(", ")))?;
        }
    }
    writeln!(out, "{} are quarantined now", status.quarantined)
}
