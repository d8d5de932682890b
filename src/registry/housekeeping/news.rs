//! What happened that an operator should know of, kept until it is told.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::oci::{Digest, RepositoryName};

/// How much is kept while nobody tells it: what is quarantined stays in the metadata, this is only the event.
const KEPT: usize = 1024;

/// Something an operator should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something stored was found not to be what its name says: it is served to nobody.
    Quarantined {
        /// What.
        digest: Digest,
        /// The repository of a manifest, or one of those that have the content.
        repository: Option<RepositoryName>,
        /// What was expected and what was found.
        why: String,
    },
    /// A pass could not open or read a content, which says nothing about it.
    Unchecked {
        /// What.
        digest: Digest,
        /// What was found instead.
        why: String,
    },
    /// It is sound again.
    Repaired {
        /// What.
        digest: Digest,
        /// The repository of a manifest.
        repository: Option<RepositoryName>,
        /// Where sound bytes were found.
        from: &'static str,
    },
    /// The reserve was given back for want of room, or is there again.
    Reserve {
        /// Whether it is there.
        held: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<News>>,
    came: Notify,
}

impl Queue {
    pub(super) fn push(&self, news: News) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == KEPT {
            waiting.pop_front();
        }
        waiting.push_back(news);
        drop(waiting);
        self.came.notify_one();
    }

    fn pop(&self) -> Option<News> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl super::Housekeeping {
    /// The next thing that an operator should know of; waits for one.
    pub async fn news(&self) -> News {
        loop {
            if let Some(news) = self.news.pop() {
                return news;
            }
            self.news.came.notified().await;
        }
    }

    /// The next thing that an operator should know of, if there is one.
    pub fn news_so_far(&self) -> Option<News> {
        self.news.pop()
    }
}
