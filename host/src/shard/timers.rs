//! A shard's timers: those of its sessions, and the deadlines that the host sets for them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use plugin_api::SparkId;

/// The number that the host uses for the deadline of a close; sessions choose theirs from 0.
pub const CLOSE_DEADLINE: u32 = u32::MAX;

/// Timers in the order of their time. One that was replaced or cleared stays until its time, and is then told by its sequence.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, SparkId, u32)>>,
    sequence: u64,
}

impl Timers {
    /// Sets one; the sequence makes it valid.
    pub fn set(&mut self, at: Instant, id: SparkId, timer: u32) -> u64 {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, id, timer)));
        self.sequence
    }

    /// When the first comes.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
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
