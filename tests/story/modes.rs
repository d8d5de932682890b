//! A requirement on trial: `warn` tells the client and the log, `audit` the log alone; neither refuses.

use crate::harness::{Image, Registry, Setup};

/// A registry whose requirement has this mode and which nobody can meet, and an image in it.
fn on_trial(mode: &str) -> (Registry, Image) {
    let mut setup = Setup::release();
    setup.requirements = format!("[signed-release]\nany = []\nmode = \"{mode}\"\n");
    setup.signers.clear();
    setup.keys.clear();
    let registry = Registry::start(&setup);
    let image = Image::of("an unsigned release");
    registry.person("ci").pushes_tagged("prod/app", "v1", &image);
    (registry, image)
}

#[test]
fn warn_serves_with_a_warning_that_the_log_repeats() {
    let (registry, image) = on_trial("warn");
    let deploy = registry.person("deploy");
    let seen = registry.lines();

    let manifest = deploy.manifest("prod/app", "v1").is(200);
    let blob = deploy.blob("prod/app", &image.layer()).is(200);

    for answer in [&manifest, &blob] {
        assert!(answer.header("warning").contains("no signature was found"), "expected a warning\n{answer}");
    }
    registry.logs(
        seen,
        &["/v2/prod/app/manifests/v1", "\"status\":200", "\"unmet\":\"signed-release: no signature was found"],
    );
}

#[test]
fn audit_serves_without_a_word_and_the_log_says_what_is_unmet() {
    let (registry, _image) = on_trial("audit");
    let seen = registry.lines();

    let manifest = registry.person("deploy").manifest("prod/app", "v1").is(200);

    assert_eq!(manifest.header("warning"), "", "expected no warning\n{manifest}");
    registry.logs(
        seen,
        &["/v2/prod/app/manifests/v1", "\"status\":200", "\"unmet\":\"signed-release: no signature was found"],
    );
}
