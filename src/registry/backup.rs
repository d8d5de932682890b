//! Backup: one moment of the metadata and every object that it names, while the registry goes on.

mod missing;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use crate::clock::Clock;
use crate::metadata::{Content, FILE, Metadata, Reserved, Sqlite, Totals};
use crate::oci::Digest;
use crate::store::{Beside, Draft, ObjectKey, Placed, StoreError};

use self::missing::{Broken, refusal};
use super::{Error, lost};

pub use self::missing::NotBackedUp;

/// How many moments are tried. Each goes on from the objects of the one before it, so the time between the moment and
/// the last of its objects is short from the second on.
const MOMENTS: usize = 16;
/// Contents that are read at once.
const PAGE: usize = 1000;
/// What there is of a content whose file is not there.
const LOST: &str = "expected a file, found none";

/// What was backed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// Repositories.
    pub repositories: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Contents whose bytes are in the backup.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Contents that were linked; a backup on the same file system shares their bytes with the registry.
    pub linked: u64,
    /// Contents that were copied.
    pub copied: u64,
    /// What is not in the backup, because it is quarantined or lost. The backup knows it and serves it to nobody.
    pub missing: Vec<NotBackedUp>,
}

/// Makes `to`, which is not there, a root that holds what `root` holds at one moment after this was called. The process
/// that owns `root` goes on meanwhile, and nothing of it is changed. `to` appears when everything in it is durable.
///
/// An object that is collected before it is reached is no longer named by a later moment: so another moment is taken
/// until one has everything that it names. What is gone and is named by a later moment all the same is lost.
///
/// What is quarantined or lost can't be backed up. It is refused and named; with `partial` everything else is backed up,
/// and what is missing is quarantined in the backup.
pub async fn backup(root: &Path, to: &Path, partial: bool, clock: &dyn Clock) -> Result<BackedUp, Error> {
    if let Some(lost) = lost(root) {
        return Err(Error::Conflict(lost.to_string()));
    }
    let tree = Beside::open(root)?;
    let draft = tree.draft(to)?;
    let (from, copy) = (tree.folder().join(FILE), draft.folder().join(FILE));
    let mut gathering = Gathering::new(&tree, &draft, partial);
    for moment in 0..MOMENTS {
        draft.remove(FILE)?;
        Sqlite::snapshot(&from, &copy, tree.is_still())?;
        let metadata = Sqlite::open(&copy)?;
        let Some(broken) = gathering.moment(&metadata).await? else { continue };
        for Broken { content, why } in &broken {
            metadata.quarantine_content(&content.digest, &content.key, why, clock.now()).await?;
        }
        let missing = missing::all(&metadata).await?;
        if !partial && !missing.is_empty() {
            return Err(refusal(&missing));
        }
        if moment > 0 {
            prune(&draft, &metadata).await?;
        }
        let done = gathering.done(metadata.totals().await?, missing);
        metadata.close().await?;
        drop(metadata);
        draft.publish()?;
        return Ok(done);
    }
    Err(Error::Unavailable(format!("expected one of {MOMENTS} moments to be whole, found that each lost an object")))
}

/// A backup on its way, from one moment to the next.
pub(super) struct Gathering<'a> {
    tree: &'a Beside,
    draft: &'a Draft,
    partial: bool,
    linked: u64,
    copied: u64,
    /// What is not in the backup of this moment: contents, and their bytes.
    without: (u64, u64),
    /// The keys whose files the last moment did not find.
    gone: BTreeSet<String>,
}

/// What there is of a content.
enum Found {
    Sound,
    /// No file: collected since the moment, or lost.
    Gone,
    /// Something that is not the content, or can't be read, in one clause.
    Rotten(String),
}

impl<'a> Gathering<'a> {
    pub(super) const fn new(tree: &'a Beside, draft: &'a Draft, partial: bool) -> Self {
        Self { tree, draft, partial, linked: 0, copied: 0, without: (0, 0), gone: BTreeSet::new() }
    }

    /// Brings every object that the metadata names, and tells what is broken beside that which is quarantined. `None` if
    /// something is gone, and it takes another moment to tell why.
    ///
    /// Collection commits that it takes an object before it unlinks it. So what was gone before this moment was taken, and
    /// is named by it, was not collected.
    pub(super) async fn moment(&mut self, metadata: &Sqlite) -> Result<Option<Vec<Broken>>, Error> {
        let (mut broken, mut gone, mut is_certain) = (Vec::new(), BTreeSet::new(), true);
        // Nothing is brought for a backup that is going to be refused: what else is missing is to be named.
        let mut brings = self.partial || metadata.quarantined_count().await? == 0;
        self.without = (0, 0);
        let mut after: Option<Digest> = None;
        loop {
            let page = metadata.contents(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest);
            for content in page {
                let found = if content.quarantined { Found::Sound } else { self.find(&content, brings)? };
                let why = match found {
                    Found::Sound => None,
                    Found::Gone => {
                        let is_lost = self.gone.contains(&content.key);
                        is_certain &= is_lost;
                        gone.insert(content.key.clone());
                        is_lost.then(|| LOST.to_owned())
                    }
                    Found::Rotten(why) => Some(why),
                };
                if content.quarantined || why.is_some() {
                    let (blobs, bytes) = self.without;
                    self.without = (blobs.saturating_add(1), bytes.saturating_add(content.size));
                }
                broken.extend(why.map(|why| Broken { content, why }));
                brings = self.partial || (brings && broken.is_empty());
            }
        }
        self.gone = gone;
        Ok(is_certain.then_some(broken))
    }

    /// Brings a content, or only looks at it.
    fn find(&mut self, content: &Content, brings: bool) -> Result<Found, Error> {
        let key = ObjectKey(content.key.clone());
        let size = match self.tree.size(&key) {
            Ok(size) => size,
            Err(StoreError::Io(error)) => {
                return Ok(Found::Rotten(format!("expected a file that can be read, found {error}")));
            }
            Err(error) => return Err(error.into()),
        };
        match size {
            None => return Ok(Found::Gone),
            Some(size) if size != content.size => {
                return Ok(Found::Rotten(format!("expected {} bytes, found {size}", content.size)));
            }
            Some(_) if !brings => return Ok(Found::Sound),
            Some(_) => {}
        }
        match self.tree.put_object(self.draft, &content.digest, &key) {
            Ok(Placed::Linked) => self.linked = self.linked.saturating_add(1),
            Ok(Placed::Copied) => self.copied = self.copied.saturating_add(1),
            Ok(Placed::There) => {}
            Ok(Placed::Refused(why)) => return Ok(Found::Rotten(why)),
            Err(StoreError::Absent(_)) => return Ok(Found::Gone),
            Err(StoreError::Full) => return Err(Error::Full),
            Err(StoreError::Io(error)) => {
                let digest = content.digest;
                return Err(Error::Unavailable(format!("expected to write {digest} into the backup, found {error}")));
            }
        }
        Ok(Found::Sound)
    }

    fn done(&self, totals: Totals, missing: Vec<NotBackedUp>) -> BackedUp {
        let Totals { repositories, manifests, tags, blobs, blob_bytes, uploads: _ } = totals;
        let (blobs, blob_bytes) = (blobs.saturating_sub(self.without.0), blob_bytes.saturating_sub(self.without.1));
        let (linked, copied) = (self.linked, self.copied);
        BackedUp { repositories, manifests, tags, blobs, blob_bytes, linked, copied, missing }
    }
}

/// Removes objects that an earlier moment named and this one does not.
async fn prune(draft: &Draft, metadata: &Sqlite) -> Result<(), Error> {
    for (digest, key) in draft.objects()? {
        if metadata.reserve(digest).await? != Reserved::Live(key.0.clone()) {
            draft.remove_object(&key)?;
        }
    }
    Ok(())
}
