//! The TCP transport: messages as lines or behind their length, on ports of their own, for devices and services.
//!
//! There is no handshake: whoever connects is a client, which the authorizers are asked about by its address. Heartbeats,
//! `primus::id::` and `primus::server::close` are messages like the others. A client that is refused is told
//! `{"error": …}` as its only message.
//!
//! The host listens and reads; here is what the bytes mean.
#![forbid(unsafe_code)]

use std::num::NonZeroU32;
use std::sync::Arc;

use plugin_api::{
    Carries, FrameClass, Host, Kind, Out, Plugin, Priority, Refusal, Registrar, Request, Response, Route, StartError,
    Transport, export_plugin,
};

pub mod config;
pub mod framing;
mod session;

use config::{Config, Mode, Settings};
use framing::Framing;
use seats::Seats;
pub use session::TcpSession;

/// The plugin.
pub struct TcpPlugin {
    settings: Settings,
}

impl Plugin for TcpPlugin {
    const NAME: &'static str = "tcp";
    const DESCRIPTION: &'static str = "messages over plain TCP, as lines or behind their length";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        Ok(Self { settings: config.settings()? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        if self.settings.listeners.is_empty() {
            plugin_api::prelude::tracing::info!("nobody can connect: the table [tcp] has no `listen`");
            return;
        }
        registrar.transport(Priority::PROTOCOL, TcpTransport::new(&self.settings));
        for listener in &self.settings.listeners {
            registrar.listen(Self::NAME, listener.address, &listener.target());
        }
    }
}

export_plugin!(TcpPlugin);

/// The transport.
pub struct TcpTransport {
    shared: Arc<Shared>,
}

/// What all sessions share.
struct Shared {
    limits: config::Limits,
    seats: Arc<Seats>,
}

impl TcpTransport {
    /// With checked settings.
    pub fn new(settings: &Settings) -> Self {
        let limits = settings.limits;
        Self { shared: Arc::new(Shared { limits, seats: Arc::new(Seats::new(limits.sessions_per_address)) }) }
    }

    fn mode(request: &Request<'_>) -> Option<Mode> {
        (request.scheme() == "tcp").then(|| Mode::of_path(request.path())).flatten()
    }
}

impl Transport for TcpTransport {
    type Session = TcpSession;

    fn name(&self) -> &str {
        "tcp"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        let Some(mode) = Self::mode(request) else { return Route::Pass };
        match request.refusal() {
            Some(refusal) => Route::Respond(told(refusal, mode.framing)),
            None => Route::Open,
        }
    }

    fn carries(&self, request: &Request<'_>) -> Carries {
        match Self::mode(request) {
            Some(Mode { kind: Kind::Text, .. }) => Carries::Text,
            Some(Mode { kind: Kind::Binary, .. }) | None => Carries::Everything,
        }
    }

    fn open(&self, request: &Request<'_>) -> TcpSession {
        let mode = Self::mode(request).unwrap_or_default();
        TcpSession::new(&self.shared, mode, self.shared.seats.take(request))
    }

    fn frame(&self, class: FrameClass, _: Kind, payload: &[u8], out: &mut Out<'_>) {
        if class == class_of(Framing::Lines) {
            Framing::Lines.write(payload, out);
        } else {
            Framing::Length.write(payload, out);
        }
    }

    fn restore(&self, state: &[u8]) -> Option<TcpSession> {
        TcpSession::restore(&self.shared, state)
    }
}

/// Sessions of one framing share frames.
fn class_of(framing: Framing) -> FrameClass {
    FrameClass(match framing {
        Framing::Lines => NonZeroU32::MIN,
        Framing::Length => NonZeroU32::MIN.saturating_add(1),
    })
}

/// What a client that is refused is told.
fn told(refusal: &Refusal, framing: Framing) -> Response {
    let text = serde_json::json!({ "error": refusal.message }).to_string();
    Response::new(refusal.status).with_body(framing.framed(text.into_bytes()))
}
