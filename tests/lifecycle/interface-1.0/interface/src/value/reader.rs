//! Reads the encoding piece by piece: the level below [`Deserializer`](super::Deserializer) and [`walk`](super::walk()).
//!
//! Trusts nothing: no length is used to reserve memory, nesting is counted, text is checked.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::decode;

use super::{DATE_TAG, DEPTH_LIMIT, Date, DecodeError, DecodeErrorKind};

/// Numbers and lengths up to here are in the head itself (RFC 8949, section 3). Most keys and many numbers are: they are read without
/// the codec, whose results with its errors are wide.
const SHORT: u8 = 0x17;

/// What kind of piece comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Null,
    Bool,
    Unsigned,
    Negative,
    F32,
    F64,
    Text,
    Bytes,
    Array,
    Object,
    Date,
}

/// How many elements an array, or pairs an object, still has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left {
    Known(u64),
    UntilEnd,
}

pub(super) struct Reader<'de> {
    decoder: Decoder<'de>,
    depth: usize,
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { decoder: Decoder::new(bytes), depth: 0 }
    }

    pub(super) fn offset(&self) -> usize {
        self.decoder.position()
    }

    /// The bytes from an earlier offset to here.
    pub(super) fn since(&self, offset: usize) -> &'de [u8] {
        &self.decoder.input()[offset..self.decoder.position()]
    }

    /// Fails unless all bytes are read.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        if self.offset() == self.decoder.input().len() { Ok(()) } else { Err(self.error(DecodeErrorKind::Trailing)) }
    }

    pub(super) fn peek(&self) -> Result<Next, DecodeError> {
        let Some(head) = self.head() else {
            return Err(self.error(DecodeErrorKind::Truncated));
        };
        Ok(match head {
            0x00..=0x1f => Next::Unsigned,
            0x20..=0x3f => Next::Negative,
            0x40..=0x5f => Next::Bytes,
            0x60..=0x7f => Next::Text,
            0x80..=0x9f => Next::Array,
            0xa0..=0xbf => Next::Object,
            0xc0..=0xdf => Next::Date,
            0xf4 | 0xf5 => Next::Bool,
            0xf6 => Next::Null,
            0xfa => Next::F32,
            0xfb => Next::F64,
            0xff => return Err(self.malformed("an end without an array or object")),
            _ => return Err(self.malformed("a simple value that is not in use")),
        })
    }

    pub(super) fn null(&mut self) -> Result<(), DecodeError> {
        let offset = self.offset();
        self.decoder.null().map_err(|error| codec_error(error, offset))
    }

    pub(super) fn bool(&mut self) -> Result<bool, DecodeError> {
        let offset = self.offset();
        self.decoder.bool().map_err(|error| codec_error(error, offset))
    }

    #[inline]
    pub(super) fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let offset = self.offset();
        if let Some(number @ 0..=SHORT) = self.head() {
            self.decoder.set_position(offset + 1);
            return Ok(number.into());
        }
        self.decoder.u64().map_err(|error| codec_error(error, offset))
    }

    pub(super) fn signed(&mut self) -> Result<i64, DecodeError> {
        let offset = self.offset();
        self.decoder.i64().map_err(|error| codec_error(error, offset))
    }

    pub(super) fn f32(&mut self) -> Result<f32, DecodeError> {
        let offset = self.offset();
        self.decoder.f32().map_err(|error| codec_error(error, offset))
    }

    pub(super) fn f64(&mut self) -> Result<f64, DecodeError> {
        let offset = self.offset();
        self.decoder.f64().map_err(|error| codec_error(error, offset))
    }

    /// A text; borrowed unless it comes in chunks.
    #[inline]
    pub(super) fn text(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        const TEXT: u8 = 0x60;
        const LONGEST: u8 = TEXT + SHORT;
        if let Some(head @ TEXT..=LONGEST) = self.head() {
            let start = self.offset() + 1;
            let end = start + usize::from(head - TEXT);
            if let Some(text) = self.decoder.input().get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok()) {
                self.decoder.set_position(end);
                return Ok(Cow::Borrowed(text));
            }
        }
        self.any_text()
    }

    /// A text of any length, or what is wrong with it.
    fn any_text(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        let offset = self.offset();
        let map = |error| codec_error(error, offset);
        if self.is_chunked() {
            let chunks = self.decoder.str_iter().map_err(map)?;
            let text = chunks.collect::<Result<String, _>>().map_err(map)?;
            return Ok(Cow::Owned(text));
        }
        self.decoder.str().map(Cow::Borrowed).map_err(map)
    }

    /// A byte string; borrowed unless it comes in chunks.
    pub(super) fn bytes(&mut self) -> Result<Cow<'de, [u8]>, DecodeError> {
        let offset = self.offset();
        let map = |error| codec_error(error, offset);
        if self.is_chunked() {
            let mut bytes = Vec::new();
            for chunk in self.decoder.bytes_iter().map_err(map)? {
                bytes.extend_from_slice(chunk.map_err(map)?);
            }
            return Ok(Cow::Owned(bytes));
        }
        self.decoder.bytes().map(Cow::Borrowed).map_err(map)
    }

    pub(super) fn date(&mut self) -> Result<Date, DecodeError> {
        let offset = self.offset();
        let tag = self.decoder.tag().map_err(|error| codec_error(error, offset))?;
        if tag.as_u64() != DATE_TAG {
            return Err(DecodeError::at(DecodeErrorKind::Malformed("a tag that is not in use"), offset));
        }
        self.signed().map(Date)
    }

    /// The head of an array. Every `Ok` is to be paired with a [`Reader::leave`].
    pub(super) fn enter_array(&mut self) -> Result<Left, DecodeError> {
        let offset = self.enter()?;
        let len = self.decoder.array().map_err(|error| codec_error(error, offset))?;
        Ok(len.map_or(Left::UntilEnd, Left::Known))
    }

    /// The head of an object. Every `Ok` is to be paired with a [`Reader::leave`].
    pub(super) fn enter_object(&mut self) -> Result<Left, DecodeError> {
        let offset = self.enter()?;
        let len = self.decoder.map().map_err(|error| codec_error(error, offset))?;
        Ok(len.map_or(Left::UntilEnd, Left::Known))
    }

    fn enter(&mut self) -> Result<usize, DecodeError> {
        if self.depth == DEPTH_LIMIT {
            return Err(self.error(DecodeErrorKind::Depth));
        }
        self.depth += 1;
        Ok(self.offset())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Whether another element comes; takes it off `left`, and reads the end where there is one.
    #[inline]
    pub(super) fn has_next(&mut self, left: &mut Left) -> Result<bool, DecodeError> {
        match left {
            Left::Known(0) => Ok(false),
            Left::Known(count) => {
                *count -= 1;
                Ok(true)
            }
            Left::UntilEnd => match self.decoder.input().get(self.offset()) {
                Some(0xff) => {
                    self.decoder.set_position(self.offset() + 1);
                    *left = Left::Known(0);
                    Ok(false)
                }
                Some(_) => Ok(true),
                None => Err(self.error(DecodeErrorKind::Truncated)),
            },
        }
    }

    /// How many elements there can be at most, by the bytes that are there: each takes one at least.
    pub(super) fn at_most(&self, left: Left) -> Option<usize> {
        match left {
            Left::Known(count) => {
                let bytes = self.decoder.input().len() - self.offset();
                Some(usize::try_from(count).map_or(bytes, |count| count.min(bytes)))
            }
            Left::UntilEnd => None,
        }
    }

    fn is_chunked(&self) -> bool {
        matches!(self.head(), Some(0x5f | 0x7f))
    }

    #[inline]
    fn head(&self) -> Option<u8> {
        self.decoder.input().get(self.offset()).copied()
    }

    fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::at(kind, self.offset())
    }

    fn malformed(&self, what: &'static str) -> DecodeError {
        self.error(DecodeErrorKind::Malformed(what))
    }
}

#[cold]
fn codec_error(error: decode::Error, offset: usize) -> DecodeError {
    let offset = error.position().unwrap_or(offset);
    if error.is_end_of_input() {
        return DecodeError::at(DecodeErrorKind::Truncated, offset);
    }
    // What remains after `peek` has chosen the method: a reserved length, a chunk of another type, invalid UTF-8, or an
    // integer below i64::MIN.
    DecodeError::at(
        DecodeErrorKind::Malformed("a piece with a reserved length, invalid UTF-8, or an integer out of range"),
        offset,
    )
}
