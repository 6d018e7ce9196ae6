//! Transports: state machines that turn bytes and HTTP exchanges into messages and back, without I/O.
//!
//! The host owns every socket, timer and exchange. It calls a [`Session`] with what came in; the session appends to
//! [`Events`] what it means. The host drains the events in their order after the call, then writes the out-buffer. A session
//! is called by one thread at a time and never calls the host.

use std::ops::Range;
use std::time::Duration;

use abi_stable::std_types::{RString, RVec};
use serde::{Deserialize, Serialize};

use crate::abi::types::{EventSink, RawEvent, RawField, RawResponse, event};
use crate::message::Kind;
use crate::request::{Request, Response};

/// A way to speak to clients.
pub trait Transport: Send + Sync + 'static {
    /// One client's protocol state.
    type Session: Session;

    /// The transport's name: what `/primus/spec` and the client call it.
    fn name(&self) -> &str;

    /// Decides by the request alone whether it is this transport's, and what it is. `[shard]`
    fn route(&self, request: &Request<'_>) -> Route;

    /// What the session that a request opens can carry. A parser that makes bytes is no parser for one that carries text only: the
    /// host sees to that. Hosts of 1.0.0 don't ask. `[shard]`; and once for a picture with a `GET` of the pathname, so that the
    /// operator is warned.
    fn carries(&self, request: &Request<'_>) -> Carries {
        let _ = request;
        Carries::Everything
    }

    /// Opens a session for a request that was routed to [`Route::Open`]; [`Session::request`] follows at once. `[shard]`
    fn open(&self, request: &Request<'_>) -> Self::Session;

    /// Appends the frame of one message as every session of `class` sends it: it is shared by all recipients. `[shard]`
    fn frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>);

    /// Appends what the stream carrier of a session is told when the session has panicked, and so can't close it itself: what closes
    /// it in the protocol's words. `class` is that of its frames, where it told one. It comes after the last call that went well:
    /// what the session wrote in the one that panicked is forgotten. By default, nothing: the connection just ends. `[shard]`
    fn last_words(&self, class: Option<FrameClass>, close: &Close, out: &mut Out<'_>) {
        let _ = (class, close, out);
    }

    /// Reopens a session from what [`Session::save`] gave, in another process. `None` where it can't be. `[shard]`
    fn restore(&self, state: &[u8]) -> Option<Self::Session> {
        let _ = state;
        None
    }
}

/// What a session can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Text and bytes.
    Everything,
    /// Text only.
    Text,
}

/// Whose a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Not of this transport.
    Pass,
    /// A new client: it is authorized, then a session is opened and announced as a spark.
    Open,
    /// A new session that is no spark: nothing is announced, pinged or passed to hooks.
    OpenBare,
    /// An exchange of the session whose spark has this public id.
    Session(String),
    /// Answered right here, without a session: protocol errors and the like.
    Respond(Response),
}

/// One client's protocol state inside a transport. It outlives single HTTP exchanges.
pub trait Session: Send + 'static {
    /// An HTTP exchange of this session: the first one right after `open`. It stays open until it is answered by
    /// [`Events::respond`] (or its open body ends), or becomes the stream carrier by [`Events::upgrade`]. `[shard]`
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>);

    /// Bytes of the stream carrier. All of them are consumed: an incomplete frame is kept by the session. They may be worked
    /// on in place. `[shard]`
    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>);

    /// One message to the client. `[shard]`
    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>);

    /// A timer that this session set has come. `[shard]`
    fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>);

    /// The host closes the session: write what the protocol says, then [`Events::close`], at once or after the peer's answer.
    /// The host ends a session that takes too long. `[shard]`
    fn close(&mut self, close: &Close, events: &mut Events<'_>);

    /// A carrier is gone: the peer closed it, or it broke. `[shard]`
    fn disconnected(&mut self, carrier: Carrier, events: &mut Events<'_>);

    /// Another session takes the spark over, between two messages: [`Events::remains`] for each message that the client does not
    /// have, in their order, and answers for the exchanges that wait. `word` is what the client said for this session: what it has,
    /// in the transport's own terms. `true`: nothing is called afterwards. `false`: nothing has changed. `[shard]`
    fn succeed(&mut self, word: &str, events: &mut Events<'_>) -> bool {
        let _ = (word, events);
        false
    }

    /// The state for another process to go on with. `None` where it can't be saved. `[shard]`
    fn save(&self) -> Option<Vec<u8>> {
        None
    }
}

/// One HTTP exchange, as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExchangeId(pub u64);

/// A timer of a session. Numbers are the session's own choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerId(pub u32);

/// Sessions of one class put the same bytes around a message. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameClass(pub std::num::NonZeroU32);

/// What carries bytes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The upgraded connection.
    Stream,
    /// An exchange that waits for its answer.
    Exchange(ExchangeId),
}

/// How the host wants a session to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Close {
    /// The close code, where the protocol has one (RFC 6455, section 7.4). `None`: the transport's own normal close.
    pub code: Option<u16>,
    /// A text for the peer; may be cut to what the protocol allows.
    pub reason: String,
}

/// Why a spark is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisconnectReason {
    /// The client closed, with its protocol's code where it gave one.
    Client {
        /// The close code.
        code: Option<u16>,
        /// The client's text.
        reason: String,
    },
    /// The server ended it.
    Server,
    /// The carrier broke or was closed without a word.
    Lost,
    /// No sign of life in time: what was waited for.
    Timeout(String),
    /// The client broke the protocol.
    Protocol {
        /// The close code that it was told.
        code: u16,
        /// What it did.
        reason: String,
    },
    /// A limit was passed: which one. Hosts log and count those by name whose client took too little: `max_buffered`, and
    /// `max_pending_bytes` of transports that keep messages until they are asked for.
    Limit(String),
    /// A plugin failed while it worked for this spark.
    Fault(String),
}

/// Where a session says what came of a call.
pub struct Events<'a> {
    sink: &'a mut EventSink,
}

impl<'a> Events<'a> {
    /// Over the host's sink.
    pub fn new(sink: &'a mut EventSink) -> Self {
        Self { sink }
    }

    fn push(&mut self, what: u8, detail: u8, id: u32, start: u64, len: u64) {
        self.sink.events.push(RawEvent { what, detail, id, start, len });
    }

    /// A message from the client that lies in the input: no copy. Only within [`Session::receive`].
    #[inline]
    pub fn message(&mut self, kind: Kind, range: Range<usize>) {
        self.push(event::MESSAGE, kind as u8, 0, range.start as u64, range.len() as u64);
    }

    /// A message from the client that was assembled.
    pub fn message_owned(&mut self, kind: Kind, bytes: Vec<u8>) {
        let index = self.sink.owned.len() as u64;
        self.sink.owned.push(RVec::from(bytes));
        self.push(event::MESSAGE_OWNED, kind as u8, 0, index, 0);
    }

    /// The spark's out-buffer: what is appended goes to the stream carrier.
    #[inline]
    pub fn out(&mut self) -> Out<'_> {
        Out { bytes: &mut self.sink.out }
    }

    /// Answers an exchange with `101 Switching Protocols` and these header fields; it becomes the stream carrier.
    pub fn upgrade(&mut self, exchange: ExchangeId, headers: &[(&str, &str)]) {
        let response = headers.iter().fold(Response::new(101), |response, (name, value)| response.with_header(*name, *value));
        self.response(event::UPGRADE, exchange, response);
    }

    /// Answers an exchange.
    pub fn respond(&mut self, exchange: ExchangeId, response: Response) {
        self.response(event::RESPOND, exchange, response);
    }

    /// Answers an exchange, but leaves the body open for [`Events::chunk`].
    pub fn respond_open(&mut self, exchange: ExchangeId, response: Response) {
        self.response(event::RESPOND_OPEN, exchange, response);
    }

    /// More of an open body.
    pub fn chunk(&mut self, exchange: ExchangeId, bytes: Vec<u8>) {
        let index = self.sink.owned.len() as u64;
        self.sink.owned.push(RVec::from(bytes));
        self.push(event::CHUNK, 0, 0, exchange.0, index);
    }

    /// The end of an open body.
    pub fn finish(&mut self, exchange: ExchangeId) {
        self.push(event::FINISH, 0, 0, exchange.0, 0);
    }

    fn response(&mut self, what: u8, exchange: ExchangeId, response: Response) {
        let index = self.sink.responses.len() as u64;
        self.sink.responses.push(RawResponse {
            status: response.status,
            headers: response
                .headers
                .into_iter()
                .map(|(name, value)| RawField { name: RString::from(name), value: RString::from(value) })
                .collect(),
            body: RVec::from(response.body),
        });
        self.push(what, 0, 0, exchange.0, index);
    }

    /// Calls [`Session::timeout`] after at least `after`. An earlier timer of that id is replaced.
    pub fn set_timer(&mut self, timer: TimerId, after: Duration) {
        let nanoseconds = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.push(event::SET_TIMER, 0, timer.0, nanoseconds, 0);
    }

    /// The timer is not to come.
    pub fn clear_timer(&mut self, timer: TimerId) {
        self.push(event::CLEAR_TIMER, 0, timer.0, 0, 0);
    }

    /// The peer showed life by other means than a message.
    pub fn alive(&mut self) {
        self.push(event::ALIVE, 0, 0, 0, 0);
    }

    /// From now on, messages may be sent by [`Transport::frame`] of this class; `None`: each by [`Session::send`].
    pub fn frame_class(&mut self, class: Option<FrameClass>) {
        self.push(event::FRAME_CLASS, 0, class.map_or(0, |class| class.0.get()), 0, 0);
    }

    /// From now on the spark may go on in another session, once: in one that is opened by a request whose query has
    /// `_move=PUBLIC~SECRET`, with the spark's public id. The secret is the session's choice; nobody may guess it. When the client
    /// of the new session says `primus::move::WORD` there, [`Session::succeed`] is called with the word.
    pub fn ticket(&mut self, secret: &str) {
        let index = self.sink.owned.len() as u64;
        self.sink.owned.push(RVec::from(secret.as_bytes().to_vec()));
        self.push(event::TICKET, 0, 0, index, 0);
    }

    /// A message that the client does not have. Only within [`Session::succeed`].
    pub fn remains(&mut self, kind: Kind, bytes: Vec<u8>) {
        let index = self.sink.owned.len() as u64;
        self.sink.owned.push(RVec::from(bytes));
        self.push(event::REMAINS, kind as u8, 0, index, 0);
    }

    /// The session is over. The host writes the out-buffer, then closes the carrier. Nothing is called afterwards.
    pub fn close(&mut self, reason: DisconnectReason) {
        let index = self.sink.owned.len() as u64;
        let encoded = crate::value::to_vec(&reason).unwrap_or_default();
        self.sink.owned.push(RVec::from(encoded));
        self.push(event::CLOSE, 0, 0, index, 0);
    }
}

/// A growing buffer of the host.
pub struct Out<'a> {
    bytes: &'a mut RVec<u8>,
}

impl<'a> Out<'a> {
    /// Over the host's buffer.
    pub fn new(bytes: &'a mut RVec<u8>) -> Self {
        Self { bytes }
    }

    /// The number of bytes that wait in the buffer.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for `additional` bytes.
    #[inline]
    pub fn reserve(&mut self, additional: usize) {
        self.bytes.reserve(additional);
    }

    /// Appends bytes.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_copy_slice(bytes);
    }

    /// All bytes that wait, to be changed in place.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.as_mut_slice()
    }

    /// Forgets what was appended after the first `len` bytes.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }
}
