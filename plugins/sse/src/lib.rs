//! Server-sent events down, requests up: our own transport for where a WebSocket does not come through.
//!
//! A session outlives the responses that carry it, and loses nothing when one breaks: the protocol is that of the crate
//! `resumable`, whose documentation tells it whole, at the path `/sse`. Here is how messages stand in an event stream:
//!
//! | event | its data | what it is |
//! | --- | --- | --- |
//! | `open` | JSON | the session's beginning: `session`, `heartbeat`, `timeout`, `max_message` |
//! | (none) | text, line by line | a message of text; its `id` is its number |
//! | `text` | base64 | the same, where the text has a carriage return |
//! | `binary` | base64 | a message of bytes |
//! | `close` | JSON | the session's end: `code`, `reason` |
//! | `gone` | nothing | the session that was asked for is not there |
//!
//! A stream begins with a comment that fills small buffers, and says how long an `EventSource` waits before it comes again.
//! Something comes every `heartbeat` milliseconds, if only a comment. A client that sees no `open` within seconds knows that
//! something on the way collects responses: it takes another transport, or asks with `_once=1` for responses that end after their
//! first events.
//!
//! # With a browser's `EventSource` alone
//!
//! ```js
//! const events = new EventSource("/primus/sse");
//! events.onmessage = ({ data }) => { if (!data.startsWith('"primus::')) console.log(JSON.parse(data)); };
//! events.addEventListener("close", () => events.close());
//! ```
//!
//! Without `_v` in the query, the client is taken for one that only reads: the `id` of each event names the session too
//! (`SESSION.N`), so that what an `EventSource` repeats as `Last-Event-ID` leads to its session, and it goes on without loss. It
//! answers no ping: as long as its response takes what is written, it counts as alive, and a stream ends after `max_stream_ms`, so
//! that one who is gone is missed. After `gone` a new session follows by itself, and what was said meanwhile is lost. With the
//! `session` of `open`, a page can also send: `fetch("/primus/sse?_session=" + session, { method: "POST", body: text })`.
#![forbid(unsafe_code)]

use std::sync::Arc;

use plugin_api::{ClientPart, Host, Plugin, Priority, Registrar, StartError, export_plugin};
use resumable::Resumable;

pub mod config;
mod event;

use config::Config;
pub use event::EventStream;

/// The plugin.
pub struct SsePlugin {
    transport: Resumable<EventStream>,
}

impl Plugin for SsePlugin {
    const NAME: &'static str = "sse";
    const DESCRIPTION: &'static str = "server-sent events down and requests up, without loss when a response breaks";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        Ok(Self { transport: transport(&config)? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::PROTOCOL, self.transport.clone());
        registrar.client_part(ClientPart::Transport, Self::NAME, &client_part());
    }
}

export_plugin!(SsePlugin);

/// The transport.
///
/// # Errors
/// The first setting that makes no sense.
pub fn transport(config: &Config) -> Result<Resumable<EventStream>, StartError> {
    Ok(Resumable::new(EventStream::new(config.padding_bytes, config.retry_ms), config.limits()?))
}

/// The client's side.
fn client_part() -> String {
    [resumable::CLIENT, include_str!("../client.js")].join("\n")
}
