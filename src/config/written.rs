//! `hallmark.toml` as written: unknown keys are refused.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

use super::LimitKeys;
use crate::mistake::Mistake;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    pub(super) listen: Option<SocketAddr>,
    pub(super) hostname: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) root: Option<PathBuf>,
    pub(super) policies: Option<PathBuf>,
    pub(super) trust: Option<PathBuf>,
    tls: Option<TlsKeys>,
    authn: AuthnKeys,
    pub(super) danger_plain_http: bool,
    pub(super) data_types: Vec<String>,
    pub(super) tag_history: Option<NonZeroUsize>,
    pub(super) sparse_images: bool,
    pub(super) limits: LimitKeys,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsKeys {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AuthnKeys {
    htpasswd: Option<PathBuf>,
}

impl Written {
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, Mistake> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| Mistake::line_of(text, span.start));
            Mistake::new(file, line, error.message().replace('\n', ", "))
        })
    }

    pub(super) fn certificate(&self) -> Option<&PathBuf> {
        self.tls.as_ref().map(|tls| &tls.certificate)
    }

    pub(super) fn key(&self) -> Option<&PathBuf> {
        self.tls.as_ref().map(|tls| &tls.key)
    }

    pub(super) fn htpasswd(&self) -> Option<&PathBuf> {
        self.authn.htpasswd.as_ref()
    }
}

/// The line that sets `key`; 0 when none does, because a flag or a default did.
pub(super) fn line(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let line = line.trim_start().trim_start_matches('[');
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', ']']))
    };
    text.lines().position(sets).map_or(0, |at| at.saturating_add(1))
}
