//! Latencies in buckets of three per cent, so that recording one is a shift and an increment.
//!
//! Knows numbers of nanoseconds. Knows no clock.

/// Buckets to a power of two.
const STEPS: u32 = 32;

/// How often each latency was seen.
#[derive(Debug)]
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0 }
    }
}

impl Latencies {
    /// Counts `times` messages that took `nanoseconds`.
    pub fn record(&mut self, nanoseconds: u64, times: u64) {
        self.counts[bucket(nanoseconds)] += times;
        self.total += times;
    }

    /// The latency in µs that this share (0 to 1) of the messages didn't exceed; 0 if there were none.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return ceiling(at) as f64 / 1000.0;
            }
        }
        0.0
    }
}

/// Below [`STEPS`] each value has a bucket; above, each power of two has [`STEPS`] of them.
fn bucket(value: u64) -> usize {
    let power = (value | 1).ilog2().saturating_sub(STEPS.ilog2());
    (power * STEPS) as usize + (value >> power) as usize
}

/// The largest value that falls into a bucket.
fn ceiling(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let steps = u64::from(STEPS);
    let power = (bucket / steps).saturating_sub(1);
    let step = u128::from(bucket - power * steps);
    u64::try_from(((step + 1) << power) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), 0.0);
        latencies.record(10_000, 98);
        latencies.record(1_000_000, 2);
        assert!((10.0..10.4).contains(&latencies.quantile(0.5)));
        assert!((10.0..10.4).contains(&latencies.quantile(0.98)));
        assert!((1000.0..1032.0).contains(&latencies.quantile(0.99)));
    }

    proptest! {
        #[test]
        fn a_value_lies_below_its_buckets_ceiling_and_within_a_step_of_it(value in any::<u64>()) {
            let ceiling = ceiling(bucket(value));
            prop_assert!(ceiling >= value);
            prop_assert!(ceiling - value <= value / u64::from(STEPS));
        }
    }
}
