//! A requirement with its answer, for people: `hallmark explain` and `hallmark verify` tell it in the same words.

use std::io::{self, Write};

use crate::gate::{Explained, Explanation, Finding, Mode, Outcome};
use crate::terminal;

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

/// Without what would steer a terminal or reorder its line: some of it is quoted from what others pushed.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if terminal::steers(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::gate::{Identity, Shape};
    use crate::oci::Digest;

    fn explanation() -> Explanation {
        let digest = Digest::sha256(b"image");
        let leaf = |condition: &str, met| Explained { condition: condition.to_owned(), met, of: Vec::new() };
        let of = vec![leaf("signed by a", true), leaf("signed by b", false)];
        let verified = Outcome::Verified {
            signers: vec!["a".parse().unwrap()],
            identity: Identity("k".to_owned()),
            until: Some(Timestamp::from_micros(0)),
        };
        let evidence = |outcome| Finding { evidence: Digest::sha256(b"e"), shape: Shape::SigstoreBundle, outcome };
        Explanation {
            requirement: "both".parse().unwrap(),
            mode: Mode::Warn,
            digest,
            met: false,
            through: digest,
            until: None,
            reason: "no".to_owned(),
            conditions: Explained { condition: "all of".to_owned(), met: false, of },
            evidence: vec![evidence(verified), evidence(Outcome::nothing("a key", "\u{1b}[2J\u{202e}"))],
            hint: Some("a signature by b".to_owned()),
        }
    }

    fn written(explanation: &Explanation) -> String {
        let mut out = Vec::new();
        text(explanation, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_requirement_is_a_tree_with_its_evidence_and_what_would_make_it_pass() {
        let digest = Digest::sha256(b"image");
        let bundle = Digest::sha256(b"e");
        let expected = format!(
            "both (only warns) is not met: no\n  digest {digest}\n  [unmet] all of\n    [met] signed by a\n    \
             [unmet] signed by b\n  evidence {bundle} (sigstore-bundle)\n    verified: signed by a, until \
             1970-01-01T00:00:00Z\n  evidence {bundle} (sigstore-bundle)\n    counts for nothing: expected a key\n{:24}\
             found ?[2J?\n  to pass: a signature by b\n",
            ""
        );
        assert_eq!(written(&explanation()), expected);
    }

    #[test]
    fn an_explanation_survives_json() {
        let told = explanation();
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), told);
    }
}
