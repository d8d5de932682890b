//! What a power cut may leave of layouts that were being written.
//!
//! The bytes of a file are synced before it gets its name, and a name is counted on once its folder was synced. So of what
//! the metadata notes as pending, each name is as it was when the layout was last known to be whole or as it is now, in
//! any mix, and the file that is written beside may be anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hallmark::oci::Digest;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::layouts::{ALGORITHMS, find_layouts, names};
use crate::random::Random;

/// What stands in a layout beside its blobs.
const PAPERS: [&str; 2] = ["index.json", "oci-layout"];

/// The layouts as they were when nothing was pending, each name linked aside.
pub(crate) struct Kept(PathBuf);

impl Kept {
    /// Links every layout below `root` to `aside`, in the place of those that were kept before.
    pub(crate) fn take(root: &Path, aside: PathBuf) -> Self {
        if aside.exists() {
            fs::remove_dir_all(&aside).unwrap();
        }
        let mut layouts = Vec::new();
        find_layouts(root, root, &mut layouts);
        for layout in layouts {
            let (from, to) = (root.join(&layout), aside.join(escaped(&layout)));
            for name in all_names(&from) {
                fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
                fs::hard_link(from.join(&name), to.join(&name)).unwrap();
            }
        }
        Self(aside)
    }

    fn of(&self, repository: &str) -> PathBuf {
        self.0.join(escaped(repository))
    }
}

/// One component for the name of a repository: they nest.
fn escaped(repository: &str) -> String {
    repository.replace('/', "%")
}

/// The names in a layout, relative to it.
fn all_names(layout: &Path) -> BTreeSet<PathBuf> {
    let papers = PAPERS.into_iter().map(PathBuf::from).filter(|name| layout.join(name).exists());
    let blobs = ALGORITHMS.into_iter().flat_map(|algorithm| {
        let folder = Path::new("blobs").join(algorithm);
        names(&layout.join(&folder)).into_iter().map(move |name| folder.join(name))
    });
    papers.chain(blobs).collect()
}

/// The name of a blob in a layout.
fn name_of(digest: &Digest) -> PathBuf {
    Path::new("blobs").join(digest.algorithm().as_str()).join(digest.hex())
}

/// Leaves the pending layouts of a program that is dead as a power cut may, and tells how many names that changed.
pub(crate) fn leave(root: &Path, kept: &Kept, random: &mut Random) -> usize {
    let mut changed = 0;
    for (repository, digests) in pending(root) {
        let (layout, kept) = (root.join(&repository), kept.of(&repository));
        let pending: BTreeSet<PathBuf> = digests.iter().map(name_of).chain(PAPERS.map(PathBuf::from)).collect();
        let is_new = !kept.exists() && all_names(&layout).is_subset(&pending);
        let nothing_was_synced = is_new && random.once_in(2);
        for name in &pending {
            if nothing_was_synced || random.once_in(2) {
                changed += usize::from(go_back(&layout.join(name), &kept.join(name)));
            }
        }
        if nothing_was_synced {
            remove_folders(&layout);
        } else if layout.exists() && random.once_in(2) {
            leave_draft(&layout, random);
        }
    }
    changed
}

/// Makes a name what it was. Whether it was something else, or nothing.
fn go_back(name: &Path, kept: &Path) -> bool {
    let inode = |path: &Path| fs::symlink_metadata(path).map(|found| found.ino()).ok();
    if inode(name) == inode(kept) {
        return false;
    }
    drop(fs::remove_file(name));
    if kept.exists() {
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        fs::hard_link(kept, name).unwrap();
    }
    true
}

/// Removes the folders of a layout in which nothing is left. Another layout may be below it.
fn remove_folders(layout: &Path) {
    drop(fs::remove_file(layout.join("_writing")));
    let blobs = layout.join("blobs");
    for folder in ALGORITHMS.map(|algorithm| blobs.join(algorithm)).iter().chain([&blobs, &layout.to_path_buf()]) {
        drop(fs::remove_dir(folder));
    }
}

/// Leaves the file that is written beside, with some of its bytes or others.
fn leave_draft(layout: &Path, random: &mut Random) {
    let mut bytes = fs::read(layout.join("index.json")).unwrap_or_default();
    crate::uploads::spoil(random, &mut bytes, 0);
    let mut file = fs::File::create(layout.join("_writing")).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
}

/// What the next start will find to be pending, asked of a copy: whoever opens the database itself writes back its log.
fn pending(root: &Path) -> BTreeMap<String, Vec<Digest>> {
    let copy = TempDir::new().unwrap();
    for name in ["_metadata.sqlite", "_metadata.sqlite-wal"] {
        if root.join(name).exists() {
            fs::copy(root.join(name), copy.path().join(name)).unwrap();
        }
    }
    let connection = Connection::open(copy.path().join("_metadata.sqlite")).unwrap();
    let sql = "SELECT r.name, p.digest FROM pending p JOIN repositories r ON r.id = p.repository";
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut found: BTreeMap<String, Vec<Digest>> = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let digests = found.entry(row.get(0).unwrap()).or_default();
        // None stands for index.json alone.
        digests.extend(Digest::from_bytes(row.get_ref(1).unwrap().as_blob().unwrap()));
    }
    found
}
