//! Values of messages: what a parser makes of wire bytes, and what hooks and applications read and write.
//!
//! A value crosses the boundary between host and plugins encoded, never as a tree: one slice of bytes that any `T: Deserialize` is
//! read from, with text and byte strings borrowed, and any `T: Serialize` is written to. [`Value`] is the tree for those who don't
//! know the type. Start reading with [`encode`] and [`decode`].
//!
//! # The encoding
//!
//! CBOR (RFC 8949), of which it uses: integers from `i64::MIN` to `u64::MAX`, floats of single and double precision, `false`, `true`,
//! `null`, text, byte strings, arrays and maps, each of definite or indefinite length. Keys of maps are text; one that comes twice
//! counts as JavaScript counts it: the last value, in the first one's place. Arrays and maps nest at most [`DEPTH_LIMIT`] deep. Other
//! tags than 1, other simple values and half-precision floats are refused.
//!
//! One thing differs from RFC 8949: a date is tag 1 around an integer of *milliseconds* since the epoch (section 3.4.2 wants seconds,
//! in which a float can't hold every date exactly). The encoding never leaves the process, so nobody else reads it.
//!
//! # Numbers
//!
//! JavaScript has one type of number, and parsers write what they find: `1` and `1.0` are an integer and a float in the encoding. A
//! field of an integer type takes both, if the number is whole and in range; a field of a float type takes both. [`Number`] writes an
//! integer wherever the number is one.
//!
//! # Byte strings
//!
//! serde writes a `Vec<u8>` as an array of numbers, unless the field says otherwise: `#[serde(with = "serde_bytes")]`. Both are read.
//!
//! Knows nothing of any parser's format, of messages or of the ABI.

mod date;
mod deserializer;
mod encoded;
mod error;
mod key;
mod map;
mod number;
mod reader;
mod serializer;
mod transcode;
mod tree;
mod walk;
mod writer;


use serde::{Deserialize, Serialize};

pub use self::date::{Date, Iso};
pub use self::deserializer::Deserializer;
pub use self::encoded::Encoded;
pub use self::error::{DecodeError, DecodeErrorKind, EncodeError};
pub use self::map::Map;
pub use self::number::Number;
pub use self::serializer::{Compound, Serializer};
pub use self::transcode::encode_from;
pub use self::tree::Value;
pub use self::walk::{Visit, walk};
pub use self::writer::Writer;

/// How deep arrays and objects may lie in each other: `[[1]]` is 2 deep. An enum's variant with content counts as an object.
pub const DEPTH_LIMIT: usize = 128;

/// The tag of dates (RFC 8949, section 3.4.2; but see this module's documentation).
const DATE_TAG: u64 = 1;

// Names of newtype structs by which this module's types and its serializer and deserializer know each other.
const DATE_TOKEN: &str = "$switchboard::Date";
const VALUE_TOKEN: &str = "$switchboard::Value";
const ENCODED_TOKEN: &str = "$switchboard::Encoded";

/// Appends the encoding of a value.
///
/// # Errors
///
/// The value's type has something that no message can say: see [`EncodeError`]. `out` is as it was.
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let result = value.serialize(&mut Serializer::new(out));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// The encoding of a value.
///
/// # Errors
///
/// As [`encode`].
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut encoded = Vec::new();
    encode(value, &mut encoded)?;
    Ok(encoded)
}

/// Reads exactly one encoded value.
///
/// ```
/// # use plugin_api::value;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Said<'a> {
///     by: &'a str,
///     text: &'a str,
/// }
///
/// let encoded = value::to_vec(&Said { by: "ann", text: "hello" })?;
/// let said: Said = value::decode(&encoded)?; // borrows its texts from the encoding
/// assert_eq!(said.text, "hello");
///
/// let error = value::decode::<Vec<Said>>(&value::to_vec(&[(1, 2)])?).err().unwrap();
/// assert_eq!(error.path(), "[0]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The bytes aren't one encoded value, or it isn't of that type: the error says what, and where.
pub fn decode<'de, T: Deserialize<'de>>(encoded: &'de [u8]) -> Result<T, DecodeError> {
    let mut deserializer = Deserializer::new(encoded);
    let value = T::deserialize(&mut deserializer)?;
    deserializer.finish()?;
    Ok(value)
}

/// A value of any type as a tree.
///
/// # Errors
///
/// As [`encode`].
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, EncodeError> {
    // What was just encoded can be decoded, as the tests of this module have it.
    decode(&to_vec(value)?).map_err(serde::ser::Error::custom)
}

/// A tree as a value of one's own type.
///
/// # Errors
///
/// The tree isn't of that type.
pub fn from_value<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    let encoded = to_vec(value).map_err(serde::de::Error::custom)?;
    decode(&encoded)
}
