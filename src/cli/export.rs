//! `hallmark export`

use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use super::outcome::{Failed, expect_place, expect_root, tell};
use super::{Exit, RootArgs};
use crate::oci::{Reference, RepositoryName};
use crate::registry::{self, Exported};

/// What `export` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The repository, or what a tag or a digest names in it
    #[arg(value_name = "REPOSITORY[:TAG|@DIGEST]")]
    pub target: Target,
    /// The folder of the OCI image layout; must not be there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Where from.
    #[command(flatten)]
    pub root: RootArgs,
}

/// A repository, or something in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    repository: RepositoryName,
    reference: Option<Reference>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, reference) = match (text.split_once('@'), text.split_once(':')) {
            (Some((repository, digest)), _) => (repository, Some(digest)),
            (None, Some((repository, tag))) => (repository, Some(tag)),
            (None, None) => (text, None),
        };
        let repository: RepositoryName =
            repository.parse().map_err(|error| format!("{error}; found {repository:?}"))?;
        let wrong = |reference: &str| format!("expected a tag or a digest, found {reference:?}");
        let reference =
            reference.map(|reference| reference.parse().map_err(|_neither| wrong(reference))).transpose()?;
        let is_digest = matches!(reference, Some(Reference::Digest(_)));
        if reference.is_some() && is_digest != text.contains('@') {
            return Err(format!("expected `:` before a tag and `@` before a digest, found {text:?}"));
        }
        Ok(Self { repository, reference })
    }
}

/// Exports, and writes what was exported to `out`: 0 it is there, 2 it is not.
pub async fn run(args: &Args, out: &mut dyn Write) -> Exit {
    let done = export(args).await;
    let text = |exported: &Exported, out: &mut dyn Write| text(args, exported, out);
    tell(done.as_ref(), |_| Exit::Yes, args.root.json, text, out)
}

async fn export(args: &Args) -> Result<Exported, Failed> {
    let config = args.root.configuration()?;
    expect_root(&config.root)?;
    expect_place(&args.dir)?;
    let Target { repository, reference } = &args.target;
    Ok(registry::export(&config.root, repository, reference.as_ref(), &args.dir).await?)
}

fn text(args: &Args, exported: &Exported, out: &mut dyn Write) -> io::Result<()> {
    let Exported { manifests, tags, linked, copied } = exported;
    writeln!(
        out,
        "exported {manifests} manifests and {tags} tags to {}; linked {linked} blobs, copied {copied}",
        args.dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_repository_or_something_in_it() {
        let digest = crate::oci::Digest::sha256(b"a");
        for text in ["prod/app", "prod/app:v1", &format!("prod/app@{digest}")] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.repository.as_str(), "prod/app");
            assert_eq!(target.reference.is_some(), text.len() > 8);
        }
    }

    #[test]
    fn other_targets_are_refused() {
        for text in ["", "Prod", "a:", "a@v1", "a:sha256:12", "a:b:c", "localhost:5000/a"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
