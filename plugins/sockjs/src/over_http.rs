//! A session whose frames are carried by HTTP: at most one response to the client at a time, and requests with its messages.
//!
//! Messages wait until a response takes them; those of one turn leave as one frame. Knows nothing of sockets.

use std::ops::Range;
use std::time::Instant;

use plugin_api::{Close, DisconnectReason, Events, ExchangeId, Kind, Request, TimerId, query_pairs};

use crate::carrier::Carrier;
use crate::endpoint::Seat;
use crate::frame::{self, Closing, Pending};
use crate::http;
use crate::incoming::{self, Broken};
use crate::path::{Place, Up, Way};

/// The next heartbeat where there is a carrier, the end of the session where there is none.
pub const LIFE: TimerId = TimerId(0);

/// What was sent in this turn is complete.
pub const FLUSH: TimerId = TimerId(1);

/// One session.
pub struct OverHttp {
    seat: Seat,
    name: Box<str>,
    /// Whether the directory has the name for this session.
    is_entered: bool,
    phase: Phase,
    carrier: Option<Attached>,
    pending: Pending,
    is_flush_due: bool,
}

enum Phase {
    /// Before the first request.
    New,
    /// Messages flow.
    Open,
    /// The server has closed it, but messages wait for a carrier before the close frame.
    Closing(Closing),
    /// It is over.
    Closed,
}

/// The response that frames go to.
struct Attached {
    exchange: ExchangeId,
    carrier: Carrier,
    /// How long its body is.
    written: usize,
}

impl OverHttp {
    /// Before its first request.
    pub fn new(seat: Seat, name: &str) -> Self {
        Self {
            seat,
            name: name.into(),
            is_entered: false,
            phase: Phase::New,
            carrier: None,
            pending: Pending::default(),
            is_flush_due: false,
        }
    }

    /// A request of the client's.
    pub fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        let Some(Place::Session { way, .. }) = Place::of(request.path()) else {
            return events.respond(exchange, http::no_session());
        };
        match way {
            Way::WebSocket => events.respond(exchange, http::refusal(400, "the session is carried by HTTP")),
            Way::Down(down) => match Carrier::of(down, request) {
                Ok(carrier) => self.attach(exchange, carrier, request, events),
                Err(error) => events.respond(exchange, http::refusal(500, &error.to_string())),
            },
            Way::Up(up) => self.receive(exchange, up, request, events),
        }
    }

    fn attach(&mut self, exchange: ExchangeId, carrier: Carrier, request: &Request<'_>, events: &mut Events<'_>) {
        if let Phase::New = self.phase {
            if self.seat.is_refused(exchange, events) {
                self.phase = Phase::Closed;
                return;
            }
            if !self.enter(request) {
                return self.refuse_name(exchange, &carrier, events);
            }
            self.phase = Phase::Open;
            self.answer(exchange, carrier, events);
            return self.put(frame::OPEN.into(), events);
        }
        events.alive();
        if self.carrier.is_some() {
            return events.respond(exchange, carrier.whole(Closing::another_connection().frame()));
        }
        self.answer(exchange, carrier, events);
        if let Some(frame) = self.pending.take() {
            self.put(frame, events);
        }
        if let Phase::Closing(closing) = &self.phase {
            let closing = closing.clone();
            self.end(closing, DisconnectReason::Server, events);
        }
    }

    /// Tells the directory which spark has the name. `false`: another one was faster.
    fn enter(&mut self, request: &Request<'_>) -> bool {
        if let Some(spark) = request.spark_id() {
            self.is_entered = self.seat.endpoint().directory.enter(&self.name, spark);
            return self.is_entered;
        }
        true
    }

    fn refuse_name(&mut self, exchange: ExchangeId, carrier: &Carrier, events: &mut Events<'_>) {
        let closing = Closing::another_connection();
        events.respond(exchange, carrier.whole(closing.frame()));
        self.phase = Phase::Closed;
        events.close(DisconnectReason::Protocol { code: closing.code, reason: closing.reason });
    }

    /// Begins a response; one of a single frame waits for it.
    fn answer(&mut self, exchange: ExchangeId, carrier: Carrier, events: &mut Events<'_>) {
        let mut written = 0;
        if carrier.is_streaming() {
            let mut head = carrier.head();
            let beginning = std::mem::take(&mut head.body);
            events.respond_open(exchange, head);
            written = beginning.len();
            events.chunk(exchange, beginning);
        }
        self.carrier = Some(Attached { exchange, carrier, written });
        self.arm(events);
    }

    /// Writes a frame to the carrier, and lets go of one that takes no more.
    fn put(&mut self, frame: Vec<u8>, events: &mut Events<'_>) {
        let Some(mut attached) = self.carrier.take() else { return };
        if attached.carrier.is_streaming() {
            let bytes = attached.carrier.wrap(frame);
            attached.written += bytes.len();
            events.chunk(attached.exchange, bytes);
            if attached.written < self.seat.endpoint().settings.response_limit {
                self.carrier = Some(attached);
                return;
            }
            events.finish(attached.exchange);
        } else {
            events.respond(attached.exchange, attached.carrier.whole(frame));
        }
        self.arm(events);
    }

    fn arm(&self, events: &mut Events<'_>) {
        let settings = &self.seat.endpoint().settings;
        events.set_timer(LIFE, if self.carrier.is_some() { settings.heartbeat } else { settings.disconnect });
    }

    fn receive(&mut self, exchange: ExchangeId, up: Up, request: &Request<'_>, events: &mut Events<'_>) {
        let Phase::Open = self.phase else {
            // The client is told of the close where it listens.
            return events.respond(exchange, http::accepted(up));
        };
        let (body, places) = match messages(up, request) {
            Ok(messages) => messages,
            Err(broken) => return events.respond(exchange, http::refusal(500, &broken.to_string())),
        };
        if places.iter().any(|place| place.len() > self.seat.endpoint().settings.max_message) {
            events.respond(exchange, http::refusal(413, "a message is too long"));
            return self.end(Closing::too_long(), DisconnectReason::Limit("max_message_bytes".to_owned()), events);
        }
        // First the answer: a message may end the session.
        events.respond(exchange, http::accepted(up));
        for place in places {
            events.message_owned(Kind::Text, body[place].to_vec());
        }
    }

    /// A message to the client.
    pub fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        let Phase::Open = self.phase else { return };
        if kind == Kind::Binary {
            let closing = Closing::binary();
            let reason = DisconnectReason::Protocol { code: closing.code, reason: closing.reason.clone() };
            return self.end(closing, reason, events);
        }
        if !self.pending.is_empty() && self.pending.len() + payload.len() > self.seat.endpoint().settings.max_pending {
            return self.end(Closing::slow(), DisconnectReason::Limit("max_pending_bytes".to_owned()), events);
        }
        self.pending.push(payload);
        if self.carrier.is_some() && !self.is_flush_due {
            self.is_flush_due = true;
            events.set_timer(FLUSH, std::time::Duration::ZERO);
        }
    }

    /// A timer has come.
    pub fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        match (timer, &self.phase) {
            (_, Phase::Closed) => {}
            (FLUSH, _) => {
                self.is_flush_due = false;
                if self.carrier.is_some()
                    && let Some(frame) = self.pending.take()
                {
                    self.put(frame, events);
                }
            }
            _ if self.carrier.is_some() => {
                self.put(frame::HEARTBEAT.into(), events);
                if self.carrier.is_some() {
                    self.arm(events);
                }
            }
            (_, phase) => {
                let reason = match phase {
                    Phase::Closing(_) => DisconnectReason::Server,
                    _ => DisconnectReason::Timeout("a request of the client".to_owned()),
                };
                self.leave();
                events.close(reason);
            }
        }
    }

    /// The host closes the session.
    pub fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        match self.phase {
            Phase::Open if self.carrier.is_none() && !self.pending.is_empty() => {
                self.phase = Phase::Closing(Closing::of(close));
            }
            Phase::New | Phase::Open => {
                if let Some(frame) = self.pending.take() {
                    self.put(frame, events);
                }
                self.end(Closing::of(close), DisconnectReason::Server, events);
            }
            Phase::Closing(_) | Phase::Closed => {}
        }
    }

    /// A response was cut by the client.
    pub fn disconnected(&mut self, exchange: ExchangeId, events: &mut Events<'_>) {
        if self.carrier.take_if(|attached| attached.exchange == exchange).is_some() {
            let reason = match self.phase {
                Phase::Closing(_) => DisconnectReason::Server,
                _ => DisconnectReason::Lost,
            };
            self.end(Closing::interrupted(), reason, events);
        }
    }

    /// The session is over: the client is told now if it listens, and otherwise when it asks.
    fn end(&mut self, closing: Closing, reason: DisconnectReason, events: &mut Events<'_>) {
        if let Some(attached) = self.carrier.take() {
            let frame = closing.frame();
            if attached.carrier.is_streaming() {
                events.chunk(attached.exchange, attached.carrier.wrap(frame));
                events.finish(attached.exchange);
            } else {
                events.respond(attached.exchange, attached.carrier.whole(frame));
            }
        }
        if std::mem::take(&mut self.is_entered) {
            let endpoint = self.seat.endpoint();
            endpoint.directory.close(&self.name, closing, Instant::now(), endpoint.settings.disconnect);
        }
        self.phase = Phase::Closed;
        events.close(reason);
    }

    fn leave(&mut self) {
        self.phase = Phase::Closed;
        if std::mem::take(&mut self.is_entered) {
            self.seat.endpoint().directory.leave(&self.name);
        }
    }
}

impl Drop for OverHttp {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The messages in the body of a request: a copy of it, and where in that they are.
fn messages(up: Up, request: &Request<'_>) -> Result<(Vec<u8>, Vec<Range<usize>>), Broken> {
    let mut body = match up {
        Up::Jsonp if is_form(request) => {
            let form = std::str::from_utf8(request.body()).map_err(|_| Broken::Encoding)?;
            let field = query_pairs(form).find(|(name, _)| name == "d");
            field.map(|(_, value)| value.into_bytes()).unwrap_or_default()
        }
        Up::Xhr | Up::Jsonp => request.body().to_vec(),
    };
    if body.is_empty() {
        return Err(Broken::Payload);
    }
    if std::str::from_utf8(&body).is_err() {
        return Err(Broken::Encoding);
    }
    let mut places = Vec::new();
    incoming::unpack(&mut body, |place| places.push(place))?;
    Ok((body, places))
}

fn is_form(request: &Request<'_>) -> bool {
    let form = "application/x-www-form-urlencoded";
    request
        .header("content-type")
        .and_then(|value| value.get(..form.len()))
        .is_some_and(|value| value.eq_ignore_ascii_case(form))
}
