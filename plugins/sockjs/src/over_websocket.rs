//! A session over a WebSocket: with the frames of SockJS, or without them at the raw path.
//!
//! Knows what a message holds. Frames, masks and the closing handshake are `websocket_protocol`'s.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::{Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Out, Request, Response, TimerId, value};
use serde::{Deserialize, Serialize};
use websocket_protocol::{Connection, Endpoint as WebSocketEndpoint, Over, Receiver, Replies, TIMER};

use crate::endpoint::{Endpoint, Seat};
use crate::frame::{self, Closing};
use crate::incoming;

/// The next heartbeat.
pub const HEARTBEAT: TimerId = TimerId(1);

/// What the client sent before its fault is worked off.
const FAULT: TimerId = TimerId(2);

const _: () = assert!(TIMER.0 == 0, "the timers of the connection and of the session are different ones");

/// Whether messages stand in the frames of SockJS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// They do, and are text.
    SockJs,
    /// They go as they are.
    Raw,
}

impl Framing {
    /// Sessions of one framing share frames.
    pub fn class(self) -> FrameClass {
        match self {
            Framing::SockJs => FrameClass(NonZeroU32::MIN),
            Framing::Raw => FrameClass(NonZeroU32::MIN.saturating_add(1)),
        }
    }

    /// Of the sessions of a class.
    pub fn of(class: FrameClass) -> Self {
        if class == Framing::Raw.class() { Framing::Raw } else { Framing::SockJs }
    }

    /// Writes a message as every session of this framing does. Bytes have no frame in SockJS: nothing is written.
    pub fn write(self, websocket: &WebSocketEndpoint, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        // Without compression there is one class of frames.
        let Some(plain) = websocket.frame_class(None) else { return };
        match (self, kind) {
            (Framing::Raw, kind) => websocket.write_frame(plain, kind, payload, out),
            (Framing::SockJs, Kind::Text) => {
                websocket_protocol::write_in_place(Kind::Text, frame::expected(payload), out, |out| {
                    frame::write_message(payload, out);
                });
            }
            (Framing::SockJs, Kind::Binary) => {}
        }
    }

    /// Writes what closes a session of this framing, in both protocols.
    pub fn write_close(self, websocket: &WebSocketEndpoint, close: &Close, out: &mut Out<'_>) {
        let closing = Closing::of(close);
        if self == Framing::SockJs {
            websocket_protocol::write_prefixed(Kind::Text, &closing.frame(), &[], out);
        }
        websocket.write_close(&Close { code: Some(closing.code), reason: closing.reason }, out);
    }
}

/// What a client did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A frame is no array of strings.
    Framing,
    /// A message is longer than it may be.
    TooLong,
}

impl Fault {
    fn closing(self) -> Closing {
        match self {
            Fault::Framing => Closing::broken_framing(),
            Fault::TooLong => Closing::too_long(),
        }
    }

    fn reason(self) -> DisconnectReason {
        let Closing { code, reason } = self.closing();
        match self {
            Fault::Framing => DisconnectReason::Protocol { code, reason },
            Fault::TooLong => DisconnectReason::Limit("max_message_bytes".to_owned()),
        }
    }
}

/// One session.
pub struct OverWebSocket {
    connection: Connection<Note>,
    seat: Seat,
}

/// What the session keeps beside its connection.
#[derive(Debug, Clone, Copy)]
struct Note {
    framing: Framing,
    fault: Option<Fault>,
}

/// What another process needs to go on.
#[derive(Serialize, Deserialize)]
struct Saved {
    framing: Framing,
    address: IpAddr,
    #[serde(with = "serde_bytes")]
    connection: Vec<u8>,
}

impl OverWebSocket {
    /// Before its handshake.
    pub fn new(seat: Seat, framing: Framing) -> Self {
        let endpoint = Arc::clone(&seat.endpoint().websocket);
        Self { connection: Connection::new(endpoint, Note { framing, fault: None }), seat }
    }

    /// One that goes on from a saved state; `None` where that makes no sense.
    pub fn restore(endpoint: &Arc<Endpoint>, state: &[u8]) -> Option<Self> {
        let Saved { framing, address, connection } = value::decode(state).ok()?;
        let note = Note { framing, fault: None };
        let connection = Connection::restore(Arc::clone(&endpoint.websocket), note, &connection)?;
        Some(Self { connection, seat: Seat::take_over(endpoint, address) })
    }

    /// The state for another process; `None` while the session is no open one, or about to be ended for a fault.
    pub fn save(&self) -> Option<Vec<u8>> {
        let Note { framing, fault: None } = self.connection.note else { return None };
        value::to_vec(&Saved { framing, address: self.seat.address()?, connection: self.connection.save()? }).ok()
    }

    /// The handshake.
    pub fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        if !self.connection.is_connecting() {
            return events.respond(exchange, Response::text(400, "a WebSocket has a single request"));
        }
        if self.seat.is_refused(exchange, events) {
            return;
        }
        match self.connection.accept(exchange, request, events) {
            Ok(class) => {
                let framing = self.connection.note.framing;
                events.frame_class(class.map(|_| framing.class()));
                if framing == Framing::SockJs {
                    self.write(frame::OPEN.as_bytes(), events);
                    events.set_timer(HEARTBEAT, self.seat.endpoint().settings.heartbeat);
                }
            }
            Err(refusal) => {
                let response = refusal.response();
                let reason = DisconnectReason::Protocol { code: response.status, reason: refusal.to_string() };
                events.respond(exchange, response);
                events.close(reason);
            }
        }
    }

    /// Bytes of the stream.
    pub fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        let limit = self.seat.endpoint().settings.max_message;
        let Note { framing, fault } = self.connection.note;
        let mut reader = Reader { framing, fault, limit };
        let over = self.connection.receive(input, &mut reader, events);
        if reader.fault != fault {
            self.connection.note.fault = reader.fault;
            // The host answers first what came before the fault.
            events.set_timer(FAULT, Duration::ZERO);
        }
        follow(over, events);
    }

    /// A message to the client.
    pub fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        match (self.connection.note.framing, kind) {
            (Framing::Raw, kind) => self.connection.send(kind, payload, &mut events.out()),
            (Framing::SockJs, Kind::Text) => {
                let expected = frame::expected(payload);
                self.connection
                    .send_in_place(Kind::Text, expected, &mut events.out(), |out| frame::write_message(payload, out));
            }
            (Framing::SockJs, Kind::Binary) if self.connection.is_writable() => {
                let closing = Closing::binary();
                let reason = DisconnectReason::Protocol { code: closing.code, reason: closing.reason.clone() };
                self.end(closing, reason, events);
            }
            (Framing::SockJs, Kind::Binary) => {}
        }
    }

    /// A timer has come.
    pub fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        match timer {
            HEARTBEAT if self.connection.is_writable() => {
                self.write(frame::HEARTBEAT.as_bytes(), events);
                events.set_timer(HEARTBEAT, self.seat.endpoint().settings.heartbeat);
            }
            FAULT => {
                if let Some(fault) = self.connection.note.fault
                    && self.connection.is_writable()
                {
                    self.end(fault.closing(), fault.reason(), events);
                }
            }
            TIMER => follow(self.connection.timeout(events), events),
            _ => {}
        }
    }

    /// The host closes the session.
    pub fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        let over = self.farewell(Closing::of(close), events);
        follow(over, events);
    }

    /// The stream is gone.
    pub fn disconnected(&mut self, events: &mut Events<'_>) {
        follow(self.connection.disconnected(), events);
    }

    fn write(&mut self, frame: &[u8], events: &mut Events<'_>) {
        self.connection.send(Kind::Text, frame, &mut events.out());
    }

    /// Closes in both protocols.
    fn farewell(&mut self, closing: Closing, events: &mut Events<'_>) -> Option<Over> {
        if self.connection.note.framing == Framing::SockJs {
            self.write(&closing.frame(), events);
        }
        self.connection.close(&Close { code: Some(closing.code), reason: closing.reason }, events)
    }

    /// Closes without waiting for the client's answer.
    fn end(&mut self, closing: Closing, reason: DisconnectReason, events: &mut Events<'_>) {
        let _ = self.farewell(closing, events);
        // What follows is for nobody.
        let _ = self.connection.disconnected();
        events.close(reason);
    }
}

/// With the connection, the session is over.
fn follow(over: Option<Over>, events: &mut Events<'_>) {
    if let Some(Over(reason)) = over {
        events.close(reason);
    }
}

/// Unpacks messages, until the client's first fault.
struct Reader {
    framing: Framing,
    fault: Option<Fault>,
    limit: usize,
}

impl Reader {
    fn unpack(&mut self, kind: Kind, frame: &mut [u8], mut each: impl FnMut(Range<usize>)) {
        // Empty frames mean nothing.
        if self.fault.is_some() || frame.is_empty() {
            return;
        }
        if kind == Kind::Binary {
            self.fault = Some(Fault::Framing);
            return;
        }
        let limit = self.limit;
        let mut is_too_long = false;
        let unpacked = incoming::unpack(frame, |place| {
            is_too_long |= place.len() > limit;
            if !is_too_long {
                each(place);
            }
        });
        if unpacked.is_err() {
            self.fault = Some(Fault::Framing);
        } else if is_too_long {
            self.fault = Some(Fault::TooLong);
        }
    }
}

impl Receiver for Reader {
    #[inline]
    fn message(&mut self, kind: Kind, payload: &mut [u8], place: Range<usize>, _: &mut Replies<'_>, events: &mut Events<'_>) {
        match self.framing {
            Framing::Raw => events.message(kind, place),
            Framing::SockJs => self.unpack(kind, payload, |message| {
                events.message(Kind::Text, place.start + message.start..place.start + message.end);
            }),
        }
    }

    fn message_owned(&mut self, kind: Kind, mut payload: Vec<u8>, _: &mut Replies<'_>, events: &mut Events<'_>) {
        match self.framing {
            Framing::Raw => events.message_owned(kind, payload),
            Framing::SockJs => {
                let mut places = Vec::new();
                self.unpack(kind, &mut payload, |message| places.push(message));
                for place in places {
                    events.message_owned(Kind::Text, payload[place].to_vec());
                }
            }
        }
    }
}
