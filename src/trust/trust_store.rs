//! `trust/x509/{ca,signingAuthority,tsa}/<store>/*`: the certificates that signatures must chain up to.

use std::collections::BTreeMap;

use x509_cert::der::{Decode, Header, Length, SliceReader};

use super::{Certificate, CertificateError, StoreKind};
use crate::files::Files;
use crate::mistake::Mistake;

/// The folder of every store.
const FOLDER: &str = "trust/x509/";

/// A certificate of a trust store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedCertificate {
    /// The file that holds it.
    pub file: String,
    /// The kind of its store.
    pub kind: StoreKind,
    /// The certificate.
    pub certificate: Certificate,
}

/// The stores, by kind and name.
pub(super) type Stores = BTreeMap<(StoreKind, String), Vec<TrustedCertificate>>;

/// Whether `name` names a store.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    !name.is_empty() && name != "." && name != ".." && name.bytes().all(plain)
}

/// Reads every store, listed by a statement or not; a store that holds only mistakes is there, and empty.
pub(super) fn parse(files: &Files) -> (Stores, Vec<Mistake>) {
    let (mut stores, mut mistakes) = (Stores::new(), Vec::new());
    for (file, bytes) in files {
        let Some(path) = file.strip_prefix(FOLDER) else { continue };
        let Some((kind, name)) = place(path) else {
            mistakes.push(Mistake::new(file, 0, format!("expected certificates as {FOLDER}<ca, signingAuthority or tsa>/<store of [a-zA-Z0-9_.-]>/<file>, found a file elsewhere")));
            continue;
        };
        let store = stores.entry((kind, name.to_owned())).or_default();
        match certificates(bytes) {
            Ok(found) => {
                for certificate in found {
                    match check(kind, &certificate) {
                        Ok(()) => store.push(TrustedCertificate { file: file.clone(), kind, certificate }),
                        Err(message) => mistakes.push(Mistake::new(file, 0, message)),
                    }
                }
            }
            Err(message) => mistakes.push(Mistake::new(file, 0, message)),
        }
    }
    (stores, mistakes)
}

fn place(path: &str) -> Option<(StoreKind, &str)> {
    let parts: Vec<&str> = path.split('/').collect();
    let [kind, name, _file] = parts.as_slice() else { return None };
    let kind = StoreKind::ALL.into_iter().find(|known| known.as_str() == *kind)?;
    is_name(name).then_some((kind, *name))
}

/// A store for signers holds authorities, or signers that sign for themselves; a store for timestamps holds roots.
fn check(kind: StoreKind, certificate: &Certificate) -> Result<(), String> {
    let is_authority = certificate.basic_constraints().is_some_and(|constraints| constraints.ca);
    let subject = certificate.subject();
    match kind {
        StoreKind::Ca | StoreKind::SigningAuthority if is_authority || certificate.is_self_signed() => Ok(()),
        StoreKind::Ca | StoreKind::SigningAuthority => Err(format!(
            "expected the certificate of an authority, or one that is soundly signed by itself, found {subject}"
        )),
        StoreKind::Tsa if is_authority && certificate.is_self_signed() => Ok(()),
        StoreKind::Tsa => {
            Err(format!("expected the certificate of an authority, soundly signed by itself, found {subject}"))
        }
    }
}

/// The certificates of one file: in PEM, one or several, or in DER, one after the other.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    const BEGIN: &str = "-----BEGIN ";
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.contains(BEGIN));
    let Some(text) = text else { return in_der(bytes) };
    let mut all = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let (label, rest) = block.split_once("-----").unwrap_or((block, ""));
        if label.ends_with("PRIVATE KEY") {
            return Err(
                "expected certificates, found a private key: keep it elsewhere, and replace it if others could read it"
                    .to_owned(),
            );
        }
        if label != "CERTIFICATE" {
            return Err(format!("expected PEM blocks of CERTIFICATE, found one of {label:?}"));
        }
        let (body, _after) = rest
            .split_once("-----END CERTIFICATE-----")
            .ok_or("expected a PEM block to end, found one that does not")?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = openssl::base64::decode_block(&body)
            .map_err(|_openssl| "expected base64 in a PEM block, found other text")?;
        all.push(Certificate::from_der(&der).map_err(|error| error.to_string())?);
    }
    Ok(all)
}

fn in_der(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    let (mut all, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (first, after) = rest.split_at_checked(length(rest).unwrap_or(rest.len())).unwrap_or((rest, &[]));
        all.push(Certificate::from_der(first).map_err(words)?);
        rest = after;
    }
    if all.is_empty() { Err("expected certificates, found an empty file".to_owned()) } else { Ok(all) }
}

fn words(error: CertificateError) -> String {
    match error {
        CertificateError::Structure(found) => {
            format!("expected X.509 certificates in PEM or DER, found other bytes: {found}")
        }
        other => other.to_string(),
    }
}

/// How many bytes the first value of `bytes` takes.
fn length(bytes: &[u8]) -> Option<usize> {
    let header = Header::decode(&mut SliceReader::new(bytes).ok()?).ok()?;
    let before: Length = x509_cert::der::Encode::encoded_len(&header).ok()?;
    usize::try_from((before + header.length).ok()?).ok()
}
