//! What CBOR comes to, and what values come to in CBOR.

use plugin_api::testing::ParserHarness;
use plugin_api::value::{self, Date, Map, Value};
use plugin_api::{Kind, Parser};
use proptest::prelude::*;
use tokens::Limits;

use crate::Cbor;

#[track_caller]
fn decoded(wire: &[u8]) -> Value {
    ParserHarness::new(Cbor::default()).value(Kind::Binary, wire).unwrap()
}

#[track_caller]
fn refused(wire: &[u8]) -> String {
    let mut value = b"before".to_vec();
    let error = Cbor::default().decode(Kind::Binary, wire, &mut value).unwrap_err();
    assert_eq!(value, b"before", "nothing of it is left");
    error.reason
}

fn encoded(value: impl serde::Serialize) -> Vec<u8> {
    let (kind, wire) = ParserHarness::new(Cbor::default()).encode(&value).unwrap().unwrap();
    assert_eq!(kind, Kind::Binary);
    wire
}

#[test]
fn every_vector_of_our_client_is_read_and_written_alike() {
    parser_vectors::check(&Cbor::default());
}

/// RFC 8949, appendix A.
#[test]
fn the_numbers_of_the_specification_are_read_and_written_as_it_has_them() {
    let integers: [(i64, &[u8]); 12] = [
        (0, b"\x00"),
        (10, b"\x0a"),
        (23, b"\x17"),
        (24, b"\x18\x18"),
        (100, b"\x18\x64"),
        (1000, b"\x19\x03\xe8"),
        (1_000_000, b"\x1a\x00\x0f\x42\x40"),
        (1_000_000_000_000, b"\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"),
        (-1, b"\x20"),
        (-10, b"\x29"),
        (-100, b"\x38\x63"),
        (-1000, b"\x39\x03\xe7"),
    ];
    for (integer, wire) in integers {
        assert_eq!((decoded(wire), encoded(integer)), (Value::I64(integer), wire.to_vec()));
    }
    assert_eq!(decoded(b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), Value::U64(u64::MAX));
    assert_eq!(encoded(u64::MAX), b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff");

    let floats: [(f64, &[u8]); 15] = [
        (0.0, b"\xf9\x00\x00"),
        (-0.0, b"\xf9\x80\x00"),
        (1.0, b"\xf9\x3c\x00"),
        (1.1, b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"),
        (1.5, b"\xf9\x3e\x00"),
        (65504.0, b"\xf9\x7b\xff"),
        (100_000.0, b"\xfa\x47\xc3\x50\x00"),
        (3.402_823_466_385_288_6e38, b"\xfa\x7f\x7f\xff\xff"),
        (1.0e300, b"\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c"),
        (5.960_464_477_539_063e-8, b"\xf9\x00\x01"),
        (0.000_061_035_156_25, b"\xf9\x04\x00"),
        (-4.0, b"\xf9\xc4\x00"),
        (-4.1, b"\xfb\xc0\x10\x66\x66\x66\x66\x66\x66"),
        (f64::INFINITY, b"\xf9\x7c\x00"),
        (f64::NEG_INFINITY, b"\xf9\xfc\x00"),
    ];
    for (float, wire) in floats {
        let Value::F64(read) = decoded(wire) else { panic!("{float} is a float") };
        assert_eq!((read.to_bits(), encoded(float)), (float.to_bits(), wire.to_vec()));
    }
    assert_eq!(encoded(f64::NAN), b"\xf9\x7e\x00");
    assert_eq!(encoded(-f32::NAN), b"\xf9\x7e\x00");
    for wire in [&b"\xf9\x7e\x00"[..], b"\xfa\x7f\xc0\x00\x00", b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00"] {
        assert!(decoded(wire).as_f64().unwrap().is_nan());
    }
}

/// RFC 8949, appendix A.
#[test]
fn texts_and_bytes_come_whole_or_in_chunks() {
    assert_eq!(decoded(b"\x40"), Value::Binary(vec![]));
    assert_eq!(decoded(b"\x44\x01\x02\x03\x04"), Value::Binary(vec![1, 2, 3, 4]));
    assert_eq!(decoded(b"\x5f\x42\x01\x02\x43\x03\x04\x05\xff"), Value::Binary(vec![1, 2, 3, 4, 5]));
    assert_eq!(decoded(b"\x64IETF"), Value::from("IETF"));
    assert_eq!(decoded(b"\x64\xf0\x90\x85\x91"), Value::from("\u{10151}"));
    assert_eq!(decoded(b"\x7f\x65strea\x64ming\xff"), Value::from("streaming"));
}

/// RFC 8949, appendix A.
#[test]
fn arrays_and_objects_have_a_length_or_an_end() {
    let nested = Value::Array(vec![1.into(), [2, 3].into(), [4, 5].into()]);
    for wire in [
        &b"\x83\x01\x82\x02\x03\x82\x04\x05"[..],
        b"\x9f\x01\x82\x02\x03\x9f\x04\x05\xff\xff",
        b"\x9f\x01\x82\x02\x03\x82\x04\x05\xff",
        b"\x83\x01\x82\x02\x03\x9f\x04\x05\xff",
        b"\x83\x01\x9f\x02\x03\xff\x82\x04\x05",
    ] {
        assert_eq!(decoded(wire), nested);
    }
    assert_eq!(encoded(&nested), b"\x83\x01\x82\x02\x03\x82\x04\x05");
    let object: Value = Map::from([("Fun", Value::from(true)), ("Amt", (-2).into())]).into();
    assert_eq!(decoded(b"\xbf\x63Fun\xf5\x63Amt\x21\xff"), object);
    assert_eq!(encoded(&object), b"\xa2\x63Fun\xf5\x63Amt\x21");
    assert_eq!(decoded(b"\xa2\x01\x02\x20\x04"), Map::from([("1", 2), ("-1", 4)]).into());
}

#[test]
fn dates_are_seconds_and_are_read_as_text_too() {
    assert_eq!(encoded(Date(1_700_000_000_000)), b"\xc1\x1a\x65\x53\xf1\x00");
    assert_eq!(encoded(Date(1_500)), b"\xc1\xf9\x3e\x00");
    for (ms, wire) in [
        (1_363_896_240_000, &b"\xc1\x1a\x51\x4b\x67\xb0"[..]),
        (1_363_896_240_500, b"\xc1\xfb\x41\xd4\x52\xd9\xec\x20\x00\x00"),
        (1_363_896_240_000, b"\xc0\x742013-03-21T20:04:00Z"),
        (-1, b"\xc1\xfb\xbf\x50\x62\x4d\xd2\xf1\xa9\xfc"),
    ] {
        assert_eq!(decoded(wire), Value::Date(Date(ms)));
    }
    assert_eq!(decoded(b"\xc1\xf9\x7e\x00"), Value::Null);
    assert_eq!(decoded(b"\xc1\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), Value::Null);
}

#[test]
fn dates_of_all_forms_of_rfc3339_are_understood() {
    use crate::date::from_rfc3339;
    for (text, ms) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31t23:59:59.999z", -1),
        ("2024-02-29 12:30:00.1234567+05:30", 1_709_190_000_123),
        ("2023-11-14T22:13:20.5-01:00", 1_700_003_600_500),
        ("0000-03-01T00:00:00Z", -62_162_035_200_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
    ] {
        assert_eq!(from_rfc3339(text), Some(Date(ms)), "{text}");
    }
    for text in [
        "",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-02-29T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-00-01T00:00:00Z",
        "2023-01-00T00:00:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01-01T00:60:00Z",
        "2023-01-01T00:00:00.Z",
        "2023-01-01T00:00:00+0100",
        "+023-01-01T00:00:00Z",
        "2023-01-01T00:00:00ZZ",
        "2023-01-01Tää:00:00Z",
    ] {
        assert_eq!(from_rfc3339(text), None, "{text}");
    }
}

#[test]
fn undefined_is_null_and_the_mark_of_cbor_is_passed_over() {
    assert_eq!(decoded(b"\xf7"), Value::Null);
    assert_eq!(decoded(b"\xd9\xd9\xf7\x82\x01\xd9\xd9\xf7\x02"), Value::from([1, 2]));
}

#[test]
fn what_is_not_cbor_or_no_value_is_refused_with_its_place() {
    assert_eq!(refused(b""), "the message ends early (at byte 0)");
    assert_eq!(refused(b"\x82\x01"), "the message ends early (at byte 2)");
    assert_eq!(refused(b"\x9f\x01"), "the message ends early (at byte 2)");
    assert_eq!(refused(b"\x01\x02"), "more bytes follow the value (at byte 1)");
    assert_eq!(refused(b"\x81\xff"), "an end is where nothing has begun (at byte 1)");
    assert_eq!(refused(b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff"), "an integer is below -2^63 (at byte 0)");
    assert_eq!(refused(b"\xf0"), "a simple value is unknown (at byte 0)");
    assert_eq!(refused(b"\x1c"), "the byte 0x1c begins nothing in CBOR (at byte 0)");
    assert_eq!(refused(b"\xc2\x41\x01"), "the tag 2 is unknown (at byte 0)");
    assert_eq!(refused(b"\xc1\x61a"), "tag 1 is not before a number of seconds (at byte 0)");
    assert_eq!(refused(b"\xc0\x61a"), "tag 0 is not before a date as text (at byte 0)");
    assert_eq!(refused(b"\xc1\xc1\x01"), "a date is not before a tag (at byte 0)");
    assert!(refused(b"\x61\xff").contains("utf-8"), "{}", refused(b"\x61\xff"));
    assert!(refused(b"\x7f\x41a\xff").contains("at byte 0"));
    assert_eq!(refused(b"\xa1\xf9\x3c\x00\x01"), "a fractional number can't be the key of an object (at byte 1)");
    let text = ParserHarness::new(Cbor::default()).value(Kind::Text, "\x01").unwrap_err();
    assert_eq!(text.reason, "the message is text, and this format is binary (at byte 0)");
}

#[test]
fn a_length_that_is_a_lie_costs_nothing() {
    for head in [0x5b, 0x7b, 0x9b, 0xbb] {
        assert!(refused(&[&[head][..], &[0xff; 8]].concat()).starts_with("the message ends early"), "{head:#x}");
    }
}

#[test]
fn a_message_over_a_limit_is_refused() {
    let limited =
        |limits, wire: &[u8]| Cbor { limits }.decode(Kind::Binary, wire, &mut Vec::new()).map_err(|error| error.reason);
    let depth = Limits { max_depth: 2, ..Limits::default() };
    assert_eq!(limited(depth, b"\x81\x9f\x01\xff"), Ok(()));
    assert!(limited(depth, b"\x81\xbf\x60\x80\xff").unwrap_err().contains("max_depth, which is 2"));
    let values = Limits { max_values: 3, ..Limits::default() };
    assert_eq!(limited(values, b"\x82\x01\x02"), Ok(()));
    assert!(limited(values, b"\x9f\x01\x02\x03\xff").unwrap_err().contains("max_values, which is 3"));
    let bytes = Limits { max_message_bytes: 2, ..Limits::default() };
    assert_eq!(limited(bytes, b"\x61a"), Ok(()));
    assert!(limited(bytes, b"\x62ab").unwrap_err().contains("max_message_bytes, which is 2"));
    assert!(refused(&[0x9f; 100_000]).contains("max_depth, which is 128"));
    refused(&[0xc1; 100_000]);
}

#[test]
fn a_value_that_is_none_is_refused() {
    let mut wire = b"before".to_vec();
    Cbor::default().encode(&[0x82, 0x01], &mut wire).unwrap_err();
    assert_eq!(wire, b"before");
}

#[test]
fn control_messages_are_found_by_their_first_bytes() {
    let parser = ParserHarness::new(Cbor::default());
    let pong = encoded("primus::pong::1");
    let chunks = [&b"\x7f\x68"[..], b"primus::", b"\x67pong::1\xff"].concat();
    let marked = [&b"\xd9\xd9\xf7"[..], &pong].concat();
    for wire in [&pong, &chunks, &marked] {
        assert_eq!(parser.decode_string(Kind::Binary, wire, "primus::").as_deref(), Some("primus::pong::1"));
    }
    for wire in [&b"\xa1\x61a\x01"[..], b"\x01", b"\x61a", b"\x4fprimus::pong::1", &[&pong[..], b"\x01"].concat()] {
        assert_eq!(parser.decode_string(Kind::Binary, wire, "primus::"), None);
    }
    assert_eq!(parser.decode_string(Kind::Text, &pong, "primus::"), None);
    assert!(!Cbor::default().string_lead().contains(0xa1));
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>()) {
        let mut value = Vec::new();
        if Cbor::default().decode(Kind::Binary, &bytes, &mut value).is_ok() {
            value::decode::<Value>(&value).unwrap();
            Cbor::default().encode(&value, &mut Vec::new()).unwrap();
        }
        let _ = ParserHarness::new(Cbor::default()).decode_string(Kind::Binary, &bytes, "");
        let _ = Cbor::default().encode(&bytes, &mut Vec::new());
    }

    #[test]
    fn any_value_comes_back_as_it_was(value in parser_vectors::any_value()) {
        let value = with_dates_halved(&value);
        prop_assert!(parser_vectors::is_same(&decoded(&encoded(&value)), &value));
    }

    #[test]
    fn any_number_is_written_in_the_narrowest_precision(bits in any::<u32>()) {
        let number = f32::from_bits(bits);
        prop_assert_eq!(encoded(f64::from(number)), encoded(number));
        prop_assert_eq!(decoded(&encoded(number)).as_f64().map(f64::to_bits), Some(f64::from(number).to_bits()).filter(|_| !number.is_nan()).or(Some(f64::NAN.to_bits())));
    }

    #[test]
    fn any_text_is_a_date_or_none(text in r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,25})?(Z|[+-][0-9]{2}:[0-9]{2})?", other in any::<String>()) {
        let _ = crate::date::from_rfc3339(&text);
        let _ = crate::date::from_rfc3339(&other);
    }
}

/// Seconds with a fraction hold every millisecond up to the year 139000 only.
fn with_dates_halved(value: &Value) -> Value {
    match value {
        Value::Date(Date(ms)) => Value::Date(Date(ms / 2)),
        Value::Array(values) => Value::Array(values.iter().map(with_dates_halved).collect()),
        Value::Object(pairs) => {
            Value::Object(pairs.iter().map(|(key, value)| (key.to_owned(), with_dates_halved(value))).collect())
        }
        plain => plain.clone(),
    }
}
