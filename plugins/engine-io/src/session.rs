//! One session of Engine.IO: it goes on over many requests, and moves to a WebSocket where the client wants it.
//!
//! Until it moves, packets go by polling: [`Polling`] keeps them for the next request. While a WebSocket is tried, polling goes
//! on; what the client sends from then on, and what waits, goes over the WebSocket, so that nothing is lost or comes twice.

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::{
    Carrier, Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Request, Response, Session, TimerId, value,
};
use seats::Seat;
use serde::{Deserialize, Serialize};
use websocket_protocol::{Connection, Over};

use crate::config::Server;
use crate::handshake::{self, Carriage, Parameters};
use crate::heartbeat::{self, Beat, Heartbeat};
use crate::jsonp::{self, Jsonp};
use crate::packet::{Dialect, Malformed, Outgoing, Packet, Version};
use crate::payload;
use crate::polling::{self, Polling};
use crate::refusal::Refusal;
use crate::stream::{self, Reader, Role, Stream};

/// How long a WebSocket may take to become the carrier.
const UPGRADE: TimerId = TimerId(3);

/// Comes while a WebSocket is tried: the client can't move before its request is answered.
const RELEASE: TimerId = TimerId(4);

/// How long a request waits while a WebSocket is tried.
const RELEASE_AFTER: Duration = Duration::from_millis(100);

/// One session.
pub struct EngineIo {
    core: Core,
    /// A WebSocket that is tried, or carries the session.
    stream: Option<Box<Stream>>,
    /// `None` for one that came too late to have one.
    seat: Option<Seat>,
}

/// What another process needs to go on with a session that a WebSocket carries.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// The number of the dialect's class.
    dialect: NonZeroU32,
    /// Whether the heartbeat waits for the client; its timer is the host's to keep.
    is_listening: bool,
    /// Whose seat it has.
    address: Option<IpAddr>,
    #[serde(with = "serde_bytes")]
    connection: Vec<u8>,
}

/// A session without its WebSocket.
pub struct Core {
    server: Arc<Server>,
    dialect: Dialect,
    heartbeat: Heartbeat,
    phase: Phase,
    polling: Polling,
    /// The host has closed the session: with the next carrier that takes the last packets, it is over.
    is_closing: bool,
    /// Why the session is over: told once the call is done.
    ended: Option<DisconnectReason>,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its first request has not come.
    New,
    /// Requests carry it.
    Polling,
    /// The same, and a WebSocket is ready to do so.
    Moving,
    /// A WebSocket carries it.
    Streaming,
}

impl EngineIo {
    /// Before its first request.
    pub fn new(server: Arc<Server>, dialect: Dialect, seat: Option<Seat>) -> Self {
        let core = Core {
            server,
            dialect,
            heartbeat: Heartbeat::Listening,
            phase: Phase::New,
            polling: Polling::default(),
            is_closing: false,
            ended: None,
        };
        Self { core, stream: None, seat }
    }

    /// One that goes on from a saved state; `None` where that makes no sense.
    pub fn restore(server: Arc<Server>, state: &[u8]) -> Option<Self> {
        let saved: Saved = value::decode(state).ok()?;
        let dialect = Dialect::of_class(FrameClass(saved.dialect));
        let connection = Connection::restore(Arc::clone(&server.endpoint), (), &saved.connection)?;
        let seat = saved.address.map(|address| server.seats.take_over(address));
        let mut session = Self::new(server, dialect, seat);
        session.core.phase = Phase::Streaming;
        session.core.heartbeat = if saved.is_listening { Heartbeat::Listening } else { Heartbeat::Resting };
        session.stream = Some(Box::new(Stream { connection, role: Role::Carrier, dialect }));
        Some(session)
    }

    fn begin(&mut self, exchange: ExchangeId, request: &Request<'_>, parameters: &Parameters, events: &mut Events<'_>) {
        let carriage = parameters.carriage;
        let core = &mut self.core;
        if self.seat.is_none() {
            core.ended = Some(DisconnectReason::Limit("max_sessions_per_address".to_owned()));
            return events.respond(exchange, Refusal::TooManySessions.response());
        }
        let sid = request.spark_id().unwrap_or_default();
        let open = handshake::open_packet(&core.server, sid, carriage);
        match carriage {
            Carriage::Polling => {
                core.phase = Phase::Polling;
                let mut response = jsonp::answer(parameters.jsonp, payload::opening(core.dialect, &open));
                if let Some(name) = &core.server.cookie {
                    response = response.with_header("set-cookie", format!("{name}={sid}; Path=/; HttpOnly; SameSite=Lax"));
                }
                events.respond(exchange, response);
            }
            Carriage::WebSocket => {
                let mut connection = Connection::new(Arc::clone(&core.server.endpoint), ());
                if let Err(refusal) = connection.accept(exchange, request, events) {
                    let response = refusal.response();
                    core.ended = Some(DisconnectReason::Protocol { code: response.status, reason: refusal.to_string() });
                    return events.respond(exchange, response);
                }
                core.phase = Phase::Streaming;
                connection.send(Kind::Text, &open, &mut events.out());
                events.frame_class(Some(core.dialect.class()));
                self.stream = Some(Box::new(Stream { connection, role: Role::Carrier, dialect: core.dialect }));
            }
        }
        self.core.heartbeat = Heartbeat::start(&self.core.server, self.core.dialect.version, events);
    }

    /// A WebSocket for a session that began by polling.
    fn try_stream(&mut self, exchange: ExchangeId, request: &Request<'_>, dialect: Dialect, events: &mut Events<'_>) {
        if self.stream.is_some() || request.header("upgrade").is_none() || dialect.version != self.core.dialect.version {
            return events.respond(exchange, Refusal::BadRequest.response());
        }
        let mut connection = Connection::new(Arc::clone(&self.core.server.endpoint), ());
        match connection.accept(exchange, request, events) {
            Ok(_) => {
                events.set_timer(UPGRADE, self.core.server.upgrade_timeout);
                self.stream = Some(Box::new(Stream { connection, role: Role::New, dialect }));
            }
            Err(refusal) => events.respond(exchange, refusal.response()),
        }
    }

    /// The WebSocket is not used.
    fn refuse_stream(&mut self, events: &mut Events<'_>) {
        if let Some(stream) = &mut self.stream {
            stream.role = Role::Refused;
            let over = stream.connection.close(&Close::default(), events);
            events.clear_timer(UPGRADE);
            self.core.remain(events);
            self.follow(over);
        }
    }

    /// A WebSocket is over: with it the session, if it carries it.
    fn follow(&mut self, over: Option<Over>) {
        if let Some(Over(reason)) = over
            && let Some(stream) = self.stream.take()
            && stream.role == Role::Carrier
        {
            self.core.ended.get_or_insert(reason);
        }
    }

    /// The end of each call: tells the host if the session is over.
    fn settle(&mut self, events: &mut Events<'_>) {
        if let Some(reason) = self.core.ended.take() {
            self.core.polling.answer(self.core.dialect, events);
            if let Some(stream) = &mut self.stream {
                // Nobody waits for the answer: the host closes the stream once this is written.
                let _ = stream.connection.close(&Close::default(), events);
            }
            events.close(reason);
        }
    }
}

impl Core {
    /// Whether nothing more counts.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// The client broke the protocol.
    pub fn fail(&mut self, malformed: Malformed) {
        self.violated(malformed.to_string());
    }

    fn violated(&mut self, reason: String) {
        self.ended.get_or_insert(DisconnectReason::Protocol { code: 400, reason });
    }

    /// A packet that is no message; the answer to it.
    pub fn control(&mut self, packet: &Packet, events: &mut Events<'_>) -> Option<Outgoing> {
        let version = self.dialect.version;
        match (packet, version) {
            (Packet::Close, _) => {
                self.ended.get_or_insert(stream::closed_by_client());
            }
            (Packet::Ping, Version::Three) => {
                self.heartbeat.heard(&self.server, version, events);
                return Some(Outgoing::PONG);
            }
            (Packet::Pong, Version::Four) => self.heartbeat.heard(&self.server, version, events),
            (Packet::Ping, Version::Four) | (Packet::Pong, Version::Three) => {
                self.violated("a heartbeat in the wrong direction".to_owned());
            }
            (Packet::Upgrade | Packet::Noop | Packet::Message(..) | Packet::Decoded(_), _) => {}
        }
        None
    }

    /// A WebSocket answers: the client waits for the end of its request, then it moves.
    pub fn probed(&mut self, events: &mut Events<'_>) {
        self.phase = Phase::Moving;
        self.polling.answer(self.dialect, events);
    }

    /// The WebSocket carries the session from now on: the packets that it has to begin with.
    pub fn moved(&mut self, events: &mut Events<'_>) -> Vec<Outgoing> {
        self.phase = Phase::Streaming;
        events.clear_timer(UPGRADE);
        self.polling.release(self.dialect, events);
        if self.is_closing {
            self.ended.get_or_insert(DisconnectReason::Server);
        }
        self.polling.take()
    }

    /// The session stays with polling.
    fn remain(&mut self, events: &mut Events<'_>) {
        if self.phase == Phase::Moving {
            self.phase = Phase::Polling;
            events.clear_timer(RELEASE);
        }
    }

    /// A request that waits for packets.
    fn poll(&mut self, exchange: ExchangeId, jsonp: Option<Jsonp>, events: &mut Events<'_>) {
        if self.polling.is_polled() {
            self.violated("two requests wait for packets".to_owned());
            return events.respond(exchange, Refusal::BadRequest.response());
        }
        self.polling.poll(exchange, jsonp, self.dialect, events);
        if self.is_closing {
            self.ended.get_or_insert(DisconnectReason::Server);
        }
        if self.phase == Phase::Moving && self.polling.is_polled() {
            events.set_timer(RELEASE, RELEASE_AFTER);
        }
    }

    /// A request that brings packets.
    fn post(&mut self, exchange: ExchangeId, request: &Request<'_>, jsonp: Option<Jsonp>, events: &mut Events<'_>) {
        if request.body().len() > self.server.max_payload {
            return events.respond(exchange, Response::text(413, "the body is longer than maxPayload"));
        }
        let (kind, body) = match jsonp {
            Some(_) => (Kind::Text, jsonp::payload(request.body()).map(Cow::Owned)),
            None => (payload::kind_of(request.header("content-type")), Some(Cow::Borrowed(request.body()))),
        };
        let version = self.dialect.version;
        let mut messages = Vec::new();
        let body = body.ok_or(Malformed::Payload);
        let read = body.and_then(|body| self.read(version, kind, &body, &mut messages, events));
        // First the answer: a message may end the session.
        match read {
            Ok(()) => events.respond(exchange, Response::new(200).with_header("content-type", "text/html").with_body("ok")),
            Err(malformed) => {
                self.fail(malformed);
                events.respond(exchange, Refusal::BadRequest.response());
            }
        }
        for (kind, message) in messages {
            events.message_owned(kind, message);
        }
    }

    /// Reads packets: `messages` are what the client says, the others are obeyed.
    fn read(
        &mut self,
        version: Version,
        kind: Kind,
        body: &[u8],
        messages: &mut Vec<(Kind, Vec<u8>)>,
        events: &mut Events<'_>,
    ) -> Result<(), Malformed> {
        payload::read(version, kind, body, |packet, bytes| {
            match packet {
                Packet::Message(kind, at) => messages.push((kind, bytes[at..].to_vec())),
                Packet::Decoded(message) => messages.push((Kind::Binary, message)),
                packet => {
                    if let Some(answer) = self.control(&packet, events) {
                        self.polling.push(answer, events);
                    }
                }
            }
            !self.has_ended()
        })
    }
}

impl Session for EngineIo {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        let parameters = match Parameters::of(request) {
            Some(Ok(parameters)) => parameters,
            Some(Err(refusal)) => return events.respond(exchange, refusal.response()),
            None => return events.respond(exchange, Refusal::BadRequest.response()),
        };
        match (self.core.phase, parameters.carriage, request.method()) {
            (Phase::New, ..) => self.begin(exchange, request, &parameters, events),
            (Phase::Polling | Phase::Moving, Carriage::Polling, "GET") => self.core.poll(exchange, parameters.jsonp, events),
            (Phase::Polling | Phase::Moving, Carriage::Polling, "POST") => {
                self.core.post(exchange, request, parameters.jsonp, events);
            }
            (Phase::Polling, Carriage::WebSocket, "GET") => self.try_stream(exchange, request, parameters.dialect, events),
            _ => events.respond(exchange, Refusal::BadRequest.response()),
        }
        self.settle(events);
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        let Some(stream) = &mut self.stream else { return };
        let Stream { connection, role, dialect } = &mut **stream;
        let before = *role;
        let mut reader = Reader { core: &mut self.core, role, dialect: *dialect };
        let over = connection.receive(input, &mut reader, events);
        if before != Role::Refused && *role == Role::Refused {
            self.refuse_stream(events);
        }
        self.follow(over);
        self.settle(events);
    }

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        match (&mut self.stream, self.core.phase) {
            (Some(stream), Phase::Streaming) => stream::write_message(stream.dialect, kind, payload, |kind, prefix, rest| {
                stream.connection.send_prefixed(kind, prefix, rest, &mut events.out());
            }),
            _ => {
                let waits = self.core.polling.has_messages();
                self.core.polling.push(Outgoing::Message(kind, payload.into()), events);
                if waits && self.core.polling.weight() > self.core.server.max_pending {
                    self.core.ended.get_or_insert(DisconnectReason::Limit("max_pending_bytes".to_owned()));
                    self.settle(events);
                }
            }
        }
    }

    fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        match timer {
            websocket_protocol::TIMER => {
                let over = self.stream.as_mut().and_then(|stream| stream.connection.timeout(events));
                self.follow(over);
            }
            heartbeat::TIMER => match self.core.heartbeat.timeout(&self.core.server, events) {
                Beat::Ping => match (&mut self.stream, self.core.phase) {
                    (Some(stream), Phase::Streaming) => stream.connection.send(Kind::Text, b"2", &mut events.out()),
                    _ => self.core.polling.push(Outgoing::PING, events),
                },
                Beat::Dead => {
                    self.core.ended.get_or_insert(DisconnectReason::Timeout("the heartbeat of Engine.IO".to_owned()));
                }
            },
            polling::FLUSH => self.core.polling.flush(self.core.dialect, events),
            RELEASE => self.core.polling.answer(self.core.dialect, events),
            UPGRADE if self.core.phase != Phase::Streaming => self.refuse_stream(events),
            _ => {}
        }
        self.settle(events);
    }

    fn close(&mut self, _: &Close, events: &mut Events<'_>) {
        match (&mut self.stream, self.core.phase) {
            (Some(stream), Phase::Streaming) => {
                // Without a code, as the first server of this protocol.
                let over = stream.connection.close(&Close::default(), events);
                self.follow(over);
            }
            _ => {
                let is_polled = self.core.polling.is_polled();
                self.core.polling.push(Outgoing::CLOSE, events);
                if is_polled {
                    self.core.ended.get_or_insert(DisconnectReason::Server);
                } else {
                    self.core.is_closing = true;
                }
            }
        }
        self.settle(events);
    }

    fn disconnected(&mut self, carrier: Carrier, events: &mut Events<'_>) {
        match carrier {
            Carrier::Stream => {
                let over = self.stream.as_mut().and_then(|stream| stream.connection.disconnected());
                self.follow(over);
                self.stream = None;
                if self.core.phase != Phase::Streaming {
                    events.clear_timer(UPGRADE);
                    self.core.remain(events);
                }
            }
            Carrier::Exchange(exchange) if self.core.polling.is_polled_by(exchange) => {
                self.core.polling.forget();
                self.core.ended.get_or_insert(DisconnectReason::Lost);
            }
            Carrier::Exchange(_) => {}
        }
        self.settle(events);
    }

    /// What is carried by requests can't be saved: they end with the process that they came to.
    fn save(&self) -> Option<Vec<u8>> {
        let core = &self.core;
        let stream = self.stream.as_ref().filter(|stream| stream.role == Role::Carrier && stream.dialect == core.dialect)?;
        if core.phase != Phase::Streaming || core.is_closing || core.has_ended() || core.polling.is_polled() {
            return None;
        }
        let saved = Saved {
            dialect: core.dialect.class().0,
            is_listening: core.heartbeat == Heartbeat::Listening,
            address: self.seat.as_ref().map(Seat::address),
            connection: stream.connection.save()?,
        };
        value::to_vec(&saved).ok()
    }
}
