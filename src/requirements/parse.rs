//! `policies/requirements.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use globset::GlobBuilder;

use super::condition::{Clause, Leaf};
use super::{Requirement, Requirements, TagFallback};
use crate::document::{Document, Table, Value};
use crate::files::Files;
use crate::gate::{Identity, Mode, RequirementName, SignerName, Who};
use crate::mistake::Mistake;
use crate::trust::{Signer, SignerKind, Trust};

/// How deep conditions may nest.
const MAX_DEPTH: usize = 8;
/// How many leaves one requirement may have.
const MAX_LEAVES: usize = 256;
/// The keys of conditions.
const CONDITIONS: [&str; 8] = ["any", "all", "threshold", "of", "signed_by", "attested", "by", "rego"];
/// The keys of requirements, beside those of conditions.
const SETTINGS: [&str; 4] = ["protects", "except", "tag_fallback", "mode"];

pub(super) fn parse(
    files: &Files,
    trust: Option<&Trust>,
) -> Result<BTreeMap<RequirementName, Requirement>, Vec<Mistake>> {
    let Some(bytes) = files.get(Requirements::FILE) else { return Ok(BTreeMap::new()) };
    let (document, table) = Document::parse(Requirements::FILE, bytes)?;
    let mut reader = Reader { document, trust, files };
    let mut all = BTreeMap::new();
    for (key, value) in &table {
        let name = reader.name(key.get_ref(), &key.span());
        let Some(fields) = reader.document.table(value) else { continue };
        reader.document.only(fields, &[&CONDITIONS[..], &SETTINGS].concat());
        let requirement = reader.requirement(name.as_ref(), fields, &key.span());
        if let (Some(name), Some(requirement)) = (name, requirement) {
            all.insert(name, requirement);
        }
    }
    reader.document.finish(all)
}

/// How a signer is known, in words.
fn known(signer: &Signer) -> String {
    match signer.kind() {
        SignerKind::CosignKey(key) => format!("key {}", key.short()),
        SignerKind::Notation { policy, .. } => format!("notation statement {policy}"),
        SignerKind::Keyless { .. } => "a certificate identity, which is not judged yet".to_owned(),
    }
}

struct Reader<'a> {
    document: Document<'a>,
    /// None where trust can't be read: then any signer may be one.
    trust: Option<&'a Trust>,
    files: &'a Files,
}

impl Reader<'_> {
    fn name(&mut self, text: &str, place: &Range<usize>) -> Option<RequirementName> {
        let name = match text.parse::<RequirementName>() {
            Ok(name) if name.is_unverified() => {
                let message = "expected another name than `unverified`, which is the requirement that everything meets";
                self.document.refuse(place, message);
                return None;
            }
            name => name,
        };
        name.map_err(|error| self.document.refuse(place, error.to_string())).ok()
    }

    fn requirement(
        &mut self,
        name: Option<&RequirementName>,
        fields: &Table<'_>,
        place: &Range<usize>,
    ) -> Option<Requirement> {
        let modes = [("enforce", Mode::Enforce), ("warn", Mode::Warn), ("audit", Mode::Audit)];
        let mode = self.word(fields.get("mode"), &modes);
        let fallbacks = [("pending", TagFallback::Pending), ("deny", TagFallback::Deny)];
        let tag_fallback = self.word(fields.get("tag_fallback"), &fallbacks);
        let protects = self.protects(fields);
        let except = self.except(fields);
        let clause = self.clause(fields, place, 1)?;
        let leaves = clause.leaves();
        if leaves.len() > MAX_LEAVES {
            let message = format!("expected at most {MAX_LEAVES} signers and attestations, found {}", leaves.len());
            self.document.refuse(place, message);
        }
        let signers: BTreeSet<_> = leaves.into_iter().map(|leaf| leaf.signer().clone()).collect();
        let known = signers.iter().filter_map(|name| Some((name.clone(), known(self.trust?.signer(name)?)))).collect();
        let line = self.document.line(place);
        Some(Requirement { name: name?.clone(), clause, mode, protects, except, tag_fallback, signers, known, line })
    }

    fn word<T: Copy + Default>(&mut self, value: Option<&Value<'_>>, words: &[(&str, T)]) -> T {
        let Some(value) = value else { return T::default() };
        let Some(text) = self.document.text(value) else { return T::default() };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return *meaning;
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.document.refuse(&value.span(), format!("expected one of {}, found {text:?}", known.join(", ")));
        T::default()
    }

    fn protects(&mut self, fields: &Table<'_>) -> Vec<String> {
        let Some(value) = fields.get("protects") else { return Vec::new() };
        let globs = self.document.texts(value);
        for (text, place) in &globs {
            if let Err(error) = GlobBuilder::new(text).literal_separator(true).build() {
                self.document.refuse(place, format!("expected a glob, found {text:?}: {}", error.kind()));
            }
        }
        globs.into_iter().map(|(text, _)| text.to_owned()).collect()
    }

    fn except(&mut self, fields: &Table<'_>) -> Vec<String> {
        let Some(value) = fields.get("except") else { return Vec::new() };
        let subjects = self.document.texts(value);
        for (text, place) in &subjects {
            let role = text.strip_prefix("role:").is_some_and(|role| Who::user(role).is_ok());
            if !role && text.parse::<Who>().is_err() {
                let message = format!("expected `role:<name>`, `user:<name>` or `anonymous`, found {text:?}");
                self.document.refuse(place, message);
            }
        }
        subjects.into_iter().map(|(text, _)| text.to_owned()).collect()
    }

    /// The condition that `fields` state; exactly one of its forms.
    fn clause(&mut self, fields: &Table<'_>, place: &Range<usize>, depth: usize) -> Option<Clause> {
        if depth > MAX_DEPTH {
            self.document.refuse(place, format!("expected conditions nested at most {MAX_DEPTH} deep"));
            return None;
        }
        let forms: Vec<_> = ["any", "all", "threshold", "signed_by", "attested"]
            .into_iter()
            .filter(|k| fields.contains_key(*k))
            .collect();
        let [form] = forms.as_slice() else {
            let message = "expected exactly one of any, all, threshold with of, signed_by, or attested with by";
            self.document.refuse(place, message);
            return None;
        };
        self.no_strays(fields, form);
        let value = fields.get(*form)?;
        match *form {
            "any" => self.parts(value, depth).map(Clause::Any),
            "all" => {
                if value.get_ref().as_array().is_some_and(|list| list.is_empty()) {
                    self.document
                        .refuse(&value.span(), "expected at least one condition: all of nothing is always met");
                }
                let parts = self.parts(value, depth)?;
                self.distinct_keys(&parts, &value.span());
                Some(Clause::All(parts))
            }
            "threshold" => self.threshold(fields, value),
            _ => self.leaf(fields, place).map(Clause::Leaf),
        }
    }

    /// Keys that belong to another form would be silently without effect.
    fn no_strays(&mut self, fields: &Table<'_>, form: &str) {
        for (key, owner) in [("of", "threshold"), ("by", "attested"), ("rego", "attested")] {
            if let Some((found, _)) = fields.get_key_value(key).filter(|_| form != owner) {
                self.document.refuse(&found.span(), format!("expected {key} only beside {owner}"));
            }
        }
    }

    fn parts(&mut self, value: &Value<'_>, depth: usize) -> Option<Vec<Clause>> {
        let entries = self.document.list(value)?;
        let mut parts = Vec::new();
        for entry in entries {
            let Some(fields) = self.document.table(entry) else { continue };
            self.document.only(fields, &CONDITIONS);
            parts.extend(self.clause(fields, &entry.span(), depth.saturating_add(1)));
        }
        Some(parts)
    }

    fn threshold(&mut self, fields: &Table<'_>, value: &Value<'_>) -> Option<Clause> {
        let count = self.document.number(value);
        let Some(list) = fields.get("of") else {
            self.document.refuse(&value.span(), "expected a list `of` beside threshold, found none");
            return None;
        };
        let entries = self.document.list(list)?;
        let mut of: Vec<Leaf> = Vec::new();
        for entry in entries {
            let Some(fields) = self.document.table(entry) else { continue };
            self.document.only(fields, &CONDITIONS);
            let Some(Clause::Leaf(leaf)) = self.clause(fields, &entry.span(), MAX_DEPTH) else {
                self.document.refuse(&entry.span(), "expected signed_by or attested in a threshold");
                continue;
            };
            self.distinct(&of, &leaf, &entry.span());
            of.push(leaf);
        }
        let count = count?;
        if count < 1 || count > entries.len() {
            let message = format!("expected a threshold from 1 to {}, found {count}", entries.len());
            self.document.refuse(&value.span(), message);
        }
        Some(Clause::Threshold { count, of })
    }

    /// A repeated entry, or two signers with one key, would make the threshold look higher than it is.
    fn distinct(&mut self, of: &[Leaf], leaf: &Leaf, place: &Range<usize>) {
        if of.contains(leaf) {
            self.document
                .refuse(place, format!("expected each entry of a threshold once, found {} again", leaf.signer()));
            return;
        }
        let Some(identity) = self.identity(leaf.signer()) else { return };
        let same = |other: &&Leaf| other.signer() != leaf.signer() && self.identity(other.signer()) == Some(identity);
        if let Some(other) = of.iter().find(same).map(|other| other.signer().clone()) {
            let message =
                format!("expected different keys in a threshold, found one key of {other} and {}", leaf.signer());
            self.document.refuse(place, message);
        }
    }

    /// All of two names with one key would look like two signatures and be one.
    fn distinct_keys(&mut self, parts: &[Clause], place: &Range<usize>) {
        let mut seen: Vec<&SignerName> = Vec::new();
        for part in parts {
            let Clause::Leaf(Leaf::SignedBy(name)) = part else { continue };
            let identity = self.identity(name);
            let same = |other: &&&SignerName| **other != name && self.identity(other) == identity;
            if let Some(other) = seen.iter().find(same).filter(|_| identity.is_some()) {
                let message = format!("expected different keys in all, found one key of {other} and {name}");
                self.document.refuse(place, message);
            }
            seen.push(name);
        }
    }

    fn identity(&self, name: &SignerName) -> Option<&Identity> {
        match self.trust?.signer(name)?.kind() {
            SignerKind::CosignKey(key) => Some(key.identity()),
            SignerKind::Keyless { .. } | SignerKind::Notation { .. } => None,
        }
    }

    fn leaf(&mut self, fields: &Table<'_>, place: &Range<usize>) -> Option<Leaf> {
        if let Some(value) = fields.get("signed_by") {
            return self.signer(value).map(Leaf::SignedBy);
        }
        let predicate = self.document.text(fields.get("attested")?)?.to_owned();
        let Some(by) = fields.get("by") else {
            self.document.refuse(place, "expected `by` beside attested, found none");
            return None;
        };
        let by = self.signer(by)?;
        let rego = match fields.get("rego") {
            Some(value) => Some(self.rego(value)?),
            None => None,
        };
        Some(Leaf::Attested { predicate, by, rego })
    }

    fn rego(&mut self, value: &Value<'_>) -> Option<String> {
        let name = self.document.text(value)?;
        if !self.files.contains_key(&format!("policies/predicates/{name}")) {
            self.document.refuse(&value.span(), format!("expected the file policies/predicates/{name}, found none"));
            return None;
        }
        Some(name.to_owned())
    }

    fn signer(&mut self, value: &Value<'_>) -> Option<SignerName> {
        let text = self.document.text(value)?;
        let known = text.parse().ok().filter(|name| self.trust.is_none_or(|trust| trust.signer(name).is_some()));
        if known.is_none() {
            self.document.refuse(&value.span(), format!("expected a signer of {}, found {text:?}", Trust::FILE));
        }
        known
    }
}
