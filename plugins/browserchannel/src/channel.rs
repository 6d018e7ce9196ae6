//! A session: requests with the client's messages, and at most one response that brings arrays.
//!
//! Arrays wait until a response takes them; those of one turn leave as one chunk. Knows nothing of sockets.

use std::sync::Arc;
use std::time::Duration;

use plugin_api::{DisconnectReason, Events, ExchangeId, Kind, Request, TimerId};
use seats::{Full, Seat};

use crate::answer;
use crate::arrays::Arrays;
use crate::ask::{Ask, What};
use crate::batch::{BadData, Batch};
use crate::carrier::{self, Carrier, Form};
use crate::directory;
use crate::endpoint::Endpoint;
use crate::order::{Messages, Requests};

/// The next `noop` where a response is open, the end of the session where none is.
pub const LIFE: TimerId = TimerId(0);

/// What was sent in this turn is complete.
pub const FLUSH: TimerId = TimerId(1);

/// The version of the protocol, as the first array tells it.
const VERSION: u8 = 8;

/// One session.
pub struct Channel {
    endpoint: Arc<Endpoint>,
    seat: Result<Seat, Full>,
    sid: String,
    phase: Phase,
    arrays: Arrays,
    messages: Messages,
    requests: Requests,
    back: Option<BackChannel>,
    is_flush_due: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the first request.
    New,
    /// Messages flow.
    Open,
    /// The server has closed it, but arrays wait for a response.
    Closing,
    /// It is over.
    Closed,
}

/// The response that brings arrays.
struct BackChannel {
    exchange: ExchangeId,
    carrier: Carrier,
    /// Whether it is begun, and goes on after a chunk.
    streams: bool,
    /// How long its body is.
    written: usize,
}

impl Channel {
    /// Before its first request.
    pub fn new(endpoint: Arc<Endpoint>, seat: Result<Seat, Full>) -> Self {
        Self {
            endpoint,
            seat,
            sid: directory::fresh_sid(),
            phase: Phase::New,
            arrays: Arrays::default(),
            messages: Messages::default(),
            requests: Requests::default(),
            back: None,
            is_flush_due: false,
        }
    }

    /// A request of the client's.
    pub fn request(&mut self, exchange: ExchangeId, ask: Ask, request: &Request<'_>, events: &mut Events<'_>) {
        match ask {
            Ask::Open { rid, former } if self.phase == Phase::New => {
                if let Some(former) = former {
                    self.endpoint.abandon(&former);
                }
                self.begin(exchange, rid, request, events);
            }
            Ask::Of { acknowledged, what, .. } if self.phase != Phase::New => {
                events.alive();
                if let Some(id) = acknowledged {
                    self.arrays.acknowledge(id);
                }
                match what {
                    What::Forward(rid) => self.receive(exchange, rid, request, events),
                    What::Back { form, streams } => {
                        let domain = request.query_value("DOMAIN").filter(|_| form == Form::Html);
                        self.attach(exchange, Carrier::new(form, domain), streams, events);
                    }
                    What::Leave(rid) => {
                        events.respond(exchange, answer::forgotten());
                        self.requests.take_last(rid);
                        self.leave_if_complete(events);
                    }
                }
            }
            Ask::Open { .. } | Ask::Of { .. } | Ask::Hosts | Ask::Trial(_) | Ask::Nothing => {
                events.respond(exchange, answer::unknown_session());
            }
        }
    }

    /// The first request: the session's id is told in its answer, which is a chunk of the first arrays.
    fn begin(&mut self, exchange: ExchangeId, rid: Option<u64>, request: &Request<'_>, events: &mut Events<'_>) {
        if let Err(full) = self.seat {
            self.phase = Phase::Closed;
            events.respond(exchange, answer::full(full));
            return events.close(DisconnectReason::Limit("max_sessions_per_address".to_owned()));
        }
        let batch = match Batch::of(request) {
            Ok(batch) => batch,
            Err(bad) => {
                self.phase = Phase::Closed;
                events.respond(exchange, answer::refusal(400, &bad.to_string()));
                return events.close(DisconnectReason::Protocol { code: 400, reason: bad.to_string() });
            }
        };
        self.phase = Phase::Open;
        if let Some(spark) = request.spark_id() {
            self.endpoint.directory.enter(&self.sid, spark);
        }
        let prefix = answer::json(self.endpoint.host_prefix());
        self.arrays.push(format!("[\"c\",\"{}\",{prefix},{VERSION}]", self.sid));
        let opening = self.arrays.take().unwrap_or_default();
        events.respond(exchange, answer::uncached(200, "text/plain").with_body(carrier::chunk(&opening)));
        self.arm(events);
        self.requests.take(rid);
        self.take(batch, events);
    }

    fn receive(&mut self, exchange: ExchangeId, rid: Option<u64>, request: &Request<'_>, events: &mut Events<'_>) {
        match Batch::of(request) {
            Ok(batch) => {
                // First the answer: a message may end the session.
                let (sent, outstanding) = (self.arrays.last_sent(), self.arrays.outstanding());
                events.respond(exchange, answer::taken(self.back.is_some(), sent, outstanding));
                self.requests.take(rid);
                if self.take(batch, events) {
                    self.leave_if_complete(events);
                }
            }
            Err(bad @ BadData) => events.respond(exchange, answer::refusal(400, &bad.to_string())),
        }
    }

    /// Hands on the messages whose turn it is. `false`: a limit was passed, and the session is over.
    fn take(&mut self, batch: Batch, events: &mut Events<'_>) -> bool {
        let settings = &self.endpoint.settings;
        let max_message = settings.max_message;
        if batch.messages.iter().any(|(_, message)| message.len() > max_message) {
            self.end(DisconnectReason::Limit("max_message_bytes".to_owned()), events);
            return false;
        }
        let max_ahead = settings.max_ahead;
        let messages = self.messages.take(batch);
        for message in messages {
            events.message_owned(Kind::Text, message);
        }
        if self.messages.bytes_ahead() > max_ahead {
            self.end(DisconnectReason::Limit("max_ahead_bytes".to_owned()), events);
            return false;
        }
        true
    }

    /// A response for arrays takes the place of the one before: that one may be broken, and what it brought lost.
    fn attach(&mut self, exchange: ExchangeId, carrier: Carrier, streams: bool, events: &mut Events<'_>) {
        self.detach(events);
        let mut written = 0;
        if streams {
            let mut head = carrier.head();
            let beginning = std::mem::take(&mut head.body);
            events.respond_open(exchange, head);
            written = beginning.len();
            if written > 0 {
                events.chunk(exchange, beginning);
            }
        }
        self.back = Some(BackChannel { exchange, carrier, streams, written });
        self.arm(events);
        self.arrays.rewind();
        self.flush(events);
        if self.phase == Phase::Closing && self.arrays.are_all_sent() {
            self.end(DisconnectReason::Server, events);
        }
    }

    /// Ends the response for arrays, if there is one.
    fn detach(&mut self, events: &mut Events<'_>) {
        let Some(back) = self.back.take() else { return };
        let end = back.carrier.end().unwrap_or_default();
        if !back.streams {
            let mut response = back.carrier.head();
            response.body.extend(end);
            return events.respond(back.exchange, response);
        }
        if !end.is_empty() {
            events.chunk(back.exchange, end);
        }
        events.finish(back.exchange);
    }

    /// Writes what is to be sent, and lets go of a response that takes no more.
    fn flush(&mut self, events: &mut Events<'_>) {
        let Some(back) = &mut self.back else { return };
        let Some(text) = self.arrays.take() else { return };
        let chunk = back.carrier.chunk(&text);
        if back.streams {
            back.written += chunk.len();
            events.chunk(back.exchange, chunk);
            if back.written < self.endpoint.settings.response_limit {
                return;
            }
            self.detach(events);
        } else if let Some(back) = self.back.take() {
            let mut response = back.carrier.head();
            response.body.extend(chunk);
            response.body.extend(back.carrier.end().unwrap_or_default());
            events.respond(back.exchange, response);
        }
        self.arm(events);
    }

    fn arm(&self, events: &mut Events<'_>) {
        let settings = &self.endpoint.settings;
        events.set_timer(LIFE, if self.back.is_some() { settings.keepalive } else { settings.session_timeout });
    }

    /// A message to the client.
    pub fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        if self.phase != Phase::Open {
            return;
        }
        if kind == Kind::Binary {
            let reason = "BrowserChannel carries text only: use a parser that makes text, as json or ejson".to_owned();
            return self.end(DisconnectReason::Protocol { code: 1003, reason }, events);
        }
        if self.arrays.bytes() + payload.len() > self.endpoint.settings.max_pending && self.arrays.has_messages() {
            return self.end(DisconnectReason::Limit("max_pending_bytes".to_owned()), events);
        }
        self.arrays.push_message(&String::from_utf8_lossy(payload));
        if self.back.is_some() && !self.is_flush_due {
            self.is_flush_due = true;
            events.set_timer(FLUSH, Duration::ZERO);
        }
    }

    /// A timer has come.
    pub fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        match (timer, self.phase) {
            (_, Phase::Closed) => {}
            (FLUSH, _) => {
                self.is_flush_due = false;
                self.flush(events);
            }
            _ if self.back.is_some() => {
                self.arrays.push("[\"noop\"]".to_owned());
                self.flush(events);
                if self.back.is_some() {
                    self.arm(events);
                }
            }
            (_, phase) => {
                self.leave();
                events.close(match phase {
                    Phase::Closing => DisconnectReason::Server,
                    _ => DisconnectReason::Timeout("a request of the client".to_owned()),
                });
            }
        }
    }

    /// The host closes the session. Without a response that is open, the last arrays wait for one.
    pub fn close(&mut self, events: &mut Events<'_>) {
        match self.phase {
            // A client that has abandoned the session asks for nothing any more.
            Phase::Open if self.back.is_none() && self.endpoint.directory.find(&self.sid).is_some() => {
                self.phase = Phase::Closing;
                self.arrays.push(stop());
            }
            Phase::New | Phase::Open => self.end(DisconnectReason::Server, events),
            Phase::Closing | Phase::Closed => {}
        }
    }

    /// A response was cut by the client.
    pub fn disconnected(&mut self, exchange: ExchangeId, events: &mut Events<'_>) {
        if self.back.take_if(|back| back.exchange == exchange).is_some() {
            self.arm(events);
        }
    }

    fn leave_if_complete(&mut self, events: &mut Events<'_>) {
        if self.requests.are_complete() {
            self.detach(events);
            self.leave();
            events.close(DisconnectReason::Client { code: None, reason: String::new() });
        }
    }

    /// The session is over: a client that listens is told to stop, one that doesn't is told when it asks.
    fn end(&mut self, reason: DisconnectReason, events: &mut Events<'_>) {
        if self.back.is_some() {
            if self.phase == Phase::Open {
                self.arrays.push(stop());
            }
            self.flush(events);
            self.detach(events);
        }
        self.leave();
        events.close(reason);
    }

    fn leave(&mut self) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.endpoint.directory.leave(&self.sid);
        }
    }
}

/// The array after which a client does not try again.
fn stop() -> String {
    "[\"stop\"]".to_owned()
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.leave();
    }
}
