//! `trust/signers.toml`: names for keys and identities.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{PublicKey, Statement, Trust, TrustPolicy};
use crate::document::{Document, Table};
use crate::files::Files;
use crate::gate::SignerName;
use crate::mistake::Mistake;
use crate::oci::RepositoryName;

/// A named identity whose signatures may count.
#[derive(Clone, Debug)]
pub struct Signer {
    name: SignerName,
    kind: SignerKind,
    repositories: Option<Repositories>,
    line: usize,
}

#[derive(Clone, Debug)]
struct Repositories {
    written: Vec<String>,
    globs: GlobSet,
}

/// Two signers are equal when the same signatures count in the same places; the line says nothing.
impl PartialEq for Signer {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.kind, self.repositories()) == (&other.name, &other.kind, other.repositories())
    }
}

impl Eq for Signer {}

/// How a signer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerKind {
    /// By a public key, as `cosign sign --key` uses.
    CosignKey(PublicKey),
    /// By a certificate identity; recognised, not judged yet.
    Keyless {
        /// The trusted root, below `trust/`.
        trusted_root: String,
        /// The OIDC issuer.
        issuer: Pattern,
        /// The identity in the certificate.
        identity: Pattern,
    },
    /// By the statement of notation's trust policy.
    Notation {
        /// The statement's name.
        policy: String,
        /// All that decides whether a signature is this signer's.
        judged_by: Arc<TrustPolicy>,
    },
}

/// What a text must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Exactly this.
    Exactly(String),
    /// What this regular expression matches.
    Matching(String),
}

impl Signer {
    /// The name.
    pub fn name(&self) -> &SignerName {
        &self.name
    }

    /// How it is known.
    pub fn kind(&self) -> &SignerKind {
        &self.kind
    }

    /// Its key, if it is known by one.
    pub fn cosign_key(&self) -> Option<&PublicKey> {
        match &self.kind {
            SignerKind::CosignKey(key) => Some(key),
            SignerKind::Keyless { .. } | SignerKind::Notation { .. } => None,
        }
    }

    pub(super) fn judge_by(&mut self, whole: &Arc<TrustPolicy>) {
        if let SignerKind::Notation { judged_by, .. } = &mut self.kind {
            *judged_by = Arc::clone(whole);
        }
    }

    /// The line of `trust/signers.toml` on which it is named.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The globs as written; nothing when its signatures count everywhere.
    pub fn repositories(&self) -> Option<&[String]> {
        self.repositories.as_ref().map(|repositories| repositories.written.as_slice())
    }

    /// Whether its signatures count in `repository`: signatures bind bytes, not names.
    ///
    /// Globs match as casbin's `globMatch` does: `prod/**` is everything below `prod`, and `prod/*` one level.
    pub fn applies_to(&self, repository: &RepositoryName) -> bool {
        self.repositories.as_ref().is_none_or(|repositories| repositories.globs.is_match(repository.as_str()))
    }
}

const KEYS: [&str; 8] = [
    "cosign_key",
    "repositories",
    "trusted_root",
    "certificate_oidc_issuer",
    "certificate_oidc_issuer_regexp",
    "certificate_identity",
    "certificate_identity_regexp",
    "notation_policy",
];

/// Reads the signers; those that name a statement of notation's must name one of `policy`, unless it can't be read.
pub(super) fn parse(files: &Files, policy: Option<&TrustPolicy>) -> Result<BTreeMap<SignerName, Signer>, Vec<Mistake>> {
    let Some(bytes) = files.get(Trust::FILE) else {
        return Err(vec![Mistake::new(Trust::FILE, 0, "expected the file that names the signers, found none")]);
    };
    let (mut document, table) = Document::parse(Trust::FILE, bytes)?;
    let mut signers = BTreeMap::new();
    for (key, value) in &table {
        let name = match key.get_ref().parse::<SignerName>() {
            Ok(name) => Some(name),
            Err(error) => {
                document.refuse(&key.span(), error.to_string());
                None
            }
        };
        let Some(fields) = document.table(value) else { continue };
        document.only(fields, &KEYS);
        let repositories = repositories(&mut document, fields);
        let kind = kind(&mut document, fields, &key.span(), files);
        if let (Some(SignerKind::Notation { policy: named, .. }), Some(policy)) = (&kind, policy) {
            statement_exists(&mut document, fields, named, policy);
        }
        if let (Some(name), Some(kind)) = (name, kind) {
            let line = document.line(&key.span());
            signers.insert(name.clone(), Signer { name, kind, repositories, line });
        }
    }
    document.finish(signers)
}

/// `None` is everywhere: a mistake in the globs refuses the file, so it never widens anything.
fn repositories(document: &mut Document<'_>, fields: &Table<'_>) -> Option<Repositories> {
    let value = fields.get("repositories")?;
    if value.get_ref().as_array().is_some_and(|list| list.is_empty()) {
        document.refuse(&value.span(), "expected at least one glob of repositories, found none");
    }
    let mut builder = GlobSetBuilder::new();
    let mut written = Vec::new();
    for (text, place) in document.texts(value) {
        match GlobBuilder::new(text).literal_separator(true).build() {
            Ok(glob) => {
                builder.add(glob);
                written.push(text.to_owned());
            }
            Err(error) => document.refuse(&place, format!("expected a glob, found {text:?}: {}", error.kind())),
        }
    }
    match builder.build() {
        Ok(globs) => Some(Repositories { written, globs }),
        Err(error) => {
            document.refuse(&value.span(), format!("expected globs: {}", error.kind()));
            None
        }
    }
}

fn kind(document: &mut Document<'_>, fields: &Table<'_>, place: &Range<usize>, files: &Files) -> Option<SignerKind> {
    let keyless = KEYS.iter().filter(|key| key.starts_with("certificate_")).any(|key| fields.contains_key(*key));
    let kinds = [fields.contains_key("cosign_key"), keyless, fields.contains_key("notation_policy")];
    if kinds.iter().filter(|present| **present).count() != 1 {
        let message = "expected exactly one of cosign_key, a certificate identity with its issuer, or notation_policy";
        document.refuse(place, message);
        return None;
    }
    if let Some(root) = fields.get("trusted_root").filter(|_| !keyless) {
        let message = "expected no trusted_root: a log entry beside a key or a notation policy is not supported yet";
        document.refuse(&root.span(), message);
    }
    if let Some(value) = fields.get("cosign_key") {
        let path = document.text(value)?;
        return key(document, path, &value.span(), files).map(SignerKind::CosignKey);
    }
    if let Some(value) = fields.get("notation_policy") {
        let policy = document.text(value)?.to_owned();
        return Some(SignerKind::Notation { policy, judged_by: Arc::default() });
    }
    let issuer = pattern(document, fields, ["certificate_oidc_issuer", "certificate_oidc_issuer_regexp"], place);
    let identity = pattern(document, fields, ["certificate_identity", "certificate_identity_regexp"], place);
    let Some(root) = fields.get("trusted_root") else {
        document.refuse(place, "expected a trusted_root beside a certificate identity, found none");
        return None;
    };
    let path = document.text(root)?;
    let trusted_root = below_trust(document, path, &root.span(), files).map(|_| path.to_owned())?;
    Some(SignerKind::Keyless { trusted_root, issuer: issuer?, identity: identity? })
}

fn statement_exists(document: &mut Document<'_>, fields: &Table<'_>, named: &str, policy: &TrustPolicy) {
    let Some(value) = fields.get("notation_policy").filter(|_| policy.by_name(named).is_none()) else { return };
    let names: Vec<_> = policy.statements().iter().map(Statement::name).collect();
    let found = if names.is_empty() { "no statement at all".to_owned() } else { names.join(", ") };
    let message = format!("expected a statement of {} named {named:?}, found {found}", TrustPolicy::FILE);
    document.refuse(&value.span(), message);
}

fn pattern(
    document: &mut Document<'_>,
    fields: &Table<'_>,
    [exact, regexp]: [&str; 2],
    place: &Range<usize>,
) -> Option<Pattern> {
    match (fields.get(exact), fields.get(regexp)) {
        (Some(value), None) => Some(Pattern::Exactly(document.text(value)?.to_owned())),
        (None, Some(value)) => Some(Pattern::Matching(document.text(value)?.to_owned())),
        _ => {
            document.refuse(place, format!("expected either {exact} or {regexp}"));
            None
        }
    }
}

fn key(document: &mut Document<'_>, path: &str, place: &Range<usize>, files: &Files) -> Option<PublicKey> {
    let pem = below_trust(document, path, place, files)?;
    match PublicKey::from_pem(pem) {
        Ok(key) => Some(key),
        Err(error) => {
            document.refuse(place, format!("trust/{path}: {error}"));
            None
        }
    }
}

/// The file at `path` below `trust/`; a path that leads out of it names nothing.
fn below_trust<'f>(
    document: &mut Document<'_>,
    path: &str,
    place: &Range<usize>,
    files: &'f Files,
) -> Option<&'f [u8]> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
    if !path.split('/').all(plain) {
        document.refuse(place, format!("expected a path below trust/, found {path:?}"));
        return None;
    }
    let found = files.get(&format!("trust/{path}"));
    if found.is_none() {
        document.refuse(place, format!("expected the file trust/{path}, found none"));
    }
    found.map(Vec::as_slice)
}
