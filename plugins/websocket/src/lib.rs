//! The WebSocket transport (RFC 6455, RFC 7692) as a sans-IO state machine.
//!
//! It speaks the wire of Primus' transformers `websockets`, `faye` and `uws`. The protocol itself is in
//! `websocket_protocol`, for the other transports, too; here is what makes a transport of it.
#![forbid(unsafe_code)]

use std::sync::Arc;

use plugin_api::{
    ClientPart, Close, FrameClass, Host, Kind, Out, Plugin, Priority, Registrar, Request, Route, StartError, Transport,
    export_plugin,
};

pub mod config;
mod session;

use config::Config;
use seats::Seats;
use session::Purpose;
pub use session::WebSocket;
use websocket_protocol::Endpoint;

/// The plugin.
pub struct WebSocketPlugin {
    transport: WebSocketTransport,
}

impl Plugin for WebSocketPlugin {
    const NAME: &'static str = "websocket";
    const DESCRIPTION: &'static str = "the WebSocket transport, with permessage-deflate";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        Ok(Self { transport: WebSocketTransport::new(config)? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::PROTOCOL, self.transport.clone());
        registrar.client_part(ClientPart::Transport, Self::NAME, include_str!("../client.js"));
    }
}

export_plugin!(WebSocketPlugin);

/// The transport. Clones are the same one.
#[derive(Clone)]
pub struct WebSocketTransport {
    endpoint: Arc<Endpoint>,
    seats: Arc<Seats>,
    /// The path of the echo below the pathname.
    echo_path: Option<Arc<str>>,
}

impl WebSocketTransport {
    /// With a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let echo_path = config.checked_echo_path()?.map(Arc::from);
        let seats = Arc::new(Seats::new(config.max_sessions_per_address));
        Ok(Self { endpoint: Arc::new(Endpoint::new(config.settings()?)), seats, echo_path })
    }

    /// What happens at the request's path: `None` if it is not one of ours.
    fn purpose(&self, request: &Request<'_>) -> Option<Purpose> {
        match request.path() {
            "" | "/" => Some(Purpose::Messages),
            path if Some(path) == self.echo_path.as_deref() => Some(Purpose::Echo),
            _ => None,
        }
    }
}

impl Transport for WebSocketTransport {
    type Session = WebSocket;

    fn name(&self) -> &str {
        "websockets"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        let Some(purpose) = self.purpose(request).filter(|_| request.method() == "GET") else {
            return Route::Pass;
        };
        if let Err(refusal) = websocket_protocol::judge(request, &self.endpoint.settings) {
            return Route::Respond(refusal.response());
        }
        match (self.seats.check(request), purpose) {
            (Ok(()), Purpose::Messages) => Route::Open,
            (Ok(()), Purpose::Echo) => Route::OpenBare,
            (Err(full), _) => Route::Respond(session::refusal(full)),
        }
    }

    fn open(&self, request: &Request<'_>) -> WebSocket {
        let purpose = self.purpose(request).unwrap_or(Purpose::Messages);
        WebSocket::new(Arc::clone(&self.endpoint), self.seats.take(request), purpose)
    }

    fn frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        self.endpoint.write_frame(class, kind, payload, out);
    }

    fn last_words(&self, _: Option<FrameClass>, close: &Close, out: &mut Out<'_>) {
        self.endpoint.write_close(close, out);
    }

    fn restore(&self, state: &[u8]) -> Option<WebSocket> {
        WebSocket::restore(Arc::clone(&self.endpoint), &self.seats, state)
    }
}
