//! A parser: wire bytes to encoded values and back.

use std::sync::Arc;

use abi_stable::std_types::{RSlice, RVec};

use super::super::module::ParserTableRef;
use super::super::status;
use super::super::types::Opaque;
use super::call::{Fault, Owner};
use crate::message::Kind;
use crate::parser::{ByteSet, ParseError, ParseLimit};

/// A parser.
pub struct ParserHandle {
    pub(super) owner: Arc<Owner>,
    pub(super) name: String,
    pub(super) lead: ByteSet,
    pub(super) object: Opaque,
    pub(super) table: ParserTableRef,
}

// SAFETY: `Parser` is Send + Sync.
unsafe impl Send for ParserHandle {}
// SAFETY: as above.
unsafe impl Sync for ParserHandle {}

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
        let mut value = RVec::new();
        let status =
            self.owner.call(|| (self.table.decode())(self.object, kind as u8, RSlice::from_slice(wire), &mut value))?;
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
        let mut wire = RVec::new();
        let mut kind = Kind::Text as u8;
        let status = self.owner.call(|| (self.table.encode())(self.object, RSlice::from_slice(value), &mut kind, &mut wire))?;
        match status {
            status::OK => Ok(Some((Kind::from_raw(kind), wire.into_vec()))),
            status::MISSING => Ok(None),
            _ => Err(ParseError::new(String::from_utf8_lossy(&wire)).into()),
        }
    }

    /// The string that a message is. `[any]`
    ///
    /// # Errors
    ///
    /// The parser panicked.
    pub fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Result<Option<String>, Fault> {
        let mut text = RVec::new();
        let status = self.owner.call(|| {
            (self.table.decode_string())(self.object, kind as u8, RSlice::from_slice(wire), prefix.into(), &mut text)
        })?;
        Ok((status == status::OK).then(|| String::from_utf8_lossy(&text).into_owned()))
    }
}

impl Drop for ParserHandle {
    fn drop(&mut self) {
        self.owner.free(|| (self.table.free())(self.object));
    }
}
