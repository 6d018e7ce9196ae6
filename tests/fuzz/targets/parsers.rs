//! All parsers, with anything that a client may send as one message.
//!
//! What must hold:
//! - nothing panics;
//! - what was written is read, and written as the same again;
//! - the host, which looks for its own messages without decoding the rest, finds exactly the strings that an application would get.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plugin_api::Kind;
use plugin_api::testing::ParserHarness;
use plugin_api::value::{self, Value};

/// What the host's messages begin with.
const PREFIX: &str = "primus::";

#[derive(Debug, Arbitrary)]
struct Message {
    parser: u8,
    is_text: bool,
    bytes: Vec<u8>,
}

thread_local! {
    static PARSERS: [ParserHarness; 6] = [
        ParserHarness::new(json::Json::default()),
        ParserHarness::new(ejson::Ejson::default()),
        ParserHarness::new(binary::Binary::default()),
        ParserHarness::new(msgpack::Msgpack::default()),
        ParserHarness::new(cbor::Cbor::default()),
        ParserHarness::new(raw::Raw),
    ];
}

fuzz_target!(|message: Message| {
    // What a plugin has made of a message is read by others.
    let _ = value::decode::<Value>(&message.bytes);
    PARSERS.with(|parsers| check(&parsers[usize::from(message.parser) % parsers.len()], &message));
});

fn check(parser: &ParserHarness, message: &Message) {
    let kind = if message.is_text { Kind::Text } else { Kind::Binary };
    let decoded = parser.value(kind, &message.bytes);
    let found = parser.decode_string(kind, &message.bytes, PREFIX);
    match (&decoded, &found) {
        (Ok(Value::String(text)), _) => assert_eq!(found.as_ref(), text.starts_with(PREFIX).then_some(text)),
        (_, None) => {}
        (other, Some(text)) => panic!("{text:?} is found in {other:?}"),
    }
    // Values that can be read and not written are those of which there would be too much.
    let Ok(decoded) = decoded else { return };
    let Ok(Some((kind, written))) = parser.encode(&decoded) else { return };
    let again = parser.value(kind, &written).expect("it is read again");
    assert_eq!(parser.encode(&again), Ok(Some((kind, written))));
}
