//! Room on the medium: objects are refused before it ends, and what must not fail has a reserve.
//!
//! Deletion, collection, signing and records may use all there is, and at the end the reserve. Pushes of objects stop
//! at the floor; where no reserve is held, its room is kept free beside the floor.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::Error;
use super::{Housekeeping, News};

/// How long it is believed how much room there is.
const BELIEVED: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Room {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was free, less what was written since, and when that was asked.
    free: Option<(u64, Instant)>,
    held: bool,
    tried: bool,
}

impl Room {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Housekeeping {
    /// Refuses to write `bytes` of an object where that would take the room of what must not fail.
    pub(in super::super) async fn expect_room(&self, bytes: u64) -> Result<(), Error> {
        let floor = self.floor();
        let enough = self.room.with(|state| match &mut state.free {
            Some((free, asked)) if asked.elapsed() < BELIEVED => {
                *free = free.saturating_sub(bytes);
                *free >= floor
            }
            _ => false,
        });
        if enough {
            return Ok(());
        }
        let Some(free) = self.store.free_bytes().await? else { return Ok(()) };
        let left = free.saturating_sub(bytes);
        self.room.with(|state| state.free = Some((left, Instant::now())));
        if left >= floor { Ok(()) } else { Err(Error::AtFloor { bytes, floor, free }) }
    }

    fn floor(&self) -> u64 {
        let held = self.room.with(|state| state.held);
        self.limits.floor_bytes.saturating_add(if held { 0 } else { self.limits.reserve_bytes })
    }

    /// Does what must not fail for want of room: where there is none, once more with the reserve given back.
    pub(in super::super) async fn with_reserve<T, F>(&self, work: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match work().await {
            Err(Error::Full) if self.release_reserve().await? => work().await,
            done => done,
        }
    }

    /// Does what writes `bytes`: of evidence, which must not fail for want of room, or of what may be an object.
    pub(in super::super) async fn where_room<T, F>(
        &self,
        evidence: bool,
        bytes: u64,
        work: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        if evidence {
            return self.with_reserve(work).await;
        }
        self.expect_room(bytes).await?;
        work().await
    }

    async fn release_reserve(&self) -> Result<bool, Error> {
        let released = self.store.release_reserve().await;
        // It may be gone though the answer is lost; one that is still there is taken over.
        self.room.with(|state| (state.held, state.free) = (false, None));
        let released = released?;
        if released {
            self.news.push(News::Reserve { held: false });
        }
        Ok(released)
    }

    /// Makes the reserve where there is room for it beside the floor. One that an earlier process left is taken over.
    pub(in super::super) async fn tend_reserve(&self) -> Result<(), Error> {
        let (held, tried) = self.room.with(|state| (state.held, std::mem::replace(&mut state.tried, true)));
        if held {
            return Ok(());
        }
        let wanted = self.limits.floor_bytes.saturating_add(self.limits.reserve_bytes);
        let room = self.store.free_bytes().await?.is_none_or(|free| free >= wanted);
        if tried && !room {
            return Ok(());
        }
        let kept = self.store.keep_reserve(self.limits.reserve_bytes).await?;
        self.room.with(|state| (state.held, state.free) = (kept, None));
        if kept && tried {
            self.news.push(News::Reserve { held: true });
        }
        Ok(())
    }
}
