//! Expiry, validity of the chain, and timestamps that are not judged yet.

use serde_json::json;

use super::*;
use crate::forge::DAY;

/// A root for a decade, an intermediate and a leaf as given.
fn chain(intermediate: (i64, i64), leaf: (i64, i64)) -> (Authority, SigningCertificate) {
    let root = Authority::new(ROOT);
    let spec = LeafSpec::authority("O=acme, CN=intermediate").valid(intermediate.0, intermediate.1);
    let leaf = root.intermediate_as(&spec).issue(&LeafSpec::new(LEAF).valid(leaf.0, leaf.1));
    (root, leaf)
}

const LONG: (i64, i64) = (SIGNED_AT - 100 * DAY, SIGNED_AT + 100 * DAY);

fn until(outcome: &Outcome) -> Option<Timestamp> {
    assert_eq!(signers(outcome), ["acme"]);
    outcome.changes_at()
}

#[test]
fn a_signature_counts_until_it_expires() {
    let (root, leaf) = chain_of_three();
    for format in Format::ALL {
        let forge = Forge::new(format, &leaf, &target()).expiring(SIGNED_AT + DAY);
        assert_eq!(until(&judge_at(&forge, &trust(&root), SIGNED_AT + DAY - 1)), Some(seconds(SIGNED_AT + DAY)));
        assert_found(
            &judge_at(&forge, &trust(&root), SIGNED_AT + DAY),
            "a signature that expired at 2026-01-02T00:00:00Z",
        );
    }
}

#[test]
fn an_expired_certificate_counts_for_nothing() {
    let (root, leaf) = chain(LONG, (SIGNED_AT - DAY, SIGNED_AT + DAY));
    let forge = Forge::new(Format::Jws, &leaf, &target());
    let last = seconds(SIGNED_AT + DAY);
    let after = Timestamp::from_micros(last.micros() + 1);
    assert_eq!(until(&judge_in("prod/app", &forge, &trust(&root), last)), Some(after));
    assert_found(&judge_in("prod/app", &forge, &trust(&root), after), "which expired at");
}

#[test]
fn cve_2026_24122_an_expired_intermediate_counts_for_nothing() {
    let (root, leaf) = chain((SIGNED_AT - DAY, SIGNED_AT + DAY), LONG);
    let forge = Forge::new(Format::Jws, &leaf, &target());
    assert_eq!(signers(&judge_at(&forge, &trust(&root), SIGNED_AT + DAY)), ["acme"]);
    assert_found(
        &judge_at(&forge, &trust(&root), SIGNED_AT + DAY + 1),
        "the certificate CN=intermediate,O=acme, which expired at",
    );
}

#[test]
fn a_certificate_that_is_not_valid_yet_begins_to_count_by_itself() {
    let (root, leaf) = chain((SIGNED_AT + DAY, SIGNED_AT + 9 * DAY), (SIGNED_AT + 2 * DAY, SIGNED_AT + 9 * DAY));
    let forge = Forge::new(Format::Jws, &leaf, &target());
    let early = judge_at(&forge, &trust(&root), SIGNED_AT);
    assert_found(&early, "which is not valid before");
    assert_eq!(early.changes_at(), Some(seconds(SIGNED_AT + 2 * DAY)));
    assert_eq!(signers(&judge_at(&forge, &trust(&root), SIGNED_AT + 2 * DAY)), ["acme"]);
}

#[test]
fn a_chain_that_is_never_valid_at_one_moment_does_not_begin_to_count() {
    let (root, leaf) = chain((SIGNED_AT - 2 * DAY, SIGNED_AT + DAY), (SIGNED_AT + 2 * DAY, SIGNED_AT + 9 * DAY));
    let outcome = judge_at(&Forge::new(Format::Jws, &leaf, &target()), &trust(&root), SIGNED_AT);
    assert_found(&outcome, "which is not valid before");
    assert_eq!(outcome.changes_at(), None);
}

#[test]
fn the_earliest_end_is_the_end() {
    let (root, leaf) = chain(LONG, (SIGNED_AT - DAY, SIGNED_AT + 5 * DAY));
    let until_with =
        |expiry| until(&judge(&Forge::new(Format::Cose, &leaf, &target()).expiring(expiry), &trust(&root)));
    assert_eq!(until_with(SIGNED_AT + DAY), Some(seconds(SIGNED_AT + DAY)));
    assert_eq!(until_with(SIGNED_AT + 50 * DAY), Some(Timestamp::from_micros((SIGNED_AT + 5 * DAY) * 1_000_000 + 1)));
}

#[test]
fn validity_that_is_only_logged_neither_refuses_nor_ends() {
    let (root, leaf) = chain(LONG, (SIGNED_AT - DAY, SIGNED_AT + DAY));
    let trust = trust_with(&root, |statement| {
        statement["signatureVerification"]["override"] = json!({ "authenticTimestamp": "log" });
    });
    let forge = Forge::new(Format::Jws, &leaf, &target());
    assert_eq!(until(&judge_at(&forge, &trust, SIGNED_AT + 50 * DAY)), None);
}

fn with_timestamps(root: &Authority, verify: &str) -> Trust {
    let mut statement = statement();
    statement["trustStores"] = json!(["ca:acme", "tsa:times"]);
    statement["signatureVerification"]["verifyTimestamp"] = json!(verify);
    let (pem, times) = (root.root_pem(), Authority::new("O=times, CN=root").root_pem());
    parsed(&files(SIGNERS, &statement, &[("ca/acme", &pem), ("tsa/times", &times)]))
}

#[test]
fn a_timestamp_that_must_be_verified_counts_for_nothing_yet() {
    let (root, leaf) = chain(LONG, (SIGNED_AT - DAY, SIGNED_AT + DAY));
    let forge = Forge::new(Format::Jws, &leaf, &target());
    assert_found(&judge(&forge, &with_timestamps(&root, "always")), "timestamps are not judged yet");
    let after_expiry = with_timestamps(&root, "afterCertExpiry");
    assert!(until(&judge(&forge, &after_expiry)).is_some());
    assert_found(&judge_at(&forge, &after_expiry, SIGNED_AT + 2 * DAY), "timestamps are not judged yet");
}

#[test]
fn a_signing_authority_vouches_for_the_time_at_which_the_chain_is_checked() {
    let (root, leaf) = chain(LONG, (SIGNED_AT - DAY, SIGNED_AT + DAY));
    let mut statement = statement();
    statement["trustStores"] = json!(["signingAuthority:acme"]);
    let trust = parsed(&files(SIGNERS, &statement, &[("signingAuthority/acme", &root.root_pem())]));
    for format in Format::ALL {
        let signed_at = |at| Forge::new(format, &leaf, &target()).by_authority(at);
        assert_eq!(until(&judge_at(&signed_at(SIGNED_AT), &trust, SIGNED_AT + 9 * DAY)), None);
        assert_eq!(signers(&judge_at(&signed_at(SIGNED_AT + DAY), &trust, SIGNED_AT)), ["acme"]);
        for at in [SIGNED_AT - DAY - 1, SIGNED_AT + DAY + 1] {
            assert_found(&judge_at(&signed_at(at), &trust, SIGNED_AT), "not valid when the signing authority signed");
        }
    }
}
