//! Parsers: one message's bytes into an encoded value and back.

use crate::message::Kind;

/// A message format. Used from all shards at once.
pub trait Parser: Send + Sync + 'static {
    /// The parser's name: what `/primus/spec` and the client call it.
    fn name(&self) -> &str;

    /// Decodes one message and appends its value, encoded as [`crate::value`] says, to `value`. `[any]`
    ///
    /// # Errors
    ///
    /// The bytes are not of this format, or pass a limit. The connection stays open.
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

/// A parser refuses a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

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
