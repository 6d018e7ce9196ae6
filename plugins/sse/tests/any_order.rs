//! Whatever becomes of responses and requests: messages arrive once and in their order, in both directions.

mod support;

use proptest::prelude::*;
use sse::config::Config;
use support::client::{Client, steps};
use support::{SSE, with};

proptest! {
    #[test]
    fn nothing_is_lost_or_doubled_by_a_network_that_does_its_worst(steps in steps()) {
        let mut client = Client::open(&with(&Config::default()), SSE);
        steps.iter().for_each(|step| client.step(step));
        client.settle();
        client.assert_nothing_is_lost_or_doubled();
    }
}
