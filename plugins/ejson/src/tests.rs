//! What EJSON comes to, and what values come to in EJSON.

use plugin_api::testing::ParserHarness;
use plugin_api::value::{self, Date, Map, Value, Writer};
use plugin_api::{Kind, Parser};
use proptest::prelude::*;
use tokens::Limits;

use crate::Ejson;

#[track_caller]
fn decoded(text: &str) -> Value {
    ParserHarness::new(Ejson::default()).value(Kind::Text, text).unwrap()
}

#[track_caller]
fn refused(text: &str) -> String {
    let mut value = b"before".to_vec();
    let error = Ejson::default().decode(Kind::Text, text.as_bytes(), &mut value).unwrap_err();
    assert_eq!(value, b"before", "nothing of it is left");
    error.reason
}

fn encoded(value: impl serde::Serialize) -> String {
    let (kind, wire) = ParserHarness::new(Ejson::default()).encode(&value).unwrap().unwrap();
    assert_eq!(kind, Kind::Text);
    String::from_utf8(wire).unwrap()
}

#[test]
fn every_vector_of_ejson_is_read_and_written_alike() {
    parser_vectors::check(&Ejson::default());
}

#[test]
fn what_json_has_is_as_json_has_it() {
    assert_eq!(encoded([1.0, 0.5]), "[1,0.5]");
    assert_eq!(encoded("a\u{2028}"), r#""a\u2028""#);
    assert_eq!(encoded(0.1_f32), "0.1");
    assert_eq!(encoded(vec![Value::F64(f64::NAN), Value::U64(u64::MAX)]), r#"[{"$InfNaN":0},18446744073709551615]"#);
    assert_eq!(encoded([f32::INFINITY, 0.1]), r#"[{"$InfNaN":1},0.1]"#);
    assert_eq!(decoded(r#"["\ud83d", 18446744073709551615]"#), Value::Array(vec!["\u{fffd}".into(), u64::MAX.into()]));
}

#[test]
fn dates_are_numbers_of_milliseconds() {
    assert_eq!(decoded(r#"{"$date": -1.9}"#), Value::Date(Date(-1)));
    assert_eq!(encoded(Date(i64::MAX)), "null");
    for invalid in ["null", "8640000000000001", "18446744073709551615"] {
        assert_eq!(decoded(&format!(r#"[{{"$date":{invalid}}}]"#)), Value::Array(vec![Value::Null]));
    }
}

#[test]
fn numbers_are_the_signs_of_infinities() {
    let numbers = decoded(r#"[{"$InfNaN":1},{"$InfNaN":-1},{"$InfNaN":-0.5}]"#);
    assert_eq!(numbers, Value::from([f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY]));
}

#[test]
fn base64_may_lack_its_padding() {
    for text in ["AQ==", "AQ", "AR=="] {
        assert_eq!(decoded(&format!(r#"{{"$binary":"{text}"}}"#)), Value::Binary(vec![1]));
    }
}

#[test]
fn a_key_that_comes_twice_counts_as_in_javascript() {
    assert_eq!(decoded(r#"{"$date":1,"$date":2}"#), Value::Date(Date(2)));
    assert_eq!(decoded(r#"{"$escape":{"$date":1},"$escape":{"$date":2}}"#), Map::from([("$date", 2)]).into());

    // Whoever reads it has one key, so it must be escaped as one.
    let mut twice = Vec::new();
    let mut writer = Writer::new(&mut twice);
    writer.object(Some(2));
    for ms in [1, 2] {
        writer.str("$date");
        writer.i64(ms);
    }
    let mut wire = Vec::new();
    Ejson::default().encode(&twice, &mut wire).unwrap();
    assert_eq!(String::from_utf8(wire).unwrap(), r#"{"$escape":{"$date":1,"$date":2}}"#);
}

#[test]
fn only_an_object_with_no_other_keys_stands_for_something() {
    for text in
        [r#"{"$date":1,"a":2}"#, r#"{"$date":1,"$flags":2}"#, r#"{"$escape":{"a":1},"b":2}"#, r#"{"$regexp":"a"}"#, "{}"]
    {
        assert_eq!(encoded(decoded(text)), text);
    }
    let nested = decoded(r#"{"$escape":{"$escape":{"$date":1}},"b":2}"#);
    assert_eq!(nested.get("$escape"), Some(&Map::from([("$date", 1)]).into()), "the inner one is alone, the outer one isn't");
}

#[test]
fn what_has_no_value_of_its_own_stays_an_object_and_goes_out_as_one() {
    let regexp = decoded(r#"{"$regexp":"a+","$flags":"gi"}"#);
    assert_eq!(regexp, Map::from([("$regexp", "a+"), ("$flags", "gi")]).into());
    assert_eq!(encoded(regexp), r#"{"$escape":{"$regexp":"a+","$flags":"gi"}}"#);
    let typed = decoded(r#"{"$value":{"$date":1},"$type":"Point"}"#);
    assert_eq!(typed, Map::from([("$value", Value::Date(Date(1))), ("$type", "Point".into())]).into());
}

#[test]
fn a_special_object_with_something_else_in_it_is_refused() {
    assert_eq!(refused(r#"{"$date":"2023"}"#), "$date needs a number of milliseconds");
    assert_eq!(refused(r#"{"$date":{"$date":1}}"#), "$date needs a number of milliseconds");
    assert_eq!(refused(r#"[{"$InfNaN":[0]}]"#), "$InfNaN needs a number");
    assert_eq!(refused(r#"{"$InfNaN":null}"#), "$InfNaN needs a number");
    assert_eq!(refused(r#"{"$binary":"*"}"#), "$binary needs a text in base64");
    assert_eq!(refused(r#"{"$binary":true}"#), "$binary needs a text in base64");
    assert_eq!(refused(r#"{"$escape":[]}"#), "$escape needs an object");
    assert_eq!(refused(r#"{"$escape":1}"#), "$escape needs an object");
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    assert!(refused("{\"$date\":}").contains("line 1 column 10"), "{}", refused("{\"$date\":}"));
    let binary = ParserHarness::new(Ejson::default()).value(Kind::Binary, "1").unwrap_err();
    assert_eq!(binary.reason, "the message is binary, and EJSON is text");
}

#[test]
fn a_message_over_a_limit_is_refused() {
    let limited = |limits, text: &str| {
        Ejson { limits }.decode(Kind::Text, text.as_bytes(), &mut Vec::new()).map_err(|error| error.reason)
    };
    let depth = Limits { max_depth: 2, ..Limits::default() };
    assert_eq!(limited(depth, "[[1]]"), Ok(()));
    assert_eq!(limited(depth, r#"[{"a":[]}]"#).unwrap_err(), "the message is nested deeper than max_depth, which is 2");
    let values = Limits { max_values: 3, ..Limits::default() };
    assert_eq!(limited(values, "[1,2]"), Ok(()));
    assert_eq!(limited(values, "[1,2,3]").unwrap_err(), "the message has more values than max_values, which is 3");
    let bytes = Limits { max_message_bytes: 2, ..Limits::default() };
    assert_eq!(limited(bytes, "12"), Ok(()));
    assert_eq!(limited(bytes, "123").unwrap_err(), "the message is longer than max_message_bytes, which is 2");
    assert!(refused(&"[".repeat(100_000)).contains("deeper than 127"));
    assert!(refused(&r#"{"$escape":"#.repeat(100_000)).contains("deeper than 127"));
}

#[test]
fn a_value_that_special_objects_nest_too_deeply_is_refused() {
    let date = |depth: usize| {
        let mut value = Vec::new();
        let mut writer = Writer::new(&mut value);
        (0..depth).for_each(|_| writer.array(Some(1)));
        writer.date(Date(1));
        let mut wire = b"before".to_vec();
        let result = Ejson::default().encode(&value, &mut wire);
        assert_eq!(result.is_err(), wire == b"before");
        result
    };
    assert!(date(127).is_ok());
    assert!(date(128).unwrap_err().reason.contains("deeper"));
}

#[test]
fn a_value_that_is_none_is_refused() {
    let mut wire = b"before".to_vec();
    Ejson::default().encode(&[0x82, 0x01], &mut wire).unwrap_err();
    assert_eq!(wire, b"before");
}

#[test]
fn control_messages_are_found_as_in_json() {
    let parser = ParserHarness::new(Ejson::default());
    for text in [r#""primus::pong::1""#, " \"\\u0070rimus::pong::1\""] {
        assert_eq!(parser.decode_string(Kind::Text, text, "primus::").as_deref(), Some("primus::pong::1"));
    }
    for text in [r#"{"$escape":"primus::"}"#, "1", "\"a\""] {
        assert_eq!(parser.decode_string(Kind::Text, text, "primus::"), None);
    }
    assert_eq!(parser.decode_string(Kind::Binary, r#""primus::pong::1""#, "primus::"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>(), text in r#"([\[\]{}",:0-9.\-]|"\$(date|escape|binary|InfNaN)":)*"#) {
        for wire in [&bytes[..], text.as_bytes()] {
            let mut value = Vec::new();
            if Ejson::default().decode(Kind::Text, wire, &mut value).is_ok() {
                value::decode::<Value>(&value).unwrap();
                let _ = Ejson::default().encode(&value, &mut Vec::new());
            }
            let _ = Ejson::default().encode(wire, &mut Vec::new());
        }
    }

    #[test]
    fn any_value_comes_back_as_it_was(value in parser_vectors::any_value()) {
        let read = decoded(&encoded(&value));
        prop_assert!(parser_vectors::is_same(&read, &value), "{read:?}");
    }
}
