//! serde's way out of the encoding.

use std::borrow::Cow;

use serde::de::value::{I64Deserializer, SeqDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::key::KeyDeserializer;
use super::reader::{Left, Next, Reader};
use super::walk::check;
use super::{DATE_TOKEN, DecodeError, ENCODED_TOKEN, VALUE_TOKEN};

/// Reads a serde value from its encoding.
///
/// Text and byte strings can be borrowed from it (`&'de str`, `&'de [u8]`). Types are read as serde_json reads them, but a struct
/// is no array; and more is taken where nothing is lost: a whole number for an integer field whichever way it was written, a date for a number (its
/// milliseconds), a byte string for an array of numbers, an empty array for nothing.
///
/// Nothing in the bytes can make it panic, reserve memory beyond what the bytes themselves take, or recurse deeper than
/// [`DEPTH_LIMIT`](super::DEPTH_LIMIT).
pub struct Deserializer<'de> {
    reader: Reader<'de>,
}

impl<'de> Deserializer<'de> {
    /// Reads from `bytes`.
    pub fn new(bytes: &'de [u8]) -> Self {
        Self { reader: Reader::new(bytes) }
    }

    /// Fails unless all bytes are read.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Trailing`](super::DecodeErrorKind::Trailing).
    pub fn finish(&self) -> Result<(), DecodeError> {
        self.reader.finish()
    }

    /// For an integer field: floats that are whole numbers count as integers. Parsers of formats without integers bring them.
    fn deserialize_integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        let number = match self.reader.peek()? {
            Next::F32 => f64::from(self.reader.f32()?),
            Next::F64 => self.reader.f64()?,
            _ => return de::Deserializer::deserialize_any(self, visitor),
        };
        // The bounds are exact in f64, and so is every whole number between them.
        if number.trunc() != number {
            Err(de::Error::invalid_type(Unexpected::Float(number), &visitor))
        } else if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
            visitor.visit_i64(number as i64)
        } else if (0.0..18_446_744_073_709_551_616.0).contains(&number) {
            visitor.visit_u64(number as u64)
        } else {
            Err(de::Error::invalid_value(Unexpected::Float(number), &visitor))
        }
    }

    /// As a [`Value`](super::Value) reads: a date is told by `visit_enum`, which nothing else comes by.
    fn deserialize_marked<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.reader.peek()? {
            Next::Date => {
                let ms: I64Deserializer<DecodeError> = self.reader.date()?.0.into_deserializer();
                visitor.visit_enum(MarkedDate(ms))
            }
            _ => de::Deserializer::deserialize_any(self, visitor),
        }
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.deserialize_integer(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.reader.peek()? {
            Next::Null => {
                self.reader.null()?;
                visitor.visit_unit()
            }
            Next::Bool => visitor.visit_bool(self.reader.bool()?),
            Next::Unsigned => visitor.visit_u64(self.reader.unsigned()?),
            Next::Negative => visitor.visit_i64(self.reader.signed()?),
            Next::F32 => visitor.visit_f32(self.reader.f32()?),
            Next::F64 => visitor.visit_f64(self.reader.f64()?),
            Next::Text => match self.reader.text()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Next::Bytes => match self.reader.bytes()? {
                Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
                Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
            },
            Next::Date => visitor.visit_i64(self.reader.date()?.0),
            Next::Array => {
                let left = self.reader.enter_array()?;
                let mut elements = Elements { deserializer: self, left, index: 0 };
                let value = visitor.visit_seq(&mut elements)?;
                elements.finish()?;
                Ok(value)
            }
            Next::Object => {
                let left = self.reader.enter_object()?;
                let mut pairs = Pairs { deserializer: self, left, count: 0, key: Cow::Borrowed("") };
                let value = visitor.visit_map(&mut pairs)?;
                pairs.finish()?;
                Ok(value)
            }
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.reader.peek()? {
            Next::Null => {
                self.reader.null()?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    /// An empty list of arguments is nothing, as `null` is.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.reader.peek()? {
            Next::Array => {
                let left = self.reader.enter_array()?;
                Elements { deserializer: self, left, index: 0 }.finish()?;
                visitor.visit_unit()
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        match name {
            DATE_TOKEN => self.deserialize_integer(visitor),
            VALUE_TOKEN => self.deserialize_marked(visitor),
            ENCODED_TOKEN => {
                let start = self.reader.offset();
                check(&mut self.reader)?;
                visitor.visit_borrowed_bytes(self.reader.since(start))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.reader.peek()? {
            Next::Bytes => {
                let bytes = self.reader.bytes()?;
                let mut elements = SeqDeserializer::new(bytes.iter().copied());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(value)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    /// A struct is an object. Derived ones would take an array too, which a client may send where nobody expects it.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.reader.peek()? {
            Next::Array => Err(de::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.reader.peek()? {
            Next::Text => visitor.visit_enum(KeyDeserializer(self.reader.text()?)),
            Next::Object => {
                let left = self.reader.enter_object()?;
                let mut variant = Pairs { deserializer: self, left, count: 0, key: Cow::Borrowed("") };
                let value = visitor.visit_enum(&mut variant)?;
                variant.finish()?;
                Ok(value)
            }
            // The visitor knows no enum of this kind, and says what it had expected.
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        check(&mut self.reader)?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        true
    }

    forward_to_deserialize_any! {
        bool f32 f64 char str string bytes byte_buf unit_struct map identifier
    }
}

/// The elements of an array.
struct Elements<'d, 'de> {
    deserializer: &'d mut Deserializer<'de>,
    left: Left,
    index: usize,
}

impl Elements<'_, '_> {
    /// A visitor that has left elements unread has refused the array's length.
    fn finish(mut self) -> Result<(), DecodeError> {
        if self.deserializer.reader.has_next(&mut self.left)? {
            let expected = format!("an array of {} elements", self.index);
            return Err(de::Error::invalid_length(self.index + 1, &expected.as_str()));
        }
        self.deserializer.reader.leave();
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        if !self.deserializer.reader.has_next(&mut self.left)? {
            return Ok(None);
        }
        let offset = self.deserializer.reader.offset();
        let value = seed.deserialize(&mut *self.deserializer).map_err(|error| error.within_index(self.index, offset))?;
        self.index += 1;
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        self.deserializer.reader.at_most(self.left)
    }
}

/// The pairs of an object; or the only pair of an enum's variant.
struct Pairs<'d, 'de> {
    deserializer: &'d mut Deserializer<'de>,
    left: Left,
    count: usize,
    key: Cow<'de, str>,
}

impl<'de> Pairs<'_, 'de> {
    fn next_key(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        if !self.deserializer.reader.has_next(&mut self.left)? {
            return Ok(None);
        }
        self.count += 1;
        self.key = self.deserializer.reader.text()?;
        Ok(Some(self.key.clone()))
    }

    fn value<T>(&mut self, read: impl FnOnce(&mut Deserializer<'de>) -> Result<T, DecodeError>) -> Result<T, DecodeError> {
        let offset = self.deserializer.reader.offset();
        read(self.deserializer).map_err(|error| error.within_key(&self.key, offset))
    }

    fn finish(mut self) -> Result<(), DecodeError> {
        if self.deserializer.reader.has_next(&mut self.left)? {
            let expected = format!("an object of {} pairs", self.count);
            return Err(de::Error::invalid_length(self.count + 1, &expected.as_str()));
        }
        self.deserializer.reader.leave();
        Ok(())
    }
}

impl<'de> MapAccess<'de> for Pairs<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some(key) = self.next_key()? else { return Ok(None) };
        seed.deserialize(KeyDeserializer(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DecodeError> {
        self.value(|deserializer| seed.deserialize(deserializer))
    }

    fn size_hint(&self) -> Option<usize> {
        self.deserializer.reader.at_most(self.left)
    }
}

impl<'de> EnumAccess<'de> for &mut Pairs<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), DecodeError> {
        let Some(variant) = self.next_key()? else {
            return Err(de::Error::invalid_length(0, &"an object of 1 pair, the variant"));
        };
        Ok((seed.deserialize(KeyDeserializer(variant))?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Pairs<'_, 'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        self.value(|deserializer| <()>::deserialize(deserializer))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        self.value(|deserializer| seed.deserialize(deserializer))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.value(|deserializer| de::Deserializer::deserialize_tuple(deserializer, len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, DecodeError> {
        self.value(|deserializer| de::Deserializer::deserialize_struct(deserializer, "", fields, visitor))
    }
}

/// A text names a variant without content.
impl<'de> EnumAccess<'de> for KeyDeserializer<'de> {
    type Error = DecodeError;
    type Variant = NoContent;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, NoContent), DecodeError> {
        Ok((seed.deserialize(self)?, NoContent))
    }
}

pub(super) struct NoContent;

impl<'de> VariantAccess<'de> for NoContent {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, DecodeError> {
        Err(de::Error::invalid_type(Unexpected::UnitVariant, &"a variant with content"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        Err(de::Error::invalid_type(Unexpected::UnitVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, DecodeError> {
        Err(de::Error::invalid_type(Unexpected::UnitVariant, &visitor))
    }
}

/// A date for the visitor of a [`Value`](super::Value).
struct MarkedDate(I64Deserializer<DecodeError>);

impl<'de> EnumAccess<'de> for MarkedDate {
    type Error = DecodeError;
    type Variant = NoContent;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, NoContent), DecodeError> {
        Ok((seed.deserialize(self.0)?, NoContent))
    }
}
