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
        let task = tokio::spawn(async move {
            let done = change.await;
            epochs.advance(&repository);
            changed.notify_one();
            done
        });
        match task.await {
            Ok(done) => Ok(done?),
            Err(error) => Err(Error::Unavailable(format!("a change broke off: {error}"))),
        }
    }
}
