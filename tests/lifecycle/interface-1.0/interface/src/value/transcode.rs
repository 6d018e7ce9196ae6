//! From another format's deserializer into the encoding, without a tree between.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::{EncodeError, Serializer};

/// Appends the encoding of what `deserializer` reads: any self-describing format.
///
/// An object's pairs are passed on as they come, one that comes twice included: the last one counts when it is decoded. What
/// was appended before an error is taken away.
///
/// ```
/// use plugin_api::value::{self, Value};
///
/// let mut encoded = Vec::new();
/// let mut json = serde_json::Deserializer::from_str(r#"{"hello": [1, 2.5, null]}"#);
/// value::encode_from(&mut json, &mut encoded)?;
/// assert_eq!(value::decode::<Value>(&encoded)?.get("hello").and_then(|list| list.at(1)), Some(&Value::F64(2.5)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The deserializer's own, or its value is nested too deeply or has a key that isn't text.
pub fn encode_from<'de, D: Deserializer<'de>>(deserializer: D, out: &mut Vec<u8>) -> Result<(), D::Error> {
    let start = out.len();
    let mut serializer = Serializer::new(out);
    let result = Transcoder(&mut serializer).deserialize(deserializer);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Writes one value that a deserializer reads.
struct Transcoder<'s, 'a>(&'s mut Serializer<'a>);

impl<'de> DeserializeSeed<'de> for Transcoder<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! written {
    ($($visit:ident($argument:ty) => $write:ident,)*) => {
        $(fn $visit<E: Error>(self, value: $argument) -> Result<(), E> {
            self.0.writer().$write(value);
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for Transcoder<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    written! {
        visit_bool(bool) => bool,
        visit_i64(i64) => i64,
        visit_u64(u64) => u64,
        visit_f32(f32) => f32,
        visit_f64(f64) => f64,
        visit_str(&str) => str,
        visit_bytes(&[u8]) => bytes,
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        serde::Serializer::serialize_i128(self.0, value).map_err(E::custom)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        serde::Serializer::serialize_u128(self.0, value).map_err(E::custom)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.writer().null();
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.0.enter().map_err(A::Error::custom)?;
        self.0.writer().array(None);
        while elements.next_element_seed(Transcoder(self.0))?.is_some() {}
        self.0.writer().end();
        self.0.leave();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        self.0.enter().map_err(A::Error::custom)?;
        self.0.writer().object(None);
        while pairs.next_key_seed(Key(self.0))?.is_some() {
            pairs.next_value_seed(Transcoder(self.0))?;
        }
        self.0.writer().end();
        self.0.leave();
        Ok(())
    }
}

/// Writes one key that a deserializer reads.
struct Key<'s, 'a>(&'s mut Serializer<'a>);

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! key_from_number {
    ($($visit:ident($argument:ty),)*) => {
        $(fn $visit<E: Error>(self, value: $argument) -> Result<(), E> {
            self.visit_str(&value.to_string())
        })*
    };
}

impl<'de> Visitor<'de> for Key<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text as the key of an object")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        self.0.writer().str(key);
        Ok(())
    }

    key_from_number! {
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_f64(f64),
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<(), E> {
        Err(E::custom(EncodeError::Key("a byte string")))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.visit_str("null")
    }
}
