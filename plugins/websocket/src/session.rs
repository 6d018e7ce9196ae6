//! One WebSocket as a session of the host.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use plugin_api::{Carrier, Close, DisconnectReason, Events, ExchangeId, Kind, Request, Response, Session, TimerId, value};
use seats::{Full, Seat, Seats};
use serde::{Deserialize, Serialize};
use websocket_protocol::{Connection, Endpoint, Over, Receiver, Replies};

/// One connection.
pub struct WebSocket {
    connection: Connection<Purpose>,
    seat: Result<Seat, Full>,
}

const _: () = assert!(size_of::<WebSocket>() <= 40);

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// They go to the host.
    Messages,
    /// They go back as they came.
    Echo,
}

impl Receiver for Purpose {
    #[inline]
    fn message(
        &mut self,
        kind: Kind,
        payload: &mut [u8],
        place: Range<usize>,
        replies: &mut Replies<'_>,
        events: &mut Events<'_>,
    ) {
        match self {
            Purpose::Messages => events.message(kind, place),
            Purpose::Echo => replies.send(kind, payload, &mut events.out()),
        }
    }

    fn message_owned(&mut self, kind: Kind, payload: Vec<u8>, replies: &mut Replies<'_>, events: &mut Events<'_>) {
        match self {
            Purpose::Messages => events.message_owned(kind, payload),
            Purpose::Echo => replies.send(kind, &payload, &mut events.out()),
        }
    }
}

impl WebSocket {
    /// Before its handshake.
    pub fn new(endpoint: Arc<Endpoint>, seat: Result<Seat, Full>, purpose: Purpose) -> Self {
        Self { connection: Connection::new(endpoint, purpose), seat }
    }
}

/// What another process needs to go on.
#[derive(Serialize, Deserialize)]
struct Saved {
    purpose: Purpose,
    /// Whose seat it has.
    #[serde(default)]
    address: Option<IpAddr>,
    #[serde(with = "serde_bytes")]
    connection: Vec<u8>,
}

impl WebSocket {
    /// One that goes on from a saved state; `None` where that makes no sense.
    pub fn restore(endpoint: Arc<Endpoint>, seats: &Arc<Seats>, state: &[u8]) -> Option<Self> {
        let saved: Saved = value::decode(state).ok()?;
        let connection = Connection::restore(endpoint, saved.purpose, &saved.connection)?;
        // An earlier version counted nobody.
        let seat = saved.address.map(|address| seats.take_over(address)).ok_or(Full);
        Some(Self { connection, seat })
    }
}

/// The answer to a client whose address has too many connections.
pub fn refusal(full: Full) -> Response {
    Response::json(503, &std::collections::BTreeMap::from([("error", full.to_string())]))
}

/// With the connection, the session is over.
fn follow(over: Option<Over>, events: &mut Events<'_>) {
    if let Some(Over(reason)) = over {
        events.close(reason);
    }
}

impl Session for WebSocket {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        if !self.connection.is_connecting() {
            return events.respond(exchange, Response::text(400, "a WebSocket has a single request"));
        }
        if let Err(full) = self.seat {
            events.respond(exchange, refusal(full));
            return events.close(DisconnectReason::Limit("max_sessions_per_address".to_owned()));
        }
        match self.connection.accept(exchange, request, events) {
            Ok(class) => events.frame_class(class),
            Err(refusal) => {
                let response = refusal.response();
                let reason = DisconnectReason::Protocol { code: response.status, reason: refusal.to_string() };
                events.respond(exchange, response);
                events.close(reason);
            }
        }
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        let mut purpose = self.connection.note;
        let over = self.connection.receive(input, &mut purpose, events);
        follow(over, events);
    }

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        self.connection.send(kind, payload, &mut events.out());
    }

    fn timeout(&mut self, _: TimerId, events: &mut Events<'_>) {
        let over = self.connection.timeout(events);
        follow(over, events);
    }

    fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        let over = self.connection.close(close, events);
        follow(over, events);
    }

    fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) {
        follow(self.connection.disconnected(), events);
    }

    fn save(&self) -> Option<Vec<u8>> {
        let address = self.seat.as_ref().map(Seat::address).ok();
        let saved = Saved { purpose: self.connection.note, address, connection: self.connection.save()? };
        value::to_vec(&saved).ok()
    }
}
