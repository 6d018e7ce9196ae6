//! The WebTransport transport: a session of HTTP/3 carries one stream of messages in order, without TCP's waiting for what was
//! lost of others (draft-ietf-webtrans-http3).
//!
//! QUIC can't be spoken over the host's sockets, so this plugin does I/O of its own ([`carrier`], with a runtime in a thread of its
//! own). It hands the host one end of a socket pair for each session and copies bytes: what they mean is a state machine here
//! ([`session`]) as in every other transport.
//!
//! A client asks `GET PATHNAME/webtransport` where the sessions are: the port, and the hashes of a certificate that no authority
//! has signed.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::{
    ClientPart, FrameClass, Host, Kind, Out, Plugin, Priority, Registrar, Request, Response, Route, ServiceReply, StartError,
    Transport, export_plugin, value,
};

mod carrier;
pub mod config;
pub mod frame;
mod identity;
mod offer;
pub mod session;

use carrier::Carrier;
use config::Config;
use offer::Board;
pub use session::WebTransportSession;

/// The name of the transport, and of the service by which one generation tells the next where it listens.
const NAME: &str = "webtransport";

/// The plugin.
pub struct WebTransportPlugin {
    transport: WebTransport,
    carrier: Mutex<Option<Carrier>>,
}

impl Plugin for WebTransportPlugin {
    const NAME: &'static str = NAME;
    const DESCRIPTION: &'static str = "the WebTransport transport, over HTTP/3";
    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        let settings = config.settings()?;
        let board = Arc::<Board>::default();
        let transport = WebTransport { board: Arc::clone(&board), max_message: settings.max_message };
        let carrier = settings.carrier.map(|settings| Carrier::bind(settings, host, board)).transpose()?;
        Ok(Self { transport, carrier: Mutex::new(carrier) })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let mut carrier = self.carrier.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(carrier) = carrier.as_mut() else {
            return tracing::info!("nobody can connect: the table [webtransport] has no `listen`");
        };
        registrar.transport(Priority::PROTOCOL, self.transport.clone());
        let board = Arc::clone(&self.transport.board);
        registrar.service(NAME, move |method, _| match method {
            "offer" => ServiceReply::Done(value::to_vec(&board.offer()).unwrap_or_default()),
            _ => ServiceReply::NoSuchMethod,
        });
        registrar.client_part(ClientPart::Transport, Self::NAME, include_str!("../client.js"));
        carrier.serve();
    }

    fn followed(&self) {
        if let Some(carrier) = self.carrier.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            carrier.leave();
        }
    }

    fn stop(&self) {
        let carrier = self.carrier.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(carrier) = carrier {
            carrier.stop();
        }
    }
}

export_plugin!(WebTransportPlugin);

/// The transport. Clones are the same one.
#[derive(Clone)]
pub struct WebTransport {
    board: Arc<Board>,
    max_message: usize,
}

impl WebTransport {
    /// One that nobody offers yet, with messages of at most so many bytes.
    pub fn new(max_message: usize) -> Self {
        Self { board: Arc::default(), max_message }
    }
}

impl Transport for WebTransport {
    type Session = WebTransportSession;

    fn name(&self) -> &str {
        NAME
    }

    fn route(&self, request: &Request<'_>) -> Route {
        if request.path() != "/webtransport" || request.method() != "GET" {
            return Route::Pass;
        }
        Route::Respond(match self.board.offer() {
            Some(offer) => Response::json(200, &offer).with_header("cache-control", "no-store"),
            None => Response::text(404, "there are no WebTransport sessions here\n"),
        })
    }

    fn open(&self, _: &Request<'_>) -> WebTransportSession {
        WebTransportSession::new(self.max_message)
    }

    fn frame(&self, _: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        frame::write(kind, payload, out);
    }
}
