//! Which refusals the log is told of: whoever is refused may come again at once, and must not fill it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(60);

/// The refusals that were not told of.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<(Option<Instant>, u64)>);

impl Refusals {
    /// One more: how many others there were since the last that was told of, if it is this one's turn.
    pub fn tell(&self, now: Instant) -> Option<u64> {
        let (told, untold) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| now < told + PAUSE) {
            *untold += 1;
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_minute_is_told_of_with_the_number_of_the_others() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.tell(now), Some(0));
        assert_eq!(refusals.tell(now), None);
        assert_eq!(refusals.tell(now + PAUSE - Duration::from_nanos(1)), None);
        assert_eq!(refusals.tell(now + PAUSE), Some(2));
        assert_eq!(refusals.tell(now + PAUSE), None);
    }
}
