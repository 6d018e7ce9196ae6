//! A message on the stream: a head, which is a variable-length integer of QUIC (RFC 9000, section 16), and its bytes.
//!
//! The integer is twice the number of the bytes, and one more for a binary message. Knows nothing of sessions.

use plugin_api::{Kind, Out};

/// What stands in front of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Text or bytes.
    pub kind: Kind,
    /// The bytes of the message.
    pub length: u64,
    /// The bytes of the head.
    pub size: usize,
}

/// The most bytes that a head has.
pub const LONGEST: usize = 8;

impl Head {
    /// The head that `bytes` begin with; `None` where it is not whole.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let size = 1 << (bytes.first()? >> 6);
        let number = bytes.get(..size)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        // The two highest bits say how long it is.
        let number = number & (u64::MAX >> (66 - 8 * size));
        let kind = if number & 1 == 0 { Kind::Text } else { Kind::Binary };
        Some(Self { kind, length: number >> 1, size })
    }
}

/// Appends a message.
pub fn write(kind: Kind, payload: &[u8], out: &mut Out<'_>) {
    let number = (payload.len() as u64) << 1 | u64::from(kind == Kind::Binary);
    let log = match number {
        0..0x40 => 0,
        0x40..0x4000 => 1,
        0x4000..0x4000_0000 => 2,
        _ => 3,
    };
    let size = 1 << log;
    let head = (number | log << (8 * size - 2)).to_be_bytes();
    out.reserve(size + payload.len());
    out.extend_from_slice(&head[LONGEST - size..]);
    out.extend_from_slice(payload);
}
