//! Event streams as a client reads them.
#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "../../resumable/tests/support/mod.rs"]
pub mod client;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Dialect, Heard};
use plugin_api::Kind;
use plugin_api::testing::{Event, TransportHarness};
use sse::config::Config;

pub const SSE: Dialect = Dialect { path: "/primus/sse", read };

/// A transport with a configuration.
pub fn with(config: &Config) -> TransportHarness {
    TransportHarness::new(sse::transport(config).unwrap())
}

/// Reads the events that have come whole (the HTML standard, section 9.2.6).
pub fn read(bytes: &[u8]) -> Vec<Heard> {
    let whole = bytes.windows(2).rposition(|end| end == b"\n\n").map_or(0, |at| at + 2);
    let text = std::str::from_utf8(&bytes[..whole]).expect("an event stream is UTF-8");
    let (mut heard, mut event, mut id, mut data) = (Vec::new(), "", "", Vec::new());
    for line in text.split('\n') {
        assert!(!line.contains('\r'), "a carriage return would end the line");
        match line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")) {
            ("data", value) => data.push(value),
            ("event", value) => event = value,
            ("id", value) => id = value,
            ("", "") if line.is_empty() => {
                if !data.is_empty() {
                    heard.push(heard_of(event, id, &data.join("\n")));
                }
                (event, id) = ("", "");
                data.clear();
            }
            _ => {}
        }
    }
    heard
}

fn heard_of(event: &str, id: &str, data: &str) -> Heard {
    let number = || id.rsplit('.').next().and_then(|number| number.parse().ok()).expect("a message has a number");
    match event {
        "open" => Heard::Open(serde_json::from_str(data).expect("it is JSON")),
        "close" => Heard::Close(serde_json::from_str(data).expect("it is JSON")),
        "" => Heard::Message(number(), Kind::Text, data.as_bytes().to_vec()),
        "text" => Heard::Message(number(), Kind::Text, STANDARD.decode(data).expect("it is base64")),
        "binary" => Heard::Message(number(), Kind::Binary, STANDARD.decode(data).expect("it is base64")),
        other => panic!("an event of the type {other}"),
    }
}

/// What the events write into responses.
pub fn body_of(events: &[Event]) -> String {
    let mut body = Vec::new();
    for event in events {
        match event {
            Event::Respond(_, response) | Event::RespondOpen(_, response) => body.extend(&response.body),
            Event::Chunk(_, bytes) => body.extend(bytes),
            _ => {}
        }
    }
    String::from_utf8(body).unwrap()
}
