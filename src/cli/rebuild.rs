//! `hallmark rebuild`

use std::io::{self, Write};
use std::sync::Arc;

use super::explanation::plain;
use super::outcome::{Failed, refused, tell};
use super::{Exit, RootArgs};
use crate::clock::Clock;
use crate::registry::{self, LAYOUTS_DO_NOT_TELL, Rebuild, Rebuilt, RottenObject};

/// What `rebuild` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Put the new metadata in its place even if something could not be taken
    #[arg(long)]
    pub partial: bool,
    /// Take stored objects for what their names say, without hashing them; the scrub does that later
    #[arg(long)]
    pub unhashed: bool,
    /// Of what.
    #[command(flatten)]
    pub root: RootArgs,
}

/// Rebuilds, and writes what came of it to `out`: 0 everything was taken and is in place, 1 something was not taken,
/// 2 nothing could be done.
pub async fn run(args: &Args, clock: Arc<dyn Clock>, out: &mut dyn Write) -> Exit {
    let done = rebuild(args, clock).await;
    let exit = |rebuilt: &Rebuilt| if rebuilt.taken.refused.is_empty() { Exit::Yes } else { Exit::No };
    tell(done.as_ref(), exit, args.root.json, text, out)
}

async fn rebuild(args: &Args, clock: Arc<dyn Clock>) -> Result<Rebuilt, Failed> {
    let config = args.root.configuration()?;
    let how = Rebuild { partial: args.partial, unhashed: args.unhashed };
    Ok(registry::rebuild(&config, clock, how).await?)
}

fn text(rebuilt: &Rebuilt, out: &mut dyn Write) -> io::Result<()> {
    let taken = &rebuilt.taken;
    writeln!(
        out,
        "rebuilt {} manifests, {} tags and {} blobs in {} repositories",
        taken.manifests, taken.tags, taken.blobs, taken.repositories
    )?;
    writeln!(out, "hashed {} objects of {} bytes", rebuilt.hashed.objects, rebuilt.hashed.bytes)?;
    for RottenObject { digest, object, why } in &rebuilt.rotten {
        let now = if rebuilt.in_place { "quarantined" } else { "left where it is" };
        writeln!(out, "rotten: {digest}, {now}: {object}: {}", plain(why))?;
    }
    refused(&taken.refused, out)?;
    if let Some(why) = &rebuilt.behind {
        writeln!(out, "the old metadata can't be read, so the layouts may lack its last moments: {why}")?;
    }
    if rebuilt.surplus > 0 {
        writeln!(out, "no layout names {} stored objects; they were left where they are", rebuilt.surplus)?;
    }
    match &rebuilt.kept {
        Some(kept) => writeln!(out, "the old metadata is kept as {}", kept.display())?,
        None if rebuilt.in_place => {}
        None if !rebuilt.was_there => {
            writeln!(out, "nothing is in place; --partial would put there what could be taken")?;
        }
        None => writeln!(out, "the old metadata is still in place; --partial would replace it")?,
    }
    writeln!(out, "layouts don't tell:")?;
    LAYOUTS_DO_NOT_TELL.iter().try_for_each(|unknown| writeln!(out, "  {unknown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Hashed, Taken};

    #[test]
    fn what_is_in_place_is_told_if_nothing_was_put_there() {
        for (was_there, line) in [
            (true, "the old metadata is still in place; --partial would replace it"),
            (false, "nothing is in place; --partial would put there what could be taken"),
        ] {
            let (taken, hashed, rotten) = (Taken::default(), Hashed::default(), Vec::new());
            let (in_place, surplus, behind, kept) = (false, 0, None, None);
            let rebuilt = Rebuilt { in_place, was_there, taken, hashed, rotten, surplus, behind, kept };
            let mut out = Vec::new();
            text(&rebuilt, &mut out).unwrap();
            let told = String::from_utf8(out).unwrap();
            assert_eq!(told.lines().filter(|told| told.contains("in place")).collect::<Vec<_>>(), [line]);
        }
    }
}
