//! A transport of WebSockets at `/cliff`, of the protocol's own crate: so a real client sees how a session ends that panics.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::{
    Carrier, Close, Events, ExchangeId, FrameClass, Kind, Out, Request, Response, Route, Session, TimerId, Transport,
};
use websocket_protocol::{Connection, Endpoint, Over, Receiver, Replies, Settings, judge};

use crate::Edge;

/// A timer of the session beside those of its connection.
const TIMER: TimerId = TimerId(9);

/// The transport.
pub struct WebSockets {
    edge: Edge,
    endpoint: Arc<Endpoint>,
}

impl WebSockets {
    /// By the edge.
    pub fn new(edge: Edge) -> Self {
        Self { edge, endpoint: Arc::new(Endpoint::new(Settings::default())) }
    }
}

impl Transport for WebSockets {
    type Session = WebSocket;

    fn name(&self) -> &str {
        "cliff-websockets"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        match judge(request, &self.endpoint.settings) {
            Ok(_) if request.path() == "/cliff" => Route::Open,
            _ => Route::Pass,
        }
    }

    fn open(&self, _: &Request<'_>) -> WebSocket {
        WebSocket { edge: self.edge.clone(), connection: Connection::new(Arc::clone(&self.endpoint), Messages) }
    }

    // Each message is for `send`: there is no class of frames.
    fn frame(&self, _: FrameClass, _: Kind, _: &[u8], _: &mut Out<'_>) {}

    fn last_words(&self, _: Option<FrameClass>, close: &Close, out: &mut Out<'_>) {
        self.endpoint.write_close(close, out);
    }
}

/// One connection.
pub struct WebSocket {
    edge: Edge,
    connection: Connection<Messages>,
}

/// What becomes of messages: they go to the host.
#[derive(Clone, Copy)]
struct Messages;

impl Receiver for Messages {
    fn message(&mut self, kind: Kind, _: &mut [u8], place: Range<usize>, _: &mut Replies<'_>, events: &mut Events<'_>) {
        events.message(kind, place);
    }

    fn message_owned(&mut self, kind: Kind, payload: Vec<u8>, _: &mut Replies<'_>, events: &mut Events<'_>) {
        events.message_owned(kind, payload);
    }
}

fn follow(over: Option<Over>, events: &mut Events<'_>) {
    if let Some(Over(reason)) = over {
        events.close(reason);
    }
}

impl WebSocket {
    /// Comes by the edge with half a frame in the out-buffer.
    fn stumble(&self, place: &str, events: &mut Events<'_>) {
        let whole = events.out().len();
        events.out().extend_from_slice(&[0x81, 0x7e, 0x01]);
        self.edge.pass(place);
        events.out().truncate(whole);
    }
}

impl Session for WebSocket {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        if self.connection.is_connecting() && self.connection.accept(exchange, request, events).is_err() {
            events.respond(exchange, Response::text(400, "no handshake"));
        }
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        self.stumble("session receive", events);
        let over = self.connection.receive(input, &mut Messages, events);
        follow(over, events);
    }

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        self.stumble("session send", events);
        self.connection.send(kind, payload, &mut events.out());
        if self.edge.is_at("session timeout") {
            events.set_timer(TIMER, Duration::from_millis(1));
        }
        if self.edge.is_at("session mute") && payload == b"\"mute\"" {
            // It takes back what was there before it was called, and falls.
            events.out().truncate(1);
            self.edge.pass("session mute");
        }
    }

    fn timeout(&mut self, _: TimerId, events: &mut Events<'_>) {
        self.stumble("session timeout", events);
        let over = self.connection.timeout(events);
        follow(over, events);
    }

    fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        self.stumble("session close", events);
        let over = self.connection.close(close, events);
        follow(over, events);
    }

    fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) {
        follow(self.connection.disconnected(), events);
    }
}
