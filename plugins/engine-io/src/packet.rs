//! Packets: one character that says what it is, then its data.
//!
//! Knows how a packet is written on each carrier, in each version. Knows nothing of when which may come.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plugin_api::{FrameClass, Kind};

/// The version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// The server pings; payloads are separated by a character.
    #[default]
    Four,
    /// The client pings; payloads are prefixed by lengths.
    Three,
}

impl Version {
    /// The version of this number, as it is written in a query.
    pub fn of_number(number: &str) -> Option<Self> {
        match number {
            "4" => Some(Self::Four),
            "3" => Some(Self::Three),
            _ => None,
        }
    }
}

/// How binary messages go to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binary {
    /// As they are, where the carrier can.
    #[default]
    Plain,
    /// As text: the client has asked for it.
    Base64,
}

/// How packets are written for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// In which version.
    pub version: Version,
    /// How binary messages are.
    pub binary: Binary,
}

impl Dialect {
    /// The class of frames of all WebSockets with this dialect.
    pub fn class(self) -> FrameClass {
        let version = match self.version {
            Version::Four => 0,
            Version::Three => 2,
        };
        let binary = match self.binary {
            Binary::Plain => 0,
            Binary::Base64 => 1,
        };
        FrameClass(NonZeroU32::MIN.saturating_add(version + binary))
    }

    /// The dialect of a class.
    pub fn of_class(class: FrameClass) -> Self {
        let number = class.0.get() - 1;
        Self {
            version: if number & 2 == 0 { Version::Four } else { Version::Three },
            binary: if number & 1 == 0 { Binary::Plain } else { Binary::Base64 },
        }
    }

    /// What stands before the base64 of a binary message.
    pub fn base64_prefix(self) -> &'static str {
        match self.version {
            Version::Four => "b",
            Version::Three => "b4",
        }
    }
}

/// What a client's packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// The session is over.
    Close,
    /// Whether the other side is there; with a text of the client's.
    Ping,
    /// The answer to a ping.
    Pong,
    /// A message that lies in the packet, from this place to the end.
    Message(Kind, usize),
    /// A message that had to be decoded.
    Decoded(Vec<u8>),
    /// The session moves to the carrier of this packet.
    Upgrade,
    /// Nothing: it only ends a request.
    Noop,
}

/// A packet that breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is nothing.
    #[error("a packet is empty")]
    Empty,
    /// Not one of the protocol's, or not one that a client sends.
    #[error("a packet has an unknown type")]
    Type,
    /// The base64 is damaged.
    #[error("a packet's base64 is damaged")]
    Base64,
    /// The payload's lengths or texts are damaged.
    #[error("a payload is damaged")]
    Payload,
}

impl Packet {
    /// Reads a text packet.
    ///
    /// # Errors
    /// What is wrong with it.
    #[inline]
    pub fn of_text(version: Version, packet: &[u8]) -> Result<Self, Malformed> {
        match *packet.first().ok_or(Malformed::Empty)? {
            b'4' => Ok(Self::Message(Kind::Text, 1)),
            b'b' => {
                let data = match version {
                    Version::Four => &packet[1..],
                    Version::Three => packet.strip_prefix(b"b4").ok_or(Malformed::Type)?,
                };
                STANDARD.decode(data).map(Self::Decoded).map_err(|_| Malformed::Base64)
            }
            b'1' => Ok(Self::Close),
            b'2' => Ok(Self::Ping),
            b'3' => Ok(Self::Pong),
            b'5' => Ok(Self::Upgrade),
            b'6' => Ok(Self::Noop),
            _ => Err(Malformed::Type),
        }
    }

    /// Reads a binary packet: in version 4, it is a message; in version 3, its type comes first, as a number.
    ///
    /// # Errors
    /// What is wrong with it.
    #[inline]
    pub fn of_binary(version: Version, packet: &[u8]) -> Result<Self, Malformed> {
        match (version, packet.first()) {
            (Version::Four, _) => Ok(Self::Message(Kind::Binary, 0)),
            (Version::Three, Some(4)) => Ok(Self::Message(Kind::Binary, 1)),
            (Version::Three, Some(_)) => Err(Malformed::Type),
            (Version::Three, None) => Err(Malformed::Empty),
        }
    }
}

/// A packet to a client that waits for its carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A packet without data.
    Bare(u8),
    /// A message.
    Message(Kind, Box<[u8]>),
}

impl Outgoing {
    /// A ping.
    pub const PING: Self = Self::Bare(b'2');
    /// The answer to one.
    pub const PONG: Self = Self::Bare(b'3');
    /// The session is over.
    pub const CLOSE: Self = Self::Bare(b'1');
    /// Nothing.
    pub const NOOP: Self = Self::Bare(b'6');

    /// What it counts against the limit, in bytes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Bare(_) => 1,
            Self::Message(_, payload) => size_of::<Self>() + payload.len(),
        }
    }
}

/// Base64, as it goes out.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
