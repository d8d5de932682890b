//! `hallmark check`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Exit, told};
use crate::authn::Htpasswd;
use crate::authz::Effect;
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, Flags, files};
use crate::gate::Mode;
use crate::metadata;
use crate::mistake::Mistake;
use crate::registry::{Revision, lost};
use crate::store::find_layouts;
use crate::trust::{Signer, SignerKind, Trust};

/// What `check` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The configuration [default: hallmark.toml, or without one what it would say by default]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What wins over the configuration.
    #[command(flatten)]
    pub flags: Flags,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Whether it would be served.
    ok: bool,
    /// The revision, if there is one.
    revision: Option<String>,
    hostname: Option<String>,
    requirements: Vec<RequirementReport>,
    notation: Vec<NotationReport>,
    subjects: BTreeMap<String, SubjectReport>,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
}

#[derive(Debug, Serialize)]
struct RequirementReport {
    name: String,
    mode: Mode,
    condition: String,
    protects: Vec<String>,
    except: Vec<String>,
    signers: Vec<String>,
}

/// What a statement of notation's makes a signer.
#[derive(Debug, Serialize)]
struct NotationReport {
    signer: String,
    statement: String,
    level: String,
    scopes: Vec<String>,
    stores: Vec<String>,
    identities: Vec<String>,
}

/// What the table says of one role or person.
#[derive(Debug, Default, Serialize)]
struct SubjectReport {
    members: Vec<String>,
    lines: Vec<String>,
}

/// Reads everything that `serve` would, and writes what it finds to `out`: 0 it would be served, 1 it would
/// not, 2 the configuration that was named can't be read.
pub async fn run(args: &Args, clock: &dyn Clock, out: &mut dyn Write) -> Exit {
    let report = match Config::load(args.config.as_deref(), &args.flags) {
        Ok(config) => examine(&config, clock.now()).await,
        Err(mistakes) => Report { mistakes, ..Report::default() },
    };
    let readable = args.config.as_ref().is_none_or(|path| std::fs::File::open(path).is_ok());
    let exit = match (report.ok, readable) {
        (true, _) => Exit::Yes,
        (false, true) => Exit::No,
        (false, false) => Exit::CouldNotTell,
    };
    let written = if args.json { json(&report, out) } else { text(&report, out) };
    told(written.map(|()| exit))
}

async fn examine(config: &Config, now: Timestamp) -> Report {
    let mut report = Report { hostname: Some(config.hostname.clone()), ..Report::default() };
    let users = users(config).map_err(|mistakes| report.mistakes.extend(mistakes)).ok().flatten();
    for path in config.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]) {
        if let Err(error) = std::fs::File::open(path) {
            let message = format!("expected a file that can be read, found: {error}");
            report.mistakes.push(Mistake::new(path.display().to_string(), 0, message));
        }
    }
    if let Some(lost) = lost(&config.root) {
        let database = config.root.join(metadata::FILE).display().to_string();
        report.mistakes.push(Mistake::new(database, 0, lost.to_string()));
    }
    let revision = match files::read(&config.policies, &config.trust) {
        Ok(files) => Revision::load(files, &config.hostnames()).await,
        Err(mistakes) => Err(mistakes),
    };
    match revision {
        Ok(revision) => {
            describe(&revision, users.as_ref(), &stored(&config.root), &mut report);
            report.warnings.extend(revision.warnings(now));
        }
        Err(mistakes) => report.mistakes.extend(mistakes),
    }
    report.ok = report.mistakes.is_empty();
    report
}

fn users(config: &Config) -> Result<Option<Htpasswd>, Vec<Mistake>> {
    let Some(path) = &config.htpasswd else { return Ok(None) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![Mistake::new(&name, 0, format!("expected a file that can be read, found: {error}"))])?;
    Htpasswd::parse(&name, &text).map(Some)
}

fn describe(revision: &Revision, users: Option<&Htpasswd>, stored: &[String], report: &mut Report) {
    report.revision = Some(revision.id().to_string());
    report.requirements = revision
        .requirements()
        .iter()
        .map(|requirement| RequirementReport {
            name: requirement.name().to_string(),
            mode: requirement.mode(),
            condition: requirement.words(),
            protects: requirement.protects().to_vec(),
            except: requirement.except().to_vec(),
            signers: requirement.signers().iter().map(ToString::to_string).collect(),
        })
        .collect();
    for line in revision.policy().lines() {
        let may = line.action.map_or("anything", |action| action.as_str());
        let what = match (line.effect, &line.requirement) {
            (Effect::Deny, _) => format!("may not {may} in {}", line.repositories),
            (Effect::Allow, Some(name)) if !name.is_unverified() => {
                format!("may {may} in {} what meets {name}", line.repositories)
            }
            (Effect::Allow, _) => format!("may {may} in {}", line.repositories),
        };
        report.subjects.entry(line.subject.clone()).or_default().lines.push(what);
    }
    for (member, role, _) in revision.policy().roles().iter() {
        report.subjects.entry(role.to_owned()).or_default().members.push(member.to_owned());
    }
    report.notation = revision.trust().signers().filter_map(|signer| notation(revision.trust(), signer)).collect();
    report.warnings.extend(strangers(revision, users));
    if !stored.is_empty() {
        report.warnings.extend(revision.policy().idle(stored));
    }
}

fn notation(trust: &Trust, signer: &Signer) -> Option<NotationReport> {
    let SignerKind::Notation { policy, .. } = signer.kind() else { return None };
    let statement = trust.notation().by_name(policy)?;
    Some(NotationReport {
        signer: signer.name().to_string(),
        statement: statement.name().to_owned(),
        level: statement.level().to_owned(),
        scopes: statement.scopes().to_vec(),
        stores: statement.stores(),
        identities: statement.identities().into_iter().map(str::to_owned).collect(),
    })
}

/// Users of whom the policy speaks and who are in no htpasswd file.
fn strangers(revision: &Revision, users: Option<&Htpasswd>) -> Vec<Mistake> {
    let known: Vec<String> = users.into_iter().flat_map(Htpasswd::iter).map(ToString::to_string).collect();
    let lines = revision.policy().lines().iter().map(|line| (line.subject.as_str(), line.line));
    let members = revision.policy().roles().iter().map(|(member, _, line)| (member, line));
    let strange = lines.chain(members).filter(|(who, _)| who.starts_with("user:") && !known.iter().any(|k| k == who));
    strange
        .map(|(who, line)| Mistake::new(crate::authz::Policy::FILE, line, format!("{who} is in no htpasswd file")))
        .collect()
}

/// The repositories below `root`, by their image layouts.
fn stored(root: &Path) -> Vec<String> {
    let found = find_layouts(root).unwrap_or_default().into_iter();
    found.map(|layout| layout.name).filter(|name| !name.is_empty()).collect()
}

fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for requirement in &report.requirements {
        let mode = match requirement.mode {
            Mode::Enforce => "enforced",
            Mode::Warn => "not enforced, a warning only",
            Mode::Audit => "not enforced, recorded only",
        };
        writeln!(out, "requirement {} ({mode}): {}", requirement.name, requirement.condition)?;
        if !requirement.protects.is_empty() {
            writeln!(out, "  protects {}", requirement.protects.join(", "))?;
        }
        if !requirement.except.is_empty() {
            writeln!(out, "  except for {}", requirement.except.join(", "))?;
        }
    }
    for found in &report.notation {
        writeln!(out, "signer {}: notation's statement {} ({})", found.signer, found.statement, found.level)?;
        writeln!(out, "  for {}", found.scopes.join(", "))?;
        writeln!(out, "  trusts {} by {}", found.identities.join("; "), found.stores.join(", "))?;
    }
    for (subject, found) in &report.subjects {
        let members = if found.members.is_empty() { String::new() } else { format!(" ({})", found.members.join(", ")) };
        writeln!(out, "{subject}{members}")?;
        for line in &found.lines {
            writeln!(out, "  {line}")?;
        }
    }
    for mistake in &report.mistakes {
        writeln!(out, "mistake: {mistake}")?;
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let verdict = if report.ok { "this would be served" } else { "this would be refused" };
    writeln!(out, "{verdict}: {} mistakes, {} warnings", report.mistakes.len(), report.warnings.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;

    #[tokio::test]
    async fn a_signer_of_notation_is_told_with_its_statement() {
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let document = r#"{"version": "1.0", "trustPolicies": [{"name": "acme-images",
            "registryScopes": ["a.example/prod/app"], "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:acme"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"]}]}"#;
        let files: Files = [
            ("policies/policy.csv", b"p, anonymous, dev/**, pull, unverified, allow\n".as_slice()),
            ("policies/requirements.toml", b""),
            ("trust/signers.toml", b"[acme]\nnotation_policy = \"acme-images\"\n"),
            ("trust/trustpolicy.json", document.as_bytes()),
            ("trust/x509/ca/acme/root.crt", root.pem().as_bytes()),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
        .into();
        let revision = Revision::load(files, &["a.example".to_owned()]).await.unwrap();
        let mut report = Report::default();
        describe(&revision, None, &[], &mut report);
        let mut out = Vec::new();
        text(&report, &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        let expected = "signer acme: notation's statement acme-images (strict)\n  for a.example/prod/app\n  \
                        trusts x509.subject: C=US, ST=WA, O=Acme by ca:acme\n";
        assert!(told.contains(expected), "{told}");
    }
}
