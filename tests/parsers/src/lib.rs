//! Messages as the npm packages of Primus's parsers write them, byte by byte: `vectors.json`, made by `generate.js`, for the unit
//! tests of the parsers.
//!
//! JSON lacks some of a message's values. There, an object with one of these keys stands for one: `@date` with milliseconds,
//! `@bytes` with hexadecimal digits, `@number` with the name of a number that JSON doesn't have.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use plugin_api::value::{self, Date, Map, Value};
use plugin_api::{Kind, Parser};
use proptest::prelude::*;
use serde::Deserialize;

/// One message of one format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    wire: Wire,
    /// What the server's application gets of the wire.
    read: Value,
    /// What the server's application writes to have that wire sent, where that isn't what it gets.
    written: Option<Value>,
    /// The server never writes it so.
    #[serde(default)]
    only_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wire {
    Text(String),
    Hex(String),
}

/// Checks that a parser reads and writes all vectors of its name.
///
/// # Panics
///
/// It doesn't; or there are none.
#[track_caller]
pub fn check(parser: &impl Parser) {
    let mut all: HashMap<String, Vec<Vector>> =
        serde_json::from_str(include_str!("../vectors.json")).expect("generate.js writes vectors");
    let vectors = all.remove(parser.name()).unwrap_or_default();
    assert!(!vectors.is_empty(), "there are no vectors for {}", parser.name());
    for Vector { name, wire, read, written, only_read } in vectors {
        let (kind, bytes) = match wire {
            Wire::Text(text) => (Kind::Text, text.into_bytes()),
            Wire::Hex(digits) => (Kind::Binary, hex(&digits)),
        };
        let expected = untagged(&read);
        let mut encoded = Vec::new();
        if let Err(error) = parser.decode(kind, &bytes, &mut encoded) {
            panic!("{name}: {error}\n{}", bytes.escape_ascii());
        }
        let found: Value = value::decode(&encoded).expect("a parser makes values");
        assert!(is_same(&found, &expected), "{name}: read as\n{found:?} and not as\n{expected:?}");
        if only_read {
            continue;
        }
        let value = written.map_or(expected, |written| untagged(&written));
        let mut found = Vec::new();
        let kind_found = match parser.encode(&value::to_vec(&value).expect("a value can be encoded"), &mut found) {
            Ok(kind) => kind,
            Err(error) => panic!("{name}: {error}"),
        };
        assert_eq!(kind_found, Some(kind), "{name}");
        assert_eq!(found.escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{name}");
    }
}

/// Whether two values are the same to JavaScript: a number is a number whichever way it came, and NaN is itself.
pub fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().zip(right.iter()).all(|(left, right)| left.0 == right.0 && is_same(left.1, right.1))
        }
        _ if left == right => true,
        _ => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => left == right || left.is_nan() && right.is_nan(),
            _ => false,
        },
    }
}

/// Any value that JavaScript can have too.
pub fn any_value() -> impl Strategy<Value = Value> {
    const EXACT: i64 = 1 << 53;
    const DATES: i64 = 8_640_000_000_000_000;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-EXACT..=EXACT).prop_map(Value::from),
        (-300_i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<f32>().prop_map(|number| Value::from(f64::from(number))),
        any::<String>().prop_map(Value::from),
        r"\$?(date|binary|escape|type|value|InfNaN|[a-z]{0,20})".prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::Binary),
        (-DATES..=DATES).prop_map(|ms| Value::Date(Date(ms))),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        let key = prop_oneof![any::<String>(), r"\$?(date|binary|escape|type|value|InfNaN|regexp|flags)"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..20).prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map>())),
        ]
    })
}

/// The value that one with tags stands for.
fn untagged(tagged: &Value) -> Value {
    match tagged {
        Value::Array(values) => Value::Array(values.iter().map(untagged).collect()),
        Value::Object(pairs) => match tag(pairs) {
            Some(("@date", Value::I64(ms))) => Value::Date(Date(*ms)),
            Some(("@bytes", Value::String(digits))) => Value::Binary(hex(digits)),
            Some(("@number", Value::String(name))) => Value::F64(name.parse().expect("it is a number's name")),
            _ => Value::Object(pairs.iter().map(|(key, value)| (key.to_owned(), untagged(value))).collect()),
        },
        plain => plain.clone(),
    }
}

fn tag(pairs: &Map) -> Option<(&str, &Value)> {
    let mut pairs = pairs.iter();
    pairs.next().filter(|_| pairs.next().is_none())
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("they are hexadecimal digits");
    (0..digits.len()).step_by(2).map(digit).collect()
}
