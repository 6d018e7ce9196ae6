//! A client's side of the wire: requests and masked frames go in, bodies and frames come out.
#![allow(dead_code, reason = "each test file uses its own part")]

use engine_io::EngineIoTransport;
use engine_io::config::Config;
use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{DisconnectReason, ExchangeId, Kind, Request, Response, TimerId};

/// The id of the session that a test opens.
pub const SID: &str = "session-0123456789-ab";

pub fn transport(config: Config) -> TransportHarness {
    TransportHarness::new(EngineIoTransport::new(config).unwrap())
}

/// A request with this query, after the version and the transport.
pub fn polling(method: &str, version: u8, more: &str) -> Request<'static> {
    Request::new(method, &format!("/primus/?EIO={version}&transport=polling{more}"))
}

/// The handshake of a WebSocket.
pub fn upgrade(version: u8, more: &str) -> Request<'static> {
    Request::new("GET", &format!("/primus/?EIO={version}&transport=websocket{more}"))
        .with_header("upgrade", "websocket")
        .with_header("connection", "Upgrade")
        .with_header("sec-websocket-version", "13")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// What comes of a call, in the client's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A text message to the host.
    Text(String),
    /// A binary message to the host.
    Binary(Vec<u8>),
    /// A request was answered: status and body.
    Answer(ExchangeId, u16, Vec<u8>),
    /// A text frame to the client.
    Frame(String),
    /// A binary frame to the client.
    BinaryFrame(Vec<u8>),
    /// A close frame without a code.
    CloseFrame,
    /// The exchange became a WebSocket.
    Upgraded,
    /// The client showed life.
    Alive,
    /// The session is over.
    Ended(DisconnectReason),
}

pub fn text(text: &str) -> Told {
    Told::Text(text.to_owned())
}

pub fn frame(text: &str) -> Told {
    Told::Frame(text.to_owned())
}

pub fn answer(exchange: ExchangeId, body: impl AsRef<[u8]>) -> Told {
    Told::Answer(exchange, 200, body.as_ref().to_vec())
}

pub fn refused(exchange: ExchangeId) -> Told {
    Told::Answer(exchange, 400, br#"{"code":3,"message":"Bad request"}"#.to_vec())
}

/// One session.
pub struct Client {
    pub session: SessionHarness,
    version: u8,
    more: String,
}

impl Client {
    /// That begins by polling.
    pub fn polling(version: u8) -> Self {
        Self::of(&transport(Config::default()), version, "")
    }

    /// That begins by polling, with more in its query.
    pub fn of(transport: &TransportHarness, version: u8, more: &str) -> Self {
        let session = transport.open(polling("GET", version, more).with_spark_id(SID));
        Self { session, version, more: format!("{more}&sid={SID}") }
    }

    /// That begins with a WebSocket.
    pub fn streaming(version: u8, more: &str) -> Self {
        let session = transport(Config::default()).open(upgrade(version, more).with_spark_id(SID));
        Self { session, version, more: format!("{more}&sid={SID}") }
    }

    /// The body of the answer to the first request.
    pub fn opening(&self) -> String {
        let body = |event: &Event| match event {
            Event::Respond(_, response) => Some(String::from_utf8(response.body.clone()).unwrap()),
            _ => None,
        };
        self.session.opening().iter().find_map(body).expect("the first request is answered")
    }

    /// A request for packets.
    pub fn poll(&mut self) -> (ExchangeId, Vec<Told>) {
        let (exchange, events) = self.session.request(polling("GET", self.version, &self.more));
        (exchange, self.told(events))
    }

    /// A request with packets.
    pub fn post(&mut self, body: impl AsRef<[u8]>) -> (ExchangeId, Vec<Told>) {
        self.post_as("text/plain;charset=UTF-8", body)
    }

    pub fn post_as(&mut self, content_type: &str, body: impl AsRef<[u8]>) -> (ExchangeId, Vec<Told>) {
        let request = polling("POST", self.version, &self.more).with_header("content-type", content_type);
        let (exchange, events) = self.session.request(request.with_body(body.as_ref().to_vec()));
        (exchange, self.told(events))
    }

    /// The handshake of a WebSocket for the session.
    pub fn upgrade(&mut self) -> (ExchangeId, Vec<Told>) {
        let (exchange, events) = self.session.request(upgrade(self.version, &self.more));
        (exchange, self.told(events))
    }

    /// A text frame of the client.
    pub fn frame(&mut self, text: &str) -> Vec<Told> {
        self.bytes(&masked(0x81, text.as_bytes()))
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Vec<Told> {
        let events = self.session.receive(bytes);
        self.told(events)
    }

    /// A message of the host; what is to go at once, goes.
    pub fn send(&mut self, kind: Kind, payload: impl AsRef<[u8]>) -> Vec<Told> {
        let events = self.session.send(kind, payload);
        self.told(events)
    }

    pub fn timeout(&mut self, timer: u32) -> Vec<Told> {
        let events = self.session.timeout(TimerId(timer));
        self.told(events)
    }

    pub fn close(&mut self) -> Vec<Told> {
        let events = self.session.close(Some(1013), "try again");
        self.told(events)
    }

    pub fn disconnected(&mut self, carrier: plugin_api::Carrier) -> Vec<Told> {
        let events = self.session.disconnected(carrier);
        self.told(events)
    }

    /// Timers that come at once do so here, as a host lets them.
    fn told(&mut self, events: Vec<Event>) -> Vec<Told> {
        let mut told = Vec::new();
        let mut at_once = Vec::new();
        for event in events {
            match event {
                Event::Message(Kind::Text, bytes) => told.push(Told::Text(String::from_utf8(bytes).unwrap())),
                Event::Message(Kind::Binary, bytes) => told.push(Told::Binary(bytes)),
                Event::Respond(exchange, Response { status, body, .. }) => told.push(Told::Answer(exchange, status, body)),
                Event::Out(bytes) => told.extend(frames(&bytes)),
                Event::Upgrade { .. } => told.push(Told::Upgraded),
                Event::Alive => told.push(Told::Alive),
                Event::Close(reason) => told.push(Told::Ended(reason)),
                Event::SetTimer(timer, after) if after.is_zero() => at_once.push(timer),
                Event::SetTimer(..) | Event::ClearTimer(_) | Event::FrameClass(_) => {}
                other => panic!("this was not expected: {other:?}"),
            }
        }
        for timer in at_once {
            let events = self.session.timeout(timer);
            told.extend(self.told(events));
        }
        told
    }
}

/// A client's frame.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut bytes = match length {
        0..126 => vec![first, 0x80 | length as u8],
        _ => [&[first, 0x80 | 126], &(length as u16).to_be_bytes()[..]].concat(),
    };
    bytes.extend([1, 2, 3, 4]);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ [1, 2, 3, 4][at % 4]));
    bytes
}

/// The server's frames.
fn frames(mut out: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    while let [first, length, rest @ ..] = out {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(*length), rest),
        };
        let (payload, rest) = rest.split_at(length);
        told.push(match first {
            0x81 => Told::Frame(String::from_utf8(payload.to_vec()).unwrap()),
            0x82 => Told::BinaryFrame(payload.to_vec()),
            0x88 if payload.is_empty() => Told::CloseFrame,
            other => panic!("a frame of another kind: {other:x}"),
        });
        out = rest;
    }
    told
}
