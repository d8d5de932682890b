//! What is likely not meant in notation's trust policy and its stores, though they can be loaded.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::mistake::Mistake;
use crate::trust::{
    Certificate, Check, Handling, SignerKind, Statement, StoreKind, Trust, TrustPolicy, TrustedCertificate,
    VerifyTimestamp,
};

/// How long before its end a certificate is told.
const SOON: Duration = Duration::from_hours(30 * 24);

pub(super) fn of(trust: &Trust, now: Timestamp) -> Vec<Mistake> {
    let statements = trust.notation().statements();
    let mut all: Vec<Mistake> = statements.iter().flat_map(|statement| told_of(trust, statement)).collect();
    all.extend(trust.notation().trusted_certificates().iter().filter_map(|trusted| certificate(trusted, now)));
    all
}

fn told_of(trust: &Trust, statement: &Statement) -> Vec<Mistake> {
    let mut all = Vec::new();
    let mut tell = |message: String| all.push(Mistake::new(TrustPolicy::FILE, statement.line(), message));
    let name = statement.name();
    let names = |kind: &SignerKind| matches!(kind, SignerKind::Notation { policy, .. } if policy == name);
    let is_named = trust.signers().any(|signer| names(signer.kind()));
    match statement.not_enforced() {
        Some(why) if is_named => tell(format!("{name} backs no requirement: it {why}")),
        None if !is_named => tell(format!("{name} backs no requirement: no signer of {} names it", Trust::FILE)),
        _ => {}
    }
    if !trust.notation().speaks_here(statement) {
        let hostnames = trust.hostnames().join(", ");
        tell(format!("{name} speaks for nothing here: its scopes name other hosts than {hostnames}"));
    }
    if statement.handling(Check::AuthenticTimestamp) == Handling::Enforce && statement.lists_tsa_store() {
        match statement.verify_timestamp() {
            VerifyTimestamp::Always => tell(format!(
                "nothing counts under {name} yet: it lists a tsa store and verifies timestamps always, and timestamps are not judged yet; \
                 \"verifyTimestamp\": \"afterCertExpiry\" asks for none before certificates expire"
            )),
            VerifyTimestamp::AfterCertExpiry => tell(format!(
                "signatures under {name} count only while their certificates are valid: timestamps are not judged yet"
            )),
        }
    }
    if statement.handling(Check::Revocation) == Handling::Enforce {
        let stored =
            [StoreKind::Ca, StoreKind::SigningAuthority].into_iter().flat_map(|kind| statement.certificates(kind));
        // The root is never asked about.
        let asks = |found: &&Certificate| !found.is_self_signed() && !found.revocation_end_points().is_empty();
        for certificate in stored.filter(asks) {
            tell(format!(
                "no signature whose chain holds {} counts under {name} yet: revocation is enforced and not judged yet; \
                 the override \"revocation\": \"skip\" or \"log\" leaves it out",
                certificate.subject()
            ));
        }
    }
    all
}

fn certificate(trusted: &TrustedCertificate, now: Timestamp) -> Option<Mistake> {
    let certificate = &trusted.certificate;
    let subject = certificate.subject();
    let (from, to) = (certificate.not_before(), certificate.not_after());
    let message = if to < now {
        format!("{subject} has expired: {to}")
    } else if to <= now.plus(SOON) {
        format!("{subject} expires soon: {to}")
    } else if from > now {
        format!("{subject} is not valid before {from}")
    } else if is_unsound_root(certificate) {
        format!("no chain can end in {subject}: its own signature or its key is too weak")
    } else {
        return None;
    };
    Some(Mistake::new(&trusted.file, 0, message))
}

/// A chain ends in a root whose signature of itself verifies.
fn is_unsound_root(certificate: &Certificate) -> bool {
    certificate.issuer() == certificate.subject() && !certificate.is_self_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;

    /// The warnings about one statement, `a` of the signer `s`, with the root in the stores `ca:a` and `tsa:a`, and
    /// one that it issued and that names a revocation list in `ca:issuing`.
    fn warnings(scope: &str, verification: &str, stores: &str, signers: &str, now: Timestamp) -> Vec<String> {
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let issuer = rcgen::Issuer::from_params(&params, &key);
        let mut issuing = params.clone();
        issuing.distinguished_name.push(rcgen::DnType::CommonName, "issuing");
        issuing.crl_distribution_points =
            vec![rcgen::CrlDistributionPoint { uris: vec!["http://crl.example/a".to_owned()] }];
        let issuing = issuing.signed_by(&rcgen::KeyPair::generate().unwrap(), &issuer).unwrap().der().to_vec();
        let document = format!(
            r#"{{"version": "1.0", "trustPolicies": [{{"name": "a", "registryScopes": ["{scope}"],
            "signatureVerification": {verification}, "trustStores": [{stores}], "trustedIdentities": ["*"]}}]}}"#
        );
        let mut files = Files::new();
        files.insert("trust/x509/tsa/a/root".to_owned(), der.clone());
        files.insert("trust/x509/ca/a/root".to_owned(), der);
        files.insert("trust/x509/ca/issuing/issuing".to_owned(), issuing);
        files.insert(Trust::FILE.to_owned(), signers.as_bytes().to_vec());
        files.insert(TrustPolicy::FILE.to_owned(), document.into_bytes());
        let trust = Trust::parse(&files, &["ours.example".to_owned(), "alias.example".to_owned()]).unwrap();
        of(&trust, now).iter().map(ToString::to_string).collect()
    }

    const SIGNER: &str = "[s]\nnotation_policy = \"a\"\n";
    const STRICT: &str = r#"{"level": "strict"}"#;
    /// 2026-06-01.
    const NOW: Timestamp = Timestamp::from_micros(1_780_272_000_000_000);

    #[test]
    fn a_statement_that_counts_is_not_told() {
        assert_eq!(warnings("*", STRICT, "\"ca:a\"", SIGNER, NOW), [""; 0]);
    }

    #[test]
    fn a_statement_that_backs_nothing_says_why() {
        let told = warnings("*", r#"{"level": "audit"}"#, "\"ca:a\"", SIGNER, NOW);
        let why = "does not enforce authenticity and expiry";
        assert_eq!(told, [format!("trust/trustpolicy.json:1: a backs no requirement: it {why}")]);
        let told = warnings("*", STRICT, "\"ca:a\"", "", NOW);
        let why = "no signer of trust/signers.toml names it";
        assert_eq!(told, [format!("trust/trustpolicy.json:1: a backs no requirement: {why}")]);
    }

    #[test]
    fn a_statement_for_other_hosts_is_told() {
        let told = warnings("other.example/a", STRICT, "\"ca:a\"", SIGNER, NOW);
        let message = "its scopes name other hosts than ours.example, alias.example";
        assert_eq!(told, [format!("trust/trustpolicy.json:1: a speaks for nothing here: {message}")]);
        assert_eq!(warnings("alias.example/a", STRICT, "\"ca:a\"", SIGNER, NOW), [""; 0]);
    }

    #[test]
    fn a_statement_that_waits_for_timestamps_is_told() {
        let told = |verification| warnings("*", verification, "\"ca:a\", \"tsa:a\"", SIGNER, NOW);
        assert!(told(STRICT)[0].contains("nothing counts under a yet") && told(STRICT)[0].contains("afterCertExpiry"));
        let after = told(r#"{"level": "strict", "verifyTimestamp": "afterCertExpiry"}"#);
        assert!(after[0].contains("count only while their certificates are valid"), "{after:?}");
        assert_eq!(told(r#"{"level": "strict", "override": {"authenticTimestamp": "log"}}"#), [""; 0]);
    }

    #[test]
    fn a_store_whose_revocation_is_enforced_and_not_judged_yet_is_told() {
        let told = |verification: &str| warnings("*", verification, "\"ca:issuing\"", SIGNER, NOW);
        let strict = told(STRICT);
        assert!(strict.len() == 1 && strict[0].contains("whose chain holds CN=issuing"), "{strict:?}");
        for handling in ["log", "skip"] {
            let left_out = format!(r#"{{"level": "strict", "override": {{"revocation": "{handling}"}}}}"#);
            assert_eq!(told(&left_out), [""; 0]);
        }
    }

    #[test]
    fn certificates_are_told_by_their_time() {
        let at = |days: u64| {
            let now = Timestamp::from_micros(1_767_225_600_000_000).plus(Duration::from_hours(days * 24));
            warnings("*", STRICT, "\"ca:a\"", SIGNER, now)
        };
        assert!(at(334).is_empty());
        assert!(at(335)[0].starts_with("trust/x509/ca/a/root: ") && at(335)[0].contains("expires soon"));
        assert!(at(365)[0].contains("expires soon: 2027-01-01T00:00:00Z"));
        assert!(at(366)[0].contains("has expired"));
        let before = warnings("*", STRICT, "\"ca:a\"", SIGNER, Timestamp::from_micros(0));
        assert!(before[0].contains("is not valid before 2026-01-01T00:00:00Z"), "{before:?}");
    }
}
