//! One tag that everybody pushes: it must be the last push that was acknowledged, or one that nothing orders before it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hallmark::oci::Digest;

pub(crate) const REPOSITORY: &str = "open/shared";
pub(crate) const TAG: &str = "latest";

#[derive(Clone, Debug)]
struct Push {
    digest: Digest,
    began: u64,
    /// None while it is in doubt.
    ended: Option<u64>,
}

/// The pushes of the tag.
#[derive(Debug, Default)]
pub(crate) struct Contended {
    clock: AtomicU64,
    pushes: Mutex<Vec<Push>>,
}

impl Contended {
    pub(crate) fn begin(&self, digest: Digest) {
        let began = self.clock.fetch_add(1, Ordering::SeqCst);
        self.pushes.lock().unwrap().push(Push { digest, began, ended: None });
    }

    /// What came of a push that has begun: acknowledged, or refused.
    pub(crate) fn end(&self, digest: Digest, stored: bool) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst);
        let mut pushes = self.pushes.lock().unwrap();
        let at = pushes.iter().rposition(|push| push.digest == digest && push.ended.is_none()).unwrap();
        if stored {
            pushes[at].ended = Some(now);
        } else {
            pushes.remove(at);
        }
    }

    /// What is wrong with the tag naming `found`; it is taken for the truth from now on.
    pub(crate) fn settle(&self, found: Option<Digest>) -> Option<String> {
        let mut pushes = self.pushes.lock().unwrap();
        let newest_beginning = pushes.iter().filter(|push| push.ended.is_some()).map(|push| push.began).max();
        let possible = |push: &Push| push.ended.is_none() || push.ended > newest_beginning;
        let right = match found {
            Some(digest) => pushes.iter().any(|push| push.digest == digest && possible(push)),
            None => newest_beginning.is_none(),
        };
        let wrong = (!right).then(|| format!("{REPOSITORY}:{TAG}: found {found:?} after {pushes:?}"));
        let now = self.clock.fetch_add(2, Ordering::SeqCst);
        pushes.clear();
        pushes.extend(found.map(|digest| Push { digest, began: now, ended: Some(now + 1) }));
        wrong
    }
}

impl Contended {
    /// Whether a manifest was never a push of this tag, so that deleting it does not change what the tag is.
    pub(crate) fn may_go(&self, digest: Digest) -> bool {
        !self.pushes.lock().unwrap().iter().any(|push| push.digest == digest)
    }
}
