//! A message as the host leads it through the hooks: decoded when a hook asks, replaced where one wants that.

use super::super::plugin::FLOW_PANICKED;
use super::super::status;
use super::super::types::RawMessage;
use super::call::{Fault, enter};
use super::hooks::MessageHook;
use super::parser::{ParserFailure, ParserHandle};
use crate::message::{Flow, Kind, Payload};
use crate::spark::SparkId;

/// A message as the host leads it through the hooks.
pub struct HookMessage<'a> {
    state: MessageState<'a>,
    raw: RawMessage,
}

struct MessageState<'a> {
    parser: &'a ParserHandle,
    value: Vec<u8>,
    failure: Option<ParserFailure>,
    /// Ties `raw.wire` to the bytes.
    _wire: &'a [u8],
}

impl<'a> HookMessage<'a> {
    /// A message from the wire; `number` is the parser's host-wide number (from 1).
    #[inline]
    pub fn from_wire(kind: Kind, wire: &'a [u8], parser: &'a ParserHandle, number: u32) -> Self {
        Self {
            state: MessageState { parser, value: Vec::new(), failure: None, _wire: wire },
            raw: RawMessage {
                wire: wire.as_ptr(),
                wire_len: wire.len(),
                value: std::ptr::null(),
                value_len: 0,
                owner: std::ptr::null_mut(),
                decode: decode_message,
                replace: replace_message,
                parser: number,
                kind: kind as u8,
                has_wire: 1,
                deferred: 0,
            },
        }
    }

    /// A message that is on no wire yet.
    pub fn from_value(value: Vec<u8>, parser: &'a ParserHandle, number: u32) -> Self {
        let mut message = Self::from_wire(Kind::Text, &[], parser, number);
        message.raw.has_wire = 0;
        message.state.value = value;
        message.raw.value = message.state.value.as_ptr();
        message.raw.value_len = message.state.value.len();
        message
    }

    /// Leads it through one hook. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    #[inline]
    pub fn through(&mut self, hook: &MessageHook, spark: SparkId) -> Result<Flow, Fault> {
        self.raw.owner = (&raw mut self.state).cast();
        // A hook before this one may have asked for a token and then not deferred.
        self.raw.deferred = 0;
        match enter(|| (hook.call.call)(hook.closure.raw.object, spark.raw(), &mut self.raw)) {
            0 => Ok(Flow::Next),
            1 => Ok(Flow::Stop),
            2 => Ok(Flow::Defer),
            FLOW_PANICKED => Err(hook.closure.owner.fault()),
            _ => Ok(Flow::Next),
        }
    }

    /// What the parser had against it, where a hook asked for the value.
    pub fn failure(&mut self) -> Option<ParserFailure> {
        self.state.failure.take()
    }

    /// The token of the hook that deferred it.
    pub fn deferred(&self) -> u64 {
        self.raw.deferred
    }

    /// What is to be sent or kept of it: the wire bytes where they are unchanged, else the value.
    pub fn payload(&self) -> Payload<'_> {
        if self.raw.has_wire == 1 {
            Payload::Wire { parser: self.raw.parser, kind: Kind::from_raw(self.raw.kind), bytes: self.state._wire.into() }
        } else {
            Payload::Value(self.state.value.as_slice().into())
        }
    }
}

/// The host's `decode` of a [`RawMessage`].
///
/// # Safety
///
/// `raw` is the message that [`HookMessage::through`] lends, during its call, on its thread.
unsafe extern "C" fn decode_message(raw: *mut RawMessage) -> u32 {
    // SAFETY: by the contract of this function; the hook's own borrow is passed on to this call.
    let raw = unsafe { &mut *raw };
    // SAFETY: `through` has set it to the state beside `raw`, which nobody else uses during the hook's call.
    let state = unsafe { &mut *raw.owner.cast::<MessageState<'_>>() };
    if state.failure.is_some() {
        return status::FAILED;
    }
    // SAFETY: a message without a value has its wire bytes, which live as long as the state.
    let wire = unsafe { std::slice::from_raw_parts(raw.wire, raw.wire_len) };
    match state.parser.decode(Kind::from_raw(raw.kind), wire) {
        Ok(value) => {
            state.value = value;
            raw.value = state.value.as_ptr();
            raw.value_len = state.value.len();
            status::OK
        }
        Err(failure) => {
            state.failure = Some(failure);
            status::FAILED
        }
    }
}

/// The host's `replace` of a [`RawMessage`].
///
/// # Safety
///
/// As [`decode_message`]; `value` points to `len` bytes.
unsafe extern "C" fn replace_message(raw: *mut RawMessage, value: *const u8, len: usize) {
    // SAFETY: by the contract of this function.
    let raw = unsafe { &mut *raw };
    // SAFETY: as in `decode_message`.
    let state = unsafe { &mut *raw.owner.cast::<MessageState<'_>>() };
    // SAFETY: by the contract of this function.
    state.value = unsafe { std::slice::from_raw_parts(value, len) }.to_vec();
    raw.value = state.value.as_ptr();
    raw.value_len = len;
    raw.has_wire = 0;
}
