//! The certificate chain: ordered and complete as it comes, each certificate as the specification asks.
//!
//! No path is searched: it is walked pair by pair. Nothing here asks when the certificates are valid.

use crate::clock::Timestamp;
use crate::trust::{Certificate, ExtendedKeyUsage, Usage};
use crate::verify::Falsehood;

/// A chain that keeps the profile for code signing: the leaf first, each issued by the next, the root last.
pub(super) struct Chain(Vec<Certificate>);

/// What a leaf's key must not be used for beside signing.
const FORBIDDEN_USAGES: [Usage; 7] = [
    Usage::KeyEncipherment,
    Usage::DataEncipherment,
    Usage::KeyAgreement,
    Usage::KeyCertSign,
    Usage::CrlSign,
    Usage::EncipherOnly,
    Usage::DecipherOnly,
];

/// Purposes of which none may stand beside code signing.
const FORBIDDEN_PURPOSES: [(&str, &str); 6] = [
    (ExtendedKeyUsage::ANY, "any purpose"),
    (ExtendedKeyUsage::SERVER_AUTH, "TLS servers"),
    (ExtendedKeyUsage::CLIENT_AUTH, "TLS clients"),
    (ExtendedKeyUsage::EMAIL_PROTECTION, "e-mail"),
    (ExtendedKeyUsage::TIME_STAMPING, "timestamps"),
    (ExtendedKeyUsage::OCSP_SIGNING, "OCSP"),
];

impl Chain {
    /// Reads a chain; a certificate that is among `known` is taken from there, which saves reading it again.
    pub(super) fn read(written: &[Vec<u8>], known: &[&Certificate]) -> Result<Self, Falsehood> {
        let read = |der: &Vec<u8>| match known.iter().find(|known| known.der() == der) {
            Some(known) => Ok((*known).clone()),
            None => Certificate::from_der(der)
                .map_err(|error| Falsehood::new("certificates that can be judged", error.to_string())),
        };
        Ok(Self(written.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Whether every certificate keeps the profile and every one is issued by the next.
    pub(super) fn check(&self) -> Result<(), Falsehood> {
        let [leaf, authorities @ ..] = self.0.as_slice() else {
            return Err(Falsehood::new("a certificate chain", "none"));
        };
        check_leaf(leaf)?;
        for (below, authority) in authorities.iter().enumerate() {
            check_authority(authority, below)?;
        }
        self.0.iter().try_for_each(check_extensions)?;
        self.check_order()
    }

    fn check_order(&self) -> Result<(), Falsehood> {
        for pair in self.0.windows(2) {
            let [certificate, issuer] = pair else { continue };
            if certificate.has_weak_signature() {
                return Err(Falsehood::new(
                    "certificates signed with SHA-2",
                    format!("another: {}", certificate.subject()),
                ));
            }
            if certificate.is_self_signed() {
                let found = format!("{}, which is self-signed and not the last", certificate.subject());
                return Err(Falsehood::new("a chain in which the root alone is self-signed", found));
            }
            if !certificate.is_issued_by(issuer) {
                let expected = "a chain in which each certificate is issued by the next";
                let found = format!("{}, which is not issued by {}", certificate.subject(), issuer.subject());
                return Err(Falsehood::new(expected, found));
            }
        }
        match self.0.last() {
            Some(root) if !root.is_self_signed() => {
                let found = format!("one that ends in {}", root.subject());
                Err(Falsehood::new("a chain that ends in a self-signed root", found))
            }
            _ => Ok(()),
        }
    }

    /// The certificate whose key signed.
    pub(super) fn leaf(&self) -> Option<&Certificate> {
        self.0.first()
    }

    /// The certificate at the end.
    pub(super) fn root(&self) -> Option<&Certificate> {
        self.0.last()
    }

    /// Every certificate, the leaf first.
    pub(super) fn all(&self) -> &[Certificate] {
        &self.0
    }

    /// All but the root.
    pub(super) fn below_root(&self) -> &[Certificate] {
        self.0.split_last().map_or(&[], |(_, below)| below)
    }

    /// The moment from which all are valid, and the last one at which they are.
    pub(super) fn validity(&self) -> (Timestamp, Timestamp) {
        let from = self.0.iter().map(Certificate::not_before).max();
        let to = self.0.iter().map(Certificate::not_after).min();
        (from.unwrap_or(Timestamp::from_micros(i64::MAX)), to.unwrap_or(Timestamp::from_micros(i64::MIN)))
    }

    /// A certificate that is not valid at `at`.
    pub(super) fn invalid_at(&self, at: Timestamp) -> Option<&Certificate> {
        self.0.iter().find(|certificate| at < certificate.not_before() || at > certificate.not_after())
    }
}

fn check_leaf(leaf: &Certificate) -> Result<(), Falsehood> {
    let expected = "a certificate for code signing";
    let refused = |found: String| Err(Falsehood::new(expected, format!("{}, {found}", leaf.subject())));
    if leaf.basic_constraints().is_some_and(|constraints| constraints.ca) {
        return refused("which is a certificate authority's".to_owned());
    }
    let Some(usage) = leaf.key_usage().filter(|usage| usage.critical) else {
        return refused("whose key usage is absent or not critical".to_owned());
    };
    if !usage.has(Usage::DigitalSignature) {
        return refused("whose key usage is not digital signature".to_owned());
    }
    if let Some(forbidden) = FORBIDDEN_USAGES.into_iter().find(|forbidden| usage.has(*forbidden)) {
        return refused(format!("whose key usage includes {forbidden}"));
    }
    let Some(extended) = leaf.extended_key_usage() else { return Ok(()) };
    let has = |(oid, _): &&(&str, &str)| extended.purposes.iter().any(|purpose| purpose == oid);
    match FORBIDDEN_PURPOSES.iter().find(has) {
        Some((_, name)) => refused(format!("whose extended key usage includes {name}")),
        None => Ok(()),
    }
}

/// `below` authorities come between this one and the leaf.
fn check_authority(authority: &Certificate, below: usize) -> Result<(), Falsehood> {
    let expected = "the certificate of an authority above the leaf";
    let refused = |found: String| Err(Falsehood::new(expected, format!("{}, {found}", authority.subject())));
    let Some(constraints) = authority.basic_constraints().filter(|constraints| constraints.ca) else {
        return refused("which is not an authority's".to_owned());
    };
    if !constraints.critical {
        return refused("whose basic constraints are not critical".to_owned());
    }
    if let Some(length) = constraints.path_length.filter(|length| usize::from(*length) < below) {
        return refused(format!("whose path length is {length} and which has {below} authorities below it"));
    }
    match authority.key_usage() {
        Some(usage) if usage.critical && usage.has(Usage::KeyCertSign) => Ok(()),
        Some(usage) if usage.critical => refused("whose key usage lacks signing certificates".to_owned()),
        _ => refused("whose key usage is absent or not critical".to_owned()),
    }
}

fn check_extensions(certificate: &Certificate) -> Result<(), Falsehood> {
    match certificate.unknown_critical().first() {
        None => Ok(()),
        Some(oid) => {
            let found = format!("{}, with the critical extension {oid}", certificate.subject());
            Err(Falsehood::new("certificates without unknown critical extensions", found))
        }
    }
}
