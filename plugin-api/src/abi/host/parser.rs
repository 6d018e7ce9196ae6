//! A parser: wire bytes to encoded values and back.

use std::borrow::Cow;
use std::sync::Arc;

use abi_stable::std_types::{RSlice, RVec};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::module::ParserTableRef;
use super::super::status;
use super::super::types::Opaque;
use super::call::{Fault, Owner};
use crate::message::Kind;
use crate::parser::{ByteSet, ParseError, ParseLimit};

/// A parser.
pub struct ParserHandle {
    parser: Arc<Registered>,
    name: String,
    lead: ByteSet,
    form: Form,
}

/// How the bytes that a parser makes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As they are.
    Plain,
    /// As text, in base64 (RFC 4648, section 4): for what carries text only.
    Base64,
}

/// What a plugin has registered.
struct Registered {
    owner: Arc<Owner>,
    object: Opaque,
    table: ParserTableRef,
}

// SAFETY: `Parser` is Send + Sync.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Drop for Registered {
    fn drop(&mut self) {
        self.owner.free(|| (self.table.free())(self.object));
    }
}

/// A parser did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParserFailure {
    /// It refuses the bytes or the value.
    #[error(transparent)]
    Refused(#[from] ParseError),
    /// It panicked.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ParserHandle {
    pub(super) fn new(owner: &Arc<Owner>, name: &str, lead: ByteSet, object: Opaque, table: ParserTableRef) -> Self {
        let parser = Arc::new(Registered { owner: Arc::clone(owner), object, table });
        Self { parser, name: name.to_owned(), lead, form: Form::Plain }
    }

    /// The same parser for clients that take its bytes as text, in base64. It has no other messages than bytes.
    #[must_use]
    pub fn in_base64(&self) -> Self {
        Self { parser: Arc::clone(&self.parser), name: self.name.clone(), lead: ByteSet::all(), form: Form::Base64 }
    }

    /// The parser's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a message that begins with this byte may be a string.
    #[inline]
    pub fn may_be_string(&self, first: u8) -> bool {
        self.lead.contains(first)
    }

    /// Wire bytes to an encoded value. `[any]`
    ///
    /// # Errors
    ///
    /// The parser refuses or panicked.
    pub fn decode(&self, kind: Kind, wire: &[u8]) -> Result<Vec<u8>, ParserFailure> {
        let Registered { owner, object, table } = &*self.parser;
        let (kind, wire) = self.unwritten(kind, wire)?;
        let mut value = RVec::new();
        let status = owner.call(|| (table.decode())(*object, kind as u8, RSlice::from_slice(&wire), &mut value))?;
        let limit = match status {
            status::OK => return Ok(value.into_vec()),
            status::OVER_LENGTH => Some(ParseLimit::Length),
            status::OVER_DEPTH => Some(ParseLimit::Depth),
            status::OVER_VALUES => Some(ParseLimit::Values),
            _ => None,
        };
        Err(ParseError { reason: String::from_utf8_lossy(&value).into_owned(), limit }.into())
    }

    /// An encoded value to wire bytes; `None`: such a value is not sent. `[any]`
    ///
    /// # Errors
    ///
    /// The parser refuses or panicked.
    pub fn encode(&self, value: &[u8]) -> Result<Option<(Kind, Vec<u8>)>, ParserFailure> {
        let Registered { owner, object, table } = &*self.parser;
        let mut wire = RVec::new();
        let mut kind = Kind::Text as u8;
        let status = owner.call(|| (table.encode())(*object, RSlice::from_slice(value), &mut kind, &mut wire))?;
        match (status, self.form) {
            (status::OK, Form::Plain) => Ok(Some((Kind::from_raw(kind), wire.into_vec()))),
            (status::OK, Form::Base64) => Ok(Some((Kind::Text, BASE64.encode(&wire).into_bytes()))),
            (status::MISSING, _) => Ok(None),
            _ => Err(ParseError::new(String::from_utf8_lossy(&wire)).into()),
        }
    }

    /// The string that a message is. `[any]`
    ///
    /// # Errors
    ///
    /// The parser panicked.
    pub fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Result<Option<String>, Fault> {
        let Registered { owner, object, table } = &*self.parser;
        let Ok((kind, wire)) = self.unwritten(kind, wire) else { return Ok(None) };
        let mut text = RVec::new();
        let status =
            owner.call(|| (table.decode_string())(*object, kind as u8, RSlice::from_slice(&wire), prefix.into(), &mut text))?;
        Ok((status == status::OK).then(|| String::from_utf8_lossy(&text).into_owned()))
    }

    /// The bytes that a message is, whatever they are written in.
    fn unwritten<'w>(&self, kind: Kind, wire: &'w [u8]) -> Result<(Kind, Cow<'w, [u8]>), ParseError> {
        match (self.form, kind) {
            (Form::Plain, kind) => Ok((kind, Cow::Borrowed(wire))),
            // Where bytes come through after all, they need no text.
            (Form::Base64, Kind::Binary) => Ok((Kind::Binary, Cow::Borrowed(wire))),
            (Form::Base64, Kind::Text) => match BASE64.decode(wire) {
                Ok(bytes) => Ok((Kind::Binary, Cow::Owned(bytes))),
                Err(error) => Err(ParseError::new(format!("the message is not base64: {error}"))),
            },
        }
    }
}
