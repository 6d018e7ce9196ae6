//! The host's message, as a hook looks at it.

use super::super::status;
use super::super::types::RawMessage;
use crate::message::{Kind, Payload};
use crate::value::DecodeError;

/// The host's message, borrowed for a hook's call.
pub(crate) struct MessageRef<'a> {
    pub(super) raw: &'a mut RawMessage,
}

impl MessageRef<'_> {
    pub(crate) fn encoded(&mut self) -> Result<&[u8], DecodeError> {
        if self.raw.value.is_null() {
            let decode = self.raw.decode;
            // SAFETY: `decode` is the host's function for this very message, called on the thread that the hook runs on.
            let status = unsafe { decode(self.raw) };
            if status != status::OK {
                return Err(DecodeError::parser("the parser refuses the message"));
            }
        }
        // SAFETY: the host keeps `value_len` bytes there until `replace` or the end of the hook's call; both need `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(self.raw.value, self.raw.value_len) })
    }

    pub(crate) fn wire(&self) -> Option<(Kind, &[u8])> {
        if self.raw.has_wire == 0 {
            return None;
        }
        // SAFETY: with `has_wire` the host lends `wire_len` bytes for the call.
        let bytes = unsafe { std::slice::from_raw_parts(self.raw.wire, self.raw.wire_len) };
        Some((Kind::from_raw(self.raw.kind), bytes))
    }

    pub(crate) fn replace(&mut self, encoded: &[u8]) {
        let replace = self.raw.replace;
        // SAFETY: as `decode`; the host copies the bytes.
        unsafe { replace(self.raw, encoded.as_ptr(), encoded.len()) };
    }

    #[inline]
    pub(crate) fn payload(&mut self) -> Result<Payload<'_>, DecodeError> {
        if self.raw.has_wire == 0 {
            return Ok(Payload::Value(self.encoded()?.into()));
        }
        let parser = self.raw.parser;
        let (kind, bytes) = self.wire().expect("has_wire was just checked");
        Ok(Payload::Wire { parser, kind, bytes: bytes.into() })
    }

    pub(crate) fn set_deferred(&mut self, token: u64) {
        self.raw.deferred = token;
    }
}
