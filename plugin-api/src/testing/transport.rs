//! Transports and their sessions, driven with bytes: what goes in is given, what comes out is compared.

use std::sync::Arc;
use std::time::Duration;

use abi_stable::std_types::RVec;

use super::boundary::{host_of, registered, with_raw};
use super::plugged::PluginHost;
use super::world::World;
use crate::abi::host::{Fault, SessionHandle, TransportHandle, response_of};
use crate::abi::types::{EventSink, RawEvent, event};
use crate::message::Kind;
use crate::plugin::Priority;
use crate::request::{Request, Response};
use crate::runtime::PluginRuntime;
use crate::transport::{Carrier, DisconnectReason, ExchangeId, FrameClass, Route, TimerId, Transport};
use crate::value;

/// What a session had to say in a call, owned.
///
/// A call's events come in the session's order. The bytes for the stream carrier are one [`Event::Out`] after them, since the host
/// writes them after the call; only [`Event::Close`] comes still later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message from the client.
    Message(Kind, Vec<u8>),
    /// All bytes that the call wrote to the stream carrier.
    Out(Vec<u8>),
    /// An exchange becomes the stream carrier.
    Upgrade {
        /// The exchange.
        exchange: ExchangeId,
        /// The header fields of the 101 response.
        headers: Vec<(String, String)>,
    },
    /// An exchange is answered.
    Respond(ExchangeId, Response),
    /// An exchange is answered, and its body stays open.
    RespondOpen(ExchangeId, Response),
    /// More of an open body.
    Chunk(ExchangeId, Vec<u8>),
    /// The end of an open body.
    Finish(ExchangeId),
    /// A timer is set.
    SetTimer(TimerId, Duration),
    /// A timer is not to come.
    ClearTimer(TimerId),
    /// The client showed life.
    Alive,
    /// How messages may be framed from now on.
    FrameClass(Option<FrameClass>),
    /// The spark may go on in another session, by this secret.
    Ticket(String),
    /// A message that the client does not have, for the session that goes on.
    Remains(Kind, Vec<u8>),
    /// The session is over.
    Close(DisconnectReason),
}

/// A transport behind the boundary.
pub struct TransportHarness {
    transport: Arc<TransportHandle>,
}

impl TransportHarness {
    /// Over a transport. [`Bench::transport`](super::Bench::transport) gives one of a plugin.
    pub fn new(transport: impl Transport) -> Self {
        let host = host_of(PluginHost::new(&Arc::<World>::default(), "bench", 0));
        let registrations = registered(&host, &PluginRuntime::default(), |registrar| {
            registrar.transport(Priority::PROTOCOL, transport);
        });
        Self::of(registrations.transports.into_iter().next().expect("one was registered").1)
    }

    pub(super) fn of(transport: Arc<TransportHandle>) -> Self {
        Self { transport }
    }

    /// The transport's name.
    pub fn name(&self) -> &str {
        self.transport.name()
    }

    /// What the transport makes of a request. A leading `/primus` is taken off its path, as the host does.
    ///
    /// # Panics
    ///
    /// The transport panics.
    #[track_caller]
    pub fn route(&self, request: impl Into<Request<'static>>) -> Route {
        done(with_raw(&request.into(), |raw| self.transport.route(raw)))
    }

    /// Opens a session and hands it the request, with `spark` for the id of its spark where the request has none.
    ///
    /// # Panics
    ///
    /// The transport does not want to open one for this request, or panics.
    #[track_caller]
    pub fn open(&self, request: impl Into<Request<'static>>) -> SessionHarness {
        let request = request.into();
        let route = self.route(request.clone());
        assert!(matches!(route, Route::Open | Route::OpenBare), "the transport opens no session: {route:?}");
        self.open_late(request)
    }

    /// The same without asking for the route: that was asked long ago, as where authorizers think in between.
    ///
    /// # Panics
    ///
    /// The transport panics.
    #[track_caller]
    pub fn open_late(&self, request: impl Into<Request<'static>>) -> SessionHarness {
        let request = request.into();
        let request = if request.spark_id().is_none() { request.with_spark_id("spark") } else { request };
        let handle = done(with_raw(&request, |raw| self.transport.open(raw)));
        let mut session = SessionHarness::of(handle);
        session.opening = session.request(request).1;
        session
    }

    /// Opens a session from what [`SessionHarness::save`] gave; `None` where the transport can't.
    ///
    /// # Panics
    ///
    /// The transport panics.
    #[track_caller]
    pub fn restore(&self, state: &[u8]) -> Option<SessionHarness> {
        done(self.transport.restore(state)).map(SessionHarness::of)
    }

    /// The frame of a message that all sessions of a class share.
    ///
    /// # Panics
    ///
    /// The transport panics.
    #[track_caller]
    pub fn frame(&self, class: FrameClass, kind: Kind, payload: impl AsRef<[u8]>) -> Vec<u8> {
        let mut out = RVec::new();
        done(self.transport.frame(class, kind, payload.as_ref(), &mut out));
        out.into_vec()
    }

    /// What the stream carrier of a session of a class is told when the session has panicked.
    ///
    /// # Panics
    ///
    /// The transport panics.
    #[track_caller]
    pub fn last_words(&self, class: Option<FrameClass>, code: u16, reason: &str) -> Vec<u8> {
        let mut out = RVec::new();
        done(self.transport.last_words(class, code, reason, &mut out));
        out.into_vec()
    }
}

/// A session behind the boundary. After its [`Event::Close`] nothing reaches it any more, and there are no events.
///
/// ```
/// # use plugin_api::{Carrier, Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Out, Request, Response, Route};
/// # use plugin_api::{Session, TimerId, Transport};
/// # struct Lines;
/// # impl Transport for Lines {
/// #     type Session = Line;
/// #     fn name(&self) -> &str { "lines" }
/// #     fn route(&self, _: &Request<'_>) -> Route { Route::Open }
/// #     fn open(&self, _: &Request<'_>) -> Line { Line(Vec::new()) }
/// #     fn frame(&self, _: FrameClass, _: Kind, _: &[u8], _: &mut Out<'_>) {}
/// # }
/// # struct Line(Vec<u8>);
/// # impl Session for Line {
/// #     fn request(&mut self, exchange: ExchangeId, _: &Request<'_>, events: &mut Events<'_>) {
/// #         events.upgrade(exchange, &[("upgrade", "lines")]);
/// #     }
/// #     fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
/// #         for byte in input {
/// #             match *byte {
/// #                 b'\n' => events.message_owned(Kind::Text, std::mem::take(&mut self.0)),
/// #                 byte => self.0.push(byte),
/// #             }
/// #         }
/// #     }
/// #     fn send(&mut self, _: Kind, payload: &[u8], events: &mut Events<'_>) {
/// #         events.out().extend_from_slice(&[payload, b"\n"].concat());
/// #     }
/// #     fn timeout(&mut self, _: TimerId, _: &mut Events<'_>) {}
/// #     fn close(&mut self, _: &Close, events: &mut Events<'_>) { events.close(DisconnectReason::Server); }
/// #     fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) { events.close(DisconnectReason::Lost); }
/// # }
/// use plugin_api::testing::{Event, SessionHarness};
///
/// let mut line = SessionHarness::open(Lines, "/primus");
/// assert!(matches!(line.opening(), [Event::Upgrade { .. }]));
///
/// let hello = [Event::Message(Kind::Text, b"hello".to_vec())];
/// assert_eq!(line.receive("hello\n"), hello);
/// assert_eq!(line.receive_split("hello\n", [1, 3]), hello);
/// assert_eq!(line.send(Kind::Text, "you"), [Event::Out(b"you\n".to_vec())]);
/// assert_eq!(line.close(None, ""), [Event::Close(DisconnectReason::Server)]);
/// ```
pub struct SessionHarness {
    session: SessionHandle,
    opening: Vec<Event>,
    exchanges: u64,
    over: bool,
}

impl SessionHarness {
    /// Opens a session of a transport for a request: see [`TransportHarness::open`].
    ///
    /// # Panics
    ///
    /// The transport does not want to open one for this request, or panics.
    #[track_caller]
    pub fn open(transport: impl Transport, request: impl Into<Request<'static>>) -> Self {
        TransportHarness::new(transport).open(request)
    }

    fn of(session: SessionHandle) -> Self {
        Self { session, opening: Vec::new(), exchanges: 0, over: false }
    }

    /// What the session had to say to the request that opened it, which is exchange 1.
    pub fn opening(&self) -> &[Event] {
        &self.opening
    }

    /// Whether the session has closed.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// One more HTTP exchange.
    ///
    /// # Panics
    ///
    /// The session panics, here and in all that follows.
    #[track_caller]
    pub fn request(&mut self, request: impl Into<Request<'static>>) -> (ExchangeId, Vec<Event>) {
        let request = request.into();
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let events = self.call(&mut [], |session, _, sink| with_raw(&request, |raw| session.request(exchange.0, raw, sink)));
        (exchange, events)
    }

    /// Bytes of the stream carrier, all at once.
    #[track_caller]
    pub fn receive(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Event> {
        let mut input = bytes.as_ref().to_vec();
        self.call(&mut input, |session, input, sink| session.receive(input, sink))
    }

    /// Bytes of the stream carrier in pieces of these sizes (0 counts as 1), and the rest at last. The events are as of one call, so that they can
    /// be compared with those of [`SessionHarness::receive`].
    #[track_caller]
    pub fn receive_split(&mut self, bytes: impl AsRef<[u8]>, sizes: impl IntoIterator<Item = usize>) -> Vec<Event> {
        let mut left = bytes.as_ref();
        let mut sizes = sizes.into_iter();
        let (mut events, mut written, mut close) = (Vec::new(), Vec::new(), None);
        while !left.is_empty() && !self.over {
            let (piece, rest) = left.split_at(sizes.next().unwrap_or(left.len()).clamp(1, left.len()));
            left = rest;
            for event in self.receive(piece) {
                match event {
                    Event::Out(bytes) => written.extend(bytes),
                    Event::Close(reason) => close = Some(Event::Close(reason)),
                    event => events.push(event),
                }
            }
        }
        if !written.is_empty() {
            events.push(Event::Out(written));
        }
        events.extend(close);
        events
    }

    /// A message to the client.
    #[track_caller]
    pub fn send(&mut self, kind: Kind, payload: impl AsRef<[u8]>) -> Vec<Event> {
        self.call(&mut [], |session, _, sink| session.send(kind, payload.as_ref(), sink))
    }

    /// A timer that the session has set comes.
    #[track_caller]
    pub fn timeout(&mut self, timer: TimerId) -> Vec<Event> {
        self.call(&mut [], |session, _, sink| session.timeout(timer.0, sink))
    }

    /// The host closes the session.
    #[track_caller]
    pub fn close(&mut self, code: Option<u16>, reason: &str) -> Vec<Event> {
        self.call(&mut [], |session, _, sink| session.close(code, reason, sink))
    }

    /// A carrier is gone.
    #[track_caller]
    pub fn disconnected(&mut self, carrier: Carrier) -> Vec<Event> {
        self.call(&mut [], |session, _, sink| session.disconnected(carrier, sink))
    }

    /// Another session takes the spark over: what is left; `None` where the session goes on instead.
    #[track_caller]
    pub fn succeed(&mut self, word: &str) -> Option<Vec<Event>> {
        let mut succeeded = false;
        let events = self.call(&mut [], |session, _, sink| {
            succeeded = session.succeed(word, sink)?;
            Ok(())
        });
        self.over |= succeeded;
        succeeded.then_some(events)
    }

    /// The state for another process; `None` where it can't be saved.
    #[track_caller]
    pub fn save(&self) -> Option<Vec<u8>> {
        done(self.session.save())
    }

    #[track_caller]
    fn call(
        &mut self,
        input: &mut [u8],
        call: impl FnOnce(&mut SessionHandle, &mut [u8], &mut EventSink) -> Result<(), Fault>,
    ) -> Vec<Event> {
        if self.over {
            return Vec::new();
        }
        let mut sink = EventSink::new();
        done(call(&mut self.session, input, &mut sink));
        let mut events: Vec<Event> = sink.events.iter().map(|raw| owned(raw, input, &sink)).collect();
        let closing = events.iter().position(|event| matches!(event, Event::Close(_)));
        if let Some(place) = closing {
            self.over = true;
            assert!(place + 1 == events.len(), "a session has events after its close: {:?}", &events[place..]);
        }
        if !sink.out.is_empty() {
            events.insert(closing.unwrap_or(events.len()), Event::Out(sink.out.to_vec()));
        }
        events
    }
}

/// A raw event with what it refers to.
#[track_caller]
fn owned(raw: &RawEvent, input: &[u8], sink: &EventSink) -> Event {
    let bytes = |index: u64| sink.owned[at(index)].to_vec();
    let response = || (ExchangeId(raw.start), response_of(sink.responses[at(raw.len)].clone()));
    match raw.what {
        event::MESSAGE => {
            let message = at(raw.start).checked_add(at(raw.len)).and_then(|end| input.get(at(raw.start)..end));
            let Some(message) = message else {
                panic!("a message lies outside of the {} bytes of input: {raw:?}", input.len());
            };
            Event::Message(Kind::from_raw(raw.detail), message.to_vec())
        }
        event::MESSAGE_OWNED => Event::Message(Kind::from_raw(raw.detail), bytes(raw.start)),
        event::UPGRADE => {
            let (exchange, response) = response();
            Event::Upgrade { exchange, headers: response.headers }
        }
        event::RESPOND => {
            let (exchange, response) = response();
            Event::Respond(exchange, response)
        }
        event::RESPOND_OPEN => {
            let (exchange, response) = response();
            Event::RespondOpen(exchange, response)
        }
        event::CHUNK => Event::Chunk(ExchangeId(raw.start), bytes(raw.len)),
        event::FINISH => Event::Finish(ExchangeId(raw.start)),
        event::SET_TIMER => Event::SetTimer(TimerId(raw.id), Duration::from_nanos(raw.start)),
        event::CLEAR_TIMER => Event::ClearTimer(TimerId(raw.id)),
        event::ALIVE => Event::Alive,
        event::CLOSE => Event::Close(value::decode(&bytes(raw.start)).expect("the SDK has encoded the reason")),
        event::TICKET => Event::Ticket(String::from_utf8(bytes(raw.start)).expect("a secret is text")),
        event::REMAINS => Event::Remains(Kind::from_raw(raw.detail), bytes(raw.start)),
        event::FRAME_CLASS => Event::FrameClass(std::num::NonZeroU32::new(raw.id).map(FrameClass)),
        what => panic!("the SDK has no event {what}"),
    }
}

fn at(index: u64) -> usize {
    usize::try_from(index).expect("an index into memory")
}

#[track_caller]
fn done<T>(result: Result<T, Fault>) -> T {
    result.unwrap_or_else(|fault| panic!("{fault}"))
}
