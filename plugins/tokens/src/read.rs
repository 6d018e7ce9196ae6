//! From a format's tokens to an encoded value.

use std::borrow::Cow;

use plugin_api::Kind;
use plugin_api::value::{Date, Writer};

use crate::{DecodeError, Fault, Limits};

/// One piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'w> {
    /// `null`; `undefined` too, which no value can be.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    I64(i64),
    /// An integer that isn't negative.
    U64(u64),
    /// A number of single precision.
    F32(f32),
    /// A number.
    F64(f64),
    /// A text.
    Str(Cow<'w, str>),
    /// A byte string.
    Bytes(Cow<'w, [u8]>),
    /// A date; `None` is one that JavaScript calls invalid, which becomes `null`.
    Date(Option<Date>),
    /// An array begins, of so many elements. `None`: up to where [`Tokens::ends`] says so.
    Array(Option<u64>),
    /// An object begins, of so many pairs. `None`: up to where [`Tokens::ends`] says so.
    Object(Option<u64>),
    /// A message within the message, which the value is.
    Inner(&'w [u8]),
}

impl<'w> Token<'w> {
    /// A text; what isn't UTF-8 in it becomes U+FFFD, as in JavaScript's decoders.
    pub fn lossy(bytes: &'w [u8]) -> Self {
        Self::Str(String::from_utf8_lossy(bytes))
    }
}

/// A message as a format reads it.
pub trait Tokens<'w>: Sized {
    /// At the beginning of a message.
    fn new(message: &'w [u8]) -> Self;

    /// How many bytes are read.
    fn offset(&self) -> usize;

    /// Whether all bytes are read.
    fn is_done(&self) -> bool;

    /// Reads the next token.
    ///
    /// # Errors
    ///
    /// The bytes end, or are none of the format.
    fn next(&mut self) -> Result<Token<'w>, Fault>;

    /// Whether an array or object of unknown length ends here; its mark is then read.
    ///
    /// # Errors
    ///
    /// The bytes end.
    fn ends(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }
}

/// What JavaScript's `new Date` makes of milliseconds: `None` where the date is invalid.
pub fn date_from_ms(ms: f64) -> Option<Date> {
    /// 100,000,000 days to both sides of the epoch.
    const RANGE_MS: f64 = 8.64e15;
    (ms.abs() <= RANGE_MS).then_some(Date(ms as i64))
}

/// Appends the encoding of the value that a message is. After an error nothing is appended.
///
/// # Errors
///
/// The message is none of the format, or more than the limits allow.
pub fn decode<'w, T: Tokens<'w>>(kind: Kind, wire: &'w [u8], limits: &Limits, value: &mut Vec<u8>) -> Result<(), DecodeError> {
    if kind == Kind::Text {
        return Err(Fault::Text.at(0));
    }
    limits.admit(wire.len()).map_err(|fault| fault.at(0))?;
    let start = value.len();
    let mut walk = Walk { out: Writer::new(value), limits, depth: 0, values: 0 };
    let result = walk.message::<T>(wire, 0);
    if result.is_err() {
        value.truncate(start);
    }
    result
}

/// The text that a message is, if it is one that begins with `prefix`.
pub fn string<'w, T: Tokens<'w>>(kind: Kind, wire: &'w [u8], prefix: &str) -> Option<String> {
    if kind == Kind::Text {
        return None;
    }
    let mut tokens = T::new(wire);
    match tokens.next() {
        Ok(Token::Str(text)) if tokens.is_done() && text.starts_with(prefix) => Some(text.into_owned()),
        _ => None,
    }
}

struct Walk<'l, 'o> {
    out: Writer<'o>,
    limits: &'l Limits,
    depth: usize,
    values: usize,
}

impl Walk<'_, '_> {
    /// Exactly one value; `base` is where the message begins in the whole one.
    fn message<'w, T: Tokens<'w>>(&mut self, message: &'w [u8], base: usize) -> Result<(), DecodeError> {
        let mut tokens = T::new(message);
        self.value(&mut tokens, base)?;
        if tokens.is_done() { Ok(()) } else { Err(Fault::Trailing.at(base + tokens.offset())) }
    }

    fn value<'w, T: Tokens<'w>>(&mut self, tokens: &mut T, base: usize) -> Result<(), DecodeError> {
        let at = base + tokens.offset();
        let token = tokens.next().map_err(|fault| fault.at(at))?;
        self.values += 1;
        if self.values > self.limits.max_values {
            return Err(Fault::Values { limit: self.limits.max_values }.at(at));
        }
        match token {
            Token::Null | Token::Date(None) => self.out.null(),
            Token::Bool(value) => self.out.bool(value),
            Token::I64(value) => self.out.i64(value),
            Token::U64(value) => self.out.u64(value),
            Token::F32(value) => self.out.f32(value),
            Token::F64(value) => self.out.f64(value),
            Token::Str(value) => self.out.str(&value),
            Token::Bytes(value) => self.out.bytes(&value),
            Token::Date(Some(value)) => self.out.date(value),
            Token::Array(len) => {
                self.enter(at)?;
                self.out.array(known(len, at)?);
                self.each(tokens, base, len, |walk, tokens| walk.value(tokens, base))?;
                self.depth -= 1;
            }
            Token::Object(len) => {
                self.enter(at)?;
                self.out.object(known(len, at)?);
                self.each(tokens, base, len, |walk, tokens| {
                    walk.key(tokens, base)?;
                    walk.value(tokens, base)
                })?;
                self.depth -= 1;
            }
            Token::Inner(message) => {
                self.enter(at)?;
                self.message::<T>(message, base + tokens.offset() - message.len())?;
                self.depth -= 1;
            }
        }
        Ok(())
    }

    fn enter(&mut self, at: usize) -> Result<(), DecodeError> {
        if self.depth == self.limits.max_depth {
            return Err(Fault::Depth { limit: self.limits.max_depth }.at(at));
        }
        self.depth += 1;
        Ok(())
    }

    /// Reads what an array or object has, one by one. Its length is as good as its elements: they have to come.
    fn each<'w, T: Tokens<'w>>(
        &mut self,
        tokens: &mut T,
        base: usize,
        len: Option<u64>,
        element: impl Fn(&mut Self, &mut T) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        match len {
            Some(len) => {
                for _ in 0..len {
                    element(self, tokens)?;
                }
            }
            None => {
                while !tokens.ends().map_err(|fault| fault.at(base + tokens.offset()))? {
                    element(self, tokens)?;
                }
                self.out.end();
            }
        }
        Ok(())
    }

    /// A key; numbers, truth values and `null` become text, as they do in JavaScript.
    fn key<'w, T: Tokens<'w>>(&mut self, tokens: &mut T, base: usize) -> Result<(), DecodeError> {
        let at = base + tokens.offset();
        let refused = match tokens.next().map_err(|fault| fault.at(at))? {
            Token::Str(key) => {
                self.out.str(&key);
                return Ok(());
            }
            Token::I64(key) => {
                self.out.str(&key.to_string());
                return Ok(());
            }
            Token::U64(key) => {
                self.out.str(&key.to_string());
                return Ok(());
            }
            Token::Bool(key) => {
                self.out.str(if key { "true" } else { "false" });
                return Ok(());
            }
            Token::Null => {
                self.out.str("null");
                return Ok(());
            }
            Token::F32(_) | Token::F64(_) => "a fractional number",
            Token::Bytes(_) => "a byte string",
            Token::Date(_) => "a date",
            Token::Array(_) => "an array",
            Token::Object(_) => "an object",
            Token::Inner(_) => "an extension",
        };
        Err(Fault::Key(refused).at(at))
    }
}

/// A length as the encoding takes it. One that no memory could hold is one whose elements can't all be there.
fn known(len: Option<u64>, at: usize) -> Result<Option<usize>, DecodeError> {
    len.map(|len| usize::try_from(len).map_err(|_| Fault::Truncated.at(at))).transpose()
}
