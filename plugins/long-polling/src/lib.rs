//! Long polling: plain requests, of which one waits for what the server has to say. For whatever nothing else comes through.
//!
//! The protocol is that of the crate `resumable`, whose documentation tells it whole, at the path `/poll`. Bodies are in the form of
//! [`resumable::frames`], in both directions: text and bytes as they are. The first request is answered at once, with the frame
//! [`OPEN`](resumable::frames::OPEN); each further one when there are messages, or without any after `heartbeat` milliseconds.
//! The session's end is the frame [`CLOSE`](resumable::frames::CLOSE), behind the last messages.
#![forbid(unsafe_code)]

use std::sync::Arc;

use plugin_api::{ClientPart, Host, Kind, Plugin, Priority, Registrar, Request, Response, StartError, export_plugin};
use resumable::{Carriage, Reach, Resumable, Said, Token, frames};
use serde::Serialize;

pub mod config;

use config::Config;

/// The plugin.
pub struct LongPollingPlugin {
    transport: Resumable<Polls>,
}

impl Plugin for LongPollingPlugin {
    const NAME: &'static str = "long-polling";
    const DESCRIPTION: &'static str = "requests that wait for messages, without loss when one breaks";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        Ok(Self { transport: transport(&config)? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::PROTOCOL, self.transport.clone());
        registrar.client_part(ClientPart::Transport, Self::NAME, &client_part());
    }
}

export_plugin!(LongPollingPlugin);

/// The transport.
///
/// # Errors
/// The first setting that makes no sense.
pub fn transport(config: &Config) -> Result<Resumable<Polls>, StartError> {
    Ok(Resumable::new(Polls, config.limits()?))
}

/// The client's side.
fn client_part() -> String {
    [resumable::CLIENT, include_str!("../client.js")].join("\n")
}

/// Responses that take what there is, and end.
#[derive(Debug, Clone, Copy)]
pub struct Polls;

impl Carriage for Polls {
    fn name(&self) -> &str {
        "long-polling"
    }

    fn path(&self) -> &str {
        "/poll"
    }

    fn reach(&self, _: &Request<'_>) -> Reach {
        Reach::Single
    }

    fn head(&self) -> Response {
        Response::new(200)
            .with_header("content-type", "application/octet-stream")
            .with_header("cache-control", "no-store")
            .with_header("x-content-type-options", "nosniff")
    }

    fn write(&self, _: Option<&Token>, said: &[Said<'_>], body: &mut Vec<u8>) {
        let first = said.iter().find_map(|said| match said {
            Said::Message { number, .. } => Some(*number),
            Said::Open(_) | Said::Heartbeat | Said::Close(_) => None,
        });
        if said.iter().all(|said| matches!(said, Said::Heartbeat)) {
            return;
        }
        frames::begin(first.unwrap_or(1), body);
        for said in said {
            match said {
                Said::Open(opening) => json(frames::OPEN, opening, body),
                Said::Message { kind: Kind::Text, payload, .. } => frames::write(frames::TEXT, payload, body),
                Said::Message { kind: Kind::Binary, payload, .. } => frames::write(frames::BINARY, payload, body),
                Said::Heartbeat => {}
                Said::Close(closing) => json(frames::CLOSE, closing, body),
            }
        }
    }
}

fn json(kind: u8, value: &impl Serialize, body: &mut Vec<u8>) {
    frames::write(kind, &Response::json(200, value).body, body);
}
