//! What a request's query says: the version, the carrier, the session.

use std::borrow::Cow;

use plugin_api::{Request, query_fields};
use serde::Serialize;

use crate::config::Server;
use crate::jsonp::Jsonp;
use crate::packet::{Binary, Dialect, Version};
use crate::refusal::Refusal;

/// What carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carriage {
    /// Requests, of which one waits for what the server has to say.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// The query of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// How packets are written.
    pub dialect: Dialect,
    /// What is to carry them.
    pub carriage: Carriage,
    /// The session; a new one where it is missing.
    pub sid: Option<Cow<'a, str>>,
    /// The answer is to be a script.
    pub jsonp: Option<Jsonp>,
}

impl<'a> Parameters<'a> {
    /// Reads a request's query; `None`: it is not Engine.IO's, since it names no version.
    pub fn of(request: &'a Request<'_>) -> Option<Result<Self, Refusal>> {
        let (mut version, mut transport, mut sid, mut base64, mut jsonp) = (None, None, None, false, None);
        for (name, value) in query_fields(request.query()) {
            match &*name {
                "EIO" => version = version.or(Some(value)),
                "transport" => transport = transport.or(Some(value)),
                "sid" => sid = sid.or(Some(value)),
                "j" => jsonp = jsonp.or(Some(value)),
                "b64" => base64 = !value.is_empty(),
                _ => {}
            }
        }
        let version = version?;
        let carriage = match transport.as_deref() {
            Some("polling") => Carriage::Polling,
            Some("websocket") => Carriage::WebSocket,
            _ => return Some(Err(Refusal::UnknownTransport)),
        };
        let Some(version) = Version::of_number(&version) else {
            return Some(Err(Refusal::Version));
        };
        let jsonp = match (carriage, jsonp.map(|number| Jsonp::of(&number)).transpose()) {
            (Carriage::Polling, Ok(jsonp)) => jsonp,
            (Carriage::Polling, Err(refusal)) => return Some(Err(refusal)),
            (Carriage::WebSocket, _) => None,
        };
        // A script is text.
        let binary = if base64 || jsonp.is_some() { Binary::Base64 } else { Binary::Plain };
        Some(Ok(Self { dialect: Dialect { version, binary }, carriage, sid, jsonp }))
    }
}

/// The first packet's data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'a [&'a str],
    ping_interval: u128,
    ping_timeout: u128,
    max_payload: usize,
}

/// The first packet of a session.
pub fn open_packet(server: &Server, sid: &str, carriage: Carriage) -> Vec<u8> {
    let open = Open {
        sid,
        upgrades: match carriage {
            Carriage::Polling => &["websocket"],
            Carriage::WebSocket => &[],
        },
        ping_interval: server.ping_interval.as_millis(),
        ping_timeout: server.ping_timeout.as_millis(),
        max_payload: server.max_payload,
    };
    let mut packet = b"0".to_vec();
    packet.extend(serde_json::to_vec(&open).unwrap_or_default());
    packet
}
