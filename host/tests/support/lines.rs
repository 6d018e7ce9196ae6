//! A transport: each line is a message. The path says what a session does with its first request, the query is its name.
//!
//! - `""` upgrades: the connection carries lines. A close is the line `close CODE`, which the client answers with `ok`.
//! - `/wait` keeps the request unanswered.
//! - `/later` answers it when a timer comes.
//! - `/stream` answers with a head and goes on with a line for each message.
//! - `/open` answers it, and `/join?ID` is then a request of that session, which upgrades or (with `x-wait`) waits or (with `x-end`)
//!   ends the session and is not answered by it.
//! - `/refuse` answers it with 400 and is over.
//! - `/panic` panics.

use std::time::Duration;

use plugin_api::prelude::*;
use plugin_api::{Carrier, Close, Events, ExchangeId, FrameClass, Out, Route, Session, TimerId, Transport};

use super::journal::note;

/// The header fields of a request for a connection.
pub const UPGRADE: &str = "connection: upgrade\r\nupgrade: lines\r\n";

/// The transport.
pub struct Lines;

impl Plugin for Lines {
    const NAME: &'static str = "lines";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority(0), Lines);
    }
}

export_plugin!(Lines);

impl Transport for Lines {
    type Session = Line;

    fn name(&self) -> &str {
        "lines"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        if let Some(refusal) = request.refusal() {
            return Route::Respond(Response::text(refusal.status, format!("refused: {refusal}\n")));
        }
        match request.path() {
            "/join" if request.is_for_lost_session() => Route::Respond(Response::text(410, "over\n")),
            "/join" => Route::Session(request.query().to_owned()),
            "" | "/" | "/wait" | "/later" | "/stream" | "/open" | "/refuse" | "/panic" => Route::Open,
            _ => Route::Pass,
        }
    }

    fn open(&self, request: &Request<'_>) -> Line {
        assert_ne!(request.path(), "/panic");
        Line { name: request.query().to_owned(), exchange: None, streams: false, tail: Vec::new() }
    }

    fn frame(&self, _: FrameClass, _: Kind, payload: &[u8], out: &mut Out<'_>) {
        assert_ne!(payload, b"\"unframed\"");
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\n");
    }
}

/// One client's session.
pub struct Line {
    name: String,
    exchange: Option<ExchangeId>,
    streams: bool,
    tail: Vec<u8>,
}

impl Session for Line {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        note(format!("{} asks", self.name));
        match request.path() {
            "/wait" => self.exchange = Some(exchange),
            "/join" if request.header("x-wait").is_some() => {
                self.exchange = Some(exchange);
                note(format!("{} asks to wait", self.name));
            }
            "/join" if request.header("x-end").is_some() => events.close(DisconnectReason::Lost),
            "/later" => {
                self.exchange = Some(exchange);
                events.set_timer(TimerId(1), Duration::from_millis(1));
            }
            "/stream" => {
                (self.exchange, self.streams) = (Some(exchange), true);
                events.respond_open(exchange, Response::new(200));
            }
            "/open" => events.respond(exchange, Response::new(200)),
            "/refuse" => {
                events.respond(exchange, Response::new(400));
                events.close(DisconnectReason::Lost);
            }
            _ => {
                events.upgrade(exchange, &[("upgrade", "lines"), ("connection", "upgrade")]);
                events.frame_class(FrameClass(std::num::NonZeroU32::MIN).into());
            }
        }
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        self.tail.extend_from_slice(input);
        while let Some(end) = self.tail.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = self.tail.drain(..=end).collect();
            line.pop();
            match line.as_slice() {
                b"ok" => return events.close(DisconnectReason::Server),
                _ => events.message_owned(Kind::Text, line),
            }
        }
    }

    fn send(&mut self, _: Kind, payload: &[u8], events: &mut Events<'_>) {
        match self.exchange {
            Some(exchange) if self.streams => events.chunk(exchange, [payload, b"\n"].concat()),
            Some(exchange) => events.respond(exchange, Response::new(200).with_body(payload.to_vec())),
            None => {
                events.out().extend_from_slice(payload);
                events.out().extend_from_slice(b"\n");
            }
        }
    }

    fn timeout(&mut self, _: TimerId, events: &mut Events<'_>) {
        if let Some(exchange) = self.exchange.take() {
            events.respond(exchange, Response::new(200).with_header("connection", "close").with_body(b"later"));
            events.close(DisconnectReason::Lost);
        }
    }

    fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        note(format!("{} is told to close", self.name));
        if self.exchange.is_some() {
            return events.close(DisconnectReason::Server);
        }
        let code = close.code.unwrap_or_default();
        events.out().extend_from_slice(format!("close {code}\n").as_bytes());
    }

    fn disconnected(&mut self, carrier: Carrier, events: &mut Events<'_>) {
        match carrier {
            Carrier::Stream => note(format!("{} is cut off", self.name)),
            Carrier::Exchange(_) => note(format!("{}'s request is gone", self.name)),
        }
        events.close(DisconnectReason::Lost);
    }
}
