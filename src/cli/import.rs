//! `hallmark import`

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::outcome::{Failed, refused, tell};
use super::{Exit, RootArgs};
use crate::clock::Clock;
use crate::oci::RepositoryName;
use crate::registry::{self, Parts, Taken};
use crate::store::overlap;

/// What `import` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The tree of OCI image layouts: each is the repository that its path names
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// What every repository's name begins with; the repository itself, if DIR is one layout
    #[arg(long, value_name = "PREFIX")]
    pub into: Option<RepositoryName>,
    /// Where to.
    #[command(flatten)]
    pub root: RootArgs,
}

/// Imports, and writes what came of it to `out`: 0 everything was taken, 1 something was not, 2 nothing could be.
pub async fn run(args: &Args, clock: Arc<dyn Clock>, out: &mut dyn Write) -> Exit {
    let done = import(args, clock).await;
    let exit = |taken: &Taken| if taken.refused.is_empty() { Exit::Yes } else { Exit::No };
    tell(done.as_ref(), exit, args.root.json, text, out)
}

async fn import(args: &Args, clock: Arc<dyn Clock>) -> Result<Taken, Failed> {
    let config = args.root.configuration()?;
    if !args.dir.is_dir() {
        return Err(Failed::one(format!("expected a folder of image layouts at {}, found none", args.dir.display())));
    }
    let parts = Parts::offline(&config, clock, "import")?;
    if overlap(&config.root, &args.dir)? {
        let (dir, root) = (args.dir.display(), config.root.display());
        return Err(Failed::one(format!("expected a folder apart from {root}, found {dir}")));
    }
    Ok(registry::import(&parts, &args.dir, args.into.as_ref()).await?)
}

fn text(taken: &Taken, out: &mut dyn Write) -> io::Result<()> {
    let Taken { repositories, manifests, tags, blobs, linked, copied, unheld, refused: _ } = taken;
    writeln!(out, "imported {manifests} manifests, {tags} tags and {blobs} blobs into {repositories} repositories")?;
    writeln!(out, "linked {linked} blobs, copied {copied}; the rest of them was stored already")?;
    if *copied > 0 {
        writeln!(
            out,
            "copied is what could not be linked: it lies on another file system, or is somebody else's file"
        )?;
    }
    if *unheld > 0 {
        writeln!(out, "left out {unheld} blobs that nothing holds")?;
    }
    refused(&taken.refused, out)
}
