//! The WebSocket transport (RFC 6455, RFC 7692) as a sans-IO state machine.
//!
//! It speaks the wire of Primus' transformers `websockets`, `faye` and `uws`. Start reading at [`session`]: the way of a
//! message from bytes to events. A handshake begins in [`handshake`].
#![forbid(unsafe_code)]

use std::sync::Arc;

use plugin_api::{
    ClientPart, FrameClass, Host, Kind, Out, Plugin, Priority, Registrar, Request, Route, StartError, Transport, export_plugin,
};

pub mod close;
pub mod config;
pub mod deflate;
pub mod endpoint;
pub mod error;
pub mod extension;
pub mod frame;
pub mod handshake;
mod incomplete;
pub mod mask;
pub mod message;
pub mod origin;
pub mod session;
pub mod utf8;

use config::{Config, Settings};
use endpoint::Endpoint;
use session::{Purpose, WebSocket};

/// The plugin.
pub struct WebSocketPlugin {
    endpoint: Arc<Endpoint>,
}

impl Plugin for WebSocketPlugin {
    const NAME: &'static str = "websocket";
    const DESCRIPTION: &'static str = "the WebSocket transport, with permessage-deflate";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        let endpoint = Arc::new(Endpoint::new(Settings::new(config)?));
        Ok(Self { endpoint })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::PROTOCOL, WebSocketTransport::new(Arc::clone(&self.endpoint)));
        registrar.client_part(ClientPart::Transport, Self::NAME, include_str!("../client.js"));
    }
}

export_plugin!(WebSocketPlugin);

/// The transport.
pub struct WebSocketTransport {
    endpoint: Arc<Endpoint>,
}

impl WebSocketTransport {
    /// Of an endpoint.
    pub fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint }
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
        "websocket"
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
