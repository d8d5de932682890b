//! `hallmark backup`

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::explanation::plain;
use super::outcome::{Failed, expect_place, expect_root, tell};
use super::{Exit, RootArgs};
use crate::clock::Clock;
use crate::registry::{self, BackedUp};

/// What `backup` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The folder of the backup; must not be there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Back up the rest even if something is quarantined or lost; the backup serves that to nobody until it is pushed again
    #[arg(long)]
    pub partial: bool,
    /// Of what.
    #[command(flatten)]
    pub root: RootArgs,
}

/// Backs up, and writes what is in the backup to `out`: 0 it is there and durable, 1 it is and something is missing, 2 it
/// is not there.
pub async fn run(args: &Args, clock: Arc<dyn Clock>, out: &mut dyn Write) -> Exit {
    let done = backup(args, &*clock).await;
    let text = |done: &BackedUp, out: &mut dyn Write| text(args, done, out);
    let exit = |done: &BackedUp| if done.missing.is_empty() { Exit::Yes } else { Exit::No };
    tell(done.as_ref(), exit, args.root.json, text, out)
}

async fn backup(args: &Args, clock: &dyn Clock) -> Result<BackedUp, Failed> {
    let config = args.root.configuration()?;
    expect_root(&config.root)?;
    expect_place(&args.dir)?;
    Ok(registry::backup(&config.root, &args.dir, args.partial, clock).await?)
}

fn text(args: &Args, done: &BackedUp, out: &mut dyn Write) -> io::Result<()> {
    let BackedUp { repositories, manifests, tags, blobs, blob_bytes, linked, copied, missing } = done;
    writeln!(
        out,
        "backed up {manifests} manifests, {tags} tags and {blobs} blobs ({blob_bytes} bytes) of {repositories} \
         repositories to {}",
        args.dir.display()
    )?;
    if *linked > 0 {
        writeln!(
            out,
            "linked {linked} blobs: they share their bytes with the registry until the backup is copied away"
        )?;
    }
    if *copied > 0 {
        writeln!(out, "copied {copied} blobs, each hashed")?;
    }
    if !missing.is_empty() {
        writeln!(out, "{} are missing; the backup serves them to nobody until they are pushed again:", missing.len())?;
    }
    missing.iter().try_for_each(|it| writeln!(out, "missing: {}", plain(&it.to_string())))
}
