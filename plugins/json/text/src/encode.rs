//! From an encoded value to JSON text, as `JSON.stringify` writes it.

use std::io::{self, Write};

use plugin_api::value::{Date, DecodeError, Visit, walk};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// A `Vec` takes every byte.
const INFALLIBLE: &str = "writing to a Vec never fails";

/// Appends the JSON text of an encoded value. After an error nothing is appended.
///
/// # Errors
///
/// The bytes aren't one encoded value.
pub fn value(encoded: &[u8], wire: &mut Vec<u8>) -> Result<(), DecodeError> {
    let start = wire.len();
    let result = walk(encoded, &mut Writer { wire, comma: false });
    if result.is_err() {
        wire.truncate(start);
    }
    result
}

/// Appends a text as a JSON string. Like all that is written here, it has U+2028 and U+2029 escaped.
pub fn text(text: &str, wire: &mut Vec<u8>) {
    text.serialize(&mut Serializer::with_formatter(wire, Escaping)).expect(INFALLIBLE);
}

struct Writer<'w> {
    wire: &'w mut Vec<u8>,
    /// Whether something stands before, in this array or object, that a comma has to part from what comes.
    comma: bool,
}

impl Writer<'_> {
    /// Puts what parts a value from what stands before.
    #[inline]
    fn part(&mut self) {
        if self.comma {
            self.wire.push(b',');
        }
        self.comma = true;
    }

    fn literal(&mut self, text: &str) -> Result<(), DecodeError> {
        self.part();
        self.wire.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn begin(&mut self, bracket: u8) -> Result<(), DecodeError> {
        self.part();
        self.wire.push(bracket);
        self.comma = false;
        Ok(())
    }

    fn end(&mut self, bracket: u8) -> Result<(), DecodeError> {
        self.wire.push(bracket);
        self.comma = true;
        Ok(())
    }
}

impl Visit for Writer<'_> {
    type Error = DecodeError;

    fn null(&mut self) -> Result<(), DecodeError> {
        self.literal("null")
    }

    fn bool(&mut self, value: bool) -> Result<(), DecodeError> {
        self.literal(if value { "true" } else { "false" })
    }

    fn i64(&mut self, value: i64) -> Result<(), DecodeError> {
        self.part();
        Escaping.write_i64(self.wire, value).expect(INFALLIBLE);
        Ok(())
    }

    fn u64(&mut self, value: u64) -> Result<(), DecodeError> {
        self.part();
        Escaping.write_u64(self.wire, value).expect(INFALLIBLE);
        Ok(())
    }

    fn f32(&mut self, value: f32) -> Result<(), DecodeError> {
        // Its own shortest digits: as a double, 0.1 would be 0.10000000149011612.
        if value.is_finite() && value.trunc() != value {
            self.part();
            Escaping.write_f32(self.wire, value).expect(INFALLIBLE);
            return Ok(());
        }
        self.f64(value.into())
    }

    fn f64(&mut self, value: f64) -> Result<(), DecodeError> {
        /// Below, every whole number is an `i64` with the same digits.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !value.is_finite() {
            return self.null();
        }
        if value.trunc() == value && value.abs() < EXACT {
            return self.i64(value as i64);
        }
        self.part();
        Escaping.write_f64(self.wire, value).expect(INFALLIBLE);
        Ok(())
    }

    fn str(&mut self, value: &str) -> Result<(), DecodeError> {
        self.part();
        text(value, self.wire);
        Ok(())
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.literal(r#"{"type":"Buffer","data":["#)?;
        for (index, byte) in value.iter().enumerate() {
            if index > 0 {
                self.wire.push(b',');
            }
            Escaping.write_u8(self.wire, *byte).expect(INFALLIBLE);
        }
        self.wire.extend_from_slice(b"]}");
        Ok(())
    }

    fn date(&mut self, value: Date) -> Result<(), DecodeError> {
        let Some(iso) = value.to_iso() else { return self.null() };
        self.part();
        write!(self.wire, "\"{iso}\"").expect(INFALLIBLE);
        Ok(())
    }

    fn begin_array(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        self.begin(b'[')
    }

    fn end_array(&mut self) -> Result<(), DecodeError> {
        self.end(b']')
    }

    fn begin_object(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        self.begin(b'{')
    }

    fn key(&mut self, key: &str) -> Result<(), DecodeError> {
        self.part();
        text(key, self.wire);
        self.wire.push(b':');
        self.comma = false;
        Ok(())
    }

    fn end_object(&mut self) -> Result<(), DecodeError> {
        self.end(b'}')
    }
}

/// Escapes U+2028 and U+2029 besides what JSON demands: JavaScript before 2019 took them for ends of lines in its strings.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        /// The first byte of both in UTF-8.
        const LEAD: u8 = 0xe2;
        if !fragment.as_bytes().contains(&LEAD) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain_from = 0;
        for (at, separator) in fragment.match_indices(['\u{2028}', '\u{2029}']) {
            writer.write_all(&fragment.as_bytes()[plain_from..at])?;
            writer.write_all(if separator == "\u{2028}" { b"\\u2028" } else { b"\\u2029" })?;
            plain_from = at + separator.len();
        }
        writer.write_all(&fragment.as_bytes()[plain_from..])
    }
}
