//! What the encoding promises.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::*;

/// Checks that a value of a type comes back as it was.
#[track_caller]
fn round_trip<T>(value: T)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    let encoded = to_vec(&value).unwrap();
    assert_eq!(decode::<T>(&encoded).unwrap(), value, "{encoded:02x?}");
    Encoded::new(&encoded).unwrap();
}

/// An encoding written down as hexadecimal digits.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i8, i8),
    Box { width: u16, height: Option<u16> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    order_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    made: Date,
    #[serde(with = "serde_bytes")]
    seal: Vec<u8>,
    shapes: Vec<Shape>,
    by_number: BTreeMap<i32, char>,
}

fn order() -> Order {
    Order {
        order_id: u64::MAX,
        note: None,
        made: Date(-1),
        seal: vec![0, 255],
        shapes: vec![Shape::Empty, Shape::Circle(0.1), Shape::Line(-128, 127), Shape::Box { width: 9, height: None }],
        by_number: BTreeMap::from([(-5, 'ß'), (7, '\u{2028}')]),
    }
}

#[test]
fn types_come_back_as_they_were() {
    round_trip(order());
    round_trip(((), true, 'x', "text".to_owned(), i64::MIN, u64::MAX, 0.1_f32, f64::MIN_POSITIVE));
    round_trip(HashMap::from([(true, Some(Some(1))), (false, None)]));
    round_trip(std::net::IpAddr::from([127, 0, 0, 1]));
    round_trip(vec![vec![[1_u8, 2, 3]]; 3]);
    round_trip(i128::from(i64::MIN));
    round_trip(DisjointUnion::Left { left: 1 });
    round_trip(DisjointUnion::Right("right".to_owned()));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum DisjointUnion {
    Left { left: u8 },
    Right(String),
}

#[test]
fn a_type_is_written_as_serde_json_writes_it() {
    let mut order = order();
    order.note = Some("a note".to_owned());
    let mut tree = to_value(&order).unwrap();
    let Value::Object(pairs) = &mut tree else { panic!("{tree:?}") };
    assert_eq!(pairs.insert("seal", [0, 255]), Some(Value::Binary(vec![0, 255])), "which JSON has not");
    assert_eq!(pairs.insert("made", -1), Some(Value::Date(Date(-1))), "which JSON has not");
    assert_eq!(tree, serde_json::from_str(&serde_json::to_string(&order).unwrap()).unwrap());
}

#[test]
fn the_bytes_are_those_of_rfc_8949() {
    assert_eq!(to_vec(&Value::from([1_i64, -500])).unwrap(), hex("82 01 39 01f3"));
    assert_eq!(to_vec(&Value::Object(Map::from([("a", true)]))).unwrap(), hex("a1 61 61 f5"));
    assert_eq!(to_vec(&Value::Binary(vec![1, 2])).unwrap(), hex("42 01 02"));
    assert_eq!(to_vec(&Value::F64(1.5)).unwrap(), hex("fb 3ff8000000000000"));
    assert_eq!(to_vec(&Date(1_000)).unwrap(), hex("c1 19 03e8"));
}

#[test]
fn texts_and_bytes_are_borrowed_from_the_encoding() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Borrowed<'a> {
        text: &'a str,
        #[serde(borrow, with = "serde_bytes")]
        bytes: std::borrow::Cow<'a, [u8]>,
    }

    let value = Borrowed { text: "borrowed", bytes: (&b"bytes"[..]).into() };
    let encoded = to_vec(&value).unwrap();
    let decoded: Borrowed<'_> = decode(&encoded).unwrap();
    assert_eq!(decoded, value);
    assert!(matches!(decoded.bytes, std::borrow::Cow::Borrowed(_)));
}

#[test]
fn indefinite_lengths_and_chunks_are_read() {
    let object = hex("bf 61 61 9f 01 ff 62 6262 5f 41 01 42 0203 ff ff");
    let expected = Map::from([("a", Value::from([1])), ("bb", Value::Binary(vec![1, 2, 3]))]);
    assert_eq!(decode::<Value>(&object).unwrap(), Value::Object(expected));
    assert_eq!(decode::<String>(&hex("7f 61 61 61 62 ff")).unwrap(), "ab");
    assert_eq!(decode::<(u8, Vec<u8>)>(&hex("9f 01 9f 02 ff ff")).unwrap(), (1, vec![2]));
}

#[test]
fn of_a_key_that_comes_twice_the_last_value_counts_in_the_first_place() {
    let twice = hex("a3 61 61 01 61 62 02 61 61 03");
    let expected = Map::from([("a", 3), ("b", 2)]);
    assert_eq!(decode::<Map>(&twice).unwrap(), expected);
    assert_eq!(decode::<Map>(&twice).unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_large_object_has_each_key_once_too() {
    let numbered = |count: i64| (0..count).map(|n| ((n % 500).to_string(), Value::I64(n)));
    let map: Map = numbered(1_500).collect();
    assert_eq!(map.len(), 500);
    assert!(map.keys().eq((0..500).map(|n| n.to_string()).collect::<Vec<_>>()));
    assert_eq!(map["499"], Value::I64(1_499));
}

#[test]
fn a_whole_number_fits_an_integer_field_whichever_way_it_was_written() {
    let float = |number: f64| to_vec(&number).unwrap();
    assert_eq!(decode::<u64>(&float(1_099_511_627_776.0)).unwrap(), 1 << 40);
    assert_eq!(decode::<i8>(&float(-7.0)).unwrap(), -7);
    assert_eq!(decode::<f64>(&to_vec(&7).unwrap()).unwrap(), 7.0);
    for refused in [0.5, f64::NAN, f64::INFINITY, 1e300, -1.0] {
        decode::<u64>(&float(refused)).unwrap_err();
    }
}

#[test]
fn a_number_of_javascript_is_an_integer_where_it_can_be() {
    let written = |number| decode::<Value>(&to_vec(&Number(number)).unwrap()).unwrap();
    assert_eq!(written(7.0), Value::I64(7));
    assert_eq!(written(-0.0), Value::I64(0));
    assert_eq!(written(7.5), Value::F64(7.5));
    assert_eq!(written(1e300), Value::F64(1e300));
    assert_eq!(decode::<Number>(&to_vec(&7).unwrap()).unwrap(), Number(7.0));
}

#[test]
fn a_struct_is_no_array() {
    decode::<Order>(&to_vec(&(1, 2)).unwrap()).unwrap_err();
    decode::<Shape>(&to_vec(&HashMap::from([("Box", [1, 2])])).unwrap()).unwrap_err();
}

#[test]
fn an_empty_array_is_nothing_for_those_who_want_nothing() {
    decode::<()>(&hex("80")).unwrap();
    decode::<((), u8)>(&hex("82 9fff 01")).unwrap();
    decode::<()>(&hex("81 01")).unwrap_err();
    assert_eq!(decode::<Value>(&hex("80")).unwrap(), Value::Array(Vec::new()));
}

#[test]
fn a_date_is_a_number_of_milliseconds_for_those_who_know_no_dates() {
    let encoded = to_vec(&Date(1_700_000_000_000)).unwrap();
    assert_eq!(decode::<Value>(&encoded).unwrap(), Value::Date(Date(1_700_000_000_000)));
    assert_eq!(decode::<i64>(&encoded).unwrap(), 1_700_000_000_000);
    assert_eq!(decode::<f64>(&encoded).unwrap(), 1_700_000_000_000.0);
    assert_eq!(decode::<serde_json::Value>(&encoded).unwrap(), 1_700_000_000_000_i64);
    assert_eq!(serde_json::to_string(&Date(5)).unwrap(), "5");
    assert_eq!(serde_json::from_str::<Date>("5").unwrap(), Date(5));
}

#[test]
fn a_date_is_written_as_javascript_writes_it() {
    let iso = |ms| Date(ms).to_iso().map(|iso| iso.to_string());
    // Node 20: new Date(ms).toISOString()
    let written = [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_700_000_000_000, "2023-11-14T22:13:20.000Z"),
        (951_827_696_789, "2000-02-29T12:34:56.789Z"),
        (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
        (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
        (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
    ];
    for (ms, text) in written {
        assert_eq!(iso(ms).as_deref(), Some(text));
    }
    assert_eq!(iso(8_640_000_000_000_001), None);
    assert_eq!(iso(i64::MIN), None);
}

#[test]
fn a_part_is_passed_on_without_being_looked_into() {
    let inner = to_vec(&(Date(1), [0_u8, 1], "x")).unwrap();
    let outer = to_vec(&BTreeMap::from([("data", Encoded::new(&inner).unwrap())])).unwrap();
    let unpacked: BTreeMap<&str, Encoded<'_>> = decode(&outer).unwrap();
    assert_eq!(unpacked["data"].as_bytes(), inner);
    assert_eq!(unpacked["data"].decode::<(Date, Vec<u8>, &str)>().unwrap(), (Date(1), vec![0, 1], "x"));
    Encoded::new(&inner[1..]).unwrap_err();
}

#[test]
fn an_error_says_where_it_is() {
    let order = to_vec(&serde_json::json!({
        "orderId": 1, "made": 2, "seal": [], "byNumber": {}, "shapes": ["Empty", {"Box": {"width": true}}]
    }))
    .unwrap();
    let error = decode::<Order>(&order).unwrap_err();
    assert_eq!(error.path(), "shapes[1].Box.width");
    assert_eq!(order[error.offset().unwrap()], 0xf5, "the byte that is true");
    assert!(error.to_string().starts_with("invalid type: boolean `true`, expected u16 (at shapes[1].Box.width"), "{error}");
}

#[test]
fn what_is_not_one_value_is_refused() {
    let refused = |digits| decode::<Value>(&hex(digits)).unwrap_err().kind().clone();
    assert_eq!(refused(""), DecodeErrorKind::Truncated);
    assert_eq!(refused("61"), DecodeErrorKind::Truncated);
    assert_eq!(refused("82 01"), DecodeErrorKind::Truncated);
    assert_eq!(refused("9f 01"), DecodeErrorKind::Truncated);
    assert_eq!(refused("01 01"), DecodeErrorKind::Trailing);
    let malformed = [
        ("a length that is reserved", "1c"),
        ("an end without a beginning", "ff"),
        ("an end within a definite array", "81 ff"),
        ("half a pair", "bf 61 61 ff"),
        ("a key that is no text", "a1 01 01"),
        ("invalid UTF-8", "61 ff"),
        ("a chunk of another type", "7f 41 01 ff"),
        ("another tag", "c2 41 01"),
        ("a date that is no integer", "c1 61 61"),
        ("undefined", "f7"),
        ("a half-precision float", "f9 0000"),
        ("an integer below i64::MIN", "3b 8000000000000000"),
    ];
    for (what, digits) in malformed {
        assert!(matches!(refused(digits), DecodeErrorKind::Malformed(_)), "{what}");
        decode::<IgnoredAny>(&hex(digits)).expect_err(what);
        Encoded::new(&hex(digits)).expect_err(what);
    }
}

#[test]
fn a_length_that_lies_reserves_nothing() {
    // 2^62 elements: a reservation of that size would abort.
    for head in ["9b", "bb", "5b", "7b"] {
        let mut lie = hex(head);
        lie.extend(hex("4000000000000000 00"));
        decode::<Value>(&lie).unwrap_err();
        decode::<Vec<[u64; 8]>>(&lie).unwrap_err();
        decode::<HashMap<String, Value>>(&lie).unwrap_err();
    }
}

#[test]
fn nesting_ends_at_the_limit_both_ways() {
    let nested = |depth| (1..depth).fold(Value::Array(Vec::new()), |inner, _| Value::Array(vec![inner]));
    let deepest = to_vec(&nested(DEPTH_LIMIT)).unwrap();
    decode::<Value>(&deepest).unwrap();
    decode::<IgnoredAny>(&deepest).unwrap();
    assert_eq!(to_vec(&nested(DEPTH_LIMIT + 1)), Err(EncodeError::Depth));

    let deeper = [vec![0x81], deepest].concat();
    assert_eq!(decode::<Value>(&deeper).unwrap_err().kind(), &DecodeErrorKind::Depth);
    assert_eq!(decode::<IgnoredAny>(&deeper).unwrap_err().kind(), &DecodeErrorKind::Depth);
    let deepest_by_far = vec![0x9f; 1_000_000];
    assert_eq!(decode::<Value>(&deepest_by_far).unwrap_err().kind(), &DecodeErrorKind::Depth);
}

#[test]
fn neighbours_do_not_add_to_the_depth() {
    let flat = vec![Shape::Line(1, 2), Shape::Box { width: 1, height: None }, Shape::Circle(1.0), Shape::Empty];
    round_trip(
        (0..200).map(|_| &flat).flat_map(|shapes| shapes.iter()).map(|shape| to_value(shape).unwrap()).collect::<Value>(),
    );
}

#[test]
fn what_cannot_be_said_is_refused_and_leaves_no_trace() {
    struct Liar;
    impl Serialize for Liar {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut seq = serializer.serialize_seq(Some(3))?;
            seq.serialize_element("only one")?;
            seq.end()
        }
    }

    let mut out = b"before".to_vec();
    assert_eq!(encode(&Liar, &mut out), Err(EncodeError::Length { announced: 3, given: 1 }));
    assert_eq!(encode(&HashMap::from([((1, 2), 3)]), &mut out), Err(EncodeError::Key("an array")));
    assert_eq!(encode(&[u128::MAX], &mut out), Err(EncodeError::Integer(u128::MAX.to_string())));
    assert_eq!(out, b"before");
}

#[test]
fn an_object_keeps_its_order_when_it_changes() {
    let mut map = Map::from([("b", 1), ("a", 2)]);
    assert_eq!(map.insert("b", 3), Some(Value::I64(1)));
    map["c"] = Value::Null;
    assert_eq!(map.remove("a"), Some(Value::I64(2)));
    assert!(map.iter().eq([("b", &Value::I64(3)), ("c", &Value::Null)]));
    assert_eq!(map["absent"], Value::Null);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::Binary),
        any::<i64>().prop_map(|ms| Value::Date(Date(ms))),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((".{0,3}", inner), 0..40).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Writes the pieces that [`walk`] reports with the [`Writer`], all lengths indefinite.
struct Rewrite<'a>(Writer<'a>);

impl Visit for Rewrite<'_> {
    type Error = DecodeError;

    fn null(&mut self) -> Result<(), DecodeError> {
        self.0.null();
        Ok(())
    }
    fn bool(&mut self, value: bool) -> Result<(), DecodeError> {
        self.0.bool(value);
        Ok(())
    }
    fn i64(&mut self, value: i64) -> Result<(), DecodeError> {
        self.0.i64(value);
        Ok(())
    }
    fn u64(&mut self, value: u64) -> Result<(), DecodeError> {
        self.0.u64(value);
        Ok(())
    }
    fn f64(&mut self, value: f64) -> Result<(), DecodeError> {
        self.0.f64(value);
        Ok(())
    }
    fn str(&mut self, value: &str) -> Result<(), DecodeError> {
        self.0.str(value);
        Ok(())
    }
    fn bytes(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.0.bytes(value);
        Ok(())
    }
    fn date(&mut self, value: Date) -> Result<(), DecodeError> {
        self.0.date(value);
        Ok(())
    }
    fn begin_array(&mut self, _: Option<usize>) -> Result<(), DecodeError> {
        self.0.array(None);
        Ok(())
    }
    fn end_array(&mut self) -> Result<(), DecodeError> {
        self.0.end();
        Ok(())
    }
    fn begin_object(&mut self, _: Option<usize>) -> Result<(), DecodeError> {
        self.0.object(None);
        Ok(())
    }
    fn key(&mut self, key: &str) -> Result<(), DecodeError> {
        self.0.str(key);
        Ok(())
    }
    fn end_object(&mut self) -> Result<(), DecodeError> {
        self.0.end();
        Ok(())
    }
}

/// Every way of reading bytes.
fn read_every_way(bytes: &[u8]) {
    let value = decode::<Value>(bytes);
    assert_eq!(decode::<IgnoredAny>(bytes).is_ok(), value.is_ok());
    assert_eq!(Encoded::new(bytes).is_ok(), value.is_ok());
    let mut rewritten = Vec::new();
    let walked = walk(bytes, &mut Rewrite(Writer::new(&mut rewritten)));
    assert_eq!(walked.is_ok(), value.is_ok());
    if let Ok(value) = value {
        assert_eq!(to_vec(&decode::<Value>(&rewritten).unwrap()).unwrap(), to_vec(&value).unwrap());
    }
    let _ = decode::<Order>(bytes);
    let _ = decode::<Shape>(bytes);
    let _ = decode::<DisjointUnion>(bytes);
    let _ = decode::<serde_json::Value>(bytes);
    let _ = decode::<HashMap<u64, Vec<Option<u8>>>>(bytes);
}

/// Values as JSON has them.
fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_comes_back_as_it_was(value in any_value()) {
        let encoded = to_vec(&value).unwrap();
        let decoded: Value = decode(&encoded).unwrap();
        // NaN isn't equal to itself: the encodings are compared too.
        prop_assert_eq!(to_vec(&decoded).unwrap(), encoded);
        prop_assert_eq!(format!("{decoded:?}"), format!("{value:?}"));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>()) {
        read_every_way(&bytes);
    }

    #[test]
    fn any_damage_to_an_encoding_is_a_value_or_an_error(
        value in any_value(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = to_vec(&value).unwrap();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read_every_way(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        read_every_way(&bytes);
    }

    #[test]
    fn json_comes_through_as_serde_json_reads_it(json in json_value()) {
        let text = json.to_string();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut encoded = Vec::new();
        encode_from(&mut serde_json::Deserializer::from_str(&text), &mut encoded).unwrap();
        prop_assert_eq!(&decode::<serde_json::Value>(&encoded).unwrap(), &json);
        let tree: Value = decode(&encoded).unwrap();
        prop_assert_eq!(&serde_json::to_value(&tree).unwrap(), &json);
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), tree);
    }

    #[test]
    fn a_date_that_javascript_can_write_has_a_calendar_day(ms in -8_640_000_000_000_000_i64..=8_640_000_000_000_000) {
        let text = Date(ms).to_iso().unwrap().to_string();
        let fields: Vec<&str> = text.rsplitn(3, '-').collect();
        let (month, day): (u8, u8) = (fields[1].parse().unwrap(), fields[0][..2].parse().unwrap());
        prop_assert!((1..=12).contains(&month) && (1..=31).contains(&day), "{}", text);
        let next_day = Date(ms + 86_400_000).to_iso().map(|iso| iso.to_string());
        prop_assert_ne!(next_day.as_deref(), Some(text.as_str()));
    }
}
