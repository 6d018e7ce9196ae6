//! Primus's heartbeat: who has shown no life since the last ping is ended, everybody else is pinged, unless they ping themselves.
//!
//! Clients of Primus 6 do, every 25 seconds where nothing else is configured: an interval below that finds them silent.
//! Sparks stand on a wheel of some spokes, so that they are not all pinged in one turn. A place costs eight bytes.

use std::collections::HashMap;
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

    /// Takes another interval; sparks keep their places. Where there was none, `sparks` are those that get theirs now.
    pub fn set_interval(&mut self, interval: Option<Duration>, sparks: impl FnOnce() -> Vec<SparkId>) {
        if self.interval == interval {
            return;
        }
        if self.interval.is_none() {
            for (index, id) in sparks().into_iter().enumerate() {
                let spoke = index % self.spokes.len();
                self.spokes[spoke].push(id);
            }
        }
        self.interval = interval;
        if interval.is_none() {
            // Nobody would ever take out those that are gone.
            self.spokes.fill(Vec::new());
        }
        self.next = Instant::now() + step(interval);
    }

    /// A new spark: it is pinged one interval from now.
    pub fn add(&mut self, id: SparkId) {
        if self.interval.is_none() {
            return;
        }
        // The spoke that was last looked at comes again in one interval.
        let last = (self.hand + self.spokes.len() - 1) % self.spokes.len();
        self.spokes[last].push(id);
    }

    /// How many steps the hand is from each spark.
    pub fn steps(&self) -> HashMap<SparkId, u8> {
        let count = self.spokes.len();
        let mut steps = HashMap::new();
        for (at, spoke) in self.spokes.iter().enumerate() {
            let ahead = ((at + count - self.hand) % count) as u8;
            steps.extend(spoke.iter().map(|id| (*id, ahead)));
        }
        steps
    }

    /// A spark that was on another wheel, so many steps from its hand.
    pub fn add_ahead(&mut self, id: SparkId, steps: u8) {
        if self.interval.is_some() {
            let at = (self.hand + usize::from(steps)) % self.spokes.len();
            self.spokes[at].push(id);
        }
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
        let mut pinged = Vec::with_capacity(spoke.len());
        let mut silent = Vec::new();
        {
            let mut slab = self.slab.borrow_mut();
            for id in spoke {
                let Some(spark) = slab.get_mut(id) else { continue };
                if spark.alive {
                    spark.alive = false;
                    living.push(id);
                    if !spark.pings {
                        pinged.push(id);
                    }
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
        self.control_to_many(&pinged, &primus::ping(milliseconds));
        let mut heartbeat = self.heartbeat.borrow_mut();
        let last = (heartbeat.hand + heartbeat.spokes.len() - 1) % heartbeat.spokes.len();
        heartbeat.spokes[last].extend(living);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(32);

    fn sparks(slots: std::ops::Range<u32>) -> Vec<SparkId> {
        slots.filter_map(|slot| SparkId::from_parts(0, slot, 1)).collect()
    }

    /// Who is looked at while the hand goes round once, and then nobody twice.
    fn round(wheel: &mut Heartbeat) -> Vec<SparkId> {
        let mut looked_at = Vec::new();
        for _ in 0..SPOKES {
            let now = wheel.next;
            looked_at.extend(wheel.due(now).expect("it is time"));
            assert!(wheel.due(now).is_none(), "the next spoke has its own time");
        }
        looked_at.sort();
        looked_at
    }

    #[test]
    fn everybody_is_looked_at_once_a_round_and_the_new_one_last() {
        let mut wheel = Heartbeat::new(Some(INTERVAL));
        sparks(0..3).into_iter().for_each(|id| wheel.add(id));
        for _ in 1..SPOKES {
            let now = wheel.next;
            assert_eq!(wheel.due(now), Some(Vec::new()));
        }
        let now = wheel.next;
        assert_eq!(wheel.due(now), Some(sparks(0..3)));
    }

    #[test]
    fn on_another_wheel_sparks_keep_their_distance_from_the_hand() {
        let mut wheel = Heartbeat::new(Some(INTERVAL));
        sparks(0..3).into_iter().for_each(|id| wheel.add(id));
        for _ in 0..5 {
            let now = wheel.next;
            wheel.due(now);
        }
        let mut other = Heartbeat::new(Some(INTERVAL));
        wheel.steps().into_iter().for_each(|(id, steps)| other.add_ahead(id, steps));
        assert_eq!(wheel.steps(), other.steps());
        assert_eq!(wheel.steps()[&sparks(0..1)[0]], 26);
        assert_eq!(round(&mut other), sparks(0..3));
    }

    #[test]
    fn without_an_interval_nobody_is_kept_and_with_a_new_one_all_are() {
        let mut wheel = Heartbeat::new(None);
        wheel.add(sparks(0..1)[0]);
        assert_eq!(wheel.next(), None);
        wheel.set_interval(Some(INTERVAL), || sparks(0..100));
        assert_eq!(round(&mut wheel), sparks(0..100));
        wheel.set_interval(None, Vec::new);
        wheel.set_interval(Some(INTERVAL), || sparks(0..2));
        assert_eq!(round(&mut wheel), sparks(0..2));
    }
}
