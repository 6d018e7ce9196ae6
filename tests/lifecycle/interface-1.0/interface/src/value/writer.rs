//! Writes the encoding piece by piece: the level below serde, for parsers and for messages that are put together.
//!
//! Knows how each piece is encoded; doesn't check that the pieces make up a value.

use minicbor::Encoder;
use minicbor::data::Tag;

use super::{DATE_TAG, Date, Encoded, Number};

/// A `Vec` takes every byte, so the codec's errors can't happen.
const INFALLIBLE: &str = "writing to a Vec never fails";

/// Appends pieces of an encoded value to a vector.
///
/// The caller sees to it that the pieces make up exactly one value: an array or object of a given length gets that many
/// elements or pairs and no [`Writer::end`], one of an unknown length ends with [`Writer::end`], and keys are text. A mistake
/// is found when the value is decoded.
pub struct Writer<'a> {
    encoder: Encoder<&'a mut Vec<u8>>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { encoder: Encoder::new(out) }
    }

    /// `null`.
    #[inline]
    pub fn null(&mut self) {
        self.encoder.null().expect(INFALLIBLE);
    }

    /// A truth value.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.encoder.bool(value).expect(INFALLIBLE);
    }

    /// An integer.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.encoder.i64(value).expect(INFALLIBLE);
    }

    /// An integer that isn't negative.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.encoder.u64(value).expect(INFALLIBLE);
    }

    /// A number of single precision.
    #[inline]
    pub fn f32(&mut self, value: f32) {
        self.encoder.f32(value).expect(INFALLIBLE);
    }

    /// A number.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.encoder.f64(value).expect(INFALLIBLE);
    }

    /// A number of JavaScript.
    #[inline]
    pub fn number(&mut self, value: Number) {
        match value.to_integer() {
            Some(integer) => self.i64(integer),
            None => self.f64(value.0),
        }
    }

    /// A text, or the key of an object's pair.
    #[inline]
    pub fn str(&mut self, value: &str) {
        self.encoder.str(value).expect(INFALLIBLE);
    }

    /// A byte string.
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) {
        self.encoder.bytes(value).expect(INFALLIBLE);
    }

    /// A date.
    #[inline]
    pub fn date(&mut self, value: Date) {
        self.encoder.tag(Tag::new(DATE_TAG)).expect(INFALLIBLE);
        self.i64(value.0);
    }

    /// The head of an array: its elements follow, and [`Writer::end`] where the length is `None`.
    #[inline]
    pub fn array(&mut self, len: Option<usize>) {
        match len {
            Some(len) => self.encoder.array(len as u64),
            None => self.encoder.begin_array(),
        }
        .expect(INFALLIBLE);
    }

    /// The head of an object: its pairs of key and value follow, and [`Writer::end`] where the number of pairs is `None`.
    #[inline]
    pub fn object(&mut self, len: Option<usize>) {
        match len {
            Some(len) => self.encoder.map(len as u64),
            None => self.encoder.begin_map(),
        }
        .expect(INFALLIBLE);
    }

    /// The end of an array or object of unknown length.
    #[inline]
    pub fn end(&mut self) {
        self.encoder.end().expect(INFALLIBLE);
    }

    /// A value that is encoded already.
    #[inline]
    pub fn encoded(&mut self, value: Encoded<'_>) {
        self.encoder.writer_mut().extend_from_slice(value.as_bytes());
    }
}
