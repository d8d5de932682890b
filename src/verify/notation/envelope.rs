//! What envelopes of both forms say, and the rules that they share.

use super::algorithm::Algorithm;
use crate::clock::Timestamp;
use crate::verify::Falsehood;

pub(super) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC_SIGNING_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";
/// Who names it wants a program of its own to judge the signature, whether marked as critical or not.
const PLUGIN: &str = "io.cncf.notary.verificationPlugin";

/// The most certificates in a chain.
const MAX_CERTIFICATES: usize = 10;
/// The largest payload, in bytes: a descriptor with annotations.
const MAX_PAYLOAD: usize = 64 << 10;

/// An envelope, decoded; nothing is verified yet.
pub(super) struct Envelope {
    pub(super) headers: Headers,
    pub(super) payload: Vec<u8>,
    /// The bytes under the signature.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// The certificates in DER, as the signer ordered them; at least one.
    pub(super) chain: Vec<Vec<u8>>,
}

/// The protected headers.
#[derive(Debug)]
pub(super) struct Headers {
    /// As written, when it is not one of the specification's.
    pub(super) algorithm: Result<Algorithm, String>,
    pub(super) content_type: String,
    pub(super) critical: Vec<String>,
    pub(super) scheme: String,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) authentic_signing_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    /// The names of all others.
    pub(super) others: Vec<String>,
}

/// How a signature says when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `notary.x509`: the time is a claim that proves nothing.
    X509,
    /// `notary.x509.signingAuthority`: a signing authority vouches for it.
    SigningAuthority {
        /// The time that it vouches for.
        signed_at: Timestamp,
    },
}

impl Envelope {
    /// Refuses what no honest signer writes, before anything is done with it.
    pub(super) fn bounded(self) -> Result<Self, Falsehood> {
        let count = self.chain.len();
        if count == 0 || count > MAX_CERTIFICATES {
            return Err(Falsehood::new(
                format!("a chain of one to {MAX_CERTIFICATES} certificates"),
                count.to_string(),
            ));
        }
        if self.payload.is_empty() || self.payload.len() > MAX_PAYLOAD {
            let found = format!("one of {}", self.payload.len());
            return Err(Falsehood::new(format!("a payload of one to {MAX_PAYLOAD} bytes"), found));
        }
        if self.signature.is_empty() {
            return Err(Falsehood::new("a signature", "none"));
        }
        Ok(self)
    }
}

impl Headers {
    /// The scheme, if the headers keep its rules and ask for nothing unknown.
    pub(super) fn scheme(&self) -> Result<Scheme, Falsehood> {
        let (scheme, signed_at) = match self.scheme.as_str() {
            "notary.x509" => (Scheme::X509, self.time_only(SIGNING_TIME)?),
            "notary.x509.signingAuthority" => {
                let signed_at = self.time_only(AUTHENTIC_SIGNING_TIME)?;
                (Scheme::SigningAuthority { signed_at }, signed_at)
            }
            other => {
                let expected = "the signing scheme notary.x509 or notary.x509.signingAuthority";
                return Err(Falsehood::new(expected, format!("the signing scheme {other:?}")));
            }
        };
        self.check_critical(scheme)?;
        match self.expiry {
            Some(expiry) if expiry <= signed_at => {
                let found = format!("one signed at {signed_at} that expires at {expiry}");
                Err(Falsehood::new("a signature that expires after it is made", found))
            }
            _ => Ok(scheme),
        }
    }

    /// The time in the header `name`; the one of the other scheme must be absent.
    fn time_only(&self, name: &str) -> Result<Timestamp, Falsehood> {
        let (own, other, other_name) = match name {
            SIGNING_TIME => (self.signing_time, self.authentic_signing_time, AUTHENTIC_SIGNING_TIME),
            _ => (self.authentic_signing_time, self.signing_time, SIGNING_TIME),
        };
        let expected = || format!("the header {name} and no {other_name} with the signing scheme {}", self.scheme);
        match (own, other) {
            (Some(time), None) => Ok(time),
            (None, _) => Err(Falsehood::new(expected(), format!("no {name}"))),
            (Some(_), Some(_)) => Err(Falsehood::new(expected(), "both")),
        }
    }

    /// Every header that must be critical is marked so, and nothing else is: what is not known can't be judged.
    fn check_critical(&self, scheme: Scheme) -> Result<(), Falsehood> {
        let mut required = vec![SCHEME];
        if self.expiry.is_some() {
            required.push(EXPIRY);
        }
        if scheme != Scheme::X509 {
            required.push(AUTHENTIC_SIGNING_TIME);
        }
        for (index, name) in self.critical.iter().enumerate() {
            if !required.contains(&name.as_str()) {
                let present = self.others.contains(name) || name == SIGNING_TIME;
                let found = if present { "the unknown" } else { "the absent" };
                return Err(Falsehood::new(
                    "no critical header but known ones",
                    format!("{found} critical header {name:?}"),
                ));
            }
            if self.critical.iter().skip(index.saturating_add(1)).any(|again| again == name) {
                return Err(Falsehood::new("each critical header named once", format!("{name:?} twice")));
            }
        }
        if let Some(missing) = required.iter().find(|name| !self.critical.iter().any(|marked| marked == *name)) {
            return Err(Falsehood::new(format!("the header {missing} marked as critical"), "one that is not"));
        }
        if self.others.iter().any(|name| name == PLUGIN) {
            return Err(Falsehood::new("a signature that needs no plugin", format!("the header {PLUGIN}")));
        }
        Ok(())
    }
}
