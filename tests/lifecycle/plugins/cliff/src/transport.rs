//! A transport after an upgrade to the protocol `cliff`: what comes in one read is a message. Each of its calls comes by the edge.

use std::num::NonZeroU32;
use std::time::Duration;

use plugin_api::{
    Carrier, Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Out, Request, Response, Route, Session, TimerId,
    Transport,
};

use crate::Edge;

const CLASS: FrameClass = FrameClass(NonZeroU32::MIN);

/// The transport.
pub struct Echoing(pub Edge);

/// One connection.
pub struct Connection(Edge);

fn is_ours(request: &Request<'_>) -> bool {
    request.header("upgrade") == Some("cliff")
}

impl Transport for Echoing {
    type Session = Connection;

    fn name(&self) -> &str {
        "cliff"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        if !is_ours(request) {
            return Route::Pass;
        }
        self.0.pass("session route");
        Route::Open
    }

    fn open(&self, _: &Request<'_>) -> Connection {
        self.0.pass("session open");
        Connection(self.0.clone())
    }

    fn frame(&self, _: FrameClass, _: Kind, payload: &[u8], out: &mut Out<'_>) {
        self.0.pass("frame");
        out.extend_from_slice(payload);
    }
}

impl Session for Connection {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        self.0.pass("session request");
        if !is_ours(request) {
            return events.respond(exchange, Response::text(400, "over the cliff only"));
        }
        events.upgrade(exchange, &[("connection", "upgrade"), ("upgrade", "cliff")]);
        if *self.0.0 == *"frame" {
            events.frame_class(Some(CLASS));
        }
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        self.0.pass("session receive");
        if *self.0.0 == *"session timeout" {
            events.set_timer(TimerId(1), Duration::from_millis(1));
        }
        events.message(Kind::Text, 0..input.len());
    }

    fn send(&mut self, _: Kind, payload: &[u8], events: &mut Events<'_>) {
        self.0.pass("session send");
        events.out().extend_from_slice(payload);
    }

    fn timeout(&mut self, _: TimerId, _: &mut Events<'_>) {
        self.0.pass("session timeout");
    }

    fn close(&mut self, _: &Close, events: &mut Events<'_>) {
        self.0.pass("session close");
        events.close(DisconnectReason::Server);
    }

    fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) {
        self.0.pass("session disconnected");
        events.close(DisconnectReason::Lost);
    }
}
