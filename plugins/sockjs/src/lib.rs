//! The SockJS transport (protocol 0.3.3) as a sans-IO state machine.
//!
//! Start reading at `path`: what a client may ask for. `over_http` is a session that is carried by HTTP, `over_websocket` one
//! that is carried by a WebSocket.
//!
//! SockJS carries text only: the host refuses clients whose parser makes bytes, unless they take them in base64. Bytes of the parser
//! `raw` close the session with code 1003 and a line that says so. The raw WebSocket at `/websocket` carries both.
//!
//! Under the server's pathname itself, where other transports answer too, only `GET` requests that are theirs by no sign (no
//! upgrade, no `EIO` or `transport` in the query) are greeted with `Welcome to SockJS!`. Which transport is asked first is told
//! by the plugins' order: where `websocket` comes before, it answers 426 to such requests, as Primus does with its WebSocket
//! transformers; by their names alone, `sockjs` comes before `websocket`, and it is greeted, as Primus does with `sockjs`.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use plugin_api::{
    Carrier as Gone, Carries, ClientPart, Close, Events, ExchangeId, FrameClass, Host, Kind, Out, Plugin, Priority, Registrar,
    Request, Route, Session, StartError, TimerId, Transport, export_plugin, value,
};

mod carrier;
pub mod config;
mod directory;
mod endpoint;
mod frame;
mod http;
mod incoming;
mod over_http;
mod over_websocket;
mod path;
mod quote;
mod scan;

use carrier::Carrier;
use config::{Config, Settings};
use directory::Known;
use endpoint::{Endpoint, Seat};
use frame::Closing;
use over_http::OverHttp;
pub use over_http::{FLUSH, LIFE};
pub use over_websocket::HEARTBEAT;
use over_websocket::{Framing, OverWebSocket};
use path::{Down, Place, Up, Way};
use websocket_protocol::Refusal;

/// The plugin.
pub struct SockJsPlugin {
    transport: SockJsTransport,
    has_client_part: bool,
}

impl Plugin for SockJsPlugin {
    const NAME: &'static str = "sockjs";
    const DESCRIPTION: &'static str = "the SockJS transport, over WebSocket and over HTTP";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        Ok(Self { has_client_part: config.client, transport: SockJsTransport::new(config)? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::PROTOCOL, self.transport.clone());
        if self.has_client_part {
            registrar.client_part(ClientPart::Transport, Self::NAME, include_str!("../client.js"));
        }
    }

    /// The names of open sessions: their sparks stay, and their requests come to the next generation.
    fn save(&self) -> Option<Vec<u8>> {
        value::to_vec(&self.transport.endpoint.directory.open()).ok()
    }

    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let open: Vec<(String, String)> = value::decode(state).map_err(|error| StartError::new(error.to_string()))?;
        for (name, spark) in open {
            self.transport.endpoint.directory.enter(&name, &spark);
        }
        Ok(())
    }
}

export_plugin!(SockJsPlugin);

/// The transport. Clones are the same one.
#[derive(Clone)]
pub struct SockJsTransport {
    endpoint: Arc<Endpoint>,
}

impl SockJsTransport {
    /// With a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: Config) -> Result<Self, StartError> {
        Ok(Self { endpoint: Arc::new(Endpoint::new(Settings::new(config)?)) })
    }

    /// A request that carries frames to the client.
    fn route_down(&self, name: &str, down: Down, request: &Request<'_>) -> Route {
        let method = match down {
            Down::Xhr | Down::XhrStreaming => "POST",
            Down::EventSource | Down::HtmlFile | Down::Jsonp => "GET",
        };
        if let Some(refusal) = refused_method(request, method) {
            return refusal;
        }
        let carrier = match Carrier::of(down, request) {
            Ok(carrier) => carrier,
            Err(error) => return Route::Respond(http::refusal(500, &error.to_string())),
        };
        match self.known(name, request) {
            Known::Open(spark) => Route::Session(spark),
            Known::Closed(closing) => Route::Respond(carrier.whole(closing.frame())),
            Known::No => self.open_if_there_is_room(request),
        }
    }

    /// A request that carries messages of the client.
    fn route_up(&self, name: &str, up: Up, request: &Request<'_>) -> Route {
        if let Some(refusal) = refused_method(request, "POST") {
            return refusal;
        }
        match self.known(name, request) {
            Known::Open(spark) => Route::Session(spark),
            // The client is told of the close where it listens; what it sent meanwhile is for nobody.
            Known::Closed(_) => Route::Respond(http::accepted(up)),
            Known::No => Route::Respond(http::no_session()),
        }
    }

    /// What is known of a name. The host may know better: a session may have been of a generation of this plugin that is gone.
    fn known(&self, name: &str, request: &Request<'_>) -> Known {
        let (directory, now) = (&self.endpoint.directory, Instant::now());
        if request.is_for_lost_session() && matches!(directory.find(name, now), Known::Open(_)) {
            directory.close(name, Closing::interrupted(), now, self.endpoint.settings.disconnect);
        }
        directory.find(name, now)
    }

    /// A handshake. The name in its path is nobody's: each WebSocket is a session of its own.
    fn route_websocket(&self, request: &Request<'_>) -> Route {
        if request.method() != "GET" {
            return Route::Respond(http::method_not_allowed("GET"));
        }
        match websocket_protocol::judge(request, &self.endpoint.websocket.settings) {
            Ok(_) => self.open_if_there_is_room(request),
            Err(Refusal::NoUpgrade) => Route::Respond(http::refusal(400, "Can \"Upgrade\" only to \"WebSocket\".")),
            Err(Refusal::Connection) => Route::Respond(http::refusal(400, "\"Connection\" must be \"Upgrade\".")),
            Err(refusal) => Route::Respond(refusal.response()),
        }
    }

    fn open_if_there_is_room(&self, request: &Request<'_>) -> Route {
        match self.endpoint.seats.check(request) {
            Ok(()) => Route::Open,
            Err(full) => Route::Respond(endpoint::refusal(full)),
        }
    }
}

impl Transport for SockJsTransport {
    type Session = SockJs;

    fn name(&self) -> &str {
        "sockjs"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        let Some(place) = Place::of(request.path()) else { return Route::Pass };
        match place {
            Place::Greeting if asks_for_greeting(request) => Route::Respond(http::greeting()),
            Place::Greeting => Route::Pass,
            Place::Info => refused_method(request, "GET").unwrap_or_else(|| Route::Respond(http::info())),
            Place::Iframe => {
                refused_method(request, "GET").unwrap_or_else(|| Route::Respond(self.endpoint.iframe.answer(request)))
            }
            Place::RawWebSocket | Place::Session { way: Way::WebSocket, .. } => self.route_websocket(request),
            Place::Session { name, way: Way::Down(down) } => self.route_down(name, down, request),
            Place::Session { name, way: Way::Up(up) } => self.route_up(name, up, request),
        }
    }

    fn carries(&self, request: &Request<'_>) -> Carries {
        match Place::of(request.path()) {
            Some(Place::RawWebSocket) => Carries::Everything,
            _ => Carries::Text,
        }
    }

    fn open(&self, request: &Request<'_>) -> SockJs {
        let seat = Seat::take(&self.endpoint, request);
        match Place::of(request.path()) {
            Some(Place::RawWebSocket) => SockJs::WebSocket(OverWebSocket::new(seat, Framing::Raw)),
            Some(Place::Session { way: Way::WebSocket, .. }) => SockJs::WebSocket(OverWebSocket::new(seat, Framing::SockJs)),
            Some(Place::Session { name, .. }) => SockJs::Http(Box::new(OverHttp::new(seat, name))),
            // Nothing else is routed to a session: this one answers that it is none.
            Some(Place::Greeting | Place::Info | Place::Iframe) | None => SockJs::Http(Box::new(OverHttp::new(seat, ""))),
        }
    }

    fn frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        Framing::of(class).write(&self.endpoint.websocket, kind, payload, out);
    }

    fn last_words(&self, class: Option<FrameClass>, close: &Close, out: &mut Out<'_>) {
        class.map_or(Framing::Raw, Framing::of).write_close(&self.endpoint.websocket, close, out);
    }

    fn restore(&self, state: &[u8]) -> Option<SockJs> {
        OverWebSocket::restore(&self.endpoint, state).map(SockJs::WebSocket)
    }
}

/// Whether a request under the pathname itself is nobody else's.
fn asks_for_greeting(request: &Request<'_>) -> bool {
    let of_engine_io = ["EIO", "transport"].iter().any(|key| request.query_value(key).is_some());
    matches!(request.method(), "GET" | "HEAD") && request.header("upgrade").is_none() && !of_engine_io
}

/// The answer where a request has not the one method that is known here.
fn refused_method(request: &Request<'_>, method: &str) -> Option<Route> {
    let methods = || format!("OPTIONS, {method}");
    match request.method() {
        asked if asked == method || (asked == "HEAD" && method == "GET") => None,
        "OPTIONS" => Some(Route::Respond(http::options(&methods()))),
        _ => Some(Route::Respond(http::method_not_allowed(&methods()))),
    }
}

/// A session.
pub enum SockJs {
    /// Carried by HTTP.
    Http(Box<OverHttp>),
    /// Carried by a WebSocket.
    WebSocket(OverWebSocket),
}

impl Session for SockJs {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        match self {
            SockJs::Http(session) => session.request(exchange, request, events),
            SockJs::WebSocket(session) => session.request(exchange, request, events),
        }
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        match self {
            // It has no stream.
            SockJs::Http(_) => {}
            SockJs::WebSocket(session) => session.receive(input, events),
        }
    }

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        match self {
            SockJs::Http(session) => session.send(kind, payload, events),
            SockJs::WebSocket(session) => session.send(kind, payload, events),
        }
    }

    fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        match self {
            SockJs::Http(session) => session.timeout(timer, events),
            SockJs::WebSocket(session) => session.timeout(timer, events),
        }
    }

    fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        match self {
            SockJs::Http(session) => session.close(close, events),
            SockJs::WebSocket(session) => session.close(close, events),
        }
    }

    fn disconnected(&mut self, carrier: Gone, events: &mut Events<'_>) {
        match (self, carrier) {
            (SockJs::Http(session), Gone::Exchange(exchange)) => session.disconnected(exchange, events),
            (SockJs::WebSocket(session), Gone::Stream) => session.disconnected(events),
            (SockJs::Http(_), Gone::Stream) | (SockJs::WebSocket(_), Gone::Exchange(_)) => {}
        }
    }

    /// What is carried by requests can't be saved: they end with the process that they came to.
    fn save(&self) -> Option<Vec<u8>> {
        match self {
            SockJs::Http(_) => None,
            SockJs::WebSocket(session) => session.save(),
        }
    }
}
