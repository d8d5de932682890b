//! The keys of a trust store that count in one repository.

use crate::gate::{Outcome, SignerName};
use crate::oci::RepositoryName;
use crate::trust::{PublicKey, Signer, SignerKind, Trust};

/// How many signers a message names before it counts the rest.
const NAMED: usize = 3;

/// The signers with a key, as one repository sees them.
pub(super) struct Keys<'a> {
    repository: &'a RepositoryName,
    /// Each key once, with every signer that it belongs to here.
    counting: Vec<(&'a PublicKey, Vec<&'a SignerName>)>,
    /// Signers whose `repositories` leave this one out.
    elsewhere: Vec<(&'a PublicKey, &'a Signer)>,
    /// The signers that notation's trust policy makes here, if any.
    notation: Option<String>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(trust: &'a Trust, repository: &'a RepositoryName) -> Self {
        let mut keys =
            Self { repository, counting: Vec::new(), elsewhere: Vec::new(), notation: notation(trust, repository) };
        for signer in trust.signers() {
            let SignerKind::CosignKey(key) = signer.kind() else { continue };
            if !signer.applies_to(repository) {
                keys.elsewhere.push((key, signer));
                continue;
            }
            match keys.counting.iter_mut().find(|(known, _)| known.identity() == key.identity()) {
                Some((_, names)) => names.push(signer.name()),
                None => keys.counting.push((key, vec![signer.name()])),
            }
        }
        keys
    }

    /// The signers whose key made `signature` over `message`, if any counts here.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Option<Outcome> {
        let (key, names) = self.counting.iter().find(|(key, _)| key.verify(message, signature))?;
        let signers = names.iter().map(|name| (*name).clone()).collect();
        Some(Outcome::Verified { signers, identity: key.identity().clone(), until: None })
    }

    /// Why a signature that no counting key made counts for nothing.
    pub(super) fn unknown(&self, message: &[u8], signature: &[u8]) -> Outcome {
        let excluded = self.elsewhere.iter().find(|(key, _)| key.verify(message, signature));
        let found = match excluded {
            Some((_, signer)) => {
                format!("a signature by {}, whose repositories leave out {}", signer.name(), self.repository)
            }
            // cosign signs so with Ed25519 keys since 2.4, and without this hint nobody would guess it.
            None if self.counting.iter().any(|(key, _)| key.is_ed25519()) => {
                "a signature by none of the keys in the trust store (Ed25519ph is not read yet)".to_owned()
            }
            None => "a signature by none of the keys in the trust store".to_owned(),
        };
        Outcome::nothing(self.expected(), found)
    }

    /// What would have counted here.
    pub(super) fn expected(&self) -> String {
        let words = |(key, names): &(&PublicKey, Vec<&SignerName>)| {
            let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
            format!("{} (key {})", names.join(" and "), key.short())
        };
        let named: Vec<_> = self.counting.iter().take(NAMED).map(words).collect();
        let by_key = match (named.len(), self.counting.len().saturating_sub(NAMED)) {
            (0, _) => None,
            (_, 0) => Some(format!("a signature by {}", named.join(" or "))),
            (_, rest) => Some(format!("a signature by {} or one of {rest} more", named.join(", "))),
        };
        match (by_key, &self.notation) {
            (None, None) => format!("a signature by a key of the trust store that counts in {}", self.repository),
            (None, Some(notation)) => notation.clone(),
            (Some(by_key), None) => by_key,
            (Some(by_key), Some(notation)) => format!("{by_key}, or {notation}"),
        }
    }
}

/// What notation's trust policy would have taken in `repository`, if it makes a signer there.
fn notation(trust: &Trust, repository: &RepositoryName) -> Option<String> {
    let statement = trust.statement(repository)?;
    let names: Vec<_> = trust.notation_signers(statement, repository).map(|signer| signer.name().as_str()).collect();
    let policy = statement.name();
    let signed = || format!("a notation signature by {} (trust policy statement {policy:?})", names.join(" or "));
    (!names.is_empty()).then(signed)
}
