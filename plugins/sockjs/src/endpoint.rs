//! What all sessions share: settings, the directory, and the pages.

use std::net::IpAddr;
use std::sync::Arc;

use plugin_api::Request;
use websocket_protocol::{Endpoint as WebSocketEndpoint, Settings as WebSocketSettings};

use crate::config::Settings;
use crate::directory::Directory;
use crate::http::Iframe;

/// What all sessions share.
pub struct Endpoint {
    /// The configuration.
    pub settings: Settings,
    /// Who has which name.
    pub directory: Directory,
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
        Self { settings, directory: Directory::default(), iframe, websocket }
    }

    /// Whether the address of a request may have one more session.
    pub fn has_room_for(&self, request: &Request<'_>) -> bool {
        request
            .address()
            .is_none_or(|address| self.directory.sessions_of(address.ip()) < self.settings.max_sessions_per_address)
    }
}

/// A session's place among those of its address; it is given back when it is dropped.
pub struct Seat {
    endpoint: Arc<Endpoint>,
    address: Option<IpAddr>,
}

impl Seat {
    /// For the address of a request.
    pub fn take(endpoint: &Arc<Endpoint>, request: &Request<'_>) -> Self {
        let address = request.address().map(|address| address.ip());
        if let Some(address) = address {
            endpoint.directory.count(address);
        }
        Self { endpoint: Arc::clone(endpoint), address }
    }

    /// What all sessions share.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.endpoint.directory.discount(address);
        }
    }
}
