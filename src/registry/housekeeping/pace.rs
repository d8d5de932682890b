//! A bounded rate.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Shorter pauses are saved up.
const PAUSE: Duration = Duration::from_millis(20);

/// So many bytes a second, or as many as come.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<NonZeroU64>,
    /// When all that was spent so far is paid for.
    paid: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, paid: Instant::now() }
    }

    /// Waits until `bytes` more may have been read.
    pub(super) async fn spend(&mut self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let micros =
            u128::from(bytes).saturating_mul(1_000_000).checked_div(u128::from(rate.get())).unwrap_or_default();
        let cost = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let now = Instant::now();
        // What was not spent while it stood still is not saved up.
        self.paid = self.paid.max(now).checked_add(cost).unwrap_or(now);
        if self.paid.saturating_duration_since(now) > PAUSE {
            sleep_until(self.paid).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_take_no_less_than_the_rate_says() {
        let mut pace = Pace::new(NonZeroU64::new(10_000));
        let began = Instant::now();
        for _ in 0..20 {
            pace.spend(100).await;
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(170), "{took:?}");
    }

    #[tokio::test]
    async fn without_a_rate_nothing_waits() {
        let began = Instant::now();
        Pace::new(None).spend(u64::MAX).await;
        assert!(began.elapsed() < PAUSE);
    }
}
