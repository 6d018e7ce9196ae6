//! How messages stand in an event stream (the HTML standard, section 9.2).
//!
//! Text is the data of a plain `message`, so that a browser's `EventSource` needs no code for it. What an event stream can't hold
//! as it is, since a carriage return ends a line there, and bytes, are in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plugin_api::{Kind, Request, Response};
use resumable::{Carriage, Reach, Said, Token};

/// The media type of an event stream.
const TYPE: &str = "text/event-stream; charset=utf-8";

/// Event streams.
#[derive(Debug, Clone)]
pub struct EventStream {
    /// What a stream begins with.
    beginning: Vec<u8>,
}

impl EventStream {
    /// Whose streams begin with a comment of so many bytes, and tell an `EventSource` how long to wait before the next one.
    pub fn new(padding_bytes: usize, retry_ms: u64) -> Self {
        let mut beginning = b":".to_vec();
        beginning.resize(padding_bytes.max(1), b' ');
        beginning.extend_from_slice(format!("\nretry: {retry_ms}\n\n").as_bytes());
        Self { beginning }
    }
}

impl Carriage for EventStream {
    fn name(&self) -> &str {
        "sse"
    }

    fn path(&self) -> &str {
        "/sse"
    }

    fn reach(&self, request: &Request<'_>) -> Reach {
        match request.query_value("_once") {
            Some(_) => Reach::Single,
            None => Reach::Stream,
        }
    }

    fn head(&self) -> Response {
        Response::new(200)
            .with_header("content-type", TYPE)
            // Not to be stored, and not to be compressed on the way: who compresses collects.
            .with_header("cache-control", "no-store, no-transform")
            // nginx, and what follows its example, would keep a stream until it ends.
            .with_header("x-accel-buffering", "no")
            .with_header("x-content-type-options", "nosniff")
            .with_body(self.beginning.clone())
    }

    fn write(&self, name: Option<&Token>, said: &[Said<'_>], body: &mut Vec<u8>) {
        for said in said {
            match said {
                Said::Open(opening) => {
                    if let Some(name) = name {
                        body.extend_from_slice(format!("id: {name}.0\n").as_bytes());
                    }
                    json("open", opening, body);
                }
                Said::Message { number, kind, payload } => {
                    match name {
                        Some(name) => body.extend_from_slice(format!("id: {name}.{number}\n").as_bytes()),
                        None => body.extend_from_slice(format!("id: {number}\n").as_bytes()),
                    }
                    message(*kind, payload, body);
                }
                Said::Heartbeat => body.extend_from_slice(b":\n\n"),
                Said::Close(closing) => json("close", closing, body),
            }
        }
    }

    /// To an `EventSource` any other status is the end for ever. It is told by an event instead, and to forget the id: so the next
    /// stream is that of a new session.
    fn gone(&self, request: &Request<'_>) -> Response {
        let by_event_source = request.method() == "GET" && request.query_value("_session").is_none();
        if by_event_source {
            self.head().with_body("retry: 0\nid:\nevent: gone\ndata:\n\n")
        } else {
            resumable::Refusal::Gone.response()
        }
    }
}

fn message(kind: Kind, payload: &[u8], body: &mut Vec<u8>) {
    match kind {
        Kind::Text if !payload.contains(&b'\r') => {
            for line in payload.split(|byte| *byte == b'\n') {
                body.extend_from_slice(b"data: ");
                body.extend_from_slice(line);
                body.push(b'\n');
            }
            body.push(b'\n');
        }
        Kind::Text => encoded("text", payload, body),
        Kind::Binary => encoded("binary", payload, body),
    }
}

fn encoded(event: &str, payload: &[u8], body: &mut Vec<u8>) {
    body.extend_from_slice(format!("event: {event}\ndata: ").as_bytes());
    body.extend_from_slice(STANDARD.encode(payload).as_bytes());
    body.extend_from_slice(b"\n\n");
}

fn json(event: &str, value: &impl serde::Serialize, body: &mut Vec<u8>) {
    let value = Response::json(200, value).body;
    body.extend_from_slice(format!("event: {event}\ndata: ").as_bytes());
    body.extend_from_slice(&value);
    body.extend_from_slice(b"\n\n");
}
