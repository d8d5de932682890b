//! `trust/trustpolicy.json`, notation's trust policy document 1.0, read so that every mistake is told at once.
//!
//! The [specification](https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md)
//! decides, and notation's own checks where it is silent. Stricter than notation: keys that the document does not have
//! are refused (notation ignores them, so that a misspelt one says nothing), and so are keys named twice, the level
//! `skip` for every repository, trusted identities of plugins, stores that are absent, and patterns that match nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::json_lines::JsonLines;
use super::statement_document;
use super::trust_policy::{GLOBAL, Statement, TrustPolicy};
use super::trust_store::{self, Stores};
use crate::files::Files;
use crate::mistake::Mistake;
use crate::oci::json;

/// How deep the document may nest; it needs five.
const MAX_DEPTH: usize = 8;

/// What newer versions of notation call the same document.
const OTHER_FILE: &str = "trust/trustpolicy.oci.json";

/// The document under reading, and the mistakes found so far.
pub(super) struct Reading {
    lines: JsonLines,
    mistakes: Vec<Mistake>,
}

/// Reads the stores and the document; without one, no statement speaks for anything.
pub(super) fn parse(files: &Files, hostnames: &[String]) -> Result<TrustPolicy, Vec<Mistake>> {
    let (stores, mut mistakes) = trust_store::parse(files);
    let mut policy = TrustPolicy { hostnames: hostnames.to_vec(), ..TrustPolicy::default() };
    if let Some(bytes) = files.get(TrustPolicy::FILE) {
        match document(bytes, &stores) {
            Ok(statements) => policy.statements = statements,
            Err(found) => mistakes.extend(found),
        }
    }
    if files.contains_key(OTHER_FILE) {
        // notation prefers it: with two of them, here and there another one would speak.
        let message = format!("expected notation's trust policy in {}, found this one: rename it", TrustPolicy::FILE);
        mistakes.push(Mistake::new(OTHER_FILE, 0, message));
    }
    mistakes.extend(policy.select());
    policy.stored = stores.into_values().flatten().collect();
    if mistakes.is_empty() { Ok(policy) } else { Err(mistakes) }
}

fn document(bytes: &[u8], stores: &Stores) -> Result<Vec<Statement>, Vec<Mistake>> {
    let parsed = json::parse(bytes, MAX_DEPTH).map_err(|error| {
        let message = error.to_string();
        vec![Mistake::new(TrustPolicy::FILE, told_line(&message), message)]
    })?;
    let mut reading = Reading { lines: JsonLines::of(bytes), mistakes: Vec::new() };
    let statements = reading.statements(&parsed, stores);
    reading.mistakes.sort_by_key(|mistake| mistake.line);
    if reading.mistakes.is_empty() { Ok(statements) } else { Err(reading.mistakes) }
}

/// The line that the JSON parser tells in its message; 0 when it tells none.
fn told_line(message: &str) -> usize {
    let told = message.rsplit_once(" at line ").and_then(|(_, place)| place.split(' ').next()?.parse().ok());
    told.unwrap_or_default()
}

impl Reading {
    fn statements(&mut self, parsed: &Value, stores: &Stores) -> Vec<Statement> {
        let Some(document) = self.object(Some(parsed), "") else { return Vec::new() };
        self.only(document, "", &["version", "trustPolicies"]);
        match document.get("version") {
            Some(Value::String(version)) if version == "1.0" => {}
            Some(other) => self.refuse("/version", format!("expected the version \"1.0\", found {other}")),
            None => self.refuse("", "expected the version \"1.0\", found none"),
        }
        let mut all = Vec::new();
        for (index, written) in self.list(document, "", "trustPolicies").into_iter().enumerate() {
            let at = format!("/trustPolicies/{index}");
            if let Some(written) = self.object(Some(written), &at) {
                all.extend(statement_document::read(self, written, &at, stores));
            }
        }
        self.distinct(document);
        all
    }

    /// No two statements of one name, and no scope twice.
    fn distinct(&mut self, document: &Map<String, Value>) {
        let (mut names, mut scopes) = (BTreeSet::new(), BTreeSet::new());
        let written = document.get("trustPolicies").and_then(Value::as_array);
        for (index, statement) in written.into_iter().flatten().enumerate() {
            if let Some(name) = statement.get("name").and_then(Value::as_str).filter(|name| !names.insert(*name)) {
                let message = format!("expected statements of different names, found a second {name:?}");
                self.refuse(&format!("/trustPolicies/{index}/name"), message);
            }
            let listed = statement.get("registryScopes").and_then(Value::as_array);
            for (entry, scope) in listed.into_iter().flatten().enumerate() {
                if let Some(scope) = scope.as_str().filter(|scope| !scopes.insert(*scope)) {
                    let message = format!("expected each scope once in the document, found a second {scope:?}");
                    self.refuse(&format!("/trustPolicies/{index}/registryScopes/{entry}"), message);
                }
            }
        }
    }

    /// Notes a mistake at the value that `pointer` points to.
    pub(super) fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake::new(TrustPolicy::FILE, self.line(pointer), message));
    }

    pub(super) fn line(&self, pointer: &str) -> usize {
        self.lines.line(pointer)
    }

    /// Refuses every key of the object at `pointer` that is not in `known`.
    pub(super) fn only(&mut self, object: &Map<String, Value>, pointer: &str, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.refuse(&format!("{pointer}/{key}"), format!("expected one of {}, found {key:?}", known.join(", ")));
        }
    }

    pub(super) fn object<'v>(&mut self, value: Option<&'v Value>, pointer: &str) -> Option<&'v Map<String, Value>> {
        let found = value.and_then(Value::as_object);
        if found.is_none() {
            self.refuse(pointer, format!("expected an object, found {}", kind(value)));
        }
        found
    }

    pub(super) fn text<'v>(&mut self, object: &'v Map<String, Value>, around: &str, key: &str) -> Option<&'v str> {
        let value = object.get(key);
        let found = value.and_then(Value::as_str).filter(|text| !text.is_empty());
        if found.is_none() {
            self.refuse(&format!("{around}/{key}"), format!("expected a text as {key}, found {}", kind(value)));
        }
        found
    }

    /// The entries of the list, of which there must be one.
    pub(super) fn list<'v>(&mut self, object: &'v Map<String, Value>, around: &str, key: &str) -> Vec<&'v Value> {
        let value = object.get(key);
        let found: Vec<&Value> = value.and_then(Value::as_array).into_iter().flatten().collect();
        if found.is_empty() {
            let message = format!("expected a list as {key} with at least one entry, found {}", kind(value));
            self.refuse(&format!("{around}/{key}"), message);
        }
        found
    }

    /// The texts of the list, each with its place.
    pub(super) fn texts<'v>(&mut self, object: &'v Map<String, Value>, at: &str, key: &str) -> Vec<(&'v str, String)> {
        let mut texts = Vec::new();
        for (index, entry) in self.list(object, at, key).into_iter().enumerate() {
            let place = format!("{at}/{key}/{index}");
            match entry.as_str() {
                Some(text) => texts.push((text, place)),
                None => self.refuse(&place, format!("expected a text, found {}", kind(Some(entry)))),
            }
        }
        texts
    }
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(text)) if text.is_empty() => "an empty one",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(list)) if list.is_empty() => "an empty one",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}

impl TrustPolicy {
    /// Finds which statement speaks for which of our repositories; two for one, under two of our names, are a mistake.
    fn select(&mut self) -> Vec<Mistake> {
        let (mut by_repository, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (index, statement) in self.statements.iter().enumerate() {
            for scope in &statement.scopes {
                if scope == GLOBAL {
                    self.global = Some(index);
                }
                let Some((host, repository)) = scope.split_once('/') else { continue };
                if !self.hostnames.iter().any(|own| own == host) {
                    continue;
                }
                let earlier = by_repository.insert(repository.to_owned(), index).filter(|other| *other != index);
                if let Some(other) = earlier.and_then(|other| self.statements.get(other)) {
                    let message = format!(
                        "expected one statement for {repository}, found {:?} and {:?} under two names of this registry",
                        other.name, statement.name
                    );
                    mistakes.push(Mistake::new(Self::FILE, statement.line, message));
                }
            }
        }
        self.by_repository = by_repository;
        mistakes
    }
}
