//! A part of an encoded value that is kept as it is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::reader::Reader;
use super::walk::check;
use super::{DecodeError, ENCODED_TOKEN};

/// One encoded value, borrowed and checked, that nobody has looked into: a field that is only passed on.
///
/// Decoding one out of a larger value, and encoding it as part of another, copies nothing but its bytes. With other formats'
/// serializers it is a byte string, and other formats' deserializers can't give one.
///
/// ```
/// use plugin_api::value::{self, Encoded};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Envelope<'a> {
///     to: &'a str,
///     #[serde(borrow)]
///     what: Encoded<'a>,
/// }
///
/// let bytes = value::to_vec(&("ann", vec![1, 2, 3]))?;
/// let (to, what): (&str, Encoded) = value::decode(&bytes)?;
/// let packed = value::to_vec(&Envelope { to, what })?;
/// let unpacked: Envelope = value::decode(&packed)?;
/// assert_eq!(unpacked.what.decode::<Vec<u8>>()?, [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encoded<'a>(&'a [u8]);

impl<'a> Encoded<'a> {
    /// Checks that the bytes are exactly one encoded value.
    ///
    /// # Errors
    ///
    /// They aren't.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        check(&mut reader)?;
        reader.finish()?;
        Ok(Self(bytes))
    }

    /// Of bytes that this crate has just encoded or checked.
    pub(crate) fn checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.0.first().is_some_and(|head| head >> 5 == 4)
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.0 == [0xf6]
    }

    /// The encoding.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value as a type of one's own.
    ///
    /// # Errors
    ///
    /// The value isn't of that type.
    pub fn decode<T: Deserialize<'a>>(self) -> Result<T, DecodeError> {
        super::decode(self.0)
    }
}

impl fmt::Debug for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decode::<super::Value>() {
            Ok(value) => value.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(ENCODED_TOKEN, serde_bytes::Bytes::new(self.0))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Encoded<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EncodedVisitor;

        impl<'de> Visitor<'de> for EncodedVisitor {
            type Value = Encoded<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part of an encoded value")
            }

            /// Only this module's deserializer answers the token with borrowed bytes that it has checked.
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Encoded<'de>, E> {
                Ok(Encoded::checked(bytes))
            }
        }

        deserializer.deserialize_newtype_struct(ENCODED_TOKEN, EncodedVisitor)
    }
}
