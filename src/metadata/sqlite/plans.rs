//! The plan of every statement, held against the schema: what grows with the store is looked up, never walked.
//!
//! The database keeps no statistics, so that plans depend on the schema alone, and an empty one shows those of a full one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, StatementStatus};

use super::schema;

/// Tables that are walked, each with the reason why that costs the same in every store.
const WALKED: [(&str, &str); 8] = [
    ("about", "has as many rows as there are pieces of evidence and data about one digest, through 64 levels"),
    ("counters", "has as many rows as there are names in the schema"),
    ("intents", "has as many rows as there are seals under way"),
    ("revision", "has one row"),
    ("revision_files", "has as many rows as the policy and trust have files"),
    ("scrub", "has one row"),
    ("sqlite_master", "has as many rows as the schema has tables and indexes"),
    ("(subquery-", "what it selects is bounded by its own plan"),
];

/// Indexes that are walked in their order, each with the reason why that ends early.
const WALKED_IN_ORDER: [(&str, &str); 4] = [
    ("refusals_who", "a bounded number of refusals is kept, and no request waits for them to be noted"),
    ("judgements_due", "ends at the first row"),
    ("uploads_whole", "holds only uploads in one request that a process left behind, and is asked at the start"),
    ("trash_waiting", "holds only what waits to be removed, and ends at the limit"),
];

/// Beginnings of statements that walk everything, each with the reason why nobody waits for it.
const ALL: [(&str, &str); 5] = [
    (
        "INSERT INTO pending (repository, digest, sequence) SELECT repository, digest, ?1 + row_number()",
        "marks every layout of a copy of the database that is being made",
    ),
    (
        "SELECT r.name FROM (SELECT repository, min(sequence) AS oldest FROM pending",
        "what changed since the layouts were",
    ),
    ("SELECT count(*) FROM quarantine", "what rotted and was not healed is few"),
    ("SELECT r.name, q.digest, q.key, q.why, q.at FROM quarantine", "what rotted and was not healed is few"),
    ("SELECT r.name FROM repositories r CROSS JOIN manifests m", "a look into each repository, to heal what rotted"),
];

/// Beginnings of statements whose rows are sorted before the first is known, each with what bounds the rows.
const SORTED: [(&str, &str); 5] = [
    ("SELECT DISTINCT child FROM links WHERE parent = ?1", "what one manifest holds is capped"),
    (
        "SELECT r.name FROM (SELECT repository, min(sequence) AS oldest FROM pending",
        "what changed since the layouts were",
    ),
    ("SELECT digest, sequence FROM pending WHERE repository = ?1", "what changed since the layout was written"),
    ("SELECT m.media_type, m.digest, length(m.bytes), NULL", "the entries of the index.json that is written"),
    ("SELECT digest FROM manifests JOIN ( SELECT id AS ranked", "evidence about one subject is capped by pusher"),
];

/// Files whose statements no request waits for: those of tests, and those on a copy that nobody serves yet.
const ASIDE: [&str; 3] = ["plans.rs", "integrity.rs", "files.rs"];

/// What stands between quotes in the files of this module, but those aside.
fn literals() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metadata/sqlite");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let aside = ASIDE.iter().any(|name| path.ends_with(name));
        if path.extension().is_some_and(|extension| extension == "rs") && !aside {
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            // Between quotes is every second piece, for no statement holds an escaped one.
            found.extend(code.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// Every statement among them.
fn statements() -> BTreeSet<String> {
    literals().iter().filter_map(|literal| statement(literal)).collect()
}

/// How often a connection ran the statements of this module: it keeps each that it prepared, with a count.
pub(super) fn runs(connection: &Connection) -> i32 {
    let of =
        |literal: &String| connection.prepare_cached(literal).map_or(0, |kept| kept.get_status(StatementStatus::Run));
    literals().iter().filter(|literal| statement(literal).is_some()).collect::<BTreeSet<_>>().into_iter().map(of).sum()
}

/// The statement that a literal is, or ends: the readers of manifests share their columns.
fn statement(literal: &str) -> Option<String> {
    const VERBS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
    let words: Vec<&str> = literal.split_whitespace().collect();
    match *words.first()? {
        _ if literal.ends_with("FROM manifests ") => None,
        verb if VERBS.contains(&verb) => Some(words.join(" ")),
        "WHERE" | "JOIN" => Some(format!("SELECT digest, bytes FROM manifests {}", words.join(" "))),
        _ => None,
    }
}

fn plan(connection: &Connection, statement: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain.query_map(rusqlite::params_from_iter(nulls), |row| row.get(3)).unwrap();
    steps.collect::<Result<_, _>>().unwrap()
}

fn in_memory() -> Connection {
    super::connection::open(Path::new(":memory:"), OpenFlags::SQLITE_OPEN_CREATE).unwrap()
}

fn planned() -> Vec<(String, Vec<String>)> {
    let mut connection = in_memory();
    schema::migrate(&mut connection).unwrap();
    statements().into_iter().map(|statement| (statement.clone(), plan(&connection, &statement))).collect()
}

/// Whether a step walks what it may not.
fn walks(step: &str) -> bool {
    let Some(walked) = step.strip_prefix("SCAN ") else { return false };
    let table = walked.split(' ').next().unwrap_or_default();
    let is_table = |(name, _): &(&str, &str)| table == *name || (name.ends_with('-') && table.starts_with(name));
    let in_order = |(index, _): &(&str, &str)| walked.ends_with(&format!("INDEX {index}"));
    walked != "CONSTANT ROW" && !WALKED.iter().any(is_table) && !WALKED_IN_ORDER.iter().any(in_order)
}

#[test]
fn statements_are_found() {
    assert!(statements().len() > 60, "{}", statements().len());
}

#[test]
fn no_statement_walks_a_table_that_grows() {
    for (statement, plan) in planned() {
        let all = ALL.iter().any(|(beginning, _)| statement.starts_with(beginning));
        assert!(all || !plan.iter().any(|step| walks(step)), "{statement}\n{plan:#?}");
    }
}

#[test]
fn no_statement_sorts_what_grows() {
    for (statement, plan) in planned() {
        let sorts = plan.iter().any(|step| step.starts_with("USE TEMP B-TREE"));
        let bounded = SORTED.iter().chain(&ALL).any(|(beginning, _)| statement.starts_with(beginning));
        assert!(!sorts || bounded, "{statement}\n{plan:#?}");
    }
}

#[test]
fn a_walk_is_seen() {
    let mut connection = in_memory();
    schema::migrate(&mut connection).unwrap();
    let plan = plan(&connection, "SELECT digest FROM manifests WHERE media_type = ?1");
    assert!(plan.iter().any(|step| walks(step)), "{plan:?}");
}
