//! `hallmark gc`: what can be collected now, and its collection.

use std::io::{self, Write};

use super::explanation::plain;
use super::housekeeping::{Keeper, Place};
use super::{Exit, told};
use crate::registry::{Collection, Unheld, Waiting};

/// The arguments of `hallmark gc`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tells what would be taken
    #[arg(long)]
    pub dry_run: bool,
    /// Takes at once what would stay for `deleted_grace_seconds` after its last manifest was deleted: a push under way that counts on such a blob fails, and succeeds when it is tried again
    #[arg(long, conflicts_with = "dry_run")]
    pub danger_now: bool,
    /// Writes one JSON object
    #[arg(long)]
    pub json: bool,
    /// Which registry.
    #[command(flatten)]
    pub place: Place,
}

/// Collects, and writes what was taken to `out`; why not goes to `complaints`.
pub async fn run(args: &Args, out: &mut dyn Write, complaints: &mut dyn Write) -> Exit {
    match collect(args).await {
        Ok(collection) => told(write(args, &collection, out).map(|()| Exit::Yes)),
        Err(why) => told(writeln!(complaints, "can't tell: {}", plain(&why)).map(|()| Exit::CouldNotTell)),
    }
}

async fn collect(args: &Args) -> Result<Collection, String> {
    let keeper = args.place.keeper("gc").await?;
    let first = turn(&keeper, args.dry_run, args.danger_now).await?;
    let (mut more, mut waiting) = (first.more && !args.dry_run, first.waiting);
    while more {
        Collection { more, waiting, .. } = turn(&keeper, false, false).await?;
    }
    if let (Keeper::Alone(housekeeping), false) = (&keeper, args.dry_run) {
        housekeeping.flush_views().await.map_err(|error| error.to_string())?;
    }
    Ok(Collection { more: false, waiting, ..first })
}

async fn turn(keeper: &Keeper, dry_run: bool, danger_now: bool) -> Result<Collection, String> {
    match keeper {
        Keeper::Server(server) => {
            server.tell(&format!("/_hallmark/gc?dry_run={dry_run}&danger_now={danger_now}")).await
        }
        Keeper::Alone(housekeeping) => {
            if danger_now {
                housekeeping.end_grace().await.map_err(|error| error.to_string())?;
            }
            housekeeping.collect(dry_run).await.map_err(|error| error.to_string())
        }
    }
}

fn write(args: &Args, collection: &Collection, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{:#}", serde_json::to_value(collection).unwrap_or_default());
    }
    let Collection { blobs, uploads, evidence, trash, bytes, dry_run, truncated, waiting, .. } = collection;
    for blob in blobs {
        let repository = plain(&blob.repository);
        writeln!(out, "blob {repository}@{}: {} bytes: {}", blob.digest, blob.size, plain(&blob.why))?;
    }
    for upload in uploads {
        let (repository, id) = (plain(&upload.repository), plain(&upload.id));
        writeln!(out, "upload {repository} {id}: {} bytes: nobody went on with it", upload.size)?;
    }
    for evidence in evidence {
        writeln!(out, "evidence {}@{}: its subject never came", plain(&evidence.repository), evidence.digest)?;
    }
    for key in trash {
        writeln!(out, "object {}: it was given up before", plain(key))?;
    }
    let things = [blobs.len(), uploads.len(), evidence.len(), trash.len()].iter().sum::<usize>();
    let took = if *dry_run { "would take" } else { "took" };
    let more = if *truncated { ", and more than is told here" } else { "" };
    writeln!(out, "{took} {things} things of {bytes} bytes{more}")?;
    let Waiting { blobs, bytes, until, unheld } = waiting;
    if let Some(until) = until {
        writeln!(
            out,
            "{blobs} blobs of {bytes} bytes wait, the last until {until}: a push under way may count on them; \
             --danger-now does not wait"
        )?;
    }
    let Unheld { blobs, bytes, until: Some(until) } = unheld else { return Ok(()) };
    writeln!(
        out,
        "{blobs} blobs of {bytes} bytes that no manifest holds yet wait, the last until {until}: what is deleted by its \
         digest goes at once"
    )
}
