//! `hallmark audit`: what changed and by whom, or what was refused; one JSON object a line.

use std::io::{self, Write};

use super::explanation::plain;
use super::housekeeping::{Keeper, Place};
use super::{Exit, told};
use crate::metadata::Trail;

/// The arguments of `hallmark audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only entries after the one with this id
    #[arg(long, value_name = "ID", default_value_t = 0)]
    pub after: u64,
    /// What was refused admission, instead of what changed
    #[arg(long)]
    pub refusals: bool,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
}

/// Writes the entries to `out`, oldest first, each a line; why that can't be told goes to `complaints`.
pub async fn run(args: &Args, out: &mut dyn Write, complaints: &mut dyn Write) -> Exit {
    match audit(args, out).await {
        Ok(written) => told(written.map(|()| Exit::Yes)),
        Err(why) => told(writeln!(complaints, "can't tell: {}", plain(&why)).map(|()| Exit::CouldNotTell)),
    }
}

async fn audit(args: &Args, out: &mut dyn Write) -> Result<io::Result<()>, String> {
    let keeper = args.place.keeper("audit").await?;
    let mut after = args.after;
    loop {
        let page = page(&keeper, args.refusals, after).await?;
        let Some(last) = page.last() else { return Ok(out.flush()) };
        after = last.0;
        if let Err(error) = page.iter().try_for_each(|(_, line)| writeln!(out, "{line}")) {
            return Ok(Err(error));
        }
    }
}

/// The next entries, each with its number.
async fn page(keeper: &Keeper, refusals: bool, after: u64) -> Result<Vec<(u64, String)>, String> {
    match keeper {
        Keeper::Server(server) => {
            let trail = if refusals { "refusals" } else { "changes" };
            let lines = server.lines(&format!("/_hallmark/audit?trail={trail}&after={after}")).await?;
            lines
                .into_iter()
                .map(|line| number(&line).filter(|id| *id > after).map(|id| (id, line)))
                .collect::<Option<_>>()
                .ok_or_else(|| "expected entries with rising numbers, found something else".to_owned())
        }
        Keeper::Alone(housekeeping) => {
            let trail = if refusals { Trail::Refusals } else { Trail::Changes };
            let entries = housekeeping.audit(trail, after).await.map_err(|error| error.to_string())?;
            let line = |error: serde_json::Error| error.to_string();
            entries.iter().map(|it| Ok((it.id, serde_json::to_string(it).map_err(line)?))).collect()
        }
    }
}

/// The number of the entry that a line is.
fn number(line: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("id")?.as_u64()
}
