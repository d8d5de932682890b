//! One statement of `trust/trustpolicy.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::policy_document::Reading;
use super::subject_pattern::SubjectPattern;
use super::trust_policy::{Check, GLOBAL, Handling, Statement, Store, StoreKind, TrustedIdentity, VerifyTimestamp};
use super::trust_store::{self, Stores};
use crate::oci::RepositoryName;

const KEYS: [&str; 5] = ["name", "registryScopes", "signatureVerification", "trustStores", "trustedIdentities"];
const LEVELS: [&str; 4] = ["strict", "permissive", "audit", "skip"];
const SUBJECT: &str = "x509.subject:";

/// Reads the statement at `at`; nothing, with mistakes noted, when not even its name and level are told.
pub(super) fn read(
    reading: &mut Reading,
    written: &Map<String, Value>,
    at: &str,
    stores: &Stores,
) -> Option<Statement> {
    if written.contains_key("globalPolicy") {
        let message =
            "expected a statement for images, found globalPolicy: notation's document for blobs is another one";
        reading.refuse(&format!("{at}/globalPolicy"), message);
    } else {
        reading.only(written, at, &KEYS);
    }
    let name = reading.text(written, at, "name");
    let scopes = scopes(reading, written, at);
    let inner = format!("{at}/signatureVerification");
    let verification = reading.object(written.get("signatureVerification"), &inner)?;
    reading.only(verification, &inner, &["level", "override", "verifyTimestamp"]);
    let level = level(reading, verification, &inner);
    let verify_timestamp = verify_timestamp(reading, verification, &inner);
    let skips = level == Some("skip");
    let handling = handling(reading, verification, &inner, level.unwrap_or_default());
    let (mut listed, mut identities) = (Vec::new(), Vec::new());
    if skips {
        if scopes.iter().any(|scope| scope == GLOBAL) {
            reading.refuse(&format!("{inner}/level"), "expected skip for named repositories, found it for all of them");
        }
        for key in ["trustStores", "trustedIdentities"] {
            if written.get(key).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty())) {
                reading.refuse(&format!("{at}/{key}"), format!("expected no {key} beside the level skip, found some"));
            }
        }
    } else {
        listed = self::stores(reading, written, at, stores);
        identities = self::identities(reading, written, at);
    }
    let (name, level) = (name?.to_owned(), level?.to_owned());
    let line = reading.line(at);
    let not_enforced = not_enforced(skips, &handling);
    Some(Statement { name, line, level, handling, verify_timestamp, scopes, stores: listed, identities, not_enforced })
}

/// Without authenticity anybody signs, and without expiry what was given up counts for ever.
fn not_enforced(skips: bool, handling: &BTreeMap<Check, Handling>) -> Option<String> {
    let needed = [Check::Authenticity, Check::Expiry].into_iter();
    let missing = needed.filter(|check| handling.get(check) != Some(&Handling::Enforce)).map(Check::as_str);
    let missing: Vec<_> = missing.collect();
    match missing.as_slice() {
        _ if skips => Some("verifies nothing".to_owned()),
        [] => None,
        missing => Some(format!("does not enforce {}", missing.join(" and "))),
    }
}

fn scopes(reading: &mut Reading, written: &Map<String, Value>, at: &str) -> Vec<String> {
    let texts = reading.texts(written, at, "registryScopes");
    for (scope, place) in &texts {
        if *scope == GLOBAL && texts.len() > 1 {
            reading.refuse(place, "expected * alone, found other scopes beside it");
        }
        if *scope != GLOBAL && !is_scope(scope) {
            let message =
                format!("expected <host>/<repository> without scheme, tag or wildcard, or *, found {scope:?}");
            reading.refuse(place, message);
        }
    }
    texts.into_iter().map(|(scope, _)| scope.to_owned()).collect()
}

fn is_scope(scope: &str) -> bool {
    let Some((host, repository)) = scope.split_once('/') else { return false };
    let (domain, port) = match host.split_once(':') {
        Some((domain, port)) => (domain, Some(port)),
        None => (host, None),
    };
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let port_is_number = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    domain.split('.').all(label) && port_is_number && repository.parse::<RepositoryName>().is_ok()
}

fn level<'v>(reading: &mut Reading, verification: &'v Map<String, Value>, at: &str) -> Option<&'v str> {
    let level = reading.text(verification, at, "level")?;
    if LEVELS.contains(&level) {
        return Some(level);
    }
    reading.refuse(&format!("{at}/level"), format!("expected a level of {}, found {level:?}", LEVELS.join(", ")));
    None
}

fn verify_timestamp(reading: &mut Reading, verification: &Map<String, Value>, at: &str) -> VerifyTimestamp {
    match verification.get("verifyTimestamp") {
        None => VerifyTimestamp::Always,
        Some(Value::String(word)) if word == "always" || word.is_empty() => VerifyTimestamp::Always,
        Some(Value::String(word)) if word == "afterCertExpiry" => VerifyTimestamp::AfterCertExpiry,
        Some(other) => {
            let message = format!("expected verifyTimestamp to be always or afterCertExpiry, found {other}");
            reading.refuse(&format!("{at}/verifyTimestamp"), message);
            VerifyTimestamp::Always
        }
    }
}

fn handling(
    reading: &mut Reading,
    verification: &Map<String, Value>,
    at: &str,
    level: &str,
) -> BTreeMap<Check, Handling> {
    let preset = |check: Check| match (level, check) {
        ("strict", _) | ("permissive", Check::Authenticity) => Handling::Enforce,
        ("permissive" | "audit", _) => Handling::Log,
        _ => Handling::Skip,
    };
    let mut all: BTreeMap<_, _> = Check::ALL.into_iter().map(|check| (check, preset(check))).collect();
    let at = format!("{at}/override");
    let Some(value) = verification.get("override") else { return all };
    let Some(overrides) = reading.object(Some(value), &at) else { return all };
    if level == "skip" && !overrides.is_empty() {
        reading.refuse(&at, "expected no override of the level skip, found one");
    }
    for (key, value) in overrides {
        // It is always enforced, and may be said to be.
        if key == "integrity" && value.as_str() == Some("enforce") {
            continue;
        }
        match overridden(key, value) {
            Ok((check, handling)) => drop(all.insert(check, handling)),
            Err(message) => reading.refuse(&format!("{at}/{key}"), message),
        }
    }
    all
}

fn overridden(key: &str, value: &Value) -> Result<(Check, Handling), String> {
    let words = Check::ALL.map(Check::as_str).join(", ");
    let Some(check) = Check::ALL.into_iter().find(|check| check.as_str() == key) else {
        return Err(format!("expected an override of {words}, found {key:?}"));
    };
    match value.as_str() {
        Some("enforce") => Ok((check, Handling::Enforce)),
        Some("log") => Ok((check, Handling::Log)),
        Some("skip") if check == Check::Revocation => Ok((check, Handling::Skip)),
        Some("skip") => {
            Err(format!("expected {check} to be enforced or logged, found skip: only revocation may be skipped"))
        }
        _ => Err(format!("expected {check} to be enforce, log or skip, found {value}")),
    }
}

fn stores(reading: &mut Reading, written: &Map<String, Value>, at: &str, stores: &Stores) -> Vec<Store> {
    let mut all: Vec<Store> = Vec::new();
    for (text, place) in reading.texts(written, at, "trustStores") {
        let kinds = StoreKind::ALL.into_iter();
        let named = text.split_once(':').filter(|(_, name)| trust_store::is_name(name));
        let known = named.and_then(|(kind, name)| Some((kinds.clone().find(|known| known.as_str() == kind)?, name)));
        let Some((kind, name)) = known else {
            let message = format!(
                "expected a trust store as ca:, signingAuthority: or tsa: and a name of [a-zA-Z0-9_.-], found {text:?}"
            );
            reading.refuse(&place, message);
            continue;
        };
        let Some(stored) = stores.get(&(kind, name.to_owned())) else {
            reading.refuse(&place, format!("expected certificates in trust/x509/{kind}/{name}/, found none"));
            continue;
        };
        let certificates = stored.iter().map(|stored| stored.certificate.clone()).collect();
        let store = Store { kind, name: name.to_owned(), certificates };
        if !all.contains(&store) {
            all.push(store);
        }
    }
    all
}

fn identities(reading: &mut Reading, written: &Map<String, Value>, at: &str) -> Vec<TrustedIdentity> {
    let texts = reading.texts(written, at, "trustedIdentities");
    let mut all: Vec<TrustedIdentity> = Vec::new();
    for (text, place) in &texts {
        match identity(text) {
            Ok(TrustedIdentity::Anyone) if texts.len() > 1 => {
                reading.refuse(place, "expected * alone, found other trusted identities beside it");
            }
            Ok(identity) => {
                if let Some(other) = all.iter().find(|other| other.overlaps(&identity)) {
                    let message = format!(
                        "expected trusted identities that do not overlap, found {text:?} beside {:?}",
                        other.written()
                    );
                    reading.refuse(place, message);
                }
                all.push(identity);
            }
            Err(message) => reading.refuse(place, message),
        }
    }
    all
}

fn identity(text: &str) -> Result<TrustedIdentity, String> {
    if text == GLOBAL {
        return Ok(TrustedIdentity::Anyone);
    }
    let Some(subject) = text.strip_prefix(SUBJECT) else {
        return Err(format!("expected a trusted identity as * or {SUBJECT} and a distinguished name, found {text:?}"));
    };
    let pattern = SubjectPattern::parse(subject).map_err(|found| {
        format!("expected {SUBJECT} with C, ST and O, each attribute once, found {found} in {text:?}")
    })?;
    Ok(TrustedIdentity::Subject { written: text.to_owned(), pattern })
}
