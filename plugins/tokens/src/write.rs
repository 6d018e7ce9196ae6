//! From an encoded value to a format's bytes.

use std::marker::PhantomData;

use plugin_api::value::{Date, DecodeError, Visit, walk};

use crate::EncodeError;

/// How a format writes each piece of a value. All append to `out`.
pub trait Format {
    /// `null`.
    fn null(out: &mut Vec<u8>);
    /// A truth value.
    fn bool(value: bool, out: &mut Vec<u8>);
    /// An integer.
    fn i64(value: i64, out: &mut Vec<u8>);
    /// An integer above `i64::MAX`.
    fn u64(value: u64, out: &mut Vec<u8>);
    /// A number of single precision.
    fn f32(value: f32, out: &mut Vec<u8>);
    /// A number.
    fn f64(value: f64, out: &mut Vec<u8>);
    /// A text, or a key.
    fn str(value: &str, out: &mut Vec<u8>);
    /// A byte string.
    fn bytes(value: &[u8], out: &mut Vec<u8>);
    /// A date.
    fn date(value: Date, out: &mut Vec<u8>);
    /// The head of an array of so many elements: at least one byte.
    fn array(len: u32, out: &mut Vec<u8>);
    /// The head of an object of so many pairs: at least one byte.
    fn object(len: u32, out: &mut Vec<u8>);
}

/// Appends a value as a format writes it. After an error nothing is appended.
///
/// # Errors
///
/// The bytes aren't one encoded value, or are 4 GiB or more.
pub fn encode<F: Format>(value: &[u8], wire: &mut Vec<u8>) -> Result<(), EncodeError> {
    // All lengths within are smaller.
    if u32::try_from(value.len()).is_err() {
        return Err(EncodeError::Length);
    }
    let start = wire.len();
    let result = walk(value, &mut Scribe::<F> { wire, open: Vec::new(), format: PhantomData });
    if result.is_err() {
        wire.truncate(start);
    }
    Ok(result?)
}

struct Scribe<'w, F> {
    wire: &'w mut Vec<u8>,
    open: Vec<Open>,
    format: PhantomData<F>,
}

/// An array or object that isn't at its end.
struct Open {
    /// Where a byte waits for the head, if the length isn't known.
    head_at: Option<usize>,
    /// How many values it has.
    values: u32,
}

/// A function of a format that writes a head.
type WriteHead = fn(u32, &mut Vec<u8>);

impl<F: Format> Scribe<'_, F> {
    /// Counts a value.
    #[inline]
    fn count(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.values += 1;
        }
    }

    fn begin(&mut self, len: Option<usize>, head: WriteHead) {
        self.count();
        let head_at = match len.and_then(|len| u32::try_from(len).ok()) {
            Some(len) => {
                head(len, self.wire);
                None
            }
            None => {
                self.wire.push(0);
                Some(self.wire.len() - 1)
            }
        };
        self.open.push(Open { head_at, values: 0 });
    }

    fn end(&mut self, head: WriteHead) {
        let Some(Open { head_at: Some(at), values }) = self.open.pop() else { return };
        let end = self.wire.len();
        head(values, self.wire);
        self.wire[at] = self.wire.remove(end);
        // Most heads are one byte; what a longer one has besides goes before the content.
        let rest = self.wire.len() - end;
        self.wire[at + 1..].rotate_right(rest);
    }
}

macro_rules! written {
    ($($method:ident($argument:ty);)*) => {
        $(#[inline]
        fn $method(&mut self, value: $argument) -> Result<(), DecodeError> {
            self.count();
            F::$method(value, self.wire);
            Ok(())
        })*
    };
}

impl<F: Format> Visit for Scribe<'_, F> {
    type Error = DecodeError;

    fn null(&mut self) -> Result<(), DecodeError> {
        self.count();
        F::null(self.wire);
        Ok(())
    }

    written! {
        bool(bool);
        i64(i64);
        u64(u64);
        f32(f32);
        f64(f64);
        str(&str);
        bytes(&[u8]);
        date(Date);
    }

    fn begin_array(&mut self, len: Option<usize>) -> Result<(), DecodeError> {
        self.begin(len, F::array);
        Ok(())
    }

    fn end_array(&mut self) -> Result<(), DecodeError> {
        self.end(F::array);
        Ok(())
    }

    fn begin_object(&mut self, len: Option<usize>) -> Result<(), DecodeError> {
        self.begin(len, F::object);
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), DecodeError> {
        F::str(key, self.wire);
        Ok(())
    }

    fn end_object(&mut self) -> Result<(), DecodeError> {
        self.end(F::object);
        Ok(())
    }
}
