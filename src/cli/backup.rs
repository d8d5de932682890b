//! `hallmark backup`

use std::io::{self, Write};
use std::path::PathBuf;

use super::outcome::{Failed, expect_place, expect_root, tell};
use super::{Exit, RootArgs};
use crate::registry::{self, BackedUp};

/// What `backup` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The folder of the backup; must not be there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Of what.
    #[command(flatten)]
    pub root: RootArgs,
}

/// Backs up, and writes what is in the backup to `out`: 0 it is there and durable, 2 it is not.
pub async fn run(args: &Args, out: &mut dyn Write) -> Exit {
    let done = backup(args).await;
    let text = |done: &BackedUp, out: &mut dyn Write| text(args, done, out);
    tell(done.as_ref(), |_| Exit::Yes, args.root.json, text, out)
}

async fn backup(args: &Args) -> Result<BackedUp, Failed> {
    let config = args.root.configuration()?;
    expect_root(&config.root)?;
    expect_place(&args.dir)?;
    Ok(registry::backup(&config.root, &args.dir).await?)
}

fn text(args: &Args, done: &BackedUp, out: &mut dyn Write) -> io::Result<()> {
    let BackedUp { repositories, manifests, tags, blobs, blob_bytes, linked, copied } = done;
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
    Ok(())
}
