//! What was synced, renamed and made, in order: how tests show that nothing is relied on before it would survive a power
//! cut. Outside tests nothing is noted.

use std::path::Path;

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The file's bytes survive a power cut.
    BytesSynced,
    /// The names in the folder do.
    NamesSynced,
    /// The folder was made.
    Made,
    /// The name came to be, for bytes that were synced under this or another name.
    Named,
}

/// Notes what happened to a path.
#[cfg(not(test))]
pub(super) const fn note(_path: &Path, _step: Step) {}

/// Notes that what was called by the first name is called by the second.
#[cfg(not(test))]
pub(super) const fn renamed(_from: &Path, _to: &Path) {}

#[cfg(test)]
pub(super) use tests::{note, renamed};

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Debug)]
    struct Entry {
        path: PathBuf,
        step: Step,
        from: Option<PathBuf>,
    }

    static JOURNAL: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

    pub(crate) fn note(path: &Path, step: Step) {
        add(path, step, None);
    }

    pub(crate) fn renamed(from: &Path, to: &Path) {
        add(to, Step::Named, Some(from));
    }

    fn add(path: &Path, step: Step, from: Option<&Path>) {
        let entry = Entry { path: path.to_path_buf(), step, from: from.map(Path::to_path_buf) };
        JOURNAL.lock().unwrap().push(entry);
    }

    /// What below `root` would not survive a power cut now: folders and names whose folder was not synced since, and
    /// names for bytes that were not synced before.
    pub(crate) fn unsynced(root: &Path) -> Vec<String> {
        let journal = JOURNAL.lock().unwrap();
        let entries: Vec<_> = journal.iter().filter(|entry| entry.path.starts_with(root)).collect();
        assert!(entries.iter().any(|entry| entry.step == Step::NamesSynced), "expected something to be synced");
        let mut names_synced = HashMap::new();
        let mut bytes_synced = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            match entry.step {
                Step::NamesSynced => drop(names_synced.insert(entry.path.as_path(), at)),
                Step::BytesSynced => drop(bytes_synced.entry(entry.path.as_path()).or_insert(at)),
                Step::Made | Step::Named => {}
            }
        }
        let mut found = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if matches!(entry.step, Step::Made | Step::Named) {
                let last = names_synced.get(entry.path.parent().unwrap());
                if last.is_none_or(|last| *last < at) {
                    found.push(format!("the name of {}", entry.path.display()));
                }
            }
            if let Some(from) = &entry.from {
                let first = bytes_synced.get(from.as_path());
                if first.is_none_or(|first| *first > at) {
                    found.push(format!("the bytes of {}", entry.path.display()));
                }
            }
        }
        found
    }

    /// How often a step happened to what lies below `root`.
    pub(crate) fn steps(root: &Path, step: Step) -> usize {
        let journal = JOURNAL.lock().unwrap();
        journal.iter().filter(|entry| entry.step == step && entry.path.starts_with(root)).count()
    }
}
