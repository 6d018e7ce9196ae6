//! What BinaryPack comes to, and what values come to in BinaryPack.

use plugin_api::testing::ParserHarness;
use plugin_api::value::{self, Date, Map, Value};
use plugin_api::{Kind, Parser};
use proptest::prelude::*;
use tokens::Limits;

use crate::Binary;

fn decoded(wire: &[u8]) -> Value {
    ParserHarness::new(Binary::default()).value(Kind::Binary, wire).unwrap()
}

#[track_caller]
fn refused(wire: &[u8]) -> String {
    let mut value = b"before".to_vec();
    let error = Binary::default().decode(Kind::Binary, wire, &mut value).unwrap_err();
    assert_eq!(value, b"before", "nothing of it is left");
    error.reason
}

fn encoded(value: impl serde::Serialize) -> Vec<u8> {
    let (kind, wire) = ParserHarness::new(Binary::default()).encode(&value).unwrap().unwrap();
    assert_eq!(kind, Kind::Binary);
    wire
}

#[test]
fn every_vector_of_binary_pack_is_read_and_written_alike() {
    parser_vectors::check(&Binary::default());
}

#[test]
fn integers_beyond_32_bits_are_written_as_the_doubles_that_every_client_reads() {
    assert_eq!(encoded(1_u64 << 40), b"\xcb\x42\x70\0\0\0\0\0\0");
    assert_eq!(encoded(-(1_i64 << 40)), b"\xcb\xc2\x70\0\0\0\0\0\0");
    assert_eq!(encoded(u64::MAX), b"\xcb\x43\xf0\0\0\0\0\0\0");
    assert_eq!(encoded(f64::INFINITY), b"\xcb\x7f\xf0\0\0\0\0\0\0");
    assert_eq!(encoded(4_294_967_295_u32), b"\xce\xff\xff\xff\xff");
    assert_eq!(encoded(4_294_967_296_u64), b"\xcb\x41\xf0\0\0\0\0\0\0");
    assert_eq!(encoded(-2_147_483_649_i64)[0], 0xcb);
}

#[test]
fn integers_of_64_bits_are_read_with_all_their_digits() {
    assert_eq!(decoded(b"\xd3\x80\0\0\0\0\0\0\0"), Value::I64(i64::MIN));
    assert_eq!(decoded(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), Value::U64(u64::MAX));
}

#[test]
fn numbers_of_single_precision_stay_so() {
    assert_eq!(encoded(0.1_f32), [0xca, 0x3d, 0xcc, 0xcc, 0xcd]);
    assert_eq!(encoded(-2.0_f32), [0xfe]);
    assert_eq!(decoded(&[0xca, 0x3f, 0xc0, 0, 0]), Value::F64(1.5));
}

#[test]
fn dates_are_written_as_javascript_shows_them() {
    let text = |ms| match decoded(&encoded(Date(ms))) {
        Value::String(text) => text,
        other => panic!("{other:?}"),
    };
    let utc = "GMT+0000 (Coordinated Universal Time)";
    assert_eq!(text(0), format!("Thu Jan 01 1970 00:00:00 {utc}"));
    assert_eq!(text(-1), format!("Wed Dec 31 1969 23:59:59 {utc}"));
    assert_eq!(text(951_782_400_000), format!("Tue Feb 29 2000 00:00:00 {utc}"));
    assert_eq!(text(253_402_300_800_000), format!("Sat Jan 01 10000 00:00:00 {utc}"));
    assert_eq!(text(-62_135_596_800_000), format!("Mon Jan 01 0001 00:00:00 {utc}"));
    assert_eq!(text(-62_198_755_200_000), format!("Fri Jan 01 -0001 00:00:00 {utc}"));
    assert_eq!(text(8_640_000_000_000_000), format!("Sat Sep 13 275760 00:00:00 {utc}"));
    assert_eq!(text(-8_640_000_000_000_000), format!("Tue Apr 20 -271821 00:00:00 {utc}"));
    assert_eq!(text(i64::MIN), "Invalid Date");
}

#[test]
fn what_stands_for_undefined_is_null() {
    assert_eq!(decoded(b"\x95\xc1\xd4\xd5\xd6\xd7"), Value::Array(vec![Value::Null; 5]));
}

#[test]
fn keys_that_are_not_text_become_text() {
    assert_eq!(decoded(b"\x82\x01\xb1a\xff\xb1b"), Map::from([("1", "a"), ("-1", "b")]).into());
    assert_eq!(refused(b"\x81\xa1a\x01"), "a byte string can't be the key of an object (at byte 1)");
}

#[test]
fn text_that_is_not_utf8_is_read_as_javascript_reads_it() {
    assert_eq!(decoded(b"\xb3a\xffb"), Value::from("a\u{fffd}b"));
}

#[test]
fn what_is_not_binarypack_is_refused_with_its_place() {
    assert_eq!(refused(b""), "the message ends early (at byte 0)");
    assert_eq!(refused(b"\x92\x01"), "the message ends early (at byte 2)");
    assert_eq!(refused(b"\x01\x02"), "more bytes follow the value (at byte 1)");
    assert_eq!(refused(b"\x91\xc4"), "the byte 0xc4 begins nothing in BinaryPack (at byte 1)");
    let text = ParserHarness::new(Binary::default()).value(Kind::Text, "\x01").unwrap_err();
    assert_eq!(text.reason, "the message is text, and this format is binary (at byte 0)");
}

#[test]
fn the_length_that_npms_library_for_browsers_gives_an_emoji_is_refused() {
    assert_eq!(refused(b"\xb6\xf0\x9f\x91\x8b"), "the message ends early (at byte 0)");
}

#[test]
fn a_length_that_is_a_lie_costs_nothing() {
    for head in [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xd9\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"] {
        assert!(refused(head).starts_with("the message ends early"));
    }
}

#[test]
fn a_message_over_a_limit_is_refused() {
    let limited =
        |limits, wire: &[u8]| Binary { limits }.decode(Kind::Binary, wire, &mut Vec::new()).map_err(|error| error.reason);
    let depth = Limits { max_depth: 2, ..Limits::default() };
    assert_eq!(limited(depth, b"\x91\x91\x01"), Ok(()));
    assert!(limited(depth, b"\x91\x81\xb0\x90").unwrap_err().contains("max_depth, which is 2"));
    let values = Limits { max_values: 3, ..Limits::default() };
    assert_eq!(limited(values, b"\x92\x01\x02"), Ok(()));
    assert!(limited(values, b"\x93\x01\x02\x03").unwrap_err().contains("max_values, which is 3"));
    let bytes = Limits { max_message_bytes: 2, ..Limits::default() };
    assert_eq!(limited(bytes, b"\xb1a"), Ok(()));
    assert!(limited(bytes, b"\xb2ab").unwrap_err().contains("max_message_bytes, which is 2"));
    assert!(refused(&[0x91; 100_000]).contains("max_depth, which is 128"));
}

#[test]
fn a_value_that_is_none_is_refused() {
    let mut wire = b"before".to_vec();
    Binary::default().encode(&[0x82, 0x01], &mut wire).unwrap_err();
    assert_eq!(wire, b"before");
}

#[test]
fn control_messages_are_found_by_their_first_bytes() {
    let parser = ParserHarness::new(Binary::default());
    let pong = encoded("primus::pong::1");
    let long = [&b"\xd9\x00\x00\x00\x0f"[..], b"primus::pong::1"].concat();
    for wire in [&pong, &long] {
        assert_eq!(parser.decode_string(Kind::Binary, wire, "primus::").as_deref(), Some("primus::pong::1"));
    }
    for wire in [&b"\x81\xb1a\x01"[..], b"\x01", b"\xb1a", b"\xafprimus::pong::1", &[&pong[..], b"\x01"].concat()] {
        assert_eq!(parser.decode_string(Kind::Binary, wire, "primus::"), None);
    }
    assert_eq!(parser.decode_string(Kind::Text, &pong, "primus::"), None);
    for head in 0..=u8::MAX {
        let is_string = matches!(head, 0xb0..=0xbf | 0xd8 | 0xd9);
        assert_eq!(Binary::default().string_lead().contains(head), is_string, "{head:#x}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>()) {
        let mut value = Vec::new();
        if Binary::default().decode(Kind::Binary, &bytes, &mut value).is_ok() {
            value::decode::<Value>(&value).unwrap();
            Binary::default().encode(&value, &mut Vec::new()).unwrap();
        }
        let _ = Binary::default().decode_string(Kind::Binary, &bytes, "primus::");
        let _ = Binary::default().encode(&bytes, &mut Vec::new());
    }

    #[test]
    fn any_value_comes_back_as_it_was_but_for_dates(value in parser_vectors::any_value()) {
        let read = decoded(&encoded(&value));
        prop_assert!(parser_vectors::is_same(&read, &dates_as_text(&value)), "{read:?}");
    }
}

fn dates_as_text(value: &Value) -> Value {
    match value {
        Value::Date(date) => crate::date::text(*date).into(),
        Value::Array(values) => Value::Array(values.iter().map(dates_as_text).collect()),
        Value::Object(pairs) => {
            Value::Object(pairs.iter().map(|(key, value)| (key.to_owned(), dates_as_text(value))).collect())
        }
        plain => plain.clone(),
    }
}
