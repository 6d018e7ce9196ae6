//! A shard's timers: those of its sessions, and the deadlines that the host sets for them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use plugin_api::SparkId;

/// The number that the host uses for the deadline of a close; sessions choose theirs from 0.
pub const CLOSE_DEADLINE: u32 = u32::MAX;

/// Fewer are not worth the sweep.
const SWEEP_FROM: usize = 1024;

/// Timers in the order of their time. One that was replaced or cleared stays until its time, and is then told by its sequence.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, SparkId, u32)>>,
    /// Those that come at the end of the turn: they need no order but their own.
    soon: Vec<(SparkId, u32, u64)>,
    sequence: u64,
    /// How many in the heap are valid no more.
    stale: usize,
}

impl Timers {
    /// Sets one that comes after some time; the sequence makes it valid.
    pub fn set(&mut self, after: Duration, id: SparkId, timer: u32) -> u64 {
        self.sequence += 1;
        if after.is_zero() {
            self.soon.push((id, timer, self.sequence));
        } else {
            self.heap.push(Reverse((Instant::now() + after, self.sequence, id, timer)));
        }
        self.sequence
    }

    /// So many that were set are not to come any more.
    pub fn forget(&mut self, count: usize) {
        self.stale += count;
    }

    /// One that is valid no more has come to its time.
    pub fn passed(&mut self) {
        self.stale = self.stale.saturating_sub(1);
    }

    /// Takes out those that `is_valid` does not know by spark and sequence, once they are most of all: a session may set a timer
    /// anew for each message, long before it comes.
    pub fn sweep(&mut self, mut is_valid: impl FnMut(SparkId, u64) -> bool) {
        if self.stale > SWEEP_FROM && self.stale > self.heap.len() / 2 {
            self.heap.retain(|Reverse((_, sequence, id, _))| is_valid(*id, *sequence));
            self.stale = 0;
        }
    }

    /// How long each has yet, by its sequence; those that are valid no more, too.
    pub fn left(&self, now: Instant) -> HashMap<u64, Duration> {
        let left = |Reverse((at, sequence, ..)): &Reverse<(Instant, u64, SparkId, u32)>| {
            (*sequence, at.saturating_duration_since(now))
        };
        let soon = self.soon.iter().map(|(.., sequence)| (*sequence, Duration::ZERO));
        self.heap.iter().map(left).chain(soon).collect()
    }

    /// When the one of this sequence comes.
    pub fn at(&self, sequence: u64) -> Option<Instant> {
        if self.soon.iter().any(|(.., known)| *known == sequence) {
            return Some(Instant::now());
        }
        self.heap.iter().find(|Reverse((_, known, ..))| *known == sequence).map(|Reverse((at, ..))| *at)
    }

    /// When the first comes.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out those that come at the end of this turn. Those that are set meanwhile come in the next one.
    pub fn take_soon(&mut self) -> Vec<(SparkId, u32, u64)> {
        std::mem::take(&mut self.soon)
    }

    /// Gives the room of what was taken out back.
    pub fn give_soon(&mut self, mut taken: Vec<(SparkId, u32, u64)>) {
        if self.soon.is_empty() {
            taken.clear();
            self.soon = taken;
        }
    }

    /// Whether some come at the end of a turn.
    pub fn has_soon(&self) -> bool {
        !self.soon.is_empty()
    }

    /// Takes one out that has come: whose, which, and its sequence.
    pub fn due(&mut self, now: Instant) -> Option<(SparkId, u32, u64)> {
        let Reverse((at, sequence, id, timer)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some((id, timer, sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_that_are_set_anew_again_and_again_do_not_pile_up() {
        let mut timers = Timers::default();
        let id = SparkId::from_parts(0, 1, 1).unwrap();
        let minute = Duration::from_secs(60);
        let mut valid = timers.set(minute, id, 1);
        for _ in 0..100_000 {
            timers.forget(1);
            valid = timers.set(minute, id, 1);
            timers.sweep(|_, sequence| sequence == valid);
            assert!(timers.heap.len() <= 2 * SWEEP_FROM + 2);
        }
        let later = Instant::now() + minute;
        let last = std::iter::from_fn(|| timers.due(later)).last();
        assert_eq!(last, Some((id, 1, valid)));
    }

    #[test]
    fn those_that_come_at_once_come_in_their_order_and_those_set_meanwhile_later() {
        let mut timers = Timers::default();
        let id = SparkId::from_parts(0, 1, 1).unwrap();
        let (first, second) = (timers.set(Duration::ZERO, id, 7), timers.set(Duration::ZERO, id, 3));
        assert_eq!((timers.next(), timers.due(Instant::now())), (None, None));
        assert!(timers.at(second).is_some() && timers.left(Instant::now())[&first].is_zero());
        let soon = timers.take_soon();
        assert_eq!(soon, [(id, 7, first), (id, 3, second)]);
        let third = timers.set(Duration::ZERO, id, 7);
        timers.give_soon(soon);
        assert!(timers.has_soon());
        assert_eq!(timers.take_soon(), [(id, 7, third)]);
        assert!(!timers.has_soon());
    }
}
