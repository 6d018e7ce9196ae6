//! Primus's heartbeat: who has shown no life since the last ping is ended, everybody else is pinged.
//!
//! Sparks stand on a wheel of some spokes, so that they are not all pinged in one turn. A place costs eight bytes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plugin_api::{DisconnectReason, EndOptions, SparkId};

use super::Shard;
use crate::primus;

/// Spokes of the wheel.
const SPOKES: u32 = 32;

/// The wheel.
pub struct Heartbeat {
    interval: Option<Duration>,
    spokes: Vec<Vec<SparkId>>,
    hand: usize,
    next: Instant,
}

impl Heartbeat {
    /// A wheel that goes round once in an interval; `None` never pings.
    pub fn new(interval: Option<Duration>) -> Self {
        Self { interval, spokes: vec![Vec::new(); SPOKES as usize], hand: 0, next: Instant::now() + step(interval) }
    }

    /// Takes another interval; sparks keep their places.
    pub fn set_interval(&mut self, interval: Option<Duration>) {
        if self.interval != interval {
            self.interval = interval;
            self.next = Instant::now() + step(interval);
        }
    }

    /// A new spark: it is pinged one interval from now.
    pub fn add(&mut self, id: SparkId) {
        // The spoke that was last looked at comes again in one interval.
        let last = (self.hand + self.spokes.len() - 1) % self.spokes.len();
        self.spokes[last].push(id);
    }

    /// When the hand moves on.
    pub fn next(&self) -> Option<Instant> {
        self.interval.map(|_| self.next)
    }

    fn due(&mut self, now: Instant) -> Option<Vec<SparkId>> {
        if self.interval.is_none() || now < self.next {
            return None;
        }
        self.next = now + step(self.interval);
        let spoke = std::mem::take(&mut self.spokes[self.hand]);
        self.hand = (self.hand + 1) % self.spokes.len();
        Some(spoke)
    }
}

fn step(interval: Option<Duration>) -> Duration {
    interval.map_or(Duration::from_secs(3600), |interval| (interval / SPOKES).max(Duration::from_millis(1)))
}

impl Shard {
    /// Moves the hand on when it is time.
    pub(super) fn beat(&self, now: Instant) {
        let Some(spoke) = self.heartbeat.borrow_mut().due(now) else { return };
        let mut living = Vec::with_capacity(spoke.len());
        let mut silent = Vec::new();
        {
            let mut slab = self.slab.borrow_mut();
            for id in spoke {
                let Some(spark) = slab.get_mut(id) else { continue };
                if spark.alive {
                    spark.alive = false;
                    living.push(id);
                } else {
                    silent.push(id);
                }
            }
        }
        for id in silent {
            // Without `server::close`: the client, should it still be there, connects again.
            let options = EndOptions { reconnect: true, ..EndOptions::default() };
            self.end_as(id, options, DisconnectReason::Timeout("no answer to the last ping".to_owned()));
        }
        let milliseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.control_to_many(&living, &primus::ping(milliseconds));
        let mut heartbeat = self.heartbeat.borrow_mut();
        let last = (heartbeat.hand + heartbeat.spokes.len() - 1) % heartbeat.spokes.len();
        heartbeat.spokes[last].extend(living);
    }
}
