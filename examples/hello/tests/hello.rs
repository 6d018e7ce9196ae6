//! The plugin in memory, as a client sees it.

use hello::Hello;
use plugin_api::testing::{Bench, Fate, json};

#[test]
fn who_says_hi_is_answered() {
    let bench = Bench::start::<Hello>(json!({})).expect("it needs nothing");
    let client = bench.connect("/primus").expect("everybody is let in");
    assert_eq!(client.send("hi"), Fate::Consumed);
    assert_eq!(client.received::<String>(), ["Hi there!"]);
}

#[test]
fn what_is_not_for_it_goes_on_to_the_next() {
    let bench = Bench::start::<Hello>(json!({})).expect("it needs nothing");
    let client = bench.connect("/primus").expect("everybody is let in");
    assert_ne!(client.send("good evening"), Fate::Consumed);
    assert!(client.received::<String>().is_empty());
}
