//! From EJSON text to an encoded value: JSON first, then what its special objects stand for.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use plugin_api::value::{self, Date, Visit, Writer, walk};
use plugin_api::{Kind, ParseLimit};
use tokens::{Fault, Limits, date_from_ms};

use crate::special::{BYTES, DATE, ESCAPE, Keys, NUMBER, Special, Survey};

/// npm's decoder cares neither for the padding nor for bits that are left over.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Why a message is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The transport said that it is binary.
    #[error("the message is binary, and EJSON is text")]
    Binary,
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] json_text::decode::DecodeError),
    /// It is more than the limits allow.
    #[error(transparent)]
    Limit(#[from] Fault),
    /// A special object has something else in it than it should.
    #[error("{key} needs {wanted}")]
    Content {
        /// Its key.
        key: &'static str,
        /// What it should have.
        wanted: &'static str,
    },
    /// The encoding that was made of the JSON text is wrong, or nested too deeply.
    #[error(transparent)]
    Value(#[from] value::DecodeError),
}

impl DecodeError {
    /// The limit that is passed, where that is what is wrong.
    pub(crate) fn limit(&self) -> Option<ParseLimit> {
        match self {
            Self::Limit(fault) => fault.limit(),
            Self::Json(json_text::decode::DecodeError::Depth) => Some(ParseLimit::Depth),
            Self::Json(_) | Self::Binary | Self::Content { .. } | Self::Value(_) => None,
        }
    }
}

/// Appends the encoding of the value that a message is. After an error nothing is appended.
pub(crate) fn message(kind: Kind, wire: &[u8], limits: &Limits, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if kind == Kind::Binary {
        return Err(DecodeError::Binary);
    }
    limits.admit(wire.len())?;
    let start = out.len();
    json_text::decode::text(wire, out)?;
    let converted = convert(&out[start..], limits);
    match converted {
        Ok(None) => Ok(()),
        Ok(Some(converted)) => {
            out.truncate(start);
            out.extend_from_slice(&converted);
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// The value that JSON stands for, where it isn't itself.
fn convert(json: &[u8], limits: &Limits) -> Result<Option<Vec<u8>>, DecodeError> {
    let survey = Survey::of(json)?;
    if survey.values > limits.max_values {
        return Err(Fault::Values { limit: limits.max_values }.into());
    }
    if survey.depth > limits.max_depth {
        return Err(Fault::Depth { limit: limits.max_depth }.into());
    }
    if !survey.has_special() {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(json.len());
    walk(json, &mut Converter { out: &mut out, objects: survey.objects.into_iter(), open: Vec::new() })?;
    Ok(Some(out))
}

struct Converter<'o> {
    out: &'o mut Vec<u8>,
    /// The keys of the objects that are still to come.
    objects: std::vec::IntoIter<Keys>,
    /// The arrays and objects that aren't at their end.
    open: Vec<Open>,
}

#[derive(Clone, Copy)]
enum Open {
    /// One that is itself.
    Plain,
    /// One whose value is put where it began. A key that comes twice replaces it, as in JavaScript.
    Special(Special, usize),
}

impl Converter<'_> {
    fn writer(&mut self) -> Writer<'_> {
        Writer::new(self.out)
    }

    /// What the value that comes stands for.
    fn special(&self) -> Option<Special> {
        match self.open.last() {
            Some(Open::Special(special, _)) => Some(*special),
            _ => None,
        }
    }

    /// Fails where something else than this value should come.
    fn plain(&mut self) -> Result<Writer<'_>, DecodeError> {
        match self.special() {
            None => Ok(self.writer()),
            Some(special) => Err(misfit(special)),
        }
    }

    /// A number; `write` writes it where it is itself.
    fn number(&mut self, value: f64, write: impl FnOnce(&mut Writer<'_>)) -> Result<(), DecodeError> {
        let special = self.special();
        let mut writer = self.writer();
        match special {
            None => write(&mut writer),
            Some(Special::Date) => match date_from_ms(value) {
                Some(date) => writer.date(date),
                None => writer.null(),
            },
            Some(Special::Number) => writer.f64(value / 0.0),
            Some(other) => return Err(misfit(other)),
        }
        Ok(())
    }
}

fn misfit(special: Special) -> DecodeError {
    let (key, wanted) = match special {
        Special::Date => (DATE, "a number of milliseconds"),
        Special::Number => (NUMBER, "a number"),
        Special::Bytes => (BYTES, "a text in base64"),
        Special::Escape | Special::Other => (ESCAPE, "an object"),
    };
    DecodeError::Content { key, wanted }
}

impl Visit for Converter<'_> {
    type Error = DecodeError;

    /// npm writes an invalid date with it.
    fn null(&mut self) -> Result<(), DecodeError> {
        match self.special() {
            None | Some(Special::Date) => self.writer().null(),
            Some(other) => return Err(misfit(other)),
        }
        Ok(())
    }

    fn bool(&mut self, value: bool) -> Result<(), DecodeError> {
        self.plain()?.bool(value);
        Ok(())
    }

    fn i64(&mut self, value: i64) -> Result<(), DecodeError> {
        self.number(value as f64, |writer| writer.i64(value))
    }

    fn u64(&mut self, value: u64) -> Result<(), DecodeError> {
        self.number(value as f64, |writer| writer.u64(value))
    }

    fn f64(&mut self, value: f64) -> Result<(), DecodeError> {
        self.number(value, |writer| writer.f64(value))
    }

    fn str(&mut self, value: &str) -> Result<(), DecodeError> {
        if self.special() == Some(Special::Bytes) {
            let bytes = BASE64.decode(value).map_err(|_| misfit(Special::Bytes))?;
            self.writer().bytes(&bytes);
            return Ok(());
        }
        self.plain()?.str(value);
        Ok(())
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.plain()?.bytes(value);
        Ok(())
    }

    fn date(&mut self, value: Date) -> Result<(), DecodeError> {
        self.plain()?.date(value);
        Ok(())
    }

    fn begin_array(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        self.plain()?.array(None);
        self.open.push(Open::Plain);
        Ok(())
    }

    fn end_array(&mut self) -> Result<(), DecodeError> {
        self.open.pop();
        self.writer().end();
        Ok(())
    }

    fn begin_object(&mut self, _len: Option<usize>) -> Result<(), DecodeError> {
        let keys = self.objects.next().unwrap_or_default();
        let open = match (self.special(), keys.special()) {
            (Some(Special::Escape), _) | (None, None | Some(Special::Other)) => Open::Plain,
            (None, Some(special)) => Open::Special(special, self.out.len()),
            (Some(other), _) => return Err(misfit(other)),
        };
        if matches!(open, Open::Plain) {
            self.writer().object(None);
        }
        self.open.push(open);
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), DecodeError> {
        match self.open.last() {
            Some(Open::Special(_, start)) => self.out.truncate(*start),
            _ => self.writer().str(key),
        }
        Ok(())
    }

    fn end_object(&mut self) -> Result<(), DecodeError> {
        if let Some(Open::Plain) = self.open.pop() {
            self.writer().end();
        }
        Ok(())
    }
}
