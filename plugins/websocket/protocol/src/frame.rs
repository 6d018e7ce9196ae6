//! Frames (RFC 6455, section 5.2): the header of a client's frame is parsed, the frames of the server are written.
//!
//! Knows one frame at a time. Whether a frame may come at this point of the connection is the session's to say.

use plugin_api::{Kind, Out};

use crate::error::ProtocolError;
use crate::mask::Key;

/// The longest payload of a control frame (section 5.5), in bytes.
pub const MAX_CONTROL: usize = 125;

/// The longest header of a client's frame: two bytes, a length of eight, a key of four.
pub const MAX_HEADER: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const MASKED: u8 = 0x80;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The next fragment of a message.
    Continuation,
    /// The first fragment of a message, or all of it.
    Start(Kind),
    /// A frame about the connection.
    Control(Control),
}

/// A frame about the connection (section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The sender sends no more.
    Close,
    /// The receiver is to answer with a pong of the same payload.
    Ping,
    /// The answer to a ping, or a sign of life without one.
    Pong,
}

impl Opcode {
    fn parse(byte: u8) -> Result<Opcode, ProtocolError> {
        match byte & 0x0f {
            0x0 => Ok(Opcode::Continuation),
            0x1 => Ok(Opcode::Start(Kind::Text)),
            0x2 => Ok(Opcode::Start(Kind::Binary)),
            0x8 => Ok(Opcode::Control(Control::Close)),
            0x9 => Ok(Opcode::Control(Control::Ping)),
            0xa => Ok(Opcode::Control(Control::Pong)),
            reserved => Err(ProtocolError::ReservedOpcode(reserved)),
        }
    }

    fn number(self) -> u8 {
        match self {
            Opcode::Continuation => 0x0,
            Opcode::Start(Kind::Text) => 0x1,
            Opcode::Start(Kind::Binary) => 0x2,
            Opcode::Control(Control::Close) => 0x8,
            Opcode::Control(Control::Ping) => 0x9,
            Opcode::Control(Control::Pong) => 0xa,
        }
    }
}

/// Whether a message's payload went through permessage-deflate: the first reserved bit of its first frame (RFC 7692,
/// section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Plain,
    /// Deflated.
    Deflated,
}

/// Whether a frame is its message's last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More fragments follow.
    Open,
    /// The message is complete with this frame.
    Final,
}

/// The header of a client's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub opcode: Opcode,
    /// Whether it ends its message.
    pub end: End,
    /// The first reserved bit. Only a message's first frame may have it set.
    pub coding: Coding,
    /// The payload's length in bytes.
    pub length: u64,
    /// What the payload is masked with.
    pub key: Key,
}

/// What the first bytes of a frame give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The header, and its own length in bytes.
    Header(Header, usize),
    /// The header needs this many bytes from its start, maybe more.
    Needs(usize),
}

impl Header {
    /// Parses the header at the start of `bytes`.
    ///
    /// # Errors
    /// As soon as the first two bytes are there and they, or the length that follows, break the protocol.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Parsed, ProtocolError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(Parsed::Needs(2));
        };
        let opcode = Opcode::parse(first)?;
        let reserved = match opcode {
            Opcode::Start(_) => RSV2 | RSV3,
            Opcode::Continuation | Opcode::Control(_) => RSV1 | RSV2 | RSV3,
        };
        if first & reserved != 0 {
            return Err(ProtocolError::ReservedBit);
        }
        if second & MASKED == 0 {
            return Err(ProtocolError::Unmasked);
        }
        let short = second & !MASKED;
        if let Opcode::Control(_) = opcode {
            if first & FIN == 0 {
                return Err(ProtocolError::ControlFragmented);
            }
            if usize::from(short) > MAX_CONTROL {
                return Err(ProtocolError::ControlTooLong);
            }
        }
        let (length, rest, size) = match short {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else {
                    return Ok(Parsed::Needs(8));
                };
                (u64::from(u16::from_be_bytes(*length)), rest, 8)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else {
                    return Ok(Parsed::Needs(14));
                };
                (u64::from_be_bytes(*length), rest, 14)
            }
            short => (u64::from(short), rest, 6),
        };
        let shortest = match short {
            126 => 126,
            127 => 1 << 16,
            _ => 0,
        };
        if length < shortest || length >> 63 != 0 {
            return Err(ProtocolError::Length);
        }
        let Some((key, _)) = rest.split_first_chunk() else {
            return Ok(Parsed::Needs(size));
        };
        let header = Header {
            opcode,
            end: if first & FIN == 0 { End::Open } else { End::Final },
            coding: if first & RSV1 == 0 { Coding::Plain } else { Coding::Deflated },
            length,
            key: Key(*key),
        };
        Ok(Parsed::Header(header, size))
    }
}

/// Writes one whole frame of the server: final and unmasked.
#[inline]
pub fn write(opcode: Opcode, coding: Coding, payload: &[u8], out: &mut Out<'_>) {
    write_pieces(opcode, coding, [payload], out);
}

/// Writes one whole frame whose payload is in pieces.
#[inline]
pub fn write_pieces<const N: usize>(opcode: Opcode, coding: Coding, pieces: [&[u8]; N], out: &mut Out<'_>) {
    let first = FIN
        | opcode.number()
        | match coding {
            Coding::Plain => 0,
            Coding::Deflated => RSV1,
        };
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    out.reserve(MAX_HEADER + length);
    if length <= MAX_CONTROL {
        out.extend_from_slice(&[first, length as u8]);
    } else if let Ok(length) = u16::try_from(length) {
        let [high, low] = length.to_be_bytes();
        out.extend_from_slice(&[first, 126, high, low]);
    } else {
        out.extend_from_slice(&[first, 127]);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

/// Writes one whole message whose payload is written where it is to stand. `expected` is about its length: where the header turns
/// out to be longer or shorter, the payload is moved.
#[inline]
pub fn write_in_place(kind: Kind, expected: usize, out: &mut Out<'_>, fill: impl FnOnce(&mut Out<'_>)) {
    out.reserve(MAX_HEADER + expected);
    let start = out.len();
    let guessed = header_length(expected);
    out.extend_from_slice(&[0; MAX_HEADER][..guessed]);
    fill(out);
    let length = out.len() - start - guessed;
    let needed = header_length(length);
    if needed > guessed {
        out.extend_from_slice(&[0; MAX_HEADER][..needed - guessed]);
    }
    let frame = &mut out.as_mut_slice()[start..];
    if needed != guessed {
        frame.copy_within(guessed..guessed + length, needed);
    }
    frame[0] = FIN | Opcode::Start(kind).number();
    match needed {
        2 => frame[1] = length as u8,
        4 => {
            frame[1] = 126;
            frame[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            frame[1] = 127;
            frame[2..10].copy_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.truncate(start + needed + length);
}

/// How long the header of a frame of the server is, by the length of its payload (RFC 6455, section 5.2).
fn header_length(payload: usize) -> usize {
    if payload <= MAX_CONTROL {
        2
    } else if u16::try_from(payload).is_ok() {
        4
    } else {
        10
    }
}
