//! Sparks: one client connection as plugins see it.

use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::message::{Message, Payload};
use crate::parser::ParseError;
use crate::value::{DecodeError, EncodeError};

/// A handle to a spark: shard, slot and generation in 64 bits. A handle whose spark is gone names no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(transparent)]
pub struct SparkId(NonZeroU64);

impl SparkId {
    /// From its parts. `generation` counts from 1.
    pub fn from_parts(shard: u8, slot: u32, generation: u32) -> Option<Self> {
        let raw = u64::from(shard) << 56 | u64::from(generation & 0xff_ffff) << 32 | u64::from(slot);
        Self::from_raw(raw)
    }

    /// From the number that crosses the boundary; 0 is none.
    pub fn from_raw(raw: u64) -> Option<Self> {
        NonZeroU64::new(raw).map(Self)
    }

    /// The number that crosses the boundary.
    pub fn raw(self) -> u64 {
        self.0.get()
    }

    /// The shard that owns the spark.
    pub fn shard(self) -> u8 {
        (self.raw() >> 56) as u8
    }

    /// The slot in the shard.
    pub fn slot(self) -> u32 {
        self.raw() as u32
    }

    /// Which of the slot's sparks: 24 bits.
    pub fn generation(self) -> u32 {
        (self.raw() >> 32) as u32 & 0xff_ffff
    }
}

impl fmt::Display for SparkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.raw())
    }
}

/// What is known of a spark from its handshake on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparkInfo {
    /// The public id, as `primus.id()` answers it.
    pub id: String,
    /// The client's address as `ip:port`, forwarded ones resolved.
    pub address: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The path of the request.
    pub path: String,
    /// The query as it came.
    pub query: String,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The transport's name.
    pub transport: String,
    /// The parser's name.
    pub parser: String,
}

impl SparkInfo {
    /// The first value of a query parameter, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        crate::request::query_fields(&self.query).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The first value of a header field; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How a spark is ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EndOptions {
    /// A last message (an encoded value).
    #[serde(with = "serde_bytes")]
    pub last: Option<Vec<u8>>,
    /// Whether the client may connect again. Otherwise it is told `primus::server::close`.
    pub reconnect: bool,
    /// The transport's close code; its own normal close without.
    pub code: Option<u16>,
    /// A text for the transport's close.
    pub reason: String,
}

/// What is wrong at a spark that may go on: Primus's event `error`. See [`Registrar::error`](crate::Registrar::error).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SparkError {
    /// A plugin asked for the value of the client's message, and the parser refuses its bytes. The spark goes on, unless a limit
    /// was passed: then it ends right after.
    #[error("the client's message can't be decoded: {0}")]
    Decode(ParseError),
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The spark is gone.
    #[error("the spark is gone")]
    Gone,
    /// The spark has more waiting than `max_buffered` allows; what becomes of it is the host's policy.
    #[error("more bytes wait for the spark than `max_buffered` allows")]
    Full,
    /// The value can't be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The message to relay can't be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// One client connection.
#[derive(Clone, Copy)]
pub struct Spark<'h> {
    id: SparkId,
    host: &'h Host,
}

impl<'h> Spark<'h> {
    pub(crate) fn new(id: SparkId, host: &'h Host) -> Self {
        Self { id, host }
    }

    /// The handle, to keep and to find the spark by.
    pub fn handle(&self) -> SparkId {
        self.id
    }

    /// The host.
    pub fn host(&self) -> &'h Host {
        self.host
    }

    /// What is known of it; `None` once it is gone.
    pub fn info(&self) -> Option<SparkInfo> {
        self.host.spark_info(self.id)
    }

    /// Sends a value.
    ///
    /// # Errors
    ///
    /// See [`SendError`]. A queued message is not an error.
    pub fn write(&self, value: &(impl Serialize + ?Sized)) -> Result<(), SendError> {
        self.host.send(self.id, &Payload::of(value)?)
    }

    /// Sends a message on as it is: same bytes, never parsed where the parser is the same.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn relay(&self, message: &mut Message<'_>) -> Result<(), SendError> {
        self.host.send(self.id, &message.payload()?)
    }

    /// Ends it for good: the client does not reconnect.
    pub fn end(&self) {
        self.host.end(self.id, &EndOptions::default());
    }

    /// Ends it.
    pub fn end_with(&self, options: &EndOptions) {
        self.host.end(self.id, options);
    }
}

#[cfg(test)]
mod tests {
    use super::SparkId;

    #[test]
    fn a_handle_keeps_its_parts() {
        let id = SparkId::from_parts(255, u32::MAX, 0xab_cdef).unwrap();
        assert_eq!((id.shard(), id.slot(), id.generation()), (255, u32::MAX, 0xab_cdef));
    }
}
