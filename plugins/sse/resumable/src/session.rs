//! One session: messages go down in whatever response there is, and come up in requests.
//!
//! Messages wait in the [`Window`] until a response takes them, and stay there until the client says that it has them; those of one
//! turn leave together. Knows nothing of sockets, and nothing of how messages stand in a response.

use std::sync::Arc;
use std::time::Duration;

use plugin_api::{Carrier as Gone, Close, DisconnectReason, Events, ExchangeId, Kind, Request, Response, TimerId};
use seats::{Full, Seat};

use crate::frames::Messages;
use crate::refusal::Refusal;
use crate::token::{Token, secret};
use crate::window::{Misnumbered, Window};
use crate::{Carriage, Closing, Endpoint, Opening, Reach, Said};

/// The next heartbeat where there is a carrier, the end of the session where there is none.
pub const LIFE: TimerId = TimerId(0);

/// What was sent in this turn is complete.
pub const FLUSH: TimerId = TimerId(1);

/// A stream has lasted long enough: a client that is there opens the next one.
pub const STREAM: TimerId = TimerId(2);

/// One session.
pub struct Session<C> {
    endpoint: Arc<Endpoint<C>>,
    seat: Result<Seat, Full>,
    phase: Phase,
    /// What it is named by, once it is open.
    token: Option<Token>,
    client: Client,
    carrier: Option<Attached>,
    window: Window,
    /// The number of the client's last message.
    received: u64,
    is_flush_due: bool,
}

enum Phase {
    /// Before the first request.
    New,
    /// Messages flow.
    Open,
    /// The server has closed it, but messages wait for a carrier before the end is told.
    Closing(Closing),
    /// It is over.
    Closed,
}

/// What is known of the client's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// It speaks the protocol.
    Speaking,
    /// It only reads, as a browser's `EventSource` does by itself: all that it repeats is the id of the last event.
    Reading,
}

/// The response that messages go to.
struct Attached {
    exchange: ExchangeId,
    reach: Reach,
}

/// A request's word on which session it is of, and on what its client has.
#[derive(Debug, Clone)]
pub struct Named {
    /// The session.
    pub token: Token,
    /// The number of the last message that has arrived, where it is told.
    pub has: Option<u64>,
}

impl Named {
    /// From the query (`_session`, `_ack`), or from the header field in which an `EventSource` repeats the id of its last event:
    /// `SESSION.N`. `None`: a request that names no session.
    pub fn of(request: &Request<'_>) -> Option<Result<Self, Refusal>> {
        let number = |text: &str| text.parse().map_err(|_| Refusal::Acknowledgement(text.to_owned()));
        let acknowledged = request.query_value("_ack");
        let last_event = request.header("last-event-id").filter(|id| !id.is_empty());
        let (name, has) = match (request.query_value("_session"), last_event.and_then(|id| id.rsplit_once('.'))) {
            (Some(name), _) => (name, acknowledged.as_deref().map(number).transpose()),
            (None, Some((name, last))) => (name.to_owned(), number(last).map(Some)),
            (None, None) => return None,
        };
        Some(has.and_then(|has| Ok(Self { token: Token::parse(&name).ok_or(Refusal::Gone)?, has })))
    }
}

impl<C: Carriage> Session<C> {
    /// Before its first request.
    pub(crate) fn new(endpoint: Arc<Endpoint<C>>, seat: Result<Seat, Full>) -> Self {
        Self {
            endpoint,
            seat,
            phase: Phase::New,
            token: None,
            client: Client::Speaking,
            carrier: None,
            window: Window::default(),
            received: 0,
            is_flush_due: false,
        }
    }

    fn begin(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        if let Err(full) = self.seat {
            self.phase = Phase::Closed;
            events.respond(exchange, Refusal::from(full).response());
            return events.close(DisconnectReason::Limit("max_sessions_per_address".to_owned()));
        }
        let public = request.spark_id().unwrap_or_default();
        let (token, ticket) = match Token::new(public).and_then(|token| Ok((token, secret()?))) {
            Ok(both) => both,
            Err(error) => {
                self.phase = Phase::Closed;
                events.respond(exchange, Refusal::from(error).response());
                return events.close(DisconnectReason::Fault(error.to_string()));
            }
        };
        let limits = &self.endpoint.limits;
        let opening = Opening {
            session: token.to_string(),
            heartbeat: milliseconds(limits.heartbeat),
            timeout: milliseconds(limits.disconnect),
            max_message: limits.max_message,
            ticket: format!("{public}~{ticket}"),
        };
        events.ticket(&ticket);
        self.phase = Phase::Open;
        self.token = Some(token);
        if request.query_value("_v").is_none() && self.endpoint.carriage.reach(request) == Reach::Stream {
            self.client = Client::Reading;
        }
        self.attach(exchange, self.endpoint.carriage.reach(request), events);
        self.put(&[Said::Open(&opening)], events);
    }

    /// The carrier is this exchange from now on; what there was before ends.
    fn attach(&mut self, exchange: ExchangeId, reach: Reach, events: &mut Events<'_>) {
        self.detach(events);
        if reach == Reach::Stream {
            let mut head = self.endpoint.carriage.head();
            let beginning = std::mem::take(&mut head.body);
            events.respond_open(exchange, head);
            if !beginning.is_empty() {
                events.chunk(exchange, beginning);
            }
            events.set_timer(STREAM, self.endpoint.limits.max_stream);
        }
        self.carrier = Some(Attached { exchange, reach });
        self.arm(events);
    }

    /// Ends the response that there is. A client that still listens asks again.
    fn detach(&mut self, events: &mut Events<'_>) {
        match self.carrier.take() {
            Some(Attached { exchange, reach: Reach::Stream }) => events.finish(exchange),
            Some(Attached { exchange, reach: Reach::Single }) => {
                events.respond(exchange, self.endpoint.carriage.head());
            }
            None => {}
        }
    }

    /// Writes to the carrier, and lets go of one that takes no more.
    fn put(&mut self, said: &[Said<'_>], events: &mut Events<'_>) {
        let Some(attached) = self.carrier.take() else { return };
        let name = self.token.as_ref().filter(|_| self.client == Client::Reading);
        match attached.reach {
            Reach::Stream => {
                let mut body = Vec::new();
                self.endpoint.carriage.write(name, said, &mut body);
                events.chunk(attached.exchange, body);
                self.carrier = Some(attached);
            }
            Reach::Single => {
                let mut response = self.endpoint.carriage.head();
                self.endpoint.carriage.write(name, said, &mut response.body);
                events.respond(attached.exchange, response);
                self.arm(events);
            }
        }
    }

    /// Gives the carrier what waits for one, and the end of a session that is closed.
    fn flush(&mut self, events: &mut Events<'_>) {
        let Some(attached) = &self.carrier else { return };
        let limit = match attached.reach {
            Reach::Stream => usize::MAX,
            Reach::Single => self.endpoint.limits.max_response,
        };
        let taken = self.window.take(limit);
        let closing = match &self.phase {
            Phase::Closing(closing) if !self.window.has_unsent() => Some(closing.clone()),
            Phase::New | Phase::Open | Phase::Closing(_) | Phase::Closed => None,
        };
        let window = std::mem::take(&mut self.window);
        let mut said: Vec<Said<'_>> = window
            .messages(taken)
            .map(|(number, message)| Said::Message { number, kind: message.kind, payload: &message.payload })
            .collect();
        said.extend(closing.as_ref().map(Said::Close));
        if !said.is_empty() {
            self.put(&said, events);
        }
        self.window = window;
        if self.carrier.is_some() {
            self.window.forget(self.endpoint.limits.max_resend);
        }
        if closing.is_some() {
            self.end(None, DisconnectReason::Server, events);
        }
    }

    fn arm(&self, events: &mut Events<'_>) {
        let limits = &self.endpoint.limits;
        events.set_timer(LIFE, if self.carrier.is_some() { limits.heartbeat } else { limits.disconnect });
    }

    /// A request that carries messages to the client.
    fn resume(&mut self, exchange: ExchangeId, has: u64, reach: Reach, events: &mut Events<'_>) {
        if let Err(error) = self.window.resume(has) {
            events.respond(exchange, Refusal::from(error).response());
            match error {
                Misnumbered::NeverSent { .. } => {}
                Misnumbered::Forgotten { .. } => self.end(None, DisconnectReason::Limit("max_resend_bytes".to_owned()), events),
            }
            return;
        }
        self.attach(exchange, reach, events);
        self.flush(events);
    }

    /// A request with messages of the client.
    fn receive(&mut self, exchange: ExchangeId, has: Option<u64>, request: &Request<'_>, events: &mut Events<'_>) {
        let taken = match has.map_or(Ok(()), |has| self.window.acknowledge(has)) {
            Ok(()) => self.fresh(request),
            Err(error) => Err(error.into()),
        };
        match taken {
            Ok(messages) => {
                self.received += messages.len() as u64;
                // First the answer: a message may end the session.
                let body = serde_json::json!({ "received": self.received }).to_string();
                let answer = Response::new(200).with_header("content-type", "application/json");
                events.respond(exchange, answer.with_header("cache-control", "no-store").with_body(body));
                if let Phase::Open = self.phase {
                    for (kind, message) in messages {
                        events.message_owned(kind, message.to_vec());
                    }
                }
            }
            Err(refusal) => {
                events.respond(exchange, refusal.response());
                if let Refusal::TooLong { .. } = refusal {
                    let closing = Closing { code: 1009, reason: "longer than max_message_bytes".to_owned() };
                    self.end(Some(closing), DisconnectReason::Limit("max_message_bytes".to_owned()), events);
                }
            }
        }
    }

    /// Those messages of a request that have not come before.
    fn fresh<'a>(&self, request: &'a Request<'_>) -> Result<Vec<(Kind, &'a [u8])>, Refusal> {
        let is_framed = request.header("content-type").is_some_and(|value| value.starts_with("application/octet-stream"));
        let Messages { first, mut messages } = match is_framed {
            true => Messages::read(request.body())?,
            false if request.body().is_empty() => Messages { first: 1, messages: Vec::new() },
            false if std::str::from_utf8(request.body()).is_err() => return Err(crate::frames::Malformed::Encoding.into()),
            false => Messages { first: self.received + 1, messages: vec![(Kind::Text, request.body())] },
        };
        if !messages.is_empty() && first > self.received + 1 {
            return Err(Refusal::Gap { first, received: self.received });
        }
        let known = usize::try_from(self.received + 1 - first.min(self.received + 1)).unwrap_or(usize::MAX);
        messages.drain(..known.min(messages.len()));
        let limit = self.endpoint.limits.max_message;
        match messages.iter().map(|(_, message)| message.len()).find(|length| *length > limit) {
            Some(length) => Err(Refusal::TooLong { length, limit }),
            None => Ok(messages),
        }
    }

    /// The session is over; the client is told if it listens.
    fn end(&mut self, closing: Option<Closing>, reason: DisconnectReason, events: &mut Events<'_>) {
        if let Some(closing) = closing {
            self.put(&[Said::Close(&closing)], events);
        }
        self.detach(events);
        self.phase = Phase::Closed;
        events.close(reason);
    }

    /// Whether a request is of this session, and says so by its secret.
    fn is_of(&self, named: &Named, request: &Request<'_>) -> bool {
        request.path() == self.endpoint.carriage.path() && self.token.as_ref().is_some_and(|token| token.is(&named.token))
    }
}

impl<C: Carriage> plugin_api::Session for Session<C> {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        if let Phase::New = self.phase {
            return self.begin(exchange, request, events);
        }
        let named = match Named::of(request) {
            Some(Ok(named)) if self.is_of(&named, request) => named,
            Some(Err(refusal)) => return events.respond(exchange, refusal.response()),
            Some(Ok(_)) | None => return events.respond(exchange, Refusal::Gone.response()),
        };
        events.alive();
        match request.method() {
            "GET" => {
                let reach = self.endpoint.carriage.reach(request);
                self.resume(exchange, named.has.unwrap_or_default(), reach, events);
            }
            "POST" if request.query_value("_close").is_some() => {
                events.respond(exchange, Response::new(204));
                self.end(None, DisconnectReason::Client { code: None, reason: String::new() }, events);
            }
            "POST" => self.receive(exchange, named.has, request, events),
            _ => events.respond(exchange, Refusal::Method.response()),
        }
    }

    /// It has no stream of its own.
    fn receive(&mut self, _: &mut [u8], _: &mut Events<'_>) {}

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        let Phase::Open = self.phase else { return };
        if self.window.has_unsent() && self.window.unsent_bytes() + payload.len() > self.endpoint.limits.max_pending {
            let closing = Closing { code: 1013, reason: "more than max_pending_bytes wait".to_owned() };
            return self.end(Some(closing), DisconnectReason::Limit("max_pending_bytes".to_owned()), events);
        }
        self.window.push(kind, payload);
        if self.carrier.is_some() {
            if self.client == Client::Reading {
                // It can't answer a ping. That its response takes what is written is all that there is to be known of it.
                events.alive();
            }
            if !self.is_flush_due {
                self.is_flush_due = true;
                events.set_timer(FLUSH, Duration::ZERO);
            }
        }
    }

    fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        match (timer, &self.phase) {
            (_, Phase::New | Phase::Closed) => {}
            (FLUSH, _) => {
                self.is_flush_due = false;
                self.flush(events);
            }
            (STREAM, _) => {
                if let Some(Attached { reach: Reach::Stream, .. }) = self.carrier {
                    self.detach(events);
                    self.arm(events);
                }
            }
            (LIFE, _) if self.carrier.is_some() => {
                self.put(&[Said::Heartbeat], events);
                if self.carrier.is_some() {
                    self.arm(events);
                }
            }
            (LIFE, Phase::Closing(_)) => self.end(None, DisconnectReason::Server, events),
            (LIFE, Phase::Open) => self.end(None, DisconnectReason::Timeout("a request of the client".to_owned()), events),
            _ => {}
        }
    }

    fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        let closing = Closing { code: close.code.unwrap_or(1000), reason: close.reason.clone() };
        match self.phase {
            Phase::Closing(_) | Phase::Closed => {}
            Phase::New => self.end(None, DisconnectReason::Server, events),
            Phase::Open => {
                self.phase = Phase::Closing(closing);
                self.flush(events);
            }
        }
    }

    /// `word` is the number of the last message that the client has.
    fn succeed(&mut self, word: &str, events: &mut Events<'_>) -> bool {
        let Phase::Open = self.phase else { return false };
        let Some(Ok(())) = word.parse().ok().map(|has| self.window.resume(has)) else { return false };
        self.detach(events);
        for message in self.window.drain() {
            events.remains(message.kind, message.payload.into_vec());
        }
        self.phase = Phase::Closed;
        true
    }

    fn disconnected(&mut self, carrier: Gone, events: &mut Events<'_>) {
        if let Gone::Exchange(exchange) = carrier
            && self.carrier.take_if(|attached| attached.exchange == exchange).is_some()
        {
            // What was written to it and not acknowledged is sent again when the client comes.
            self.arm(events);
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
