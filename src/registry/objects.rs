//! The objects that lie in the store of a root whose metadata is made afresh. Their names say what they are, and so did
//! whatever wrote them; whether it is so still, only their bytes tell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::oci::Digest;
use crate::store::{Candidate, Census, ImageLayout, ObjectKey};

use super::{Error, Housekeeping};

/// What was hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hashed {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An object that is not what its name says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RottenObject {
    /// The digest in its name.
    pub digest: Digest,
    /// Its name below `_cas`.
    pub object: String,
    /// What was expected and what was found.
    pub why: String,
}

/// Objects, each hashed before it is taken.
pub(super) struct Objects<'a> {
    census: &'a Census,
    /// None takes them for what their names say.
    keeper: Option<Housekeeping>,
    hashed: AtomicU64,
    rotten: Mutex<BTreeMap<ObjectKey, RottenObject>>,
    /// Whether manifests may hold what is rotten or lost.
    holding: AtomicBool,
    held: Mutex<BTreeMap<Digest, Held>>,
}

/// Rotten or lost content that manifests hold: known, served to nobody, and healed by a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) key: ObjectKey,
    pub(super) size: u64,
    pub(super) why: String,
}

impl<'a> Objects<'a> {
    /// Those of `census`, to be hashed by `keeper`.
    pub(super) fn new(census: &'a Census, keeper: Option<Housekeeping>) -> Self {
        Self {
            census,
            keeper,
            hashed: AtomicU64::default(),
            rotten: Mutex::default(),
            holding: AtomicBool::new(false),
            held: Mutex::default(),
        }
    }

    /// Whether there is one of that digest, sound or not.
    pub(super) fn any(&self, digest: &Digest) -> bool {
        self.census.has(digest)
    }

    /// The sound one of that digest, and its size in bytes: the one that the layout's blob is a link to, else the newest.
    pub(super) async fn sound(&self, layout: &ImageLayout, digest: &Digest) -> Result<Option<(ObjectKey, u64)>, Error> {
        for candidate in self.census.candidates(layout, digest)? {
            if self.is_sound(digest, &candidate).await? {
                return Ok(Some((candidate.key, candidate.size)));
            }
        }
        Ok(None)
    }

    /// From now on manifests may hold what is rotten or lost and found nowhere else.
    pub(super) fn hold(&self) {
        self.holding.store(true, Ordering::Relaxed);
    }

    /// Whether they may.
    pub(super) fn may_hold(&self) -> bool {
        self.holding.load(Ordering::Relaxed)
    }

    /// Holds content of which nothing is left, under a key that has no file.
    pub(super) fn hold_lost(&self, digest: Digest, key: ObjectKey, size: u64) {
        let why = "expected a file, found none when the metadata was made afresh".to_owned();
        self.held().insert(digest, Held { key, size, why });
    }

    /// The object of that digest to be held though it is rotten, if there is one and it may be.
    pub(super) fn holds(&self, layout: &ImageLayout, digest: &Digest) -> Result<Option<Held>, Error> {
        if !self.may_hold() {
            return Ok(None);
        }
        if let Some(held) = self.held().get(digest) {
            return Ok(Some(held.clone()));
        }
        let found = self.rotten_one(layout, digest)?.or_else(|| {
            let (key, size) = self.census.quarantined(digest)?;
            Some(Held { key, size, why: "it lay in quarantine when the metadata was made afresh".to_owned() })
        });
        if let Some(held) = &found {
            self.held().insert(*digest, held.clone());
        }
        Ok(found)
    }

    fn rotten_one(&self, layout: &ImageLayout, digest: &Digest) -> Result<Option<Held>, Error> {
        let candidates = self.census.candidates(layout, digest)?;
        let rotten = self.rotten();
        let held = |Candidate { key, size, .. }| rotten.get(&key).map(|it| Held { why: it.why.clone(), key, size });
        Ok(candidates.into_iter().find_map(held))
    }

    /// What is held though it is rotten or lost.
    pub(super) fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_sound(&self, digest: &Digest, candidate: &Candidate) -> Result<bool, Error> {
        let Candidate { key, size, fits } = candidate;
        let Some(keeper) = &self.keeper else { return Ok(*fits) };
        if self.rotten().contains_key(key) {
            return Ok(false);
        }
        self.hashed.fetch_add(1, Ordering::Relaxed);
        let Some(why) = keeper.why_rotten(digest, key, *size).await? else { return Ok(true) };
        let rotten = RottenObject { digest: *digest, object: key.to_string(), why };
        self.rotten().insert(key.clone(), rotten);
        Ok(false)
    }

    fn rotten(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectKey, RottenObject>> {
        self.rotten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one was found that is not what its name says.
    pub(super) fn is_any_rotten(&self) -> bool {
        !self.rotten().is_empty()
    }

    /// What was hashed, and what of it is not what its name says.
    pub(super) fn report(&self) -> (Hashed, BTreeMap<ObjectKey, RottenObject>) {
        let bytes = self.keeper.as_ref().map_or(0, |keeper| keeper.counters().bytes());
        (Hashed { objects: self.hashed.load(Ordering::Relaxed), bytes }, self.rotten().clone())
    }
}
