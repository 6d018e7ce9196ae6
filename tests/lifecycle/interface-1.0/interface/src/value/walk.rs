//! Walks over an encoded value and tells a visitor what is there: how a parser encodes without building a tree.

use super::reader::{Next, Reader};
use super::{Date, DecodeError};

/// What [`walk`] calls, in the order of the encoding.
///
/// Between `begin_array` and its `end_array` come the elements; between `begin_object` and its `end_object` a `key` before each
/// value. Integers come as `i64` where they fit. A key may come twice, as it may in JSON: the last one counts.
pub trait Visit {
    /// What stops the walk.
    type Error: From<DecodeError>;

    /// `null`.
    fn null(&mut self) -> Result<(), Self::Error>;
    /// A truth value.
    fn bool(&mut self, value: bool) -> Result<(), Self::Error>;
    /// An integer.
    fn i64(&mut self, value: i64) -> Result<(), Self::Error>;
    /// An integer above `i64::MAX`.
    fn u64(&mut self, value: u64) -> Result<(), Self::Error>;
    /// A number of single precision.
    fn f32(&mut self, value: f32) -> Result<(), Self::Error> {
        self.f64(f64::from(value))
    }
    /// A number.
    fn f64(&mut self, value: f64) -> Result<(), Self::Error>;
    /// A text.
    fn str(&mut self, value: &str) -> Result<(), Self::Error>;
    /// A byte string.
    fn bytes(&mut self, value: &[u8]) -> Result<(), Self::Error>;
    /// A date.
    fn date(&mut self, value: Date) -> Result<(), Self::Error>;
    /// An array begins. The length is `None` where the encoding doesn't say it, and at most the number of bytes that follow.
    fn begin_array(&mut self, len: Option<usize>) -> Result<(), Self::Error>;
    /// The array ends.
    fn end_array(&mut self) -> Result<(), Self::Error>;
    /// An object begins. The number of pairs is `None` where the encoding doesn't say it.
    fn begin_object(&mut self, len: Option<usize>) -> Result<(), Self::Error>;
    /// The key of the value that comes next.
    fn key(&mut self, key: &str) -> Result<(), Self::Error>;
    /// The object ends.
    fn end_object(&mut self) -> Result<(), Self::Error>;
}

/// Walks over exactly one encoded value.
///
/// # Errors
///
/// The bytes aren't one encoded value, or the visitor stops.
pub fn walk<V: Visit>(encoded: &[u8], visitor: &mut V) -> Result<(), V::Error> {
    let mut reader = Reader::new(encoded);
    step(&mut reader, visitor)?;
    Ok(reader.finish()?)
}

/// Reads over one value and checks it.
pub(super) fn check(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    step(reader, &mut Check)
}

fn step<V: Visit>(reader: &mut Reader<'_>, visitor: &mut V) -> Result<(), V::Error> {
    match reader.peek()? {
        Next::Null => {
            reader.null()?;
            visitor.null()
        }
        Next::Bool => visitor.bool(reader.bool()?),
        Next::Unsigned => {
            let value = reader.unsigned()?;
            match i64::try_from(value) {
                Ok(value) => visitor.i64(value),
                Err(_) => visitor.u64(value),
            }
        }
        Next::Negative => visitor.i64(reader.signed()?),
        Next::F32 => visitor.f32(reader.f32()?),
        Next::F64 => visitor.f64(reader.f64()?),
        Next::Text => visitor.str(&reader.text()?),
        Next::Bytes => visitor.bytes(&reader.bytes()?),
        Next::Date => visitor.date(reader.date()?),
        Next::Array => {
            let mut left = reader.enter_array()?;
            visitor.begin_array(reader.at_most(left))?;
            while reader.has_next(&mut left)? {
                step(reader, visitor)?;
            }
            reader.leave();
            visitor.end_array()
        }
        Next::Object => {
            let mut left = reader.enter_object()?;
            visitor.begin_object(reader.at_most(left))?;
            while reader.has_next(&mut left)? {
                visitor.key(&reader.text()?)?;
                step(reader, visitor)?;
            }
            reader.leave();
            visitor.end_object()
        }
    }
}

/// Wants to know nothing: what the reader checks is checked.
struct Check;

impl Visit for Check {
    type Error = DecodeError;

    fn null(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }
    fn bool(&mut self, _: bool) -> Result<(), DecodeError> {
        Ok(())
    }
    fn i64(&mut self, _: i64) -> Result<(), DecodeError> {
        Ok(())
    }
    fn u64(&mut self, _: u64) -> Result<(), DecodeError> {
        Ok(())
    }
    fn f64(&mut self, _: f64) -> Result<(), DecodeError> {
        Ok(())
    }
    fn str(&mut self, _: &str) -> Result<(), DecodeError> {
        Ok(())
    }
    fn bytes(&mut self, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
    fn date(&mut self, _: Date) -> Result<(), DecodeError> {
        Ok(())
    }
    fn begin_array(&mut self, _: Option<usize>) -> Result<(), DecodeError> {
        Ok(())
    }
    fn end_array(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }
    fn begin_object(&mut self, _: Option<usize>) -> Result<(), DecodeError> {
        Ok(())
    }
    fn key(&mut self, _: &str) -> Result<(), DecodeError> {
        Ok(())
    }
    fn end_object(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }
}
