//! The distribution specification's own conformance runner: each of its versions, with every API and data setting left on,
//! and with sparse data, where a registry may refuse (`sparse_images` is off) or accept.
//!
//! The runner exits 0 on a configuration error, so its result files are what counts.

use std::collections::BTreeMap;

use crate::harness::{Registry, Setup};

/// What 1.1 leaves off by default: cancelling an upload (once for each algorithm), and what is of the next version.
const OFF_IN_1_1: [&str; 2] = ["Blob upload cancel", "Manifest put with tag params"];
const DATA_OFF_IN_1_1: [&str; 2] = ["Tag Param", "Tag Param sha512"];
const SPARSE: &str = "Sparse Manifests";

#[test]
#[ignore = "needs the clients: run ./test"]
fn version_1_1_passes_and_skips_nothing() {
    let results = run("1.1", false);
    results.assert_counts(&Counts { passed: 860, failures: 0, errors: 0, skipped: 0, disabled: 2 });
    results.all_pass("apis", &OFF_IN_1_1);
    results.all_pass("data", &[&DATA_OFF_IN_1_1[..], &[SPARSE]].concat());
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn version_1_1_passes_and_skips_nothing_with_sparse_images() {
    let results = run("1.1", true);
    results.assert_counts(&Counts { passed: 906, failures: 0, errors: 0, skipped: 0, disabled: 2 });
    results.all_pass("apis", &OFF_IN_1_1);
    results.all_pass("data", &DATA_OFF_IN_1_1);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn the_next_version_passes_and_skips_nothing() {
    let results = run("dev", false);
    results.assert_counts(&Counts { passed: 986, failures: 0, errors: 0, skipped: 0, disabled: 0 });
    results.all_pass("apis", &[]);
    results.all_pass("data", &[SPARSE]);
}

#[test]
#[ignore = "needs the clients: run ./test"]
fn the_next_version_passes_and_skips_nothing_with_sparse_images() {
    let results = run("dev", true);
    results.assert_counts(&Counts { passed: 1032, failures: 0, errors: 0, skipped: 0, disabled: 0 });
    results.all_pass("apis", &[]);
    results.all_pass("data", &[]);
}

/// What the runner counted. Another number of passes is another runner, or one that stopped half-way.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    passed: u32,
    failures: u32,
    errors: u32,
    skipped: u32,
    disabled: u32,
}

/// The runner's result files.
struct Results {
    /// The attributes of `junit.xml`'s first element.
    junit: BTreeMap<String, String>,
    /// `results.yaml`.
    yaml: String,
    /// What it told its user, for a test that fails.
    told: String,
}

/// Runs the runner against a fresh registry in which everybody may do everything under `conformance/**`.
fn run(version: &str, sparse: bool) -> Results {
    let mut setup = Setup::open();
    setup.configuration = format!("sparse_images = {sparse}\n");
    setup.policy = setup.policy.replace("open/**", "conformance/**");
    let registry = Registry::start(&setup);
    let anonymous = registry.anonymous();
    let results = anonymous.home().join("results");
    let ran = anonymous
        .run("conformance")
        .env("OCI_VERSION", version)
        .env("OCI_DATA_SPARSE", sparse.to_string())
        .env("OCI_REGISTRY", registry.address())
        .env("OCI_TLS", "disabled")
        .env("OCI_RESULTS_DIR", &results)
        .run();
    let read = |name: &str| {
        std::fs::read_to_string(results.join(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{ran}"))
    };
    let told = ran
        .told()
        .lines()
        .filter(|line| line.contains("FAIL") || line.contains("Error") || line.contains("Skip") || line.contains(" - "))
        .collect::<Vec<_>>()
        .join("\n");
    Results { junit: attributes(&read("junit.xml")), yaml: read("results.yaml"), told }
}

impl Results {
    fn number(&self, name: &str) -> u32 {
        // What is zero is left out.
        self.junit.get(name).map_or(0, |number| number.parse().unwrap())
    }

    #[track_caller]
    fn assert_counts(&self, expected: &Counts) {
        let [tests, failures, errors, skipped, disabled] =
            ["tests", "failures", "errors", "skipped", "disabled"].map(|name| self.number(name));
        let passed = tests - failures - errors - skipped - disabled;
        assert_eq!(&Counts { passed, failures, errors, skipped, disabled }, expected, "{}", self.told);
    }

    /// Every entry of this section passes, save those that the version leaves off.
    #[track_caller]
    fn all_pass(&self, section: &str, off: &[&str]) {
        let entries = section_of(&self.yaml, section);
        assert!(entries.len() >= 15, "expected at least 15 entries under {section}, found {entries:?}");
        for (name, status) in &entries {
            let expected = if off.contains(&name.as_str()) { "Disabled" } else { "Pass" };
            assert_eq!(status, expected, "{section}: {name}\n{}", self.told);
        }
        for name in off {
            assert!(entries.contains_key(*name), "expected {name} under {section}, found {entries:?}");
        }
    }
}

/// The attributes of the first `testsuites` element.
fn attributes(xml: &str) -> BTreeMap<String, String> {
    let (_, rest) = xml.split_once("<testsuites ").unwrap_or_else(|| panic!("expected testsuites, found {xml}"));
    let (element, _) = rest.split_once('>').unwrap();
    let pairs = element.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// The indented `name: status` lines below `section:`.
fn section_of(yaml: &str, section: &str) -> BTreeMap<String, String> {
    let start = format!("{section}:");
    let below = yaml.lines().skip_while(|line| *line != start).skip(1);
    let entries = below.take_while(|line| line.starts_with(' ')).filter_map(|line| line.trim().split_once(": "));
    entries.map(|(name, status)| (name.trim_matches('"').to_owned(), status.to_owned())).collect()
}
