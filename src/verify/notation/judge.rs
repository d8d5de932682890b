//! What a notation signature shows under a trust policy.

use std::time::Duration;

use super::algorithm::Algorithm;
use super::chain::Chain;
use super::envelope::{Envelope, Scheme};
use super::payload::Payload;
use crate::clock::Timestamp;
use crate::gate::{Identity, Outcome, SignerName};
use crate::oci::Digest;
use crate::trust::{Certificate, Check, Handling, SignerKind, Statement, StoreKind, Trust, VerifyTimestamp};
use crate::verify::{Evidence, Falsehood};

/// The least step of the clock: a certificate still counts at the very moment at which its validity ends.
const TICK: Duration = Duration::from_micros(1);

/// Judges the one signature of `evidence`.
pub(in crate::verify) fn verify(evidence: &Evidence<'_>, trust: &Trust, at: Timestamp) -> Outcome {
    let statement = trust.statement(evidence.repository);
    let judged = intact(evidence, statement).and_then(|signature| match statement {
        Some(statement) => Judgement { evidence, trust, statement, signature, at }.outcome(),
        None => Err(no_statement(evidence, trust).into()),
    });
    judged.unwrap_or_else(|refusal| refusal.0)
}

/// An outcome that counts for nothing.
struct Refusal(Outcome);

impl From<Falsehood> for Refusal {
    fn from(falsehood: Falsehood) -> Self {
        Self(Outcome::nothing(falsehood.expected, falsehood.found))
    }
}

/// A signature whose integrity is verified; of trust nothing is said yet.
struct Intact {
    chain: Chain,
    leaf: Certificate,
    root: Certificate,
    scheme: Scheme,
    expiry: Option<Timestamp>,
}

fn no_statement(evidence: &Evidence<'_>, trust: &Trust) -> Falsehood {
    let scopes = trust.hostnames().iter().map(|host| format!("{host}/{}", evidence.repository));
    let scopes: Vec<_> = scopes.chain(["*".to_owned()]).collect();
    let expected = format!("a statement of notation's trust policy for {}", scopes.join(" or "));
    Falsehood::new(expected, "none")
}

/// Everything that can be verified without trust, in an order in which the cheap comes first.
fn intact(evidence: &Evidence<'_>, statement: Option<&Statement>) -> Result<Intact, Refusal> {
    let envelope = envelope(evidence)?;
    let scheme = envelope.headers.scheme()?;
    check_subject(evidence, &Payload::parse(&envelope)?)?;
    let known: Vec<_> = statement.into_iter().flat_map(|statement| statement.certificates(kind(scheme))).collect();
    let chain = Chain::read(&envelope.chain, &known)?;
    let (Some(leaf), Some(root)) = (chain.leaf().cloned(), chain.root().cloned()) else {
        return Err(Falsehood::new("a certificate chain", "none").into());
    };
    chain.check()?;
    check_signature(&envelope, &leaf)?;
    Ok(Intact { chain, leaf, root, scheme, expiry: envelope.headers.expiry })
}

fn envelope(evidence: &Evidence<'_>) -> Result<Envelope, Falsehood> {
    let ([layer], [bytes]) = (evidence.manifest.layers.as_slice(), evidence.layers) else {
        let found = format!("{} layers", evidence.layers.len());
        return Err(Falsehood::new("exactly one layer, a notation envelope", found));
    };
    if Digest::of(layer.digest.algorithm(), bytes) != layer.digest {
        return Err(Falsehood::new("a layer that hashes to its digest", "another content"));
    }
    super::parse(&layer.media_type, bytes)
}

/// The descriptor that is signed is the one of what is served: as the manifest says, and as it is stored here.
fn check_subject(evidence: &Evidence<'_>, payload: &Payload) -> Result<(), Falsehood> {
    let subject = evidence.manifest.subject.as_ref();
    payload.is_about(
        &evidence.subject,
        subject.map(|subject| subject.media_type.as_str()),
        subject.map(|subject| subject.size),
    )?;
    let stored = evidence.subject_bytes.map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    payload.is_about(&evidence.subject, evidence.subject_media_type, stored)
}

fn check_signature(envelope: &Envelope, leaf: &Certificate) -> Result<(), Falsehood> {
    let Some(algorithm) = Algorithm::of(leaf.key_kind()) else {
        let expected = "a key of RSA with 2048, 3072 or 4096 bits or of ECDSA on P-256, P-384 or P-521";
        return Err(Falsehood::new(expected, format!("a key of {}", leaf.key_kind())));
    };
    let expected = || format!("a signature by {}, as a key of {} makes it", algorithm.name(), leaf.key_kind());
    match &envelope.headers.algorithm {
        Ok(written) if *written == algorithm => {}
        Ok(written) => return Err(Falsehood::new(expected(), format!("the algorithm {}", written.name()))),
        Err(written) => return Err(Falsehood::new(expected(), format!("the algorithm {written:?}"))),
    }
    if algorithm.verify(leaf.key(), &envelope.signed, &envelope.signature) {
        return Ok(());
    }
    let expected = format!("a signature by the key of {}", leaf.subject());
    Err(Falsehood::new(expected, "a signature by another key or over other bytes"))
}

const fn kind(scheme: Scheme) -> StoreKind {
    match scheme {
        Scheme::X509 => StoreKind::Ca,
        Scheme::SigningAuthority { .. } => StoreKind::SigningAuthority,
    }
}

/// An intact signature before the statement that speaks for its repository.
struct Judgement<'a> {
    evidence: &'a Evidence<'a>,
    trust: &'a Trust,
    statement: &'a Statement,
    signature: Intact,
    at: Timestamp,
}

impl Judgement<'_> {
    fn outcome(&self) -> Result<Outcome, Refusal> {
        let signers = self.signers()?;
        if let Some(not_enforced) = self.statement.not_enforced() {
            return Err(self.refused(format!("a statement that can't back a requirement: it {not_enforced}")));
        }
        self.check_authenticity()?;
        let expires = self.check_expiry()?;
        let ends = self.check_time()?;
        self.check_revocation()?;
        let until = [expires, ends].into_iter().flatten().min();
        Ok(Outcome::Verified { signers, identity: self.identity(), until })
    }

    fn expected(&self) -> String {
        format!("a signature that the trust policy statement {:?} trusts", self.statement.name())
    }

    fn refused(&self, found: impl Into<String>) -> Refusal {
        Falsehood::new(self.expected(), found).into()
    }

    fn enforces(&self, check: Check) -> bool {
        self.statement.handling(check) == Handling::Enforce
    }

    /// The signers that the statement makes here.
    fn signers(&self) -> Result<Vec<SignerName>, Refusal> {
        let repository = self.evidence.repository;
        let here = self.trust.notation_signers(self.statement, repository);
        let signers: Vec<_> = here.map(|signer| signer.name().clone()).collect();
        if !signers.is_empty() {
            return Ok(signers);
        }
        let name = self.statement.name();
        let makes = |kind: &SignerKind| matches!(kind, SignerKind::Notation { policy, .. } if policy == name);
        let elsewhere = self.trust.signers().find(|signer| makes(signer.kind()));
        let found = match elsewhere {
            Some(signer) => format!("a signature by {}, whose repositories leave out {repository}", signer.name()),
            None => format!("the statement {name:?} for {repository}, which no signer names"),
        };
        Err(Falsehood::new(format!("a signer whose notation_policy is {name:?}"), found).into())
    }

    fn check_authenticity(&self) -> Result<(), Refusal> {
        let Intact { chain, leaf, root, scheme, .. } = &self.signature;
        let kind = kind(*scheme);
        let mut trusted = self.statement.certificates(kind);
        if !trusted.any(|trusted| chain.all().contains(trusted)) {
            let stores = self.statement.stores();
            let of_kind = |store: &&String| store.starts_with(&format!("{kind}:"));
            let stores: Vec<_> = stores.iter().filter(of_kind).map(String::as_str).collect();
            let end = root.subject();
            return Err(self.refused(if stores.is_empty() {
                format!("a certificate chain that ends in {end}, and no trust store of the kind {kind} for it")
            } else {
                let stores = stores.join(", ");
                let same_name = self.statement.certificates(kind).any(|stored| stored.subject() == end);
                let other = if same_name { ", though another certificate of that name is" } else { "" };
                format!(
                    "a certificate chain that ends in {end}, which is in none of its trust stores ({stores}){other}"
                )
            }));
        }
        if self.statement.trusts(leaf.subject()) {
            return Ok(());
        }
        let found = match leaf.subject().unmatchable() {
            Some(why) => format!("a signature by {}, which can't be compared: {why}", leaf.subject()),
            None => format!("a signature by {}, who is none of its trusted identities", leaf.subject()),
        };
        Err(self.refused(found))
    }

    /// The expiry that its signer gave it.
    fn check_expiry(&self) -> Result<Option<Timestamp>, Refusal> {
        match self.signature.expiry.filter(|_| self.enforces(Check::Expiry)) {
            Some(expiry) if self.at >= expiry => Err(self.refused(format!("a signature that expired at {expiry}"))),
            expiry => Ok(expiry),
        }
    }

    /// Whether the chain was valid when it had to be; when that ends.
    fn check_time(&self) -> Result<Option<Timestamp>, Refusal> {
        if !self.enforces(Check::AuthenticTimestamp) {
            return Ok(None);
        }
        let chain = &self.signature.chain;
        if let Scheme::SigningAuthority { signed_at } = self.signature.scheme {
            return match chain.invalid_at(signed_at) {
                None => Ok(None),
                Some(certificate) => Err(self.refused(format!(
                    "the certificate {}, which was not valid when the signing authority signed at {signed_at}",
                    certificate.subject()
                ))),
            };
        }
        let (from, to) = chain.validity();
        let always = self.statement.verify_timestamp() == VerifyTimestamp::Always;
        if self.statement.lists_tsa_store() && (always || self.at > to) {
            let mut found = "a signature that needs a timestamp: timestamps are not judged yet".to_owned();
            if self.at <= to {
                found += "; \"verifyTimestamp\": \"afterCertExpiry\" asks for none before its certificates expire";
            }
            return Err(self.refused(found));
        }
        match chain.invalid_at(self.at) {
            None => Ok(Some(to.plus(TICK))),
            Some(certificate) => Err(self.not_valid_now(certificate, (from <= to && self.at < from).then_some(from))),
        }
    }

    fn not_valid_now(&self, certificate: &Certificate, again_at: Option<Timestamp>) -> Refusal {
        let found = if self.at < certificate.not_before() {
            format!("the certificate {}, which is not valid before {}", certificate.subject(), certificate.not_before())
        } else {
            format!("the certificate {}, which expired at {}", certificate.subject(), certificate.not_after())
        };
        Refusal(Outcome::Nothing { expected: self.expected(), found, again_at })
    }

    /// A certificate that names nobody to ask can't be revoked, by the specification; the root never is.
    fn check_revocation(&self) -> Result<(), Refusal> {
        if !self.enforces(Check::Revocation) {
            return Ok(());
        }
        let asks = |certificate: &&Certificate| !certificate.revocation_end_points().is_empty();
        match self.signature.chain.below_root().iter().find(asks) {
            None => Ok(()),
            Some(certificate) => Err(self.refused(format!(
                "the certificate {}, whose revocation can't be judged yet; \
                 the override \"revocation\": \"skip\" or \"log\" leaves it out",
                certificate.subject()
            ))),
        }
    }

    /// One key is one identity, whatever it signs with, and so is one name under one root.
    fn identity(&self) -> Identity {
        let Intact { leaf, root, .. } = &self.signature;
        Identity::certified(leaf.key_identity(), root.key_identity(), leaf.subject())
    }
}
