//! A transport whose messages are lines of text, after an upgrade to the protocol `lines`.
//!
//! A line that comes in pieces is kept until its end has come.

use std::num::NonZeroU32;

use plugin_api::{
    Carrier, Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Out, Request, Response, Route, Session, TimerId,
    Transport,
};

/// All sessions put the same around a message.
const CLASS: FrameClass = FrameClass(NonZeroU32::MIN);

/// The transport.
pub struct Lines;

/// One connection.
#[derive(Default)]
pub struct Line {
    incomplete: Vec<u8>,
}

impl Transport for Lines {
    type Session = Line;

    fn name(&self) -> &str {
        "lines"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        if request.header("upgrade") == Some("lines") { Route::Open } else { Route::Pass }
    }

    fn open(&self, _: &Request<'_>) -> Line {
        Line::default()
    }

    fn frame(&self, _: FrameClass, _: Kind, payload: &[u8], out: &mut Out<'_>) {
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\n");
    }
}

impl Session for Line {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        if request.header("upgrade") != Some("lines") {
            return events.respond(exchange, Response::text(400, "only lines"));
        }
        events.upgrade(exchange, &[("connection", "upgrade"), ("upgrade", "lines")]);
        events.frame_class(Some(CLASS));
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        for piece in input.split_inclusive(|byte| *byte == b'\n') {
            self.incomplete.extend_from_slice(piece);
            if self.incomplete.pop_if(|last| *last == b'\n').is_some() {
                events.message_owned(Kind::Text, std::mem::take(&mut self.incomplete));
            }
        }
    }

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        Lines.frame(CLASS, kind, payload, &mut events.out());
    }

    fn timeout(&mut self, _: TimerId, _: &mut Events<'_>) {}

    fn close(&mut self, _: &Close, events: &mut Events<'_>) {
        events.close(DisconnectReason::Server);
    }

    fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) {
        events.close(DisconnectReason::Lost);
    }
}
