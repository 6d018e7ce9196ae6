//! Sessions that outlive the HTTP responses that carry them: what the transports `sse` and `long-polling` have in common.
//!
//! Start reading at [`session`]. How messages stand in a response is a [`Carriage`]'s business; everything else is here.
//!
//! # The protocol
//!
//! All requests go to one path below the server's pathname: `/sse` or `/poll`. Where names of query parameters begin with `_`,
//! they are the protocol's; all others are the application's, in the first request.
//!
//! **Opening.** `GET PATH?_v=1` (the only version there is). The answer begins with the *opening*, a JSON object:
//!
//! | key | what it is |
//! | --- | --- |
//! | `session` | the session's name, a secret: `PUBLIC~SECRET`. Whoever has it can speak for the client. |
//! | `heartbeat` | milliseconds: something comes as often, so that after twice the time the response is to be given up |
//! | `timeout` | milliseconds: so long the session waits for the next request when nothing carries it |
//! | `max_message` | bytes: a longer message ends the session |
//! | `ticket` | by it the session can be moved, see below |
//!
//! **Down.** Each message has a number; the first has 1. `GET PATH?_session=SESSION&_ack=N` carries the messages after N, and
//! thereby says that those up to N have arrived: they are forgotten. What was sent and not acknowledged is sent again, so that
//! nothing is lost in a response that breaks; a client skips what it has. There is one carrier at a time: a newer request ends
//! the older one's response. A client that receives a stream says `_ack=N` in its `POST` requests, too, at the latest every
//! 64 KiB or so: beyond a limit (`max_resend_bytes`), what was sent is forgotten though it is not acknowledged, and a session
//! that asks for it is over.
//!
//! **Up.** `POST PATH?_session=SESSION` (`&_ack=N`, if there is news) with the type `application/octet-stream` and numbered
//! messages in the form of [`frames`]. The answer is `{"received":N}`: all up to N have arrived, and those that were there before
//! were not taken twice. So what got no answer is sent again as it was. One such request at a time keeps the order; of a second
//! one whose beginning is missing, nothing is taken, and the answer is 409 with `received`. With any other type, the body is one
//! message of text without a number, for programs that do without the guarantee.
//!
//! **The end.** `POST PATH?_session=SESSION&_close=1` from the client. The server says *close*, a JSON object with `code` (as
//! WebSocket's) and `reason`; whether to come again, Primus's own message `primus::server::close` says before.
//!
//! **Moving** to a connection of its own, a WebSocket say, without a message being lost or coming twice. The client opens it as
//! always, with `_move=TICKET` in the query. Once it is open, the client waits until all that it has sent is answered, ends the
//! response that carries messages, and says `primus::move::N` on the new connection, by its parser: N is the number of the last
//! message that it has received. The server answers `primus::moved::` there; all messages after N follow it, and the client goes on
//! there. If the new connection breaks before that, the client asks here for the messages after N: either it goes on as before, or
//! the answer is 410, since the session had moved and has ended with that connection. A ticket is good for one move.
//!
//! **Refusals** have a JSON object with `error`, a line that tells what is wrong ([`Refusal`]): 400 for what makes no sense, 409 for
//! a gap, 410 for a session that is not there, 413 for a message that is too long, 429 for too many requests at a time (the server's
//! `max_exchanges`), 503 for too many sessions of an address.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use plugin_api::{FrameClass, Kind, Out, Request, Response, Route, StartError, Transport};
use serde::Serialize;

pub mod frames;
mod refusal;
pub mod session;
mod token;
mod window;

pub use refusal::Refusal;
use seats::Seats;
pub use session::Session;
pub use token::Token;
pub use window::Misnumbered;

/// The client's side of the protocol: what the client parts of both transports begin with.
pub const CLIENT: &str = include_str!("../client.js");

/// How messages stand in responses.
pub trait Carriage: Send + Sync + 'static {
    /// The transport's name.
    fn name(&self) -> &str;

    /// The path below the pathname.
    fn path(&self) -> &str;

    /// What a response is: one that goes on, or one that takes what there is and ends.
    fn reach(&self, request: &Request<'_>) -> Reach;

    /// The head of a response that carries, with what its body begins with.
    fn head(&self) -> Response;

    /// Appends to a body. `name`: what the client knows itself by, for those that keep no state of their own.
    fn write(&self, name: Option<&Token>, said: &[Said<'_>], body: &mut Vec<u8>);

    /// The answer to a request whose session is over.
    fn gone(&self, request: &Request<'_>) -> Response {
        let _ = request;
        Refusal::Gone.response()
    }
}

/// How much a response carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It stays open.
    Stream,
    /// It ends with the first thing that there is to say.
    Single,
}

/// What stands in a response.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// The session's beginning.
    Open(&'a Opening),
    /// A message.
    Message {
        /// Its number.
        number: u64,
        /// Whether it is text.
        kind: Kind,
        /// What it says.
        payload: &'a [u8],
    },
    /// Nothing, so that the response is not silent.
    Heartbeat,
    /// The session's end.
    Close(&'a Closing),
}

/// The session's beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opening {
    /// What the client names its session by.
    pub session: String,
    /// How often something comes, in milliseconds.
    pub heartbeat: u64,
    /// How long the session waits for a carrier, in milliseconds.
    pub timeout: u64,
    /// The longest message, in bytes.
    pub max_message: usize,
    /// By what it can be moved.
    pub ticket: String,
}

/// The session's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closing {
    /// As WebSocket's (RFC 6455, section 7.4).
    pub code: u16,
    /// Why, in a few words.
    pub reason: String,
}

/// What a session may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest message of a client, in bytes.
    pub max_message: usize,
    /// What may wait for a carrier, in bytes.
    pub max_pending: usize,
    /// What is kept of what was sent in a stream and not acknowledged, in bytes.
    pub max_resend: usize,
    /// What a response that ends takes, in bytes; it takes one message at least.
    pub max_response: usize,
    /// How long a response is silent.
    pub heartbeat: Duration,
    /// How long a session lives without a carrier.
    pub disconnect: Duration,
    /// How long a stream lasts.
    pub max_stream: Duration,
    /// How many sessions clients of one address may have.
    pub max_sessions_per_address: u32,
}

impl Limits {
    /// Checks that no limit is 0, by the names that the plugin's table has for them.
    ///
    /// # Errors
    /// The first key that makes no sense.
    pub fn check<const N: usize>(keys: [(&str, u64); N]) -> Result<(), StartError> {
        match keys.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(StartError::at(key, "must be more than 0")),
            None => Ok(()),
        }
    }
}

/// What all sessions of a transport share.
pub struct Endpoint<C> {
    /// How messages stand in responses.
    pub carriage: C,
    /// What a session may cost.
    pub limits: Limits,
    seats: Arc<Seats>,
}

/// A transport of such sessions. Clones are the same one.
pub struct Resumable<C>(Arc<Endpoint<C>>);

impl<C> Clone for Resumable<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Carriage> Resumable<C> {
    /// With a carriage and limits.
    pub fn new(carriage: C, limits: Limits) -> Self {
        let seats = Arc::new(Seats::new(limits.max_sessions_per_address));
        Self(Arc::new(Endpoint { carriage, limits, seats }))
    }
}

impl<C: Carriage> Transport for Resumable<C> {
    type Session = Session<C>;

    fn name(&self) -> &str {
        self.0.carriage.name()
    }

    fn route(&self, request: &Request<'_>) -> Route {
        if request.path() != self.0.carriage.path() {
            return Route::Pass;
        }
        if !matches!(request.method(), "GET" | "POST") {
            return Route::Respond(Refusal::Method.response());
        }
        if let Some(version) = request.query_value("_v").filter(|version| version != "1") {
            return Route::Respond(Refusal::Version(version).response());
        }
        match session::Named::of(request) {
            Some(_) if request.is_for_lost_session() => Route::Respond(self.0.carriage.gone(request)),
            Some(Ok(named)) => Route::Session(named.token.public().to_owned()),
            Some(Err(refusal)) => Route::Respond(refusal.response()),
            None if request.method() != "GET" => Route::Respond(Refusal::Gone.response()),
            None => match self.0.seats.check(request) {
                Ok(()) => Route::Open,
                Err(full) => Route::Respond(Refusal::from(full).response()),
            },
        }
    }

    fn open(&self, request: &Request<'_>) -> Session<C> {
        Session::new(Arc::clone(&self.0), self.0.seats.take(request))
    }

    /// Each session numbers its own messages: none is shared.
    fn frame(&self, _: FrameClass, _: Kind, _: &[u8], _: &mut Out<'_>) {}
}
