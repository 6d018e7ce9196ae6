//! What JSON comes to, and what values come to in JSON.

use plugin_api::value::{self, Date, Map, Value};
use plugin_api::{Kind, ParseLimit, Parser};
use proptest::prelude::*;

use tokens::Limits;

use crate::Json;

/// The value of a text.
#[track_caller]
fn decoded(text: &str) -> Value {
    let mut encoded = Vec::new();
    Json::default().decode(Kind::Text, text.as_bytes(), &mut encoded).unwrap();
    value::decode(&encoded).unwrap()
}

/// What is said about a text that is refused.
#[track_caller]
fn refused(wire: &[u8]) -> String {
    let mut encoded = b"before".to_vec();
    let error = Json::default().decode(Kind::Text, wire, &mut encoded).unwrap_err();
    assert_eq!(encoded, b"before", "nothing of it is left");
    error.reason
}

/// The text of a value.
#[track_caller]
fn encoded(value: impl Into<Value>) -> String {
    let mut wire = Vec::new();
    let kind = Json::default().encode(&value::to_vec(&value.into()).unwrap(), &mut wire).unwrap();
    assert_eq!(kind, Some(Kind::Text));
    String::from_utf8(wire).unwrap()
}

#[test]
fn a_text_becomes_a_value_in_its_order() {
    let value = decoded(r#" {"b": [1, -2, 2.5, true, null], "a": {"text": "Grüße 👋"}, "empty": [[], {}]} "#);
    let expected = Map::from([
        ("b", Value::Array(vec![1.into(), (-2).into(), 2.5.into(), true.into(), Value::Null])),
        ("a", Value::Object(Map::from([("text", "Grüße 👋")]))),
        ("empty", Value::Array(vec![Value::Array(vec![]), Value::Object(Map::new())])),
    ]);
    assert_eq!(value, Value::Object(expected));
}

#[test]
fn a_value_becomes_the_text_that_json_stringify_writes() {
    let inner = Map::from([("a\"b", Value::Null), ("n", Value::from([1, 2])), ("none", Value::Array(vec![]))]);
    let value = Value::Array(vec![inner.into(), true.into(), "line\nbreak \\ \u{1}".into(), Map::new().into()]);
    assert_eq!(encoded(value), r#"[{"a\"b":null,"n":[1,2],"none":[]},true,"line\nbreak \\ \u0001",{}]"#);
}

#[test]
fn line_separators_are_escaped_in_texts_and_keys() {
    assert_eq!(encoded("a\u{2028}b\u{2029}\u{2028}"), r#""a\u2028b\u2029\u2028""#);
    assert_eq!(encoded(Map::from([("\u{2029}", "…")])), r#"{"\u2029":"…"}"#);
    assert_eq!(decoded(r#""\u2028""#), Value::from("\u{2028}"));
}

#[test]
fn what_json_lacks_is_written_as_node_writes_it() {
    assert_eq!(encoded(Value::Binary(vec![0, 127, 255])), r#"{"type":"Buffer","data":[0,127,255]}"#);
    assert_eq!(encoded(Value::Binary(vec![])), r#"{"type":"Buffer","data":[]}"#);
    assert_eq!(encoded(Value::Array(vec![Date(0).into(), Date(i64::MAX).into()])), r#"["1970-01-01T00:00:00.000Z",null]"#);
    assert_eq!(encoded([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]), "[null,null,null]");
}

#[test]
fn numbers_are_written_as_javascript_would_read_them() {
    assert_eq!(encoded([1.0, -0.0, 0.1, 1e15, 5e-324, 1e300]), "[1,0,0.1,1000000000000000,5e-324,1e+300]");
    assert_eq!(encoded(Value::Array(vec![i64::MIN.into(), u64::MAX.into()])), "[-9223372036854775808,18446744073709551615]");

    let mut wire = Vec::new();
    Json::default().encode(&value::to_vec(&[0.1_f32, 2.0, f32::NAN]).unwrap(), &mut wire).unwrap();
    assert_eq!(wire, b"[0.1,2,null]");
}

#[test]
fn numbers_keep_their_digits() {
    assert_eq!(decoded("18446744073709551615"), Value::U64(u64::MAX));
    assert_eq!(decoded("1.9831153365879598e236"), Value::F64(1.9831153365879598e236));
    assert_eq!(decoded("18446744073709551616"), Value::F64(18446744073709551616.0));
}

#[test]
fn a_binary_message_is_a_byte_string_untouched() {
    let mut encoded = Vec::new();
    Json::default().decode(Kind::Binary, b"{not json\xff", &mut encoded).unwrap();
    assert_eq!(value::decode::<Value>(&encoded).unwrap(), Value::Binary(b"{not json\xff".to_vec()));
}

#[test]
fn half_a_surrogate_pair_is_read_as_a_replacement_character() {
    assert_eq!(decoded(r#""\ud83d\udc4b""#), Value::from("👋"));
    assert_eq!(decoded(r#"["\ud83d", "a\uDC4Bb"]"#), Value::from(["\u{fffd}", "a\u{fffd}b"]));
    assert_eq!(
        decoded(r#"{"\ud83d\ud83d\udc4b\udc4b":"\\ud83d"}"#),
        Value::Object(Map::from([("\u{fffd}👋\u{fffd}", "\\ud83d")]))
    );
    assert_eq!(decoded(r#""\ud83d\n""#), Value::from("\u{fffd}\n"));
    refused(br#"["\ud83d", "#);
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    assert!(refused(b"{\"a\":}").contains("line 1 column 6"), "{}", refused(b"{\"a\":}"));
    assert!(refused(b"[1] 2").contains("trailing characters"));
    assert!(refused(b"").contains("EOF"));
    assert!(refused(b"\"\xff\"").contains("not UTF-8"));
    assert!(refused(b"1e400").contains("out of range"));
    assert!(refused(b"NaN").starts_with("the message is not JSON"));
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    decoded(&nested(127));
    assert_eq!(refused(nested(128).as_bytes()), "the message is nested deeper than 127");
    assert_eq!(refused("[{\"a\":".repeat(100_000).as_bytes()), "the message is nested deeper than 127");
}

#[test]
fn a_message_that_is_more_than_the_limits_allow_is_refused_with_the_limit() {
    let refused = |limits, text: &str| {
        let mut value = b"before".to_vec();
        let error = Json { limits }.decode(Kind::Text, text.as_bytes(), &mut value).err();
        assert!(error.is_none() || value == b"before", "nothing of it is left");
        error.map(|error| (error.limit, error.reason))
    };
    let over = |limit, reason: &str| Some((Some(limit), reason.to_owned()));
    let length = Limits { max_message_bytes: 4, ..Limits::default() };
    assert_eq!(refused(length, "[12]"), None);
    let reason = "the message is longer than max_message_bytes, which is 4";
    assert_eq!(refused(length, "[123]"), over(ParseLimit::Length, reason));
    let depth = Limits { max_depth: 2, ..Limits::default() };
    assert_eq!(refused(depth, r#"[{"a":1},[]]"#), None);
    let reason = "the message is nested deeper than max_depth, which is 2";
    assert_eq!(refused(depth, r#"[{"a":[]}]"#), over(ParseLimit::Depth, reason));
    let values = Limits { max_values: 4, ..Limits::default() };
    assert_eq!(refused(values, r#"[{"a":null},""]"#), None);
    let reason = "the message has more values than max_values, which is 4";
    for text in [r#"[{"a":null},"",1]"#, "[1,2,3,4]", "[[[[[]]]]]"] {
        assert_eq!(refused(values, text), over(ParseLimit::Values, reason), "{text}");
    }
    let too_deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert_eq!(refused(Limits::default(), &too_deep), over(ParseLimit::Depth, "the message is nested deeper than 127"));
    assert_eq!(refused(Limits::default(), "{").map(|(limit, _)| limit), Some(None));
}

#[test]
fn a_value_that_is_none_is_refused() {
    let mut wire = b"before".to_vec();
    Json::default().encode(&[0x82, 0x01], &mut wire).unwrap_err();
    assert_eq!(wire, b"before");
}

#[test]
fn control_messages_are_found_whatever_they_are_written_like() {
    for text in [r#""primus::pong::1""#, " \t\r\n\"primus::pong::1\" ", r#""\u0070rimus::pong::1""#] {
        assert!(Json::default().string_lead().contains(text.as_bytes()[0]));
        assert_eq!(Json::default().decode_string(Kind::Text, text.as_bytes(), "primus::").as_deref(), Some("primus::pong::1"));
    }
    for text in [r#"["primus::pong::1"]"#, "1", "\"open", "\"a\" \"b\"", " {}"] {
        assert_eq!(Json::default().decode_string(Kind::Text, text.as_bytes(), "primus::"), None);
    }
    assert_eq!(Json::default().decode_string(Kind::Binary, br#""primus::pong::1""#, "primus::"), None);
    assert!(!Json::default().string_lead().contains(b'{'));
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>(), text in r#"[\[\]{}",:0-9.eE+\\u d8Dcn\-]*"#) {
        for wire in [&bytes[..], text.as_bytes()] {
            let mut encoded = Vec::new();
            if Json::default().decode(Kind::Text, wire, &mut encoded).is_ok() {
                value::decode::<Value>(&encoded).unwrap();
                let mut again = Vec::new();
                Json::default().encode(&encoded, &mut again).unwrap();
            }
            let _ = Json::default().decode_string(Kind::Text, wire, "primus::");
        }
    }

    #[test]
    fn any_text_comes_back_as_it_was(text in any::<String>()) {
        let wire = encoded(text.as_str());
        prop_assert_eq!(decoded(&wire), Value::from(text.as_str()));
        let separators = ['\u{2028}', '\u{2029}'];
        prop_assert!(!wire.contains(separators));
        prop_assert_eq!(Json::default().decode_string(Kind::Text, wire.as_bytes(), ""), Some(text));
    }

    #[test]
    fn any_number_comes_back_as_it_was(number in any::<f64>().prop_filter("JSON has no others", |number| number.is_finite())) {
        prop_assert_eq!(decoded(&encoded(number)).as_f64(), Some(number));
    }
}
