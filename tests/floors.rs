//! The house: a module imports only from floors below its own, and what is fenced stays behind its fence.

#![expect(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floor by module, as drawn in `hallmark::manual::architecture`.
const FLOORS: &[(&str, usize)] = &[
    ("clock", 0),
    ("document", 0),
    ("files", 0),
    ("gate", 0),
    ("interruption", 0),
    ("mistake", 0),
    ("seeded", 0),
    ("terminal", 0),
    ("oci", 0),
    ("client", 1),
    ("config", 1),
    ("metadata", 1),
    ("store", 1),
    ("trust", 1),
    ("authn", 2),
    ("authz", 2),
    ("requirements", 2),
    ("verify", 2),
    ("registry", 3),
    ("cli", 4),
    ("http", 4),
    ("app", 5),
    ("main", 5),
    ("telemetry", 5),
];

/// Crates that only these modules may name.
const FENCES: &[(&str, &[&str])] = &[
    ("axum", &["http", "app"]),
    ("hyper", &["http", "app"]),
    ("hyper_util", &["http", "app"]),
    ("rustls", &["http", "app", "main"]),
    ("tokio_rustls", &["http", "app"]),
    ("casbin", &["authz"]),
    ("sigstore_verify", &["verify", "trust"]),
    ("openssl", &["verify", "trust"]),
    ("x509_cert", &["verify", "trust"]),
    ("coset", &["verify"]),
    ("rusqlite", &["metadata"]),
    ("reqwest", &["client"]),
    ("http_auth", &["client"]),
    ("docker_credential", &["client"]),
];

/// Traits with a contract, and the file that lists every implementation of it.
const CONTRACTS: &[(&str, &str)] = &[("Store", "store/contract.rs"), ("Metadata", "metadata/contract/mod.rs")];

/// Of the contract of the metadata, the files that may name an engine.
const ENGINES_ARE_NAMED_IN: &[&str] = &["mod.rs", "files.rs", "failing.rs"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each source file with its module and its code: no comments, no tests at its end.
fn modules() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        Path::new(first.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned()
    };
    let code = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]\n").next().unwrap_or_default().to_owned();
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    let is_test = |path: &Path| {
        let inner = path.strip_prefix(&root).unwrap().with_extension("");
        inner.components().any(|part| part.as_os_str().to_string_lossy().split('_').any(|word| word == "tests"))
    };
    (paths.into_iter())
        .filter(|path| !is_test(path))
        .map(|path| (path.clone(), module(&path), code(&path)))
        .filter(|(_, module, _)| module != "lib" && module != "manual")
        .collect()
}

/// The modules that code names after `crate::`, one by one or in braces.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for name in names {
            let word: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            found.push(word);
        }
    }
    found
}

#[test]
fn every_module_imports_only_from_floors_below() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, module, code) in modules() {
        let Some(floor) = floors.get(module.as_str()) else {
            wrong.push(format!("{}: module {module} has no floor", path.display()));
            continue;
        };
        for import in imports(&code) {
            if let Some(other) = floors.get(import.as_str())
                && import != module
                && !(*other < *floor || (*other == 0 && *floor == 0))
                && *floor != 5
            {
                wrong.push(format!("{}: {module} (floor {floor}) imports {import} (floor {other})", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fenced_crates_stay_behind_their_fences() {
    let mut wrong = Vec::new();
    for (path, module, code) in modules() {
        for (name, allowed) in FENCES {
            let named = code
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
                .any(|word| word.split("::").next() == Some(*name) && word.contains("::"));
            if named && !allowed.contains(&module.as_str()) {
                wrong.push(format!("{}: {module} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_detectors_detect() {
    assert_eq!(imports("use crate::oci::Digest; use crate::{gate::Who, clock};"), ["oci", "gate", "clock"]);
    assert!(modules().iter().any(|(_, module, _)| module == "registry"));
}

#[test]
fn nothing_shows_the_time_but_the_clock() {
    for (path, module, code) in modules() {
        let shows = code.contains("SystemTime::now");
        assert!(!shows || module == "clock", "{} asks the machine for the time", path.display());
    }
}

/// The types that `code` implements a trait for.
fn implementations(code: &str, name: &str) -> Vec<String> {
    let heads = code.lines().filter(|line| line.trim_start().starts_with("impl"));
    let types = heads.filter_map(|line| line.split_once(&format!(" {name} for ")).map(|(_, rest)| rest));
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    types.map(|rest| rest.get(..end(rest)).unwrap().to_owned()).collect()
}

#[test]
fn every_implementation_is_held_to_its_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let texts: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for (name, file) in CONTRACTS {
        let list = fs::read_to_string(root.join(file)).unwrap();
        let all: Vec<String> = texts.iter().flat_map(|text| implementations(text, name)).collect();
        assert!(all.len() >= 2, "expected implementations of {name}, found {all:?}");
        for one in all {
            assert!(list.contains(&format!("\"{one}\"")), "{one} implements {name}, and {file} does not list it");
        }
    }
}

#[test]
fn a_fact_of_the_metadata_asks_every_engine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metadata/contract");
    let mut paths = Vec::new();
    sources(&folder, &mut paths);
    assert!(paths.len() > ENGINES_ARE_NAMED_IN.len());
    for path in paths {
        if ENGINES_ARE_NAMED_IN.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let asked = text.matches("each(async").count() + text.matches("each_opened(async").count();
        assert_eq!(text.matches("#[tokio::test").count(), asked, "{}: facts, and those that ask each", path.display());
        let names = ["Sqlite", "Failing", "#[test]"].into_iter().filter(|name| text.contains(name));
        assert_eq!(names.collect::<Vec<_>>(), [""; 0], "{} asks one engine alone", path.display());
    }
}
