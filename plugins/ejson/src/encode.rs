//! From an encoded value to EJSON text: what JSON lacks becomes objects, then all of it text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use plugin_api::value::{Date, DecodeError, Visit, Writer, walk};

use crate::special::{BYTES, DATE, ESCAPE, Keys, NUMBER, Survey};

/// Appends the EJSON text of an encoded value. After an error nothing is appended.
pub(crate) fn value(encoded: &[u8], wire: &mut Vec<u8>) -> Result<(), DecodeError> {
    let survey = Survey::of(encoded)?;
    if !survey.beyond_json && !survey.has_special() {
        return json_text::encode::value(encoded, wire);
    }
    let mut json = Vec::with_capacity(encoded.len() * 2);
    let mut converter = Converter { writer: Writer::new(&mut json), objects: survey.objects.into_iter() };
    walk(encoded, &mut converter)?;
    json_text::encode::value(&json, wire)
}

struct Converter<'o> {
    writer: Writer<'o>,
    /// The keys of the objects that are still to come.
    objects: std::vec::IntoIter<Keys>,
}

impl Converter<'_> {
    /// The beginning of an object of one key.
    fn begin_special(&mut self, key: &str) {
        self.writer.object(Some(1));
        self.writer.str(key);
    }

    /// A number that JSON lacks.
    fn beyond_json(&mut self, value: f64) {
        self.begin_special(NUMBER);
        self.writer.i64(match value {
            f64::INFINITY => 1,
            f64::NEG_INFINITY => -1,
            _ => 0,
        });
    }
}

macro_rules! copied {
    ($($method:ident($argument:ty);)*) => {
        $(fn $method(&mut self, value: $argument) -> Result<(), DecodeError> {
            self.writer.$method(value);
            Ok(())
        })*
    };
}

impl Visit for Converter<'_> {
    type Error = DecodeError;

    copied! {
        bool(bool);
        i64(i64);
        u64(u64);
        str(&str);
    }

    fn null(&mut self) -> Result<(), DecodeError> {
        self.writer.null();
        Ok(())
    }

    fn f32(&mut self, value: f32) -> Result<(), DecodeError> {
        if value.is_finite() {
            self.writer.f32(value);
        } else {
            self.beyond_json(value.into());
        }
        Ok(())
    }

    fn f64(&mut self, value: f64) -> Result<(), DecodeError> {
        if value.is_finite() {
            self.writer.f64(value);
        } else {
            self.beyond_json(value);
        }
        Ok(())
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.begin_special(BYTES);
        self.writer.str(&BASE64.encode(value));
        Ok(())
    }

    fn date(&mut self, value: Date) -> Result<(), DecodeError> {
        if value.to_iso().is_some() {
            self.begin_special(DATE);
            self.writer.i64(value.0);
        } else {
            self.writer.null();
        }
        Ok(())
    }

    fn begin_array(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        self.writer.array(None);
        Ok(())
    }

    fn end_array(&mut self) -> Result<(), DecodeError> {
        self.writer.end();
        Ok(())
    }

    fn begin_object(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        if self.objects.next().is_some_and(|keys| keys.special().is_some()) {
            self.begin_special(ESCAPE);
        }
        self.writer.object(None);
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), DecodeError> {
        self.writer.str(key);
        Ok(())
    }

    fn end_object(&mut self) -> Result<(), DecodeError> {
        self.writer.end();
        Ok(())
    }
}
