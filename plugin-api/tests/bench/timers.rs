//! Timers of plugins in virtual time.

use std::time::Duration;

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, json};

struct Clock(Host);

impl Plugin for Clock {
    const NAME: &'static str = "clock";
    type Config = NoConfig;

    fn start(_: NoConfig, host: Host) -> Result<Self, StartError> {
        for (timer, seconds) in [(1, 10), (3, 3), (4, 4), (5, 3)] {
            host.set_timer(timer, Duration::from_secs(seconds));
        }
        host.clear_timer(4);
        host.set_timer(5, Duration::from_secs(1_000_000));
        Ok(Self(host))
    }

    fn register(self: &Arc<Self>, _: &mut Registrar<'_>) {}

    fn timer(&self, timer: u64) {
        tracing::info!(timer, "rang");
        if timer == 1 {
            self.0.set_timer(2, Duration::from_secs(5));
        }
    }
}

export_plugin!(Clock);

#[test]
fn timers_come_in_their_order_when_time_passes() {
    let bench = Bench::start::<Clock>(json!({})).unwrap();
    let rang = || -> Vec<String> { bench.logs().iter().filter_map(|log| log.field("timer").map(str::to_owned)).collect() };
    bench.advance(Duration::from_millis(2999));
    assert!(rang().is_empty());
    bench.advance(Duration::from_millis(1));
    assert_eq!(rang(), ["3"]);
    bench.advance(Duration::from_secs(11));
    assert_eq!(rang(), ["3", "1"], "4 was cleared, 5 was set anew, and 2 is not due");
    bench.advance(Duration::from_secs(3600));
    assert_eq!(rang(), ["3", "1", "2"], "it counts from when it was set");
}
