//! The plugin in memory, as a client sees it.

use echo::Echo;
use plugin_api::Kind;
use plugin_api::testing::{Bench, Fate, json};

#[test]
fn what_is_sent_comes_back_to_its_sender_only() {
    let bench = Bench::start::<Echo>(json!({})).expect("it needs nothing");
    let (ann, bob) = (bench.connect("/primus").unwrap(), bench.connect("/primus").unwrap());
    assert_eq!(ann.send(&json!({ "n": [1, 2.5, null], "text": "ü" })), Fate::Consumed);
    ann.send(&json!("again"));
    assert_eq!(ann.received::<plugin_api::Value>().len(), 2);
    assert_eq!(bob.received_wire(), []);
}

#[test]
fn the_bytes_come_back_as_they_were_even_when_no_parser_could_read_them() {
    let bench = Bench::start::<Echo>(json!({})).expect("it needs nothing");
    let client = bench.connect("/primus").unwrap();
    client.send_wire(Kind::Text, "{ \"spaced\" :1 }");
    client.send_wire(Kind::Binary, [0, 159, 146]);
    let expected = [(Kind::Text, b"{ \"spaced\" :1 }".to_vec()), (Kind::Binary, vec![0, 159, 146])];
    assert_eq!(client.received_wire(), expected);
}
