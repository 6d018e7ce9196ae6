//! A plugin's panics: how many there were, and whether they are too many.
//!
//! Knows times and a limit; does not know what a quarantine means.

use std::collections::VecDeque;
use std::time::Instant;

use crate::config::Quarantine;

/// Panics that are logged with their backtraces; of further ones, only the line that says where.
const TOLD_IN_FULL: u64 = 16;

/// The panics of one generation.
#[derive(Debug)]
pub struct Panics {
    policy: Quarantine,
    /// When the last ones came, as many as the policy counts.
    recent: VecDeque<Instant>,
    count: u64,
}

/// What one more panic means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the plugin is taken out of service.
    pub too_many: bool,
    /// Whether its report is logged as a whole.
    pub in_full: bool,
}

impl Panics {
    /// None yet.
    pub fn new(policy: Quarantine) -> Self {
        Self { policy, recent: VecDeque::new(), count: 0 }
    }

    /// Takes another policy; what was counted stays counted.
    pub fn govern(&mut self, policy: Quarantine) {
        self.policy = policy;
    }

    /// One more, now.
    pub fn add(&mut self, now: Instant) -> Verdict {
        self.count += 1;
        let in_full = self.count <= TOLD_IN_FULL;
        let Quarantine::After { count, within } = self.policy else {
            return Verdict { too_many: false, in_full };
        };
        self.recent.push_back(now);
        while self.recent.len() > count.get() as usize {
            self.recent.pop_front();
        }
        let oldest = self.recent.front().copied().unwrap_or(now);
        let full = self.recent.len() == count.get() as usize;
        Verdict { too_many: full && now.saturating_duration_since(oldest) <= within, in_full }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    fn after(count: u32) -> Quarantine {
        Quarantine::After { count: NonZeroU32::new(count).unwrap(), within: Duration::from_secs(60) }
    }

    /// Which of the panics at these seconds are too many.
    fn verdicts(policy: Quarantine, seconds: &[u64]) -> Vec<bool> {
        let (mut panics, start) = (Panics::new(policy), Instant::now());
        seconds.iter().map(|second| panics.add(start + Duration::from_secs(*second)).too_many).collect()
    }

    #[test]
    fn so_many_within_the_time_are_too_many() {
        assert_eq!(verdicts(Quarantine::IMMEDIATELY, &[0]), [true]);
        assert_eq!(verdicts(after(3), &[0, 10, 20]), [false, false, true]);
        assert_eq!(verdicts(after(3), &[0, 10, 61, 69]), [false, false, false, true]);
        assert_eq!(verdicts(after(2), &[0, 61, 122, 200]), [false; 4]);
        assert_eq!(verdicts(Quarantine::Never, &[0; 100]), [false; 100]);
    }

    #[test]
    fn another_policy_counts_from_now_on() {
        let (mut panics, now) = (Panics::new(Quarantine::Never), Instant::now());
        assert!(!panics.add(now).too_many);
        panics.govern(after(2));
        assert!(!panics.add(now).too_many);
        assert!(panics.add(now).too_many);
    }

    #[test]
    fn a_plugin_that_panics_all_the_time_does_not_fill_the_log() {
        let mut panics = Panics::new(Quarantine::Never);
        let told = (0..1000).filter(|_| panics.add(Instant::now()).in_full).count();
        assert_eq!(told as u64, TOLD_IN_FULL);
    }
}
