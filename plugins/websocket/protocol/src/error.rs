//! What a peer can do wrong after the handshake, and the close code that answers it (RFC 6455, section 7.4.1).

use crate::close::CloseCode;
use crate::utf8::InvalidUtf8;

/// A violation of the protocol: the connection is closed with [`ProtocolError::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A frame of a client must be masked (section 5.1).
    #[error("the frame is not masked")]
    Unmasked,
    /// A reserved bit is set that no negotiated extension defines for this frame (section 5.2).
    #[error("a reserved bit is set")]
    ReservedBit,
    /// Opcodes 3 to 7 and 11 to 15 have no meaning (section 5.2).
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// A length must use the shortest form and fit in 63 bits (section 5.2).
    #[error("the length is not in its shortest form, or over 63 bits")]
    Length,
    /// A control frame is longer than 125 bytes (section 5.5).
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A control frame is fragmented (section 5.5).
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// A continuation frame came while no message was open (section 5.4).
    #[error("a continuation without a message to continue")]
    NothingToContinue,
    /// A new message began before the last one ended (section 5.4).
    #[error("a message began inside another one")]
    MessageInsideMessage,
    /// A close frame's payload is a single byte, or its code may not be sent (sections 5.5.1 and 7.4).
    #[error("the close frame's code is not valid")]
    CloseCode,
    /// A text message or a close reason is not UTF-8 (section 8.1).
    #[error("text is not UTF-8")]
    Utf8,
    /// A compressed message cannot be inflated (RFC 7692, section 6.2).
    #[error("the compressed data are damaged")]
    Deflate,
    /// A message is longer than the configured limit.
    #[error("the message is too long")]
    TooLong,
}

impl ProtocolError {
    /// The code that tells the peer what it did.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Unmasked
            | Self::ReservedBit
            | Self::ReservedOpcode(_)
            | Self::Length
            | Self::ControlTooLong
            | Self::ControlFragmented
            | Self::NothingToContinue
            | Self::MessageInsideMessage
            | Self::CloseCode => CloseCode::PROTOCOL_ERROR,
            Self::Utf8 | Self::Deflate => CloseCode::INVALID_PAYLOAD,
            Self::TooLong => CloseCode::TOO_BIG,
        }
    }
}

impl From<InvalidUtf8> for ProtocolError {
    fn from(InvalidUtf8: InvalidUtf8) -> Self {
        Self::Utf8
    }
}
