//! How much uploads gather before their bytes are written: all of them share one bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What one upload gathers at the most, in bytes: more makes nothing faster.
const MOST: usize = 1 << 20;
/// What one upload gathers at the least, in bytes: less costs more than it saves.
const LEAST: usize = 64 << 10;
/// What all uploads gather together, in bytes, while there are not so many that each gathers the least.
const TOGETHER: usize = 4 << 20;

/// How many uploads come in now.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathering(Arc<AtomicUsize>);

/// One of them.
#[derive(Debug)]
pub(super) struct Share(Gathering);

impl Gathering {
    pub(super) fn join(&self) -> Share {
        self.0.fetch_add(1, Ordering::Relaxed);
        Share(self.clone())
    }
}

impl Share {
    /// How many bytes it gathers while as many come in as now.
    pub(super) fn bytes(&self) -> usize {
        let uploads = self.0.0.load(Ordering::Relaxed);
        TOGETHER.checked_div(uploads).unwrap_or(MOST).clamp(LEAST, MOST)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_gather_less_each_the_more_come_in_at_once() {
        let gathering = Gathering::default();
        let first = gathering.join();
        assert_eq!(first.bytes(), MOST);
        let others: Vec<_> = (0..7).map(|_| gathering.join()).collect();
        assert_eq!(first.bytes(), TOGETHER / 8);
        let many: Vec<_> = (0..1000).map(|_| gathering.join()).collect();
        assert_eq!(first.bytes(), LEAST);
        drop((others, many));
        assert_eq!(first.bytes(), MOST);
    }
}
