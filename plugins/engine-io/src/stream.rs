//! A session's WebSocket: each packet is a message.
//!
//! It either carries the session from its beginning, or it is tried first: the client asks `2probe`, is answered `3probe`, and
//! lets the session move with `5` once nothing is on its way by polling.

use std::ops::Range;

use plugin_api::{DisconnectReason, Events, Kind};
use websocket_protocol::{Connection, Receiver, Replies};

use crate::packet::{Binary, Dialect, Outgoing, Packet, Version, base64};
use crate::session::Core;

/// A WebSocket.
pub struct Stream {
    /// The connection.
    pub connection: Connection,
    /// What it is for the session.
    pub role: Role,
    /// How packets are written on it.
    pub dialect: Dialect,
}

/// What a WebSocket is for its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To be tried.
    New,
    /// It was tried, and the session may move to it.
    Probed,
    /// All packets go over it.
    Carrier,
    /// It was tried and is not used: whatever it brings is ignored.
    Refused,
}

/// Writes a message: which kind of frame, and the two pieces of its payload.
#[inline]
pub fn write_message(dialect: Dialect, kind: Kind, payload: &[u8], write: impl FnOnce(Kind, &[u8], &[u8])) {
    match (kind, dialect.binary, dialect.version) {
        (Kind::Text, _, _) => write(Kind::Text, b"4", payload),
        (Kind::Binary, Binary::Plain, Version::Four) => write(Kind::Binary, b"", payload),
        (Kind::Binary, Binary::Plain, Version::Three) => write(Kind::Binary, &[4], payload),
        (Kind::Binary, Binary::Base64, _) => {
            write(Kind::Text, dialect.base64_prefix().as_bytes(), base64(payload).as_bytes());
        }
    }
}

/// Takes the messages of a WebSocket for its session.
pub struct Reader<'s> {
    /// The session.
    pub core: &'s mut Core,
    /// What the WebSocket is for it.
    pub role: &'s mut Role,
    /// How packets are written on it.
    pub dialect: Dialect,
}

impl Reader<'_> {
    /// Takes one packet; if it is a message, tells where that lies or gives it.
    #[inline]
    fn packet(&mut self, kind: Kind, bytes: &[u8], replies: &mut Replies<'_>, events: &mut Events<'_>) -> Option<Packet> {
        if self.core.has_ended() {
            return None;
        }
        match self.role {
            Role::Refused => None,
            Role::New | Role::Probed => {
                self.probe(kind, bytes, replies, events);
                None
            }
            Role::Carrier => {
                let packet = match kind {
                    Kind::Text => Packet::of_text(self.dialect.version, bytes),
                    Kind::Binary => Packet::of_binary(self.dialect.version, bytes),
                };
                match packet {
                    Ok(message @ (Packet::Message(..) | Packet::Decoded(_))) => Some(message),
                    Ok(packet) => {
                        if let Some(answer) = self.core.control(&packet, events) {
                            write(self.dialect, &answer, replies, events);
                        }
                        None
                    }
                    Err(malformed) => {
                        self.core.fail(malformed);
                        None
                    }
                }
            }
        }
    }

    #[cold]
    fn probe(&mut self, kind: Kind, bytes: &[u8], replies: &mut Replies<'_>, events: &mut Events<'_>) {
        match (kind, bytes, *self.role) {
            (Kind::Text, b"2probe", _) => {
                replies.send(Kind::Text, b"3probe", &mut events.out());
                *self.role = Role::Probed;
                self.core.probed(events);
            }
            (Kind::Text, [b'5', ..], Role::Probed) => {
                *self.role = Role::Carrier;
                for packet in self.core.moved(events) {
                    write(self.dialect, &packet, replies, events);
                }
                events.frame_class(Some(self.dialect.class()));
            }
            _ => *self.role = Role::Refused,
        }
    }
}

fn write(dialect: Dialect, packet: &Outgoing, replies: &mut Replies<'_>, events: &mut Events<'_>) {
    match packet {
        Outgoing::Bare(kind) => replies.send(Kind::Text, std::slice::from_ref(kind), &mut events.out()),
        Outgoing::Message(kind, payload) => write_message(dialect, *kind, payload, |kind, prefix, rest| {
            replies.send(kind, &[prefix, rest].concat(), &mut events.out());
        }),
    }
}

impl Receiver for Reader<'_> {
    #[inline]
    fn message(
        &mut self,
        kind: Kind,
        payload: &mut [u8],
        place: Range<usize>,
        replies: &mut Replies<'_>,
        events: &mut Events<'_>,
    ) {
        match self.packet(kind, payload, replies, events) {
            Some(Packet::Message(kind, at)) => events.message(kind, place.start + at..place.end),
            Some(Packet::Decoded(message)) => events.message_owned(Kind::Binary, message),
            _ => {}
        }
    }

    fn message_owned(&mut self, kind: Kind, mut payload: Vec<u8>, replies: &mut Replies<'_>, events: &mut Events<'_>) {
        match self.packet(kind, &payload, replies, events) {
            Some(Packet::Message(kind, at)) => {
                payload.drain(..at);
                events.message_owned(kind, payload);
            }
            Some(Packet::Decoded(message)) => events.message_owned(Kind::Binary, message),
            _ => {}
        }
    }
}

/// Why the session ends when the client says so.
pub fn closed_by_client() -> DisconnectReason {
    DisconnectReason::Client { code: None, reason: String::new() }
}
