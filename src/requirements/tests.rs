//! Requirements as users write them.

use super::*;
use crate::clock::Timestamp;
use crate::gate::{Identity, Outcome, Shape};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/cosign/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Signers a, b, c with keys of their own; `twin` has a's key, `kl` is keyless.
fn trust() -> Trust {
    let mut files = Files::new();
    let mut text = String::new();
    for (name, key) in [("a", "release"), ("b", "other"), ("c", "third"), ("twin", "release-compressed")] {
        text.extend(["[", name, "]\ncosign_key = \"", name, ".pub\"\n"]);
        files.insert(format!("trust/{name}.pub"), fixture(&format!("{key}.pub")));
    }
    text += "[kl]\ntrusted_root = \"r.json\"\ncertificate_oidc_issuer = \"i\"\ncertificate_identity = \"x\"\n";
    files.insert("trust/r.json".to_owned(), Vec::new());
    files.insert(Trust::FILE.to_owned(), text.into_bytes());
    Trust::parse(&files, &[]).unwrap()
}

fn parse(text: &str) -> Result<Requirements, Vec<Mistake>> {
    let mut files = Files::new();
    files.insert(Requirements::FILE.to_owned(), text.as_bytes().to_vec());
    files.insert("policies/predicates/l3.rego".to_owned(), Vec::new());
    Requirements::parse(&files, &trust())
}

fn requirement(text: &str) -> Requirement {
    let all = parse(&format!("[r]\n{text}\n")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    all.by_name(&"r".parse().unwrap()).unwrap().clone()
}

/// The one mistake in the requirement `text`, which begins on line 2.
fn mistake(text: &str) -> String {
    let mistakes = parse(&format!("[r]\n{text}\n")).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes[0].to_string()
}

/// A verified signature by `signers`, who share the key `identity`.
fn signed(signers: &[&str], identity: &str, until: Option<i64>) -> Finding {
    Finding {
        evidence: Digest::sha256(identity.as_bytes()),
        shape: Shape::SigstoreBundle,
        outcome: Outcome::Verified {
            signers: signers.iter().map(|name| name.parse().unwrap()).collect(),
            identity: Identity(identity.to_owned()),
            until: until.map(Timestamp::from_micros),
        },
    }
}

fn nothing(evidence: &str) -> Finding {
    let outcome = Outcome::nothing("x", "y");
    Finding { evidence: Digest::sha256(evidence.as_bytes()), shape: Shape::CosignSignature, outcome }
}

fn by(names: &[&str]) -> Vec<Finding> {
    names.iter().map(|name| signed(&[name], name, None)).collect()
}

fn judge(requirement: &Requirement, findings: &[Finding]) -> Verdict {
    requirement.evaluate(&Digest::sha256(b"child"), &Digest::sha256(b"index"), findings)
}

fn is_met(text: &str, findings: &[Finding]) -> bool {
    judge(&requirement(text), findings).is_met()
}

fn reason(text: &str, findings: &[Finding]) -> String {
    match judge(&requirement(text), findings) {
        Verdict::Unmet(unmet) => unmet.reason,
        Verdict::Met { .. } => panic!("met"),
    }
}

const A_OR_B: &str = r#"any = [{ signed_by = "a" }, { signed_by = "b" }]"#;
const A_AND_B: &str = r#"all = [{ signed_by = "a" }, { signed_by = "b" }]"#;
const TWO_OF_THREE: &str = "threshold = 2\nof = [{ signed_by = \"a\" }, { signed_by = \"b\" }, { signed_by = \"c\" }]";

#[test]
fn no_file_defines_no_requirement() {
    assert_eq!(Requirements::parse(&Files::new(), &trust()).unwrap().iter().count(), 0);
}

#[test]
fn settings_are_read() {
    let text = "signed_by = \"a\"\nprotects = [\"prod/**\"]\nexcept = [\"role:ci\", \"user:x\", \"anonymous\"]\ntag_fallback = \"deny\"\nmode = \"warn\"";
    let requirement = requirement(text);
    assert_eq!(requirement.protects(), ["prod/**"]);
    assert_eq!(requirement.except(), ["role:ci", "user:x", "anonymous"]);
    assert_eq!(requirement.tag_fallback(), TagFallback::Deny);
    assert_eq!(requirement.mode(), Mode::Warn);
    assert_eq!(requirement.line(), 1);
    assert_eq!(requirement.signers().iter().map(SignerName::as_str).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn the_defaults_are_the_strict_ones() {
    let requirement = requirement("signed_by = \"a\"");
    assert_eq!((requirement.mode(), requirement.tag_fallback()), (Mode::Enforce, TagFallback::Pending));
}

#[test]
fn a_signature_of_the_signer_meets_it_through_what_it_was_found_on() {
    let verdict = judge(&requirement("signed_by = \"a\""), &by(&["a"]));
    assert_eq!(verdict, Verdict::Met { until: None, through: Digest::sha256(b"index") });
    assert!(!is_met("signed_by = \"a\"", &by(&["b"])));
}

#[test]
fn any_needs_one_and_all_needs_each() {
    assert!(is_met(A_OR_B, &by(&["b"])));
    assert!(!is_met(A_OR_B, &by(&["c"])));
    assert!(!is_met(A_AND_B, &by(&["a"])));
    assert!(is_met(A_AND_B, &by(&["a", "b"])));
}

#[test]
fn any_of_nothing_is_never_met() {
    assert!(!is_met("any = []", &by(&["a", "b", "c"])));
}

#[test]
fn two_keys_meet_a_threshold_of_two() {
    assert!(is_met(TWO_OF_THREE, &by(&["a", "c"])));
    assert!(!is_met(TWO_OF_THREE, &by(&["b"])));
}

#[test]
fn ghsa_9vcr_p3rj_q5q6_one_key_twice_is_one() {
    assert!(!is_met(TWO_OF_THREE, &[signed(&["a"], "k", None), signed(&["a"], "k", None)]));
    assert!(!is_met(TWO_OF_THREE, &[signed(&["a", "b"], "k", None)]));
    assert!(!is_met(TWO_OF_THREE, &[signed(&["a"], "k1", None), signed(&["a"], "k2", None)]));
}

/// A signature whose chain was exchanged, and a key that certificates of two names hold, make no second person.
#[test]
fn who_shares_a_key_or_a_name_is_one_identity() {
    let both = |identities: &[&str]| {
        let findings: Vec<_> = identities.iter().map(|identity| signed(&["a", "b"], identity, None)).collect();
        is_met("threshold = 2\nof = [{ signed_by = \"a\" }, { signed_by = \"b\" }]", &findings)
    };
    assert!(both(&["k1 root CN=one", "k2 root CN=two"]));
    assert!(both(&["k1 root CN=one", "k2 other CN=one"]));
    assert!(both(&["k1", "k2 root CN=two"]));
    assert!(!both(&["k1 root CN=one", "k1 other CN=one"]));
    assert!(!both(&["k1 root CN=one", "k1 root CN=two"]));
    assert!(!both(&["k1 root CN=one", "k2 root CN=one"]));
    assert!(!both(&["k1", "k1 root CN=one"]));
    assert!(!both(&["k1", "k2 root CN=one", "k1 root CN=one"]), "through a third");
    assert!(!both(&["k2 root CN=one", "k1", "k1 root CN=one"]), "in any order");
}

#[test]
fn each_identity_is_used_where_it_is_needed() {
    let findings = [signed(&["a", "b"], "k1", None), signed(&["a"], "k2", None)];
    assert!(is_met("threshold = 2\nof = [{ signed_by = \"a\" }, { signed_by = \"b\" }]", &findings));
}

#[test]
fn it_holds_until_the_last_way_ends() {
    let until = |text: &str, findings: &[Finding]| match judge(&requirement(text), findings) {
        Verdict::Met { until, .. } => until.map(Timestamp::micros),
        Verdict::Unmet(unmet) => panic!("{unmet:?}"),
    };
    let findings = [signed(&["a"], "a", Some(10)), signed(&["b"], "b", Some(20)), signed(&["c"], "c", None)];
    assert_eq!(until("signed_by = \"a\"", &findings), Some(10));
    assert_eq!(until(A_OR_B, &findings), Some(20));
    assert_eq!(until(A_AND_B, &findings), Some(10));
    assert_eq!(until(TWO_OF_THREE, &findings), Some(20));
}

#[test]
fn reasons_are_one_clause() {
    assert_eq!(reason("signed_by = \"a\"", &[]), "no signature was found");
    assert_eq!(
        reason("signed_by = \"a\"", &[nothing("1"), nothing("2")]),
        "found 2 pieces of evidence, none counts as signed by a"
    );
    assert_eq!(reason(A_AND_B, &by(&["a"])), "found 1 piece of evidence, none counts as signed by b");
}

#[test]
fn a_reason_never_asks_a_threshold_for_what_was_found() {
    let none = "2 of: signed by a, signed by b, signed by c; each by a different identity";
    assert_eq!(reason(TWO_OF_THREE, &[nothing("1")]), format!("found 1 piece of evidence, none counts as {none}"));
    let one_more = "1 more of: signed by a, signed by c; each by a different identity";
    assert_eq!(reason(TWO_OF_THREE, &by(&["b"])), format!("found 1 piece of evidence, none counts as {one_more}"));
}

#[test]
fn an_explanation_is_the_condition_as_a_tree() {
    let Verdict::Unmet(unmet) = judge(&requirement(A_AND_B), &by(&["a"])) else { panic!("met") };
    assert_eq!((unmet.conditions.condition.as_str(), unmet.conditions.met), ("all of", false));
    let parts: Vec<_> = unmet.conditions.of.iter().map(|part| (part.condition.as_str(), part.met)).collect();
    assert_eq!(parts, [("signed by a", true), ("signed by b", false)]);
}

#[test]
fn attestations_are_never_met_yet_and_say_so() {
    let text = r#"attested = "https://slsa.dev/provenance/v1"
        by = "kl"
        rego = "l3.rego""#;
    let told = reason(text, &by(&["kl", "a"]));
    assert!(told.contains("attestations are not judged yet"), "{told}");
}

#[test]
fn every_mistake_is_told_with_its_line() {
    for (line, text, message) in [
        (2, "signed_by = \"z\"", "expected a signer of trust/signers.toml, found \"z\""),
        (2, "all = []", "all of nothing is always met"),
        (1, "", "expected exactly one of any, all"),
        (1, "signed_by = \"a\"\nany = []", "expected exactly one of any, all"),
        (3, "signed_by = \"a\"\nmode = \"Enforce\"", "expected one of enforce, warn, audit"),
        (3, "signed_by = \"a\"\nmod = \"enforce\"", "found \"mod\""),
        (3, "signed_by = \"a\"\nby = \"b\"", "expected by only beside attested"),
        (3, "signed_by = \"a\"\nprotects = [\"a/[\"]", "expected a glob"),
        (3, "signed_by = \"a\"\nexcept = [\"ci\"]", "expected `role:<name>`"),
        (2, "any = [{ signed_by = \"a\", mode = \"warn\" }]", "found \"mode\""),
        (2, "threshold = 0\nof = [{ signed_by = \"a\" }]", "expected a threshold from 1 to 1, found 0"),
        (2, "threshold = 2\nof = [{ signed_by = \"a\" }]", "expected a threshold from 1 to 1, found 2"),
        (2, "threshold = 1", "expected a list `of`"),
        (5, "threshold = 1\nof = [\n{ signed_by = \"a\" },\n{ signed_by = \"a\" }]", "found a again"),
        (5, "threshold = 1\nof = [\n{ signed_by = \"a\" },\n{ signed_by = \"twin\" }]", "one key of a and twin"),
        (2, "all = [{ signed_by = \"a\" }, { signed_by = \"twin\" }]", "one key of a and twin"),
        (3, "attested = \"t\"\nby = \"z\"", "found \"z\""),
        (4, "attested = \"t\"\nby = \"kl\"\nrego = \"no.rego\"", "expected the file policies/predicates/no.rego"),
    ] {
        let told = mistake(text);
        assert!(told.starts_with(&format!("policies/requirements.toml:{line}: ")) && told.contains(message), "{told}");
    }
}

#[test]
fn mistakes_in_trust_hide_none_in_requirements() {
    let files = |signers: &str, requirements: &str| {
        let written = [(Trust::FILE, signers), (Requirements::FILE, requirements)];
        Files::from(written.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())))
    };
    let told = |signers, requirements| {
        let mistakes = Requirements::with_trust(&files(signers, requirements), &[]).unwrap_err();
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let both = told("[a\n", "[r]\nall = []\n");
    assert!(both.len() == 2, "{both:?}");
    assert!(both[0].starts_with("trust/signers.toml:1: ") && both[1].starts_with("policies/requirements.toml:2: "));
    // Who may be a signer can't be told then.
    assert_eq!(told("[a\n", "[r]\nsigned_by = \"z\"\n").len(), 1);
    assert!(told("", "[r]\nsigned_by = \"z\"\n")[0].contains("expected a signer"));
}

#[test]
fn unverified_is_not_for_defining() {
    let mistakes = parse("[unverified]\nsigned_by = \"a\"\n").unwrap_err();
    assert!(mistakes[0].message.contains("which is the requirement that everything meets"));
}

#[test]
fn conditions_nest_at_most_eight_deep() {
    let nested = |times| format!("{}{{ signed_by = \"a\" }}{}", "{ any = [".repeat(times), "] }".repeat(times));
    assert!(is_met(&format!("any = [{}]", nested(6)), &by(&["a"])));
    assert!(mistake(&format!("any = [{}]", nested(7))).contains("at most 8 deep"));
}

#[test]
fn implication_follows_the_structure() {
    let all_three = r#"all = [{ signed_by = "a" }, { signed_by = "b" }, { signed_by = "c" }]"#;
    let three_of_three = TWO_OF_THREE.replace("threshold = 2", "threshold = 3");
    let two_of_two = "threshold = 2\nof = [{ signed_by = \"a\" }, { signed_by = \"b\" }]";
    let implies = |one: &str, other: &str| requirement(one).implies(&requirement(other));
    for (strong, weak) in [
        ("signed_by = \"a\"", "signed_by = \"a\""),
        ("signed_by = \"a\"", A_OR_B),
        (A_AND_B, "signed_by = \"a\""),
        (A_AND_B, A_OR_B),
        (all_three, A_AND_B),
        (TWO_OF_THREE, A_OR_B),
        (&three_of_three, TWO_OF_THREE),
        (&three_of_three, "signed_by = \"c\""),
        (two_of_two, TWO_OF_THREE),
        ("any = []", "signed_by = \"a\""),
    ] {
        assert!(implies(strong, weak), "{strong} → {weak}");
    }
    for (weak, strong) in [
        ("signed_by = \"a\"", "signed_by = \"b\""),
        (A_OR_B, "signed_by = \"a\""),
        ("signed_by = \"a\"", A_AND_B),
        (TWO_OF_THREE, "signed_by = \"a\""),
        (TWO_OF_THREE, two_of_two),
        (A_AND_B, &three_of_three),
        ("signed_by = \"a\"", "any = []"),
    ] {
        assert!(!implies(weak, strong), "{weak} → {strong}");
    }
}

#[test]
fn what_is_not_enforced_implies_nothing() {
    for mode in ["warn", "audit"] {
        let lax = requirement(&format!("signed_by = \"a\"\nmode = \"{mode}\""));
        assert!(!lax.implies(&requirement("signed_by = \"a\"")));
        assert!(!lax.implies(&lax));
    }
}

/// Implication against its meaning: no set of signatures meets the one and not the other.
#[test]
fn implication_is_sound_over_all_small_cases() {
    let forms = [
        "signed_by = \"a\"".to_owned(),
        "signed_by = \"b\"".to_owned(),
        A_OR_B.to_owned(),
        A_AND_B.to_owned(),
        TWO_OF_THREE.to_owned(),
        TWO_OF_THREE.replace("threshold = 2", "threshold = 1"),
        "threshold = 2\nof = [{ signed_by = \"a\" }, { signed_by = \"b\" }]".to_owned(),
        r#"any = [{ all = [{ signed_by = "a" }, { signed_by = "b" }] }, { signed_by = "c" }]"#.to_owned(),
        r#"all = [{ any = [{ signed_by = "a" }, { signed_by = "c" }] }, { signed_by = "b" }]"#.to_owned(),
    ];
    let requirements: Vec<_> = forms.iter().map(|form| requirement(form)).collect();
    let sets: Vec<_> = (0..8_u8)
        .map(|set| {
            by(&["a", "b", "c"]
                .into_iter()
                .enumerate()
                .filter(|(at, _)| set >> at & 1 == 1)
                .map(|(_, n)| n)
                .collect::<Vec<_>>())
        })
        .collect();
    for one in &requirements {
        for other in requirements.iter().filter(|other| one.implies(other)) {
            for set in sets.iter().filter(|set| judge(one, set).is_met()) {
                assert!(judge(other, set).is_met(), "{} → {}: {set:?}", one.words(), other.words());
            }
        }
    }
}

/// What would make the requirement `text` pass for the digest of "child", written as D.
fn hint(text: &str, findings: &[Finding]) -> String {
    let Verdict::Unmet(unmet) = judge(&requirement(text), findings) else { panic!("met") };
    unmet.hint.unwrap().replace(&Digest::sha256(b"child").to_string(), "D")
}

fn key(name: &str) -> String {
    let file = match name {
        "a" => "release.pub",
        "b" => "other.pub",
        _ => "third.pub",
    };
    crate::trust::PublicKey::from_pem(&fixture(file)).unwrap().short().to_owned()
}

#[test]
fn a_hint_names_whose_signature_is_missing_and_how_they_are_known() {
    let (a, b) = (key("a"), key("b"));
    assert_eq!(hint("signed_by = \"a\"", &[]), format!("a signature of D by a (key {a})"));
    assert_eq!(hint(A_OR_B, &by(&["c"])), format!("a signature of D by a (key {a}), or by b (key {b})"));
}

#[test]
fn a_hint_names_only_the_parts_that_are_missing() {
    let (a, b) = (key("a"), key("b"));
    assert_eq!(hint(A_AND_B, &[]), format!("a signature of D by a (key {a}), and by b (key {b})"));
    assert_eq!(hint(A_AND_B, &by(&["a"])), format!("a signature of D by b (key {b})"));
}

#[test]
fn a_hint_of_a_threshold_says_how_many_more_and_by_whom() {
    let (a, b, c) = (key("a"), key("b"), key("c"));
    let all =
        format!("2 of: a signature of D by a (key {a}), by b (key {b}), by c (key {c}); each by a different identity");
    assert_eq!(hint(TWO_OF_THREE, &[]), all);
    let more = format!("1 more of: a signature of D by a (key {a}), by c (key {c}); each by a different identity");
    assert_eq!(hint(TWO_OF_THREE, &by(&["b"])), more);
}

#[test]
fn a_hint_of_a_threshold_names_both_names_of_a_shared_identity() {
    let told = hint(TWO_OF_THREE, &[signed(&["a", "b"], "k", None)]);
    assert!(
        told.starts_with("1 more of: a signature of D by a (") && told.contains("by b (") && told.contains("by c ("),
        "{told}"
    );
}

#[test]
fn a_hint_keeps_what_belongs_together_in_parentheses() {
    let nested = r#"any = [{ all = [{ signed_by = "a" }, { signed_by = "b" }] }, { signed_by = "c" }]"#;
    let (a, b, c) = (key("a"), key("b"), key("c"));
    let told = format!("(a signature of D by a (key {a}), and by b (key {b})), or by c (key {c})");
    assert_eq!(hint(nested, &[]), told);
}

#[test]
fn a_hint_says_what_nobody_can_do() {
    assert_eq!(hint("any = []", &by(&["a"])), "nothing can: any of nothing is never met");
    assert!(hint("signed_by = \"kl\"", &[]).ends_with("by kl (a certificate identity, which is not judged yet)"));
    let attested = hint("attested = \"https://slsa.dev/provenance/v1\"\nby = \"a\"", &by(&["a"]));
    assert_eq!(attested, "an attestation as https://slsa.dev/provenance/v1 by a, which is not judged yet");
}

#[test]
fn a_hint_says_from_when_evidence_may_count() {
    let mut early = nothing("1");
    early.outcome =
        Outcome::Nothing { expected: "x".into(), found: "y".into(), again_at: Some(Timestamp::from_micros(0)) };
    let told = hint("signed_by = \"a\"", &[early, nothing("2")]);
    assert!(told.ends_with("; evidence that is there may count from 1970-01-01T00:00:00Z on"), "{told}");
}

#[test]
fn a_hint_is_of_bounded_length() {
    let many = |leaf: &str| format!("any = [{}]", vec![leaf; 200].join(", "));
    let told = hint(&many("{ signed_by = \"a\" }"), &[]);
    assert!(told.ends_with(", or 192 more") && told.len() < 512, "{told}");
    let long = format!("{{ attested = \"{}\", by = \"a\" }}", "x".repeat(5000));
    assert!(hint(&many(&long), &[]).chars().count() <= 1025);
}

#[test]
fn an_explanation_says_what_the_verdict_says() {
    let (digest, index) = (Digest::sha256(b"child"), Digest::sha256(b"index"));
    for text in ["signed_by = \"a\"", A_OR_B, A_AND_B, TWO_OF_THREE, "any = []"] {
        for names in [&[][..], &["a"], &["b"], &["a", "b"], &["a", "c"]] {
            let (requirement, findings) = (requirement(text), by(names));
            let told = requirement.explain(&digest, &index, &findings);
            assert_eq!((told.through, told.conditions.met), (index, told.met));
            match requirement.evaluate(&digest, &index, &findings) {
                Verdict::Met { until, .. } => assert_eq!((true, until, None), (told.met, told.until, told.hint)),
                Verdict::Unmet(unmet) => {
                    assert_eq!(Explanation { through: index, ..Explanation::of_refusal(*unmet, Mode::Enforce) }, told);
                }
            }
        }
    }
}
