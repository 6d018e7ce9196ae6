//! The Engine.IO transport, protocols 4 and 3: polling, WebSocket, and the change from one to the other.
//!
//! It speaks the wire of Primus' transformer `engine.io` and of plain `engine.io-client`s. Start reading at `session`: how one
//! session goes on over many requests and at last over a WebSocket, whose protocol is the crate `websocket_protocol`.
//! `packet` and `payload` are the encodings, `jsonp` is what scripts and forms put around them, `refusal` the protocol's answers to what it doesn't take.
#![forbid(unsafe_code)]

use std::sync::Arc;

use plugin_api::{
    Close, FrameClass, Host, Kind, Out, Plugin, Priority, Registrar, Request, Route, StartError, Transport, export_plugin,
};

pub mod config;
mod handshake;
mod heartbeat;
mod jsonp;
mod packet;
mod payload;
mod polling;
mod refusal;
mod session;
mod stream;

use config::{Config, Server};
use handshake::{Carriage, Parameters};
use packet::Dialect;
use refusal::Refusal;
pub use session::EngineIo;

/// The plugin.
pub struct EngineIoPlugin {
    transport: EngineIoTransport,
}

impl Plugin for EngineIoPlugin {
    const NAME: &'static str = "engine-io";
    const DESCRIPTION: &'static str = "the Engine.IO transport, protocols 4 and 3, with polling and WebSocket";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        Ok(Self { transport: EngineIoTransport::new(config)? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        // Before the plain WebSocket, which would take a handshake with `EIO=` for its own.
        registrar.transport(Priority(Priority::PROTOCOL.0 - 10), self.transport.clone());
    }
}

export_plugin!(EngineIoPlugin);

/// The transport. Clones are the same one.
#[derive(Clone)]
pub struct EngineIoTransport {
    server: Arc<Server>,
}

impl EngineIoTransport {
    /// With a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: Config) -> Result<Self, StartError> {
        Ok(Self { server: Arc::new(Server::new(config)?) })
    }
}

impl Transport for EngineIoTransport {
    type Session = EngineIo;

    fn name(&self) -> &str {
        "engine.io"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        if !matches!(request.path(), "" | "/") {
            return Route::Pass;
        }
        let parameters = match Parameters::of(request) {
            Some(Ok(parameters)) => parameters,
            Some(Err(refusal)) => return Route::Respond(refusal.response()),
            // Not a word of Engine.IO.
            None => return Route::Pass,
        };
        if parameters.jsonp.is_some() && !self.server.takes_jsonp(request) {
            return Route::Respond(Refusal::Forbidden.response());
        }
        if let Some(sid) = parameters.sid {
            return if request.is_for_lost_session() {
                Route::Respond(Refusal::UnknownSid.response())
            } else {
                Route::Session(sid.into_owned())
            };
        }
        match self.server.admits(request, &parameters) {
            Ok(()) => Route::Open,
            Err(response) => Route::Respond(response),
        }
    }

    fn open(&self, request: &Request<'_>) -> EngineIo {
        let parameters = match Parameters::of(request) {
            Some(Ok(parameters)) => parameters,
            // A request that was routed here has them.
            _ => Parameters { dialect: Dialect::default(), carriage: Carriage::Polling, sid: None, jsonp: None },
        };
        EngineIo::new(Arc::clone(&self.server), parameters.dialect, self.server.seats.take(request).ok())
    }

    fn frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        stream::write_message(Dialect::of_class(class), kind, payload, |kind, prefix, rest| {
            websocket_protocol::write_prefixed(kind, prefix, rest, out);
        });
    }

    fn last_words(&self, class: Option<FrameClass>, close: &Close, out: &mut Out<'_>) {
        // Without a class, polling carries the session, and the WebSocket was only tried.
        if class.is_some() {
            websocket_protocol::write_prefixed(Kind::Text, b"1", &[], out);
        }
        self.server.endpoint.write_close(close, out);
    }

    fn restore(&self, state: &[u8]) -> Option<EngineIo> {
        EngineIo::restore(Arc::clone(&self.server), state)
    }
}
