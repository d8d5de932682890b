//! What a medium does to the files of objects behind everybody's back, and what is excused by it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::client::Client;
use super::repositories;
use crate::metadata::Metadata as _;
use crate::oci::Digest;
use crate::registry::tests::House;
use crate::registry::tests::invariants::Harmed;
use crate::registry::tests::scrub::flip;

/// How a file is harmed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Harm {
    /// A bit of it flips.
    Rot,
    /// It is lost.
    Loss,
    /// It is out of sight, and comes back as it was.
    Absence,
}

/// What was harmed in a run.
#[derive(Debug, Default)]
pub(super) struct Damage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    harmed: Harmed,
    /// Keys of content that a whole pass of the scrub has quarantined.
    settled: BTreeSet<String>,
}

impl Damage {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn harmed(&self) -> Harmed {
        self.with(|state| state.harmed.clone())
    }

    /// A pass of the scrub is over: what is quarantined now is served to nobody who asks from now on.
    pub(super) fn settle(&self, house: &House) {
        let keys = house.metadata.inner().keys().unwrap();
        self.with(|state| state.settled.extend(keys.quarantined));
    }

    /// Harmed files of a content that no pass has dealt with yet.
    pub(super) fn unsettled(&self, digest: &Digest) -> BTreeSet<String> {
        self.with(|state| {
            let left = state.harmed.ever.difference(&state.settled);
            left.filter(|key| key.contains(&digest.hex())).cloned().collect()
        })
    }

    pub(super) fn is_harmed(&self, digest: &Digest) -> bool {
        self.with(|state| state.harmed.ever.iter().any(|key| key.contains(&digest.hex())))
    }
}

impl Client {
    /// Waits as long as so many calls take.
    pub(super) async fn wait(&self, calls: usize) {
        for _ in 0..calls {
            self.house.metadata.totals().await.unwrap();
        }
    }

    /// Harms the file of a content that is live and was never harmed; before that, the layouts may get a copy of it
    /// instead of a link, as where a file system has no link left.
    pub(super) async fn harm(&self, digest: Digest, harm: Harm, copied: bool, absent_for: usize) {
        let Some(blob) = self.house.metadata.inner().blob(&self.repository, &digest).await.unwrap() else { return };
        let file = self.house.file_of(&blob.key);
        if blob.quarantined || !file.is_file() || self.damage.is_harmed(&digest) {
            return;
        }
        if copied {
            part_with(&self.house, &file, &digest);
        }
        self.damage.with(|state| state.harmed.ever.insert(blob.key.clone()));
        match harm {
            Harm::Rot => flip(&file),
            Harm::Loss => {
                fs::remove_file(&file).unwrap();
                self.damage.with(|state| state.harmed.lost.insert(blob.key));
            }
            Harm::Absence => self.hide(&file, blob.key, absent_for).await,
        }
    }

    async fn hide(&self, file: &Path, key: String, calls: usize) {
        let aside = self.house.folder.path().join(format!("aside.{}", key.replace('/', ".")));
        fs::hard_link(file, &aside).unwrap();
        fs::remove_file(file).unwrap();
        self.damage.with(|state| state.harmed.lost.insert(key.clone()));
        self.wait(calls).await;
        // Nobody brings back what was collected meanwhile.
        if self.house.metadata.inner().keys().unwrap().live.contains(&key) {
            fs::hard_link(&aside, file).unwrap();
        }
        self.damage.with(|state| state.harmed.lost.remove(&key));
        fs::remove_file(&aside).unwrap();
    }
}

/// Makes files of their own of the links that layouts have to an object.
fn part_with(house: &House, object: &Path, digest: &Digest) {
    for repository in repositories() {
        let link: PathBuf = house.folder.path().join(repository.as_str()).join("blobs/sha256").join(digest.hex());
        let Ok(found) = fs::metadata(&link) else { continue };
        if found.ino() == fs::metadata(object).unwrap().ino() {
            fs::remove_file(&link).unwrap();
            fs::copy(object, &link).unwrap();
        }
    }
}
