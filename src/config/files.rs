//! The folders of policies and trust, read as one snapshot.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::files::Files;
use crate::mistake::Mistake;

/// The most bytes in both folders together.
const MAX_BYTES: u64 = 64 << 20;
/// How deep folders may lie in each other.
const MAX_DEPTH: usize = 16;
/// How often a read is begun anew because something changed meanwhile.
const ATTEMPTS: usize = 5;

/// Reads both folders whole, as `policies/…` and `trust/…`. Blocks.
///
/// Names that begin with a dot are left out. Symbolic links that resolve inside their folder are followed, as
/// Kubernetes mounts secrets; others are mistakes, and so is what is neither file nor folder. What changes while it is
/// read is read again, so that no snapshot is half old and half new.
pub fn read(policies: &Path, trust: &Path) -> Result<Files, Vec<Mistake>> {
    for _ in 0..ATTEMPTS {
        let before = fingerprint(&[policies, trust]);
        let read = read_once(policies, trust);
        if before == fingerprint(&[policies, trust]) {
            return read;
        }
    }
    Err(vec![Mistake::new(
        policies.display().to_string(),
        0,
        "expected files that stay as they are, found that they change all the time",
    )])
}

fn read_once(policies: &Path, trust: &Path) -> Result<Files, Vec<Mistake>> {
    let mut reader = Reader { files: Files::new(), mistakes: Vec::new(), bytes: 0, inside: PathBuf::new() };
    for (name, folder) in [("policies", policies), ("trust", trust)] {
        match fs::canonicalize(folder) {
            Ok(inside) => {
                reader.inside.clone_from(&inside);
                reader.folder(name, &inside, 0);
            }
            Err(error) => reader.wrong(name, format!("expected the folder {}, found: {error}", folder.display())),
        }
    }
    if reader.mistakes.is_empty() { Ok(reader.files) } else { Err(reader.mistakes) }
}

struct Reader {
    files: Files,
    mistakes: Vec<Mistake>,
    bytes: u64,
    /// The folder that links may not leave.
    inside: PathBuf,
}

impl Reader {
    fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake::new(name, 0, message));
    }

    fn folder(&mut self, name: &str, path: &Path, depth: usize) {
        if depth > MAX_DEPTH {
            return self.wrong(name, format!("expected folders at most {MAX_DEPTH} deep, found more"));
        }
        let entries = match fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => return self.wrong(name, format!("expected a folder that can be read, found: {error}")),
        };
        for entry in entries {
            let Ok(file) = entry.file_name().into_string() else {
                self.wrong(name, format!("expected names in UTF-8, found {}", entry.file_name().display()));
                continue;
            };
            if !file.starts_with('.') {
                self.entry(&format!("{name}/{file}"), &entry.path(), depth);
            }
        }
    }

    fn entry(&mut self, name: &str, path: &Path, depth: usize) {
        let real = match fs::canonicalize(path) {
            Ok(real) if real.starts_with(&self.inside) => real,
            Ok(_) => return self.wrong(name, "expected a link that stays inside its folder, found one that leaves it"),
            Err(error) => return self.wrong(name, format!("expected a file that can be read, found: {error}")),
        };
        match fs::metadata(&real) {
            Ok(found) if found.is_dir() => self.folder(name, &real, depth.saturating_add(1)),
            Ok(found) if found.is_file() => self.file(name, &real, found.len()),
            Ok(_) => self.wrong(name, "expected a file or a folder, found neither"),
            Err(error) => self.wrong(name, format!("expected a file that can be read, found: {error}")),
        }
    }

    fn file(&mut self, name: &str, path: &Path, size: u64) {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > MAX_BYTES {
            return self.wrong(name, format!("expected at most {MAX_BYTES} bytes in policies and trust, found more"));
        }
        match fs::read(path) {
            Ok(bytes) => {
                self.files.insert(name.to_owned(), bytes);
            }
            Err(error) => self.wrong(name, format!("expected a file that can be read, found: {error}")),
        }
    }
}

/// Changes whenever a file or folder of `paths` changes, by name, size, time and inode; cheap enough for every second.
/// Blocks.
pub fn fingerprint(paths: &[&Path]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        walk(path, 0, &mut hasher);
    }
    hasher.finish()
}

fn walk(path: &Path, depth: usize, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    let Ok(found) = fs::metadata(path) else { return };
    (found.ino(), found.len(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()).hash(hasher);
    if !found.is_dir() || depth > MAX_DEPTH {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    let mut inner: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    inner.retain(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
    inner.sort();
    for path in inner {
        walk(&path, depth.saturating_add(1), hasher);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("p/inner")).unwrap();
            fs::create_dir(root.path().join("t")).unwrap();
            fs::write(root.path().join("p/inner/a"), "one").unwrap();
            Self(root)
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn read(&self) -> Result<Files, Vec<Mistake>> {
            read(&self.at("p"), &self.at("t"))
        }
    }

    #[test]
    fn files_are_named_as_users_write_them() {
        let folders = Folders::new();
        fs::write(folders.at("t/.hidden"), "x").unwrap();
        assert_eq!(folders.read().unwrap(), Files::from([("policies/inner/a".to_owned(), b"one".to_vec())]));
    }

    #[test]
    fn a_mounted_secret_is_followed() {
        let folders = Folders::new();
        fs::create_dir(folders.at("t/..2026")).unwrap();
        fs::write(folders.at("t/..2026/signers.toml"), "s").unwrap();
        symlink("..2026", folders.at("t/..data")).unwrap();
        symlink("..data/signers.toml", folders.at("t/signers.toml")).unwrap();
        assert_eq!(folders.read().unwrap().get("trust/signers.toml").unwrap(), b"s");
    }

    #[test]
    fn a_link_that_leaves_its_folder_is_refused() {
        let folders = Folders::new();
        symlink(folders.at("p/inner/a"), folders.at("t/a")).unwrap();
        let mistakes = folders.read().unwrap_err();
        assert!(mistakes[0].file == "trust/a" && mistakes[0].message.contains("leaves it"), "{mistakes:?}");
    }

    #[test]
    fn a_link_to_nothing_is_refused() {
        let folders = Folders::new();
        symlink("nothing", folders.at("t/a")).unwrap();
        assert_eq!(folders.read().unwrap_err()[0].file, "trust/a");
    }

    #[test]
    fn folders_in_a_circle_are_refused() {
        let folders = Folders::new();
        symlink(".", folders.at("t/round")).unwrap();
        assert!(folders.read().unwrap_err()[0].message.contains("deep"));
    }

    #[test]
    fn a_folder_that_is_absent_is_a_mistake() {
        let folders = Folders::new();
        fs::remove_dir(folders.at("t")).unwrap();
        assert_eq!(folders.read().unwrap_err()[0].file, "trust");
    }

    #[test]
    fn the_fingerprint_changes_with_a_file() {
        let folders = Folders::new();
        let path = folders.at("p");
        let before = fingerprint(&[&path]);
        assert_eq!(before, fingerprint(&[&path]));
        fs::write(folders.at("p/inner/a"), "two!").unwrap();
        assert_ne!(before, fingerprint(&[&path]));
    }

    #[test]
    fn the_fingerprint_changes_when_a_mount_is_swapped() {
        let folders = Folders::new();
        for version in ["..1", "..2"] {
            fs::create_dir(folders.at("t").join(version)).unwrap();
            fs::write(folders.at("t").join(version).join("a"), "same").unwrap();
        }
        symlink("..1", folders.at("t/..data")).unwrap();
        symlink("..data/a", folders.at("t/a")).unwrap();
        let path = folders.at("t");
        let before = fingerprint(&[&path]);
        fs::remove_file(folders.at("t/..data")).unwrap();
        symlink("..2", folders.at("t/..data")).unwrap();
        assert_ne!(before, fingerprint(&[&path]));
    }
}
