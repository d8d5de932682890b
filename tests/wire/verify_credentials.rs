//! Whose credentials `hallmark verify` shows, and to whom.

use crate::tiny::{Ask, Reply, Tiny};
use crate::verifier::{Verified, Verifier};
use crate::verify_hostile::honest;

/// Asks for a name and a password, and shows blobs elsewhere.
fn guarded(elsewhere: String) -> Tiny {
    Tiny::start(move |ask, _| {
        if ask.authorization.is_none() {
            return Reply::status(401).with("www-authenticate", "Basic realm=\"x\"");
        }
        if ask.path.contains("/blobs/") {
            return Reply::status(307).with("location", format!("http://{elsewhere}{}", ask.path));
        }
        honest(ask)
    })
}

#[test]
fn credentials_are_not_shown_where_a_blob_leads() {
    let elsewhere = Tiny::start(|ask, _| honest(ask));
    let registry = guarded(elsewhere.address.clone());
    let verifier = Verifier::new();
    verifier.log_in(&registry.address, "me", "secret");
    let verified = verifier.verify(&format!("{}/prod/app:v1", registry.address), &[]);
    assert_eq!(verified.exit, 0, "{verified:?}");
    let asked = elsewhere.asked();
    assert!(!asked.is_empty() && asked.iter().all(|ask| ask.authorization.is_none()), "{asked:?}");
    let first = registry.asked().first().cloned().unwrap();
    assert_eq!((first.path.as_str(), first.authorization), ("/v2/", None));
}

#[test]
fn a_stranger_who_asks_for_credentials_gets_none() {
    let elsewhere = Tiny::start(|_, _| Reply::status(401).with("www-authenticate", "Basic realm=\"x\""));
    let registry = guarded(elsewhere.address.clone());
    let verifier = Verifier::new();
    verifier.log_in(&registry.address, "me", "secret");
    let verified = verifier.verify(&format!("{}/prod/app:v1", registry.address), &[]);
    assert_eq!(verified.exit, 2, "{verified:?}");
    assert!(elsewhere.asked().iter().all(|ask| ask.authorization.is_none()));
}

/// Asks for a token of its own endpoint.
fn with_tokens() -> Tiny {
    Tiny::start(|ask, own| {
        if ask.path.starts_with("/token") {
            return Reply::of("application/json", r#"{"token": "good"}"#);
        }
        if ask.authorization.as_deref() != Some("Bearer good") {
            let challenge = format!(r#"Bearer realm="http://{own}/token",service="tiny""#);
            return Reply::status(401).with("www-authenticate", challenge);
        }
        honest(ask)
    })
}

#[test]
fn a_token_is_asked_for_with_the_name_and_the_password() {
    let registry = with_tokens();
    let verifier = Verifier::new();
    verifier.log_in(&registry.address, "me", "secret");
    let verified = verifier.verify(&format!("{}/prod/app:v1", registry.address), &[]);
    assert_eq!(verified.exit, 0, "{verified:?}");
    let asked = registry.asked();
    let tokens: Vec<_> = asked.iter().filter(|ask| ask.path.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1, "one token does for one repository");
    assert_eq!(tokens[0].path, "/token?service=tiny&scope=repository%3Aprod%2Fapp%3Apull");
    assert_eq!(tokens[0].authorization.as_deref(), Some("Basic bWU6c2VjcmV0"));
    let shown = |ask: &&Ask| !ask.path.starts_with("/token") && ask.authorization.as_deref() != Some("Bearer good");
    assert_eq!(asked.iter().filter(shown).count(), 1, "the password goes to the endpoint alone");
}

#[test]
fn a_token_is_asked_for_by_nobody_too() {
    let registry = with_tokens();
    let verified = Verifier::new().verify(&format!("{}/prod/app:v1", registry.address), &[]);
    assert_eq!(verified.exit, 0, "{verified:?}");
    assert!(registry.asked().iter().any(|ask| ask.path.starts_with("/token") && ask.authorization.is_none()));
}

#[test]
fn an_identity_token_is_shown_to_the_token_endpoint() {
    let registry = with_tokens();
    let verifier = Verifier::new();
    let config = format!(r#"{{"auths": {{"{}": {{"identitytoken": "i+d"}}}}}}"#, registry.address);
    verifier.put("docker/config.json", &config);
    let verified = verifier.verify(&format!("{}/prod/app:v1", registry.address), &[]);
    assert_eq!(verified.exit, 0, "{verified:?}");
    let shown = registry.asked().into_iter().find(|ask| ask.path == "/token").unwrap();
    assert!(
        shown.body.contains("grant_type=refresh%5Ftoken&") && shown.body.contains("refresh_token=i%2Bd&"),
        "{shown:?}"
    );
}

/// Someone whose credentials a helper of this script keeps, and the registry that asks for them.
fn with_helper(script: &str) -> (Verified, Tiny) {
    let registry = guarded_by("Basic bWU6c2VjcmV0");
    let verifier = Verifier::new();
    verifier.put("bin/docker-credential-test", script);
    let helper = verifier.path("bin/docker-credential-test");
    std::fs::set_permissions(helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    verifier.put("docker/config.json", r#"{"credsStore": "test"}"#);
    let bin = std::env::join_paths([verifier.path("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let reference = format!("{}/prod/app:v1", registry.address);
    (verifier.verify_where(&reference, &[], &[("PATH", &bin)]), registry)
}

fn guarded_by(authorization: &'static str) -> Tiny {
    Tiny::start(move |ask, _| {
        if ask.authorization.as_deref() == Some(authorization) {
            return honest(ask);
        }
        Reply::status(401).with("www-authenticate", "Basic realm=\"x\"")
    })
}

#[test]
fn a_helper_is_asked_for_the_name_and_the_password() {
    let script = "#!/bin/sh\ncat > /dev/null\necho '{\"Username\": \"me\", \"Secret\": \"secret\"}'\n";
    let (verified, _) = with_helper(script);
    assert_eq!(verified.exit, 0, "{verified:?}");
}

#[test]
fn a_helper_without_an_entry_is_anonymous() {
    let script = "#!/bin/sh\ncat > /dev/null\necho 'credentials not found in native keychain'\nexit 1\n";
    let (verified, registry) = with_helper(script);
    assert!(verified.exit == 2 && verified.output.contains("401"), "{verified:?}");
    assert!(registry.asked().iter().all(|ask| ask.authorization.is_none()));
}

#[test]
fn a_helper_that_breaks_is_never_anonymous() {
    let (verified, registry) = with_helper("#!/bin/sh\ncat > /dev/null\necho 'a secret'\nexit 1\n");
    assert_eq!((verified.exit, registry.asked()), (2, Vec::new()), "{verified:?}");
    assert!(!verified.output.contains("a secret"), "{verified:?}");
}

#[test]
fn a_helper_that_fails_can_not_be_told() {
    let registry = Tiny::start(|ask, _| honest(ask));
    let verifier = Verifier::new();
    verifier.put("docker/config.json", r#"{"credsStore": "hallmark-is-absent"}"#);
    let verified = verifier.verify(&format!("{}/prod/app:v1", registry.address), &[]);
    assert_eq!((verified.exit, registry.asked()), (2, Vec::new()), "{verified:?}");
}
