//! What clients were told, held against what is stored in the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::metadata::Metadata as _;
use crate::oci::{Digest, RepositoryName, Tag};
use crate::registry::tests::House;

/// A change that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    Put(RepositoryName, Digest),
    Tag(RepositoryName, Tag, Digest),
    Delete(RepositoryName, Digest),
    DeleteTag(RepositoryName, Tag),
    DeleteBlob(RepositoryName, Digest),
}

/// From when until when a change was made. Its client may never have learned of its end.
#[derive(Clone, Debug)]
struct Asked {
    change: Change,
    begin: usize,
    end: Option<usize>,
    refused: bool,
}

impl Asked {
    /// Whether it may have taken effect after `other` began to.
    fn may_follow(&self, other: &Self) -> bool {
        !self.refused && self.end.is_none_or(|end| end > other.begin)
    }

    fn is_acknowledged(&self) -> bool {
        self.end.is_some() && !self.refused
    }
}

/// Every change in the order in which it was asked for.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    asked: Vec<Asked>,
    now: usize,
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask(&self, change: Change) -> usize {
        let mut log = self.lock();
        log.now += 1;
        let begin = log.now;
        log.asked.push(Asked { change, begin, end: None, refused: false });
        log.asked.len() - 1
    }

    /// The client was told that it is done.
    pub(super) fn acknowledge(&self, asked: &[usize]) {
        let mut log = self.lock();
        log.now += 1;
        let now = log.now;
        for one in asked {
            log.asked[*one].end = Some(now);
        }
    }

    /// The client was told that nothing changed.
    pub(super) fn refuse(&self, asked: &[usize]) {
        self.acknowledge(asked);
        let mut log = self.lock();
        for one in asked {
            log.asked[*one].refused = true;
        }
    }

    /// Whether a deletion of one of these blobs may have come after the change `asked` began.
    pub(super) fn may_be_deleted(&self, repository: &RepositoryName, digests: &[Digest], since: usize) -> bool {
        let log = self.lock();
        (log.asked.iter()).any(|asked| match &asked.change {
            Change::DeleteBlob(place, digest) => {
                place == repository && digests.contains(digest) && asked.end.is_none_or(|end| end > since)
            }
            _ => false,
        })
    }

    pub(super) fn now(&self) -> usize {
        self.lock().now
    }

    /// What is stored and was deleted, or is lost and was acknowledged.
    pub(super) async fn contradictions(&self, house: &House) -> Vec<String> {
        let asked = self.lock().asked.clone();
        let mut wrong = Vec::new();
        for claim in asked.iter().filter(|asked| asked.is_acknowledged()) {
            let follows =
                |change: &Change| asked.iter().any(|other| other.change == *change && other.may_follow(claim));
            match &claim.change {
                Change::Put(repository, digest) => {
                    let stored = house.metadata.manifest(repository, digest).await.unwrap().is_some();
                    if !stored && !follows(&Change::Delete(repository.clone(), *digest)) {
                        wrong.push(format!("manifest {digest} of {repository} was acknowledged and is lost"));
                    }
                }
                Change::Delete(repository, digest) => {
                    let stored = house.metadata.manifest(repository, digest).await.unwrap().is_some();
                    if stored && !follows(&Change::Put(repository.clone(), *digest)) {
                        wrong.push(format!("manifest {digest} of {repository} was deleted and is there"));
                    }
                }
                Change::Tag(..) | Change::DeleteTag(..) | Change::DeleteBlob(..) => {}
            }
        }
        for ((repository, tag), asked) in by_tag(&asked) {
            let pushes = house.metadata.pushes(&repository, &tag).await.unwrap();
            let newest = pushes.first().map(|push| push.digest);
            if let Some(why) = contradicts(&asked, newest) {
                wrong.push(format!("tag {tag} of {repository} names {newest:?}: {why}"));
            }
        }
        wrong
    }
}

/// What concerns each tag.
fn by_tag(asked: &[Asked]) -> BTreeMap<(RepositoryName, Tag), Vec<Asked>> {
    let mut tags: BTreeMap<_, Vec<Asked>> = BTreeMap::new();
    for one in asked {
        if let Change::Tag(repository, tag, _) | Change::DeleteTag(repository, tag) = &one.change {
            tags.entry((repository.clone(), tag.clone())).or_default().push(one.clone());
        }
    }
    for ((repository, _), concerned) in &mut tags {
        let deletes = |one: &&Asked| matches!(&one.change, Change::Delete(place, _) if place == repository);
        concerned.extend(asked.iter().filter(deletes).cloned());
    }
    tags
}

/// Why a tag can't name `newest` after all that was asked.
fn contradicts(asked: &[Asked], newest: Option<Digest>) -> Option<String> {
    let pushed = |one: &Asked| match &one.change {
        Change::Tag(_, _, digest) => Some(*digest),
        _ => None,
    };
    for claim in asked.iter().filter(|one| one.is_acknowledged()) {
        let Some(digest) = pushed(claim) else { continue };
        let undone = asked.iter().any(|other| {
            let undoes = match &other.change {
                Change::DeleteTag(..) => true,
                Change::Delete(_, deleted) => *deleted == digest,
                _ => false,
            };
            undoes && other.may_follow(claim)
        });
        let replaced = asked.iter().any(|other| newest.is_some() && pushed(other) == newest && other.may_follow(claim));
        if !undone && newest != Some(digest) && !replaced {
            return Some(format!("a push of {digest} was acknowledged after it"));
        }
    }
    let newest = newest?;
    let came = asked.iter().any(|push| {
        let deleted = |one: &Asked| matches!(one.change, Change::DeleteTag(..)) && one.is_acknowledged();
        pushed(push) == Some(newest)
            && asked.iter().filter(|one| deleted(one)).all(|deletion| push.may_follow(deletion))
    });
    if came { None } else { Some("it was deleted after that".to_owned()) }
}
