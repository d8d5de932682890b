//! That something changed, told to what goes on in the background: each task is woken once, however much came.

use tokio::sync::Notify;

/// One bell for each task.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Layouts may be behind.
    pub(super) views: Notify,
    /// Something may have come that is to be judged.
    pub(super) judgements: Notify,
    /// Pushes may have begun to wait for evidence, or wait no more.
    pub(super) waiting: Notify,
}

impl Changed {
    /// A commit may have been made.
    pub(super) fn tell(&self) {
        for bell in [&self.views, &self.judgements, &self.waiting] {
            bell.notify_one();
        }
    }
}
