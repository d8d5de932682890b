//! `hallmark verify`: the gate's question about a manifest of any registry, or of a layout on disk, by hand.
//!
//! The local trust and requirements judge; the policy has no say. What can't be told is neither met nor unmet: exit 2.

mod gather;
mod judge;
mod layout;
mod source;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::explanation::{self, plain};
use super::{Exit, told};
use crate::client::{Client, ClientError, Fetched, ImageReference, Options};
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, Flags, files};
use crate::gate::{Explanation, RequirementName};
use crate::mistake::Mistake;
use crate::oci::Reference;
use crate::requirements::Requirements;
use gather::Gather;
use judge::Judge;
use layout::Layout;
use source::Source;

/// What `verify` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to judge, with its registry: registry.example.org/prod/app:v1
    #[arg(value_name = "REFERENCE")]
    pub reference: ImageReference,
    /// The requirement, of policies/requirements.toml
    #[arg(long, value_name = "NAME")]
    pub requirement: RequirementName,
    /// Read this OCI image layout and not the registry; REFERENCE still says where signatures must count
    #[arg(long, value_name = "DIR", conflicts_with = "through")]
    pub layout: Option<PathBuf>,
    /// The index that REFERENCE came by: if it meets the requirement, so does what it reaches
    #[arg(long, value_name = "REFERENCE")]
    pub through: Option<ImageReference>,
    /// Judge as at this time, as in 2026-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// The configuration [default: hallmark.toml, or without one what it would say by default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of policies
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// The folder of trust
    #[arg(long, value_name = "DIR")]
    pub trust: Option<PathBuf>,
    /// An artifact type that is data; may be repeated
    #[arg(long = "data-type", visible_alias = "data-types", value_name = "TYPE", value_delimiter = ',')]
    pub data_types: Vec<String>,
    /// Trust these certificates, in PEM, beside the system's
    #[arg(long, value_name = "FILE")]
    pub ca_certificate: Option<PathBuf>,
    /// Allow plain HTTP off loopback: passwords and content can be read and altered on the way
    #[arg(long)]
    pub danger_plain_http: bool,
}

/// How long it may take until all is asked.
const LONGEST: Duration = Duration::from_mins(15);

/// The answer, or why there is none.
type Judged = Result<Explanation, Trouble>;

/// Why it can't be told whether a requirement is met.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble(Vec<String>);

impl Trouble {
    fn one(what: impl Into<String>) -> Self {
        Self(vec![what.into()])
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::one(error.to_string())
    }
}

impl From<Vec<Mistake>> for Trouble {
    fn from(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes.iter().map(ToString::to_string).collect())
    }
}

/// The one document that `--json` writes.
#[derive(Debug, Serialize)]
struct Report {
    reference: String,
    /// `met`, `unmet`, or `could not tell`.
    answer: &'static str,
    /// The time that it was judged at.
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Explanation>,
    /// Why it could not be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<String>,
}

/// Judges, and writes the answer to `out`: 0 met, 1 unmet, 2 could not tell.
pub async fn run(args: &Args, clock: &dyn Clock, out: &mut dyn Write) -> Exit {
    let at = args.at.unwrap_or_else(|| clock.now());
    let judged = within(LONGEST, Box::pin(judge(args, at))).await;
    let (exit, answer) = match &judged {
        Ok(explanation) if explanation.met => (Exit::Yes, "met"),
        Ok(_) => (Exit::No, "unmet"),
        Err(_) => (Exit::CouldNotTell, "could not tell"),
    };
    let (explanation, mistakes) = match judged {
        Ok(explanation) => (Some(explanation), Vec::new()),
        Err(Trouble(mistakes)) => (None, mistakes),
    };
    let (reference, at) = (args.reference.to_string(), at.to_string());
    let report = Report { reference, answer, at, explanation, mistakes };
    let written = if args.json { json(&report, out) } else { text(&report, out) };
    told(written.map(|()| exit))
}

/// What `judged` comes to, if it does in time: one question is bounded, and a registry can raise a thousand.
async fn within(longest: Duration, judged: impl Future<Output = Judged>) -> Judged {
    let late =
        || Trouble::one(format!("expected all that is asked to be answered within {longest:?}, found more to ask"));
    tokio::time::timeout(longest, judged).await.unwrap_or_else(|_elapsed| Err(late()))
}

async fn judge(args: &Args, at: Timestamp) -> Judged {
    let config = configuration(args)?;
    let files = files::read(&config.policies, &config.trust)?;
    let hostnames = hostnames(&config, &args.reference.registry);
    let (trust, requirements) = Requirements::with_trust(&files, &hostnames)?;
    let requirement = requirements.by_name(&args.requirement).ok_or_else(|| unknown(args, &requirements))?;
    let source = open(args, &config)?;
    let fetched = fetch(&source, &args.reference).await?;
    let through = match &args.through {
        Some(through) => Some(fetch(&source, same_place(&args.reference, through)?).await?),
        None => None,
    };
    let gather = Gather {
        source: &source,
        repository: &args.reference.repository,
        trust: &trust,
        data_types: &config.data_types,
        limits: &config.limits,
        at,
    };
    let by_digest = matches!(args.reference.reference, Reference::Digest(_));
    Judge { gather, requirement, through, by_digest }.judge(&fetched).await
}

fn configuration(args: &Args) -> Result<Config, Trouble> {
    let flags = Flags {
        policies: args.policies.clone(),
        trust: args.trust.clone(),
        data_types: args.data_types.clone(),
        ..Flags::default()
    };
    Ok(Config::load(args.config.as_deref(), &flags)?)
}

/// The names that notation's scopes may begin with: those of the configuration where the reference names that registry.
fn hostnames(config: &Config, registry: &str) -> Vec<String> {
    let own = config.hostnames();
    let is_own = own.iter().any(|name| name == registry) || config.listen.to_string() == registry;
    if config.file.is_some() && is_own { own } else { vec![registry.to_owned()] }
}

fn unknown(args: &Args, requirements: &Requirements) -> Trouble {
    let names: Vec<_> = requirements.iter().map(|requirement| requirement.name().as_str()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Trouble::one(format!("expected a requirement of {}: {names}; found {}", Requirements::FILE, args.requirement))
}

fn open(args: &Args, config: &Config) -> Result<Source, Trouble> {
    let manifest_bytes = u64::try_from(config.limits.manifest_bytes).unwrap_or(u64::MAX);
    if let Some(folder) = &args.layout {
        return Ok(Source::Layout(Layout::open(folder, manifest_bytes)?));
    }
    let options = Options {
        danger_plain_http: args.danger_plain_http,
        ca_certificate: args.ca_certificate.clone(),
        manifest_bytes,
        ..Options::default()
    };
    Ok(Source::Registry(Box::new(Client::new(&args.reference.registry, &options)?)))
}

/// The tag is resolved here, once: everything after it is asked for by digest.
async fn fetch(source: &Source, reference: &ImageReference) -> Result<Fetched, Trouble> {
    let found = source.manifest(&reference.repository, &reference.reference).await?;
    found.ok_or_else(|| Trouble::one(format!("expected {reference} to be there, found nothing of that name")))
}

fn same_place<'a>(reference: &ImageReference, through: &'a ImageReference) -> Result<&'a ImageReference, Trouble> {
    if (&reference.registry, &reference.repository) == (&through.registry, &through.repository) {
        return Ok(through);
    }
    let place = format!("{}/{}", reference.registry, reference.repository);
    Err(Trouble::one(format!("expected an index of {place} after --through, found {through}")))
}

fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if let Some(explanation) = &report.explanation {
        writeln!(out, "{}: {}", report.reference, report.answer)?;
        return explanation::text(explanation, out);
    }
    writeln!(out, "{}: could not tell", report.reference)?;
    report.mistakes.iter().try_for_each(|mistake| writeln!(out, "  {}", plain(mistake)))
}
