//! `hallmark explain`: what a running Hallmark would say to someone, and why.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Deserialize as _;

use super::explanation::{plain, text};
use super::{Exit, told};
use crate::client::{Client, ImageReference, Options};
use crate::gate::{Action, Mode, Who};
use crate::oci::Reference;
use crate::registry::Account;

/// The arguments of `hallmark explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it is about
    #[arg(value_name = "REFERENCE", help = "What it is about: HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]")]
    pub reference: ImageReference,
    /// Whom it is about: `user:NAME` or `anonymous` (yourself, unless you may administer)
    #[arg(long, value_name = "WHO")]
    pub who: Option<Who>,
    /// What they would do
    #[arg(long, value_name = "ACTION", default_value = "pull", value_parser = action)]
    pub action: Action,
    /// Writes one JSON object
    #[arg(long)]
    pub json: bool,
    /// Allows plain HTTP to other machines
    #[arg(long)]
    pub danger_plain_http: bool,
    /// A PEM file of certificates to trust beside the system's
    #[arg(long, value_name = "FILE")]
    pub ca_certificate: Option<PathBuf>,
}

fn action(word: &str) -> Result<Action, String> {
    word.parse().map_err(|()| {
        let known: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

/// Asks, and writes the answer to `out`; why none came goes to `complaints`.
pub async fn run(args: &Args, out: &mut dyn Write, complaints: &mut dyn Write) -> Exit {
    match ask(args).await {
        Ok((account, body)) => told(write(args, &account, &body, out).map(|()| exit(&account))),
        Err(why) => told(writeln!(complaints, "can't tell: {}", plain(&why)).map(|()| Exit::CouldNotTell)),
    }
}

fn exit(account: &Account) -> Exit {
    match account.allowed {
        Some(true) => Exit::Yes,
        Some(false) => Exit::No,
        None => Exit::CouldNotTell,
    }
}

async fn ask(args: &Args) -> Result<(Account, serde_json::Value), String> {
    let ImageReference { registry, repository, reference } = &args.reference;
    let options = Options {
        danger_plain_http: args.danger_plain_http,
        ca_certificate: args.ca_certificate.clone(),
        ..Options::default()
    };
    let separator = if matches!(reference, Reference::Tag(_)) { ':' } else { '@' };
    let mut question =
        format!("/_hallmark/explain?action={}&reference={repository}{separator}{reference}", args.action);
    if let Some(who) = &args.who {
        question.push_str("&who=");
        question.extend(percent_encoding::utf8_percent_encode(&who.to_string(), percent_encoding::NON_ALPHANUMERIC));
    }
    let client = Client::new(registry, &options).map_err(|error| error.to_string())?;
    let (status, body) = client.ask(&question).await.map_err(|error| error.to_string())?;
    let answer = || serde_json::from_slice::<serde_json::Value>(&body);
    match status {
        200 => {
            let value = answer().map_err(|_no_json| not_hallmark(registry))?;
            let account = Account::deserialize(&value).map_err(|_another| not_hallmark(registry))?;
            Ok((account, value))
        }
        401 => Err(format!("{registry} asks for credentials: expected some of docker's configuration that it knows")),
        404 if is_unknown(answer().ok().as_ref()) => Err(format!(
            "{registry} tells nothing of {repository}: expected a grant there, or the right to administer for others"
        )),
        404 => Err(not_hallmark(registry)),
        other => Err(format!("expected an explanation from {registry}, found status {other}")),
    }
}

fn not_hallmark(registry: &str) -> String {
    format!("expected a Hallmark at {registry}, found something else")
}

fn is_unknown(body: Option<&serde_json::Value>) -> bool {
    let code = body.and_then(|body| body.pointer("/errors/0/code")).and_then(serde_json::Value::as_str);
    code == Some("NAME_UNKNOWN")
}

fn write(args: &Args, account: &Account, body: &serde_json::Value, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{body:#}");
    }
    let answer = match account.allowed {
        Some(true) => "allowed",
        Some(false) => "refused",
        None => "it depends",
    };
    let (who, action) = (plain(&account.who), account.action);
    writeln!(out, "{answer}: {who} {action} {}", args.reference)?;
    writeln!(out, "because: {}", plain(&account.reason))?;
    if let Some(digest) = account.digest {
        writeln!(out, "digest: {digest}")?;
    }
    if let Some(subject) = account.judged_as {
        writeln!(out, "judged as what it is about: {subject}")?;
    }
    grants(account, out)?;
    passed(account, out)?;
    for requirement in &account.requirements {
        writeln!(out)?;
        text(requirement, out)?;
    }
    Ok(())
}

/// The pushes that are not served, but the newest of a refused tag, of which everything else speaks.
fn passed(account: &Account, out: &mut dyn Write) -> io::Result<()> {
    let (order, told) = if account.allowed == Some(false) { ("older", 1) } else { ("newer", 0) };
    for passed in account.passed.iter().skip(told) {
        let which = passed.digest.map(|digest| format!(" {digest}")).unwrap_or_default();
        let when = passed.at.map(|at| format!(" of {at}")).unwrap_or_default();
        writeln!(out, "not served, {order}: push{which}{when}: {}", plain(&passed.reason))?;
    }
    Ok(())
}

fn grants(account: &Account, out: &mut dyn Write) -> io::Result<()> {
    if account.grants.is_empty() {
        writeln!(out, "granted: nothing")?;
    }
    for grant in &account.grants {
        let mode = match grant.mode {
            None | Some(Mode::Enforce) => "",
            Some(Mode::Warn) => " (only warns)",
            Some(Mode::Audit) => " (only recorded)",
        };
        let decides = if grant.decides { "" } else { ", which does not decide here" };
        writeln!(out, "granted under {}{mode}{decides}", grant.requirement)?;
    }
    if account.own_model {
        writeln!(out, "policies/model.conf decides, and may read these lines otherwise:")?;
    }
    for line in account.lines.iter().flatten() {
        let wins = if line.denies { "   <- denies, over all grants" } else { "" };
        writeln!(out, "  {}: {}{wins}", plain(&line.place), plain(&line.text))?;
        for member in &line.through {
            writeln!(out, "    through {}", plain(member))?;
        }
    }
    Ok(())
}
