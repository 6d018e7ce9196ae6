//! What all sessions share: settings, the directory, and the pages.

use std::net::IpAddr;
use std::sync::Arc;

use plugin_api::{DisconnectReason, Events, ExchangeId, Request, Response};
use seats::{Full, Seats};
use websocket_protocol::{Endpoint as WebSocketEndpoint, Settings as WebSocketSettings};

use crate::config::Settings;
use crate::directory::Directory;
use crate::http::{self, Iframe};

/// What all sessions share.
pub struct Endpoint {
    /// The configuration.
    pub settings: Settings,
    /// Who has which name.
    pub directory: Directory,
    /// How many sessions each address has.
    pub seats: Arc<Seats>,
    /// The page for frames.
    pub iframe: Iframe,
    /// How WebSockets are spoken.
    pub websocket: Arc<WebSocketEndpoint>,
}

impl Endpoint {
    /// Without sessions.
    pub fn new(settings: Settings) -> Self {
        let iframe = Iframe::new(&settings.client_url);
        // A message in its frame is longer: each quote in it takes a byte more.
        let max_message = settings.max_message.saturating_mul(2).saturating_add(64);
        let websocket = WebSocketSettings { max_message, ..WebSocketSettings::default() };
        let websocket = Arc::new(WebSocketEndpoint::new(websocket));
        let seats = Arc::new(Seats::new(settings.max_sessions_per_address));
        Self { settings, directory: Directory::default(), seats, iframe, websocket }
    }
}

/// The answer to a client whose address has too many sessions.
pub fn refusal(full: Full) -> Response {
    http::refusal(503, &full.to_string())
}

/// A session's place among those of its address, and what all share.
pub struct Seat {
    endpoint: Arc<Endpoint>,
    taken: Result<seats::Seat, Full>,
}

impl Seat {
    /// For the address of a request, if it may have one.
    pub fn take(endpoint: &Arc<Endpoint>, request: &Request<'_>) -> Self {
        Self { endpoint: Arc::clone(endpoint), taken: endpoint.seats.take(request) }
    }

    /// Of a session that another process has let in, whatever the limit is here.
    pub fn take_over(endpoint: &Arc<Endpoint>, address: IpAddr) -> Self {
        Self { endpoint: Arc::clone(endpoint), taken: Ok(endpoint.seats.take_over(address)) }
    }

    /// Whose it is; `None` where there was none left.
    pub fn address(&self) -> Option<IpAddr> {
        self.taken.as_ref().ok().map(seats::Seat::address)
    }

    /// What all sessions share.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Ends a session that has none.
    pub fn is_refused(&self, exchange: ExchangeId, events: &mut Events<'_>) -> bool {
        let Err(full) = self.taken else { return false };
        events.respond(exchange, refusal(full));
        events.close(DisconnectReason::Limit("max_sessions_per_address".to_owned()));
        true
    }
}
