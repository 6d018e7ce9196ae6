//! The WebSocket transport (RFC 6455, RFC 7692) as a sans-IO state machine.
//!
//! It speaks the wire of Primus' transformers `websockets`, `faye` and `uws`. Start reading at `session`: the way of a
//! message from bytes to events. A handshake begins in `handshake`.
#![forbid(unsafe_code)]

use std::sync::Arc;

use plugin_api::{
    ClientPart, FrameClass, Host, Kind, Out, Plugin, Priority, Registrar, Request, Route, StartError, Transport, export_plugin,
};

mod close;
pub mod config;
mod deflate;
mod endpoint;
mod error;
mod extension;
mod frame;
mod handshake;
mod incomplete;
mod mask;
mod message;
mod origin;
mod session;
mod utf8;

use config::{Config, Settings};
use endpoint::Endpoint;
use session::Purpose;
pub use session::WebSocket;

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
}

impl WebSocketTransport {
    /// With a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: Config) -> Result<Self, StartError> {
        Ok(Self { endpoint: Arc::new(Endpoint::new(Settings::new(config)?)) })
    }

    /// What happens at the request's path: `None` if it is not one of ours.
    fn purpose(&self, request: &Request<'_>) -> Option<Purpose> {
        match request.path() {
            "" | "/" => Some(Purpose::Messages),
            path if Some(path) == self.endpoint.settings.echo_path.as_deref() => Some(Purpose::Echo),
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
        match (handshake::judge(request, &self.endpoint.settings), purpose) {
            (Ok(_), Purpose::Messages) => Route::Open,
            (Ok(_), Purpose::Echo) => Route::OpenBare,
            (Err(refusal), _) => Route::Respond(refusal.response()),
        }
    }

    fn open(&self, request: &Request<'_>) -> WebSocket {
        let purpose = self.purpose(request).unwrap_or(Purpose::Messages);
        WebSocket::new(Arc::clone(&self.endpoint), purpose)
    }

    fn frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        self.endpoint.write_frame(class, kind, payload, out);
    }
}
