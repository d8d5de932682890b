//! The documents hold: every test that SECURITY.md names exists, and every relative link leads somewhere.
#![expect(clippy::unwrap_used, reason = "a test that can't go on says so")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` whose names end in `extension`; hidden folders and those of builds and data are left out.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !name.starts_with("target") && name != "data" {
                files(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

/// The names of the tests in one file, each with its module.
fn tests_in(path: &Path, text: &str) -> Vec<String> {
    let below = path.strip_prefix(root()).unwrap().with_extension("");
    let mut parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.retain(|part| part != "src" && part != "mod");
    if parts.first().is_some_and(|part| part == "tests") {
        parts.remove(0);
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut names = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !(line.ends_with("test]") || line.contains("::test(")) {
            continue;
        }
        let heads = lines.iter().skip(at + 1).take(4);
        let name =
            heads.filter_map(|line| line.split_once("fn ")).map(|(_, rest)| rest.split('(').next().unwrap()).next();
        names.extend(name.map(|name| format!("{}::{name}", parts.join("::"))));
    }
    names
}

fn all_tests() -> BTreeSet<String> {
    let mut paths = Vec::new();
    files(&root().join("src"), "rs", &mut paths);
    files(&root().join("tests"), "rs", &mut paths);
    paths.iter().flat_map(|path| tests_in(path, &fs::read_to_string(path).unwrap())).collect()
}

/// The words of the form `module::name` between backticks.
fn named_tests(text: &str) -> BTreeSet<String> {
    let is_path = |word: &&str| {
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        word.contains("::") && word.split("::").all(plain)
    };
    text.split('`').skip(1).step_by(2).filter(is_path).map(str::to_owned).collect()
}

/// Where the links of a document lead, without those to other hosts and within the document.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:"))
        .map(|target| target.split('#').next().unwrap())
        .collect()
}

#[test]
fn every_test_that_security_names_exists() {
    let tests = all_tests();
    let named = named_tests(&fs::read_to_string(root().join("SECURITY.md")).unwrap());
    let exists = |name: &&String| tests.iter().any(|test| test == *name || test.ends_with(&format!("::{name}")));
    let absent: Vec<_> = named.iter().filter(|name| !exists(name)).collect();
    assert!(absent.is_empty(), "expected tests, found none called {absent:#?}");
    assert!(named.len() > 30, "expected a test for each claim, found {} names", named.len());
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut documents = Vec::new();
    files(root(), "md", &mut documents);
    assert!(documents.len() > 1, "expected documents, found {documents:?}");
    let mut broken = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            if !document.with_file_name(link).exists() {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_readers_read() {
    assert_eq!(named_tests("as `a::b_c` and `Type::new` and `a b` show"), ["a::b_c".to_owned()].into());
    assert_eq!(links("[a](b.md#c) and [d](https://e) and [f](#g)"), ["b.md"]);
    let text = "#[test]\n#[ignore = \"why\"]\nfn one() {}\n    #[tokio::test]\n    async fn two() {}\nfn three() {}\n";
    assert_eq!(tests_in(&root().join("src/a/mod.rs"), text), ["a::one", "a::two"]);
    assert_eq!(tests_in(&root().join("tests/story/b.rs"), text), ["story::b::one", "story::b::two"]);
}
