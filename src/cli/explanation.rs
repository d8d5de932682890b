//! A requirement with its answer, for people: `hallmark explain` and `hallmark verify` tell it in the same words.

use std::io::{self, Write};

use crate::gate::{Explained, Explanation, Finding, Mode, Outcome};

/// Writes the requirement as a tree with its marks, each piece of evidence, and what would make it pass.
pub fn text(explanation: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    let Explanation { requirement, digest, reason, .. } = explanation;
    let mode = match explanation.mode {
        Mode::Enforce => "",
        Mode::Warn => " (only warns)",
        Mode::Audit => " (only recorded)",
    };
    let answer = if explanation.met { "is met" } else { "is not met" };
    writeln!(out, "{requirement}{mode} {answer}: {}", plain(reason))?;
    writeln!(out, "  digest {digest}")?;
    if explanation.through != *digest {
        writeln!(out, "  by evidence about {}", explanation.through)?;
    }
    if let Some(until) = explanation.until {
        writeln!(out, "  until {until}")?;
    }
    tree(&explanation.conditions, 1, out)?;
    for finding in &explanation.evidence {
        evidence(finding, out)?;
    }
    match &explanation.hint {
        Some(hint) => writeln!(out, "  to pass: {}", plain(hint)),
        None => Ok(()),
    }
}

fn tree(part: &Explained, depth: usize, out: &mut dyn Write) -> io::Result<()> {
    let mark = if part.met { "[met]" } else { "[unmet]" };
    writeln!(out, "{:indent$}{mark} {}", "", plain(&part.condition), indent = depth.saturating_mul(2))?;
    part.of.iter().try_for_each(|inner| tree(inner, depth.saturating_add(1), out))
}

fn evidence(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  evidence {} ({})", finding.evidence, finding.shape)?;
    match &finding.outcome {
        Outcome::Verified { signers, until, .. } => {
            let names: Vec<&str> = signers.iter().map(crate::gate::SignerName::as_str).collect();
            write!(out, "    verified: signed by {}", names.join(", "))?;
            match until {
                Some(until) => writeln!(out, ", until {until}"),
                None => writeln!(out),
            }
        }
        Outcome::Nothing { expected, found, .. } => {
            writeln!(out, "    counts for nothing: expected {}", plain(expected))?;
            writeln!(out, "                        found {}", plain(found))
        }
    }
}

/// Without what would steer a terminal: some of it is quoted from what others pushed.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
