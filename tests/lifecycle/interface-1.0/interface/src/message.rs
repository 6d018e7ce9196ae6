//! Messages on their way through the hooks, and payloads to send.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::abi::plugin::MessageRef;
use crate::value::{self, DecodeError, EncodeError};

/// Whether a transport marks the bytes as text or as binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// UTF-8 text.
    Text = 0,
    /// Any bytes.
    Binary = 1,
}

impl Kind {
    /// From the number that crosses the boundary; unknown ones are binary.
    pub fn from_raw(raw: u8) -> Self {
        if raw == Self::Text as u8 { Self::Text } else { Self::Binary }
    }
}

/// What a hook wants to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Flow {
    /// On to the next hook.
    Next = 0,
    /// This hook has consumed it.
    Stop = 1,
    /// Decided later, by the handle of [`Message::defer`]; later messages of the spark wait.
    Defer = 2,
}

/// A message on its way through the hooks. It keeps its wire bytes and is parsed only when a hook asks for its value.
pub struct Message<'a> {
    pub(crate) raw: MessageRef<'a>,
}

impl Message<'_> {
    /// The value as a type of the plugin. The parser runs at the first call for a message, once for all hooks.
    ///
    /// # Errors
    ///
    /// The parser refuses the bytes, or the value is not of that type. Nothing is lost: other hooks still get the message.
    pub fn decode<'m, T: Deserialize<'m>>(&'m mut self) -> Result<T, DecodeError> {
        value::decode(self.encoded()?)
    }

    /// The encoded value.
    ///
    /// # Errors
    ///
    /// The parser refuses the bytes.
    pub fn encoded(&mut self) -> Result<&[u8], DecodeError> {
        self.raw.encoded()
    }

    /// The bytes as they came, with their kind; `None` once the value was replaced, or when it never was on a wire.
    pub fn wire(&self) -> Option<(Kind, &[u8])> {
        self.raw.wire()
    }

    /// Puts another value in the message's place, for the hooks that follow.
    ///
    /// # Errors
    ///
    /// The value can't be encoded; the message stays as it was.
    pub fn replace(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), EncodeError> {
        let encoded = value::to_vec(value)?;
        self.raw.replace(&encoded);
        Ok(())
    }

    /// What a relay sends: the wire bytes where they are unchanged, else the value.
    ///
    /// # Errors
    ///
    /// There are no wire bytes, and the value can't be had.
    pub fn payload(&mut self) -> Result<Payload<'_>, DecodeError> {
        self.raw.payload()
    }
}

/// What is to be sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Payload<'a> {
    /// An encoded value: every recipient's parser encodes it.
    Value(#[serde(borrow, with = "serde_bytes")] Cow<'a, [u8]>),
    /// Wire bytes: recipients with that parser get them as they are.
    Wire {
        /// The host-wide number of the parser.
        parser: u32,
        /// Text or binary.
        kind: Kind,
        /// The bytes.
        #[serde(borrow, with = "serde_bytes")]
        bytes: Cow<'a, [u8]>,
    },
}

impl Payload<'static> {
    /// The payload of a value.
    ///
    /// # Errors
    ///
    /// The value can't be encoded.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        value::to_vec(value).map(|encoded| Self::Value(Cow::Owned(encoded)))
    }
}

impl Payload<'_> {
    /// The same, owned.
    pub fn into_owned(self) -> Payload<'static> {
        match self {
            Payload::Value(bytes) => Payload::Value(Cow::Owned(bytes.into_owned())),
            Payload::Wire { parser, kind, bytes } => Payload::Wire { parser, kind, bytes: Cow::Owned(bytes.into_owned()) },
        }
    }
}
