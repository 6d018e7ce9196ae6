//! What is text and what is bytes, both ways.

use plugin_api::testing::ParserHarness;
use plugin_api::value::{self, Date, Map, Value};
use plugin_api::{Kind, Parser};
use proptest::prelude::*;

use crate::Raw;

#[test]
fn text_is_text_and_bytes_are_bytes() {
    let parser = ParserHarness::new(Raw);
    assert_eq!(parser.value(Kind::Text, "{\"a\":1}"), Ok(Value::from("{\"a\":1}")));
    assert_eq!(parser.value(Kind::Binary, b"\xff\x00"), Ok(Value::Binary(b"\xff\x00".to_vec())));
    assert_eq!(parser.encode("Grüße"), Ok(Some((Kind::Text, "Grüße".into()))));
    assert_eq!(parser.encode(&Value::Binary(vec![1, 2])), Ok(Some((Kind::Binary, vec![1, 2]))));
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let error = ParserHarness::new(Raw).value(Kind::Text, b"\xff").unwrap_err();
    assert!(error.reason.contains("not UTF-8"), "{error}");
}

#[test]
fn nothing_is_sent_for_null() {
    let mut wire = b"before".to_vec();
    assert_eq!(Raw.encode(&value::to_vec(&Value::Null).unwrap(), &mut wire), Ok(None));
    assert_eq!(wire, b"before");
}

#[test]
fn what_is_neither_is_refused_by_its_name() {
    let others: [(Value, &str); 6] = [
        (true.into(), "a truth value"),
        (1.into(), "a number"),
        (1.5.into(), "a number"),
        (Date(0).into(), "a date"),
        (Value::Array(vec!["a".into()]), "an array"),
        (Map::from([("a", "b")]).into(), "an object"),
    ];
    for (value, name) in others {
        let mut wire = b"before".to_vec();
        let error = Raw.encode(&value::to_vec(&value).unwrap(), &mut wire).unwrap_err();
        assert_eq!(error.reason, format!("a client with the raw parser takes text and byte strings, not {name}"));
        assert_eq!(wire, b"before");
    }
}

#[test]
fn control_messages_are_texts_like_any_other() {
    let parser = ParserHarness::new(Raw);
    assert_eq!(parser.decode_string(Kind::Text, "primus::pong::1", "primus::").as_deref(), Some("primus::pong::1"));
    assert_eq!(parser.decode_string(Kind::Text, "\"primus::pong::1\"", "primus::"), None);
    assert_eq!(parser.decode_string(Kind::Binary, "primus::pong::1", "primus::"), None);
    assert_eq!(parser.encode("primus::ping::1"), Ok(Some((Kind::Text, b"primus::ping::1".to_vec()))));
}

proptest! {
    #[test]
    fn any_message_comes_back_as_it_was(bytes in any::<Vec<u8>>(), text in any::<String>()) {
        for (kind, wire) in [(Kind::Binary, &bytes[..]), (Kind::Text, text.as_bytes())] {
            let (mut value, mut again) = (Vec::new(), Vec::new());
            Raw.decode(kind, wire, &mut value).unwrap();
            prop_assert_eq!(Raw.encode(&value, &mut again), Ok(Some(kind)));
            prop_assert_eq!(&again, wire);
        }
    }

    #[test]
    fn any_bytes_are_text_or_refused(bytes in any::<Vec<u8>>()) {
        let mut value = Vec::new();
        let decoded = Raw.decode(Kind::Text, &bytes, &mut value);
        prop_assert_eq!(decoded.is_ok(), std::str::from_utf8(&bytes).is_ok());
        let _ = Raw.decode_string(Kind::Text, &bytes, "primus::");
        let _ = Raw.encode(&bytes, &mut Vec::new());
    }
}
