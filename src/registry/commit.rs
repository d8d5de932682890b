//! Commits: a change that was begun is carried through, and what was answered before it is not answered after it.

use std::future::Future;
use std::sync::Arc;

use crate::metadata::{Metadata, Unavailable};
use crate::oci::RepositoryName;

use super::{Error, Registry};

impl Registry {
    /// Runs `change`, which changes `repository`, and advances the epoch after it.
    ///
    /// A client that goes away takes its request with it, but not what the metadata was told to do: so the change runs
    /// in a task of its own, and the epoch advances whoever still waits. It advances after a failure too, for it may
    /// not be known whether the change was made.
    pub(super) async fn commit<T, F>(
        &self,
        repository: &RepositoryName,
        change: impl FnOnce(Arc<dyn Metadata>) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Unavailable>> + Send + 'static,
    {
        let change = change(Arc::clone(&self.metadata));
        let (epochs, changed, repository) = (Arc::clone(&self.epochs), Arc::clone(&self.changed), repository.clone());
        carried_through(async move {
            let done = change.await;
            epochs.advance(&repository);
            changed.tell();
            Ok(done?)
        })
        .await
    }
}

impl Registry {
    /// The same for a change that must not fail for want of room: it may use the reserve.
    pub(super) async fn commit_with_reserve<T, F>(
        &self,
        repository: &RepositoryName,
        change: impl Fn(Arc<dyn Metadata>) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Unavailable>> + Send + 'static,
    {
        self.housekeeping.with_reserve(|| self.commit(repository, &change)).await
    }
}

/// Runs `work` to its end, though whoever waits for it may go away.
pub(super) async fn carried_through<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::Unavailable(format!("a change broke off: {error}"))),
    }
}
