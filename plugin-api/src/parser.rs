//! Parsers: one message's bytes into an encoded value and back.

use serde::{Deserialize, Serialize};

use crate::message::Kind;

/// A message format. Used from all shards at once.
pub trait Parser: Send + Sync + 'static {
    /// The parser's name: what `/primus/spec` and the client call it.
    fn name(&self) -> &str;

    /// Decodes one message and appends its value, encoded as [`crate::value`] says, to `value`. `[any]`
    ///
    /// # Errors
    ///
    /// The bytes are not of this format: the connection stays open. Or they pass a limit ([`ParseError::over`]): it ends.
    fn decode(&self, kind: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError>;

    /// Encodes one value, given as [`crate::value`] says, and appends it to `wire`. `Ok(None)`: such a value is not sent. `[any]`
    ///
    /// # Errors
    ///
    /// The format can't express the value.
    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError>;

    /// The string that a message is, where it is one and begins with `prefix`; `None` for anything else. Asked for short messages
    /// whose first byte is in [`Parser::string_lead`], to find the `primus::` control messages: a message that is none should
    /// cost a look at its first bytes, no more.
    fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Option<String>;

    /// The first bytes that an encoded string may have. The fewer, the fewer messages are looked at twice.
    fn string_lead(&self) -> ByteSet {
        ByteSet::all()
    }
}

/// A parser refuses a message or a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct ParseError {
    /// What is wrong, and where.
    pub reason: String,
    /// The limit that a message passes, where that is what is wrong.
    pub limit: Option<ParseLimit>,
}

impl ParseError {
    /// The bytes are not of the format, or the format can't express the value.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), limit: None }
    }

    /// A message passes a limit: whoever sends such messages wants to cost more than he may, and the connection ends.
    pub fn over(limit: ParseLimit, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), limit: Some(limit) }
    }
}

/// A limit of a parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParseLimit {
    /// The length of a message in bytes.
    Length,
    /// How deep arrays and objects lie in each other.
    Depth,
    /// How many values there are, those within arrays and objects counted.
    Values,
}

impl ParseLimit {
    /// What the shipped parsers' tables in `plugins.toml` call it, and [`DisconnectReason::Limit`](crate::DisconnectReason::Limit)
    /// with them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "max_message_bytes",
            Self::Depth => "max_depth",
            Self::Values => "max_values",
        }
    }

    /// The code of a WebSocket's close that says so (RFC 6455, section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::Length => 1009,
            Self::Depth | Self::Values => 1008,
        }
    }
}

/// A set of byte values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSet(pub(crate) [u64; 4]);

impl ByteSet {
    /// Every byte.
    pub const fn all() -> Self {
        Self([u64::MAX; 4])
    }

    /// These bytes.
    pub const fn of(bytes: &[u8]) -> Self {
        let mut bits = [0; 4];
        let mut index = 0;
        while index < bytes.len() {
            bits[(bytes[index] >> 6) as usize] |= 1 << (bytes[index] & 63);
            index += 1;
        }
        Self(bits)
    }

    /// Whether a byte is in it.
    #[inline]
    pub const fn contains(self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & (1 << (byte & 63)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSet;

    #[test]
    fn a_byte_set_has_exactly_its_bytes() {
        let set = ByteSet::of(b"\"\x00\xff ");
        let members: Vec<u8> = (0..=255).filter(|byte| set.contains(*byte)).collect();
        assert_eq!(members, [0, b' ', b'"', 255]);
    }
}
