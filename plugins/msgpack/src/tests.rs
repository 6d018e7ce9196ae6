//! What MessagePack comes to, and what values come to in MessagePack.

use plugin_api::testing::ParserHarness;
use plugin_api::value::{self, Date, Map, Value};
use plugin_api::{Kind, ParseLimit, Parser};
use proptest::prelude::*;
use tokens::Limits;

use crate::Msgpack;

fn decoded(wire: &[u8]) -> Value {
    ParserHarness::new(Msgpack::default()).value(Kind::Binary, wire).unwrap()
}

#[track_caller]
fn refused(wire: &[u8]) -> String {
    let mut value = b"before".to_vec();
    let error = Msgpack::default().decode(Kind::Binary, wire, &mut value).unwrap_err();
    assert_eq!(value, b"before", "nothing of it is left");
    error.reason
}

fn encoded(value: impl serde::Serialize) -> Vec<u8> {
    let (kind, wire) = ParserHarness::new(Msgpack::default()).encode(&value).unwrap().unwrap();
    assert_eq!(kind, Kind::Binary);
    wire
}

#[test]
fn every_vector_of_primus_msgpack_is_read_and_written_alike() {
    parser_vectors::check(&Msgpack::default());
}

#[test]
fn integers_that_no_float_holds_keep_their_digits() {
    for integer in [i64::MIN, i64::MAX, (1 << 53) + 1, -(1 << 53) - 1] {
        assert_eq!(decoded(&encoded(integer)), Value::I64(integer));
    }
    assert_eq!(decoded(&encoded(u64::MAX)), Value::U64(u64::MAX));
    assert_eq!(encoded(1_u64 << 53)[0], 0xcb, "JavaScript has this one as a float");
}

#[test]
fn numbers_of_single_precision_stay_so() {
    assert_eq!(encoded(0.1_f32), [0xca, 0x3d, 0xcc, 0xcc, 0xcd]);
    assert_eq!(encoded(-2.0_f32), [0xfe]);
    assert_eq!(decoded(&[0xca, 0x3f, 0xc0, 0, 0]), Value::F64(1.5));
}

#[test]
fn dates_beyond_those_of_javascript_are_invalid_there() {
    assert_eq!(encoded(Date(i64::MAX)), b"\xc7\x09\x0d\xcb\x7f\xf8\0\0\0\0\0\0");
    assert_eq!(decoded(b"\xc7\x09\x0d\xcb\x7f\xf8\0\0\0\0\0\0"), Value::Null);
    assert_eq!(decoded(b"\xc7\x09\x0d\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), Value::Null);
}

#[test]
fn timestamps_of_the_specification_are_dates() {
    assert_eq!(decoded(b"\xd6\xff\x65\x53\xf1\x00"), Value::Date(Date(1_700_000_000_000)));
    let with_nanoseconds = (123_456_789_u64 << 34 | 1_700_000_000).to_be_bytes();
    assert_eq!(decoded(&[b"\xd7\xff", &with_nanoseconds[..]].concat()), Value::Date(Date(1_700_000_000_123)));
    let before_1970 = [&500_000_000_u32.to_be_bytes()[..], &(-1_i64).to_be_bytes()].concat();
    assert_eq!(decoded(&[b"\xc7\x0c\xff", &before_1970[..]].concat()), Value::Date(Date(-500)));
    assert!(refused(b"\xd5\xff\0\0").contains("timestamp"));
    assert!(refused(b"\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff").contains("nanoseconds"));
}

#[test]
fn keys_that_are_not_text_become_text() {
    let value = decoded(b"\x84\x01\xa1a\xff\xa1b\xc3\xa1c\xc0\xa1d");
    assert_eq!(value, Map::from([("1", "a"), ("-1", "b"), ("true", "c"), ("null", "d")]).into());
    assert_eq!(refused(b"\x81\x90\x01"), "an array can't be the key of an object (at byte 1)");
}

#[test]
fn text_that_is_not_utf8_is_read_as_javascript_reads_it() {
    assert_eq!(decoded(b"\xa3a\xffb"), Value::from("a\u{fffd}b"));
}

#[test]
fn what_is_not_messagepack_is_refused_with_its_place() {
    assert_eq!(refused(b""), "the message ends early (at byte 0)");
    assert_eq!(refused(b"\x92\x01"), "the message ends early (at byte 2)");
    assert_eq!(refused(b"\x01\x02"), "more bytes follow the value (at byte 1)");
    assert_eq!(refused(b"\x91\xc1"), "the byte 0xc1 begins nothing in MessagePack (at byte 1)");
    assert_eq!(refused(b"\xd4\x64\x01"), "the extension type 100 is unknown (at byte 0)");
    assert_eq!(refused(b"\xd4\x0d\xc0"), "a date has something else than a number in it (at byte 0)");
    assert_eq!(refused(b"\xd5\x0d\x01\x01"), "a date has more than a number in it (at byte 0)");
    assert_eq!(refused(b"\xc7\x03\x0a\x92\xa0\xc1"), "the byte 0xc1 begins nothing in MessagePack (at byte 5)");
    let text = ParserHarness::new(Msgpack::default()).value(Kind::Text, "\x01").unwrap_err();
    assert_eq!(text.reason, "the message is text, and this format is binary (at byte 0)");
}

#[test]
fn a_length_that_is_a_lie_costs_nothing() {
    for head in [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"] {
        assert!(refused(head).starts_with("the message ends early"));
    }
}

#[test]
fn a_message_over_a_limit_is_refused() {
    let limited =
        |limits, wire: &[u8]| Msgpack { limits }.decode(Kind::Binary, wire, &mut Vec::new()).map_err(|error| error.reason);
    let depth = Limits { max_depth: 2, ..Limits::default() };
    assert_eq!(limited(depth, b"\x91\x91\x01"), Ok(()));
    assert_eq!(
        limited(depth, b"\x91\x81\xa0\x90").unwrap_err(),
        "the message is nested deeper than max_depth, which is 2 (at byte 3)"
    );
    let values = Limits { max_values: 3, ..Limits::default() };
    assert_eq!(limited(values, b"\x92\x01\x02"), Ok(()));
    assert_eq!(
        limited(values, b"\x93\x01\x02\x03").unwrap_err(),
        "the message has more values than max_values, which is 3 (at byte 3)"
    );
    let bytes = Limits { max_message_bytes: 2, ..Limits::default() };
    assert_eq!(limited(bytes, b"\xa1a"), Ok(()));
    assert_eq!(limited(bytes, b"\xa2ab").unwrap_err(), "the message is longer than max_message_bytes, which is 2 (at byte 0)");

    let limit = |limits, wire: &[u8]| Msgpack { limits }.decode(Kind::Binary, wire, &mut Vec::new()).err()?.limit;
    assert_eq!(limit(Limits { max_depth: 1, ..Limits::default() }, b"\x91\x90"), Some(ParseLimit::Depth));
    assert_eq!(limit(Limits { max_values: 1, ..Limits::default() }, b"\x91\x01"), Some(ParseLimit::Values));
    assert_eq!(limit(Limits { max_message_bytes: 1, ..Limits::default() }, b"\x91\x01"), Some(ParseLimit::Length));
    assert_eq!(limit(Limits::default(), b"\xc1"), None);
    let deepest = [&[0x91; 128][..], b"\x01"].concat();
    decoded(&deepest);
    assert!(refused(&[0x91; 100_000]).contains("max_depth, which is 128"));
    let boxed = (0..200)
        .fold(b"\xc3".to_vec(), |inner, _| [&[0xc9], &(inner.len() as u32).to_be_bytes()[..], &[0x0b], &inner].concat());
    assert!(refused(&boxed).contains("max_depth, which is 128"));
}

#[test]
fn arrays_and_objects_of_unknown_length_get_the_shortest_head() {
    let json = |len: usize| {
        let mut value = Vec::new();
        let mut writer = value::Writer::new(&mut value);
        writer.array(None);
        for _ in 0..len {
            writer.object(None);
            writer.str("a");
            writer.bool(true);
            writer.end();
        }
        writer.end();
        let mut wire = b"before".to_vec();
        Msgpack::default().encode(&value, &mut wire).unwrap();
        wire[6..].to_vec()
    };
    let pairs = |len: usize| b"\x81\xa1a\xc3".repeat(len);
    assert_eq!(json(0), b"\x90");
    assert_eq!(json(15), [b"\x9f", &pairs(15)[..]].concat());
    assert_eq!(json(16), [b"\xdc\x00\x10", &pairs(16)[..]].concat());
    assert_eq!(json(65_536), [b"\xdd\x00\x01\x00\x00", &pairs(65_536)[..]].concat());
}

#[test]
fn a_value_that_is_none_is_refused() {
    let mut wire = b"before".to_vec();
    Msgpack::default().encode(&[0x82, 0x01], &mut wire).unwrap_err();
    assert_eq!(wire, b"before");
}

#[test]
fn control_messages_are_found_by_their_first_bytes() {
    let parser = ParserHarness::new(Msgpack::default());
    let pong = encoded("primus::pong::1");
    let long = [&b"\xdb\x00\x00\x00\x0f"[..], b"primus::pong::1"].concat();
    for wire in [&pong, &long] {
        assert_eq!(parser.decode_string(Kind::Binary, wire, "primus::").as_deref(), Some("primus::pong::1"));
    }
    for wire in [&b"\x81\xa1a\x01"[..], b"\x01", b"\xa1a", b"\xafprimus::pong::", &[&pong[..], b"\x01"].concat()] {
        assert_eq!(parser.decode_string(Kind::Binary, wire, "primus::"), None);
    }
    assert_eq!(parser.decode_string(Kind::Text, &pong, "primus::"), None);
    for head in 0..=u8::MAX {
        let is_string = matches!(head, 0xa0..=0xbf | 0xd9..=0xdb);
        assert_eq!(Msgpack::default().string_lead().contains(head), is_string, "{head:#x}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>()) {
        let mut value = Vec::new();
        if Msgpack::default().decode(Kind::Binary, &bytes, &mut value).is_ok() {
            value::decode::<Value>(&value).unwrap();
            Msgpack::default().encode(&value, &mut Vec::new()).unwrap();
        }
        let _ = Msgpack::default().decode_string(Kind::Binary, &bytes, "primus::");
        let _ = Msgpack::default().encode(&bytes, &mut Vec::new());
    }

    #[test]
    fn any_value_comes_back_as_it_was(value in parser_vectors::any_value()) {
        prop_assert!(parser_vectors::is_same(&decoded(&encoded(&value)), &value));
    }
}
