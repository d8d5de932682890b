//! notation: an organisation with its own certificate authority signs, and the gate holds what the authority's trust
//! policy says. `notation verify` agrees at each step.

use std::time::Duration;

use serde_json::json;

use crate::forge::{Authority, Format, SigningCertificate};
use crate::harness::{ACME, ALIAS, HOSTNAME, INDEX, Image, Index, Key, Person, Registry, Setup, authority, leaf};

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_image_is_refused_until_it_is_signed_in_either_envelope() {
    let (setup, release) = acme();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    for (tag, format) in [("jws", Format::Jws), ("cose", Format::Cose)] {
        let digest = ci.crane_push(&format!("prod/app:{tag}"), tag);
        deploy.manifest("prod/app", tag).refuses(403, "DENIED", &["signed-release", "no signature was found"]);
        deploy.notation_verify(&format!("prod/app:{tag}")).fails_saying(&["403"]);

        signs(&signer, format, &release, &digest);

        assert_eq!(deploy.resolves("prod/app", tag), digest);
        deploy.crane_pull(&format!("prod/app:{tag}")).succeeds();
        // notation reads signatures through the gate, with the credentials of deploy.
        let verified = deploy.notation_verify(&format!("prod/app:{tag}")).succeeds();
        assert!(verified.contains(&digest), "expected notation to verify {digest}, found {verified}");
        assert_eq!(deploy.notation_list(&format!("prod/app:{tag}")).len(), 1);
    }
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_signature_of_another_authority_counts_for_nothing() {
    let (setup, _) = acme();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    // Their authority may well carry the same names.
    let theirs = authority().issue(&leaf(ACME));

    signs(&signer, Format::Jws, &theirs, &digest);

    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["ca:acme"]);
    ci.notation_verify("prod/app:v1").fails_saying(&["does not contain any trusted certificate"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_signature_counts_until_its_expiry() {
    let (setup, release) = acme();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    let reference = format!("prod/app@{digest}");

    signer.notation_sign(Format::Cose, &release, &["--expiry", "8s"], &reference).succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    std::thread::sleep(Duration::from_secs(9));

    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["expire"]);
    ci.notation_verify("prod/app:v1").fails_saying(&["expired"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_statement_for_another_host_says_nothing_of_this_one() {
    let (mut setup, release) = acme();
    setup.statement()["registryScopes"] = json!(["registry.example.com/prod/app"]);
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));

    signs(&signer, Format::Jws, &release, &digest);

    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &[HOSTNAME]);
    ci.notation_verify("prod/app:v1").fails_saying(&["no applicable trust policy"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_statement_may_name_the_registry_by_an_alias() {
    let (mut setup, release) = acme();
    setup.aliases = vec![ALIAS];
    setup.statement()["registryScopes"] = json!([format!("{ALIAS}/prod/app")]);
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));

    signs(&signer, Format::Jws, &release, &digest);

    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    deploy.notation_verify_at(ALIAS, "prod/app:v1").succeeds();
    // notation knows nothing of aliases: to it they are two registries.
    deploy.notation_verify("prod/app:v1").fails_saying(&["no applicable trust policy"]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_statement_that_does_not_enforce_backs_no_requirement() {
    for (level, word) in [("permissive", "expiry"), ("audit", "authenticity"), ("skip", "verifies nothing")] {
        let (mut setup, release) = acme();
        setup.statement()["signatureVerification"] = json!({ "level": level });
        if level == "skip" {
            setup.statement()["trustStores"] = json!([]);
            setup.statement()["trustedIdentities"] = json!([]);
        }
        let registry = Registry::start(&setup);
        let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
        let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));

        signs(&signer, Format::Jws, &release, &digest);

        deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["acme-images", word]);
        // notation does as it is told.
        ci.notation_verify("prod/app:v1").succeeds();
    }
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_permissive_statement_that_enforces_expiry_backs_a_requirement() {
    let (mut setup, release) = acme();
    setup.statement()["signatureVerification"] = json!({ "level": "permissive", "override": { "expiry": "enforce" } });
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));

    signs(&signer, Format::Cose, &release, &digest);

    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    deploy.notation_verify("prod/app:v1").succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn what_the_signer_adds_is_signed_along() {
    let (setup, release) = acme();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    for (tag, format) in [("jws", Format::Jws), ("cose", Format::Cose)] {
        let digest = ci.pushes_tagged("prod/app", tag, &Image::of(tag));
        let flags = ["--user-metadata", "build=7", "--user-metadata", "from=ci"];

        signer.notation_sign(format, &release, &flags, &format!("prod/app@{digest}")).succeeds();

        assert_eq!(deploy.resolves("prod/app", tag), digest);
        let verified = deploy.notation_verify(&format!("prod/app:{tag}")).succeeds();
        assert!(verified.contains("build=7"), "expected the metadata, found {verified}");
    }
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn a_second_signature_counts_beside_one_that_does_not() {
    let (setup, release) = acme();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));

    signs(&signer, Format::Jws, &authority().issue(&leaf(ACME)), &digest);
    deploy.manifest("prod/app", "v1").is(403);
    signs(&signer, Format::Cose, &release, &digest);

    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    assert_eq!(deploy.notation_list("prod/app:v1").len(), 2);
    deploy.notation_verify("prod/app:v1").succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_index_signed_once_admits_its_children() {
    let (setup, release) = acme();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let (amd64, arm64) = (Image::for_platform("amd64", "x"), Image::for_platform("arm64", "y"));
    for image in [&amd64, &arm64] {
        ci.pushes_image("prod/app", image);
    }
    let index = Index::of(&[(&amd64, json!({})), (&arm64, json!({}))]);
    ci.put_manifest("prod/app", "v1", INDEX, index.bytes()).is(201);

    // A child admits itself alone.
    signs(&signer, Format::Jws, &release, &amd64.digest());
    deploy.manifest("prod/app", &amd64.digest()).is(200);
    deploy.manifest("prod/app", &arm64.digest()).is(403);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["sign the index"]);

    signs(&signer, Format::Cose, &release, &index.digest());
    assert_eq!(deploy.resolves("prod/app", "v1"), index.digest());
    deploy.manifest("prod/app", &arm64.digest()).is(200);
    deploy.notation_verify("prod/app:v1").succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn cosign_and_notation_are_two_of_two() {
    let (setup, release) = acme();
    let registry = Registry::start(&two_of(setup.with_release_key()));
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));

    // One certificate is one identity, however often and in whatever envelope it signs.
    signs(&signer, Format::Jws, &release, &digest);
    signs(&signer, Format::Jws, &release, &digest);
    signs(&signer, Format::Cose, &release, &digest);
    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["signed-release"]);

    signer.cosign_sign(Key::Release, &format!("prod/app@{digest}")).succeeds();
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
    deploy.notation_verify("prod/app:v1").succeeds();
    deploy.cosign_verify("cosign3", Key::Release, "prod/app:v1").succeeds();
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn one_key_is_one_signer_whatever_it_signs_with() {
    let acme = authority();
    let setup = Setup::notation(&acme.root_pem());
    let registry = Registry::start(&two_of(setup.with_release_key()));
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    let release = acme.issue(&leaf(ACME));
    let key = signer.home().join("shared.pem");
    std::fs::write(&key, &release.key_pem).unwrap();
    let import = ["import-key-pair", "--key", "shared.pem", "--output-key-prefix", "shared"];
    signer.run("cosign3").args(import).succeeds();
    let public = std::fs::read_to_string(signer.home().join("shared.pub")).unwrap();
    registry.accepts(&[("trust/cosign/release.pub", &public)]);

    signs(&signer, Format::Jws, &release, &digest);
    let reference = registry.reference(&format!("prod/app@{digest}"));
    let sign = ["sign", "--yes", "--allow-http-registry", "--use-signing-config=false", "--tlog-upload=false"];
    signer.run("cosign3").args(sign).args(["--key", "shared.key", &reference]).succeeds();

    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["signed-release"]);
    registry.accepts(&[("policies/requirements.toml", "[signed-release]\nany = [{ signed_by = \"acme\" }]\n")]);
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn any_and_all_mix_cosign_and_notation() {
    let (setup, release) = acme();
    let setup = setup.with_release_key();
    let both = "[{ signed_by = \"release\" }, { signed_by = \"acme\" }]";
    for (word, one_is_enough) in [("any", true), ("all", false)] {
        let registry = Registry::start(&setup.clone().requires(&format!("{word} = {both}")));
        let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
        let by_cosign = ci.pushes_tagged("prod/app", "cosign", &Image::of("cosign"));
        let by_notation = ci.pushes_tagged("prod/app", "notation", &Image::of("notation"));
        let one = if one_is_enough { 200 } else { 403 };

        signer.cosign2_sign(Key::Release, &format!("prod/app@{by_cosign}")).succeeds();
        signs(&signer, Format::Jws, &release, &by_notation);
        deploy.manifest("prod/app", &by_cosign).is(one);
        deploy.manifest("prod/app", &by_notation).is(one);

        signs(&signer, Format::Cose, &release, &by_cosign);
        signer.cosign_sign(Key::Release, &format!("prod/app@{by_notation}")).succeeds();
        assert_eq!(deploy.resolves("prod/app", "cosign"), by_cosign);
        assert_eq!(deploy.resolves("prod/app", "notation"), by_notation);
    }
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn an_authority_that_is_dropped_is_refused_at_the_next_pull() {
    let (setup, release) = acme();
    let registry = Registry::start(&setup);
    let [ci, signer, deploy] = registry.people(["ci", "signer", "deploy"]);
    let digest = ci.pushes_tagged("prod/app", "v1", &Image::of("a release"));
    signs(&signer, Format::Jws, &release, &digest);
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);

    let next = authority();
    registry.accepts(&[("trust/x509/ca/acme/root.pem", &next.root_pem())]);

    deploy.manifest("prod/app", "v1").refuses(403, "DENIED", &["ca:acme"]);
    signs(&signer, Format::Jws, &next.issue(&leaf(ACME)), &digest);
    assert_eq!(deploy.resolves("prod/app", "v1"), digest);
}

/// A registry that trusts Acme's authority, and who signs for Acme.
fn acme() -> (Setup, SigningCertificate) {
    let acme: Authority = authority();
    (Setup::notation(&acme.root_pem()), acme.issue(&leaf(ACME)))
}

/// Two of the cosign key and Acme.
fn two_of(setup: Setup) -> Setup {
    setup.requires("threshold = 2\nof = [{ signed_by = \"release\" }, { signed_by = \"acme\" }]")
}

#[track_caller]
fn signs(signer: &Person<'_>, format: Format, with: &SigningCertificate, digest: &str) {
    signer.notation_sign(format, with, &[], &format!("prod/app@{digest}")).succeeds();
}
