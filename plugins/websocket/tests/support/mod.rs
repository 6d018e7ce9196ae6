//! The client's side of the wire: frames are written down as a client sends them, and what comes of them is read back.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::rc::Rc;
use std::time::Duration;

use plugin_api::testing::{self, SessionHarness, TransportHarness};
use plugin_api::{Carrier, DisconnectReason, FrameClass, Kind, Request, TimerId};
use websocket::WebSocketTransport;
use websocket::config::{CompressionConfig, Config};

/// What a session makes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text message to the host.
    Text(String),
    /// A binary message to the host.
    Binary(Vec<u8>),
    /// A frame to the client.
    Sent(Sent),
    /// The client showed life.
    Alive,
    /// A timer was set.
    Timer(Duration),
    /// The session is over.
    Ended(DisconnectReason),
}

/// A frame to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Text(String),
    Binary(Vec<u8>),
    /// The payload as it is on the wire.
    Deflated(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

/// A frame of a client.
#[derive(Debug, Clone)]
pub struct Frame {
    first: u8,
    payload: Vec<u8>,
    key: Option<[u8; 4]>,
}

pub fn text(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x81, payload)
}

pub fn binary(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x82, payload)
}

pub fn continuation(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x80, payload)
}

pub fn ping(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x89, payload)
}

pub fn pong(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x8a, payload)
}

/// A close frame with a code and a reason, as they are.
pub fn close(code: u16, reason: impl AsRef<[u8]>) -> Frame {
    Frame::new(0x88, [&code.to_be_bytes(), reason.as_ref()].concat())
}

/// A close frame without a code.
pub fn bare_close() -> Frame {
    Frame::new(0x88, "")
}

impl Frame {
    /// A final frame with a first byte.
    pub fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first, payload: payload.as_ref().to_vec(), key: Some([0x37, 0xfa, 0x21, 0x3d]) }
    }

    /// The same, to be continued.
    pub fn open(mut self) -> Self {
        self.first &= !0x80;
        self
    }

    /// The same with some of the reserved bits.
    pub fn with_bits(mut self, bits: u8) -> Self {
        self.first |= bits;
        self
    }

    /// The same with its payload taken for a deflated one.
    pub fn deflated(self) -> Self {
        self.with_bits(0x40)
    }

    pub fn unmasked(mut self) -> Self {
        self.key = None;
        self
    }

    pub fn masked_with(mut self, key: [u8; 4]) -> Self {
        self.key = Some(key);
        self
    }

    /// As it is on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let length = self.payload.len();
        let mut bytes = header(self.first, length as u64, self.key.is_some());
        bytes.extend(self.key.into_iter().flatten());
        let key = self.key.unwrap_or_default();
        bytes.extend(self.payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]));
        bytes
    }
}

/// A header with its length in the shortest form, without the key.
pub fn header(first: u8, length: u64, masked: bool) -> Vec<u8> {
    let masked = u8::from(masked) << 7;
    match length {
        0..126 => vec![first, masked | length as u8],
        126..65536 => [&[first, masked | 126], &(length as u16).to_be_bytes()[..]].concat(),
        _ => [&[first, masked | 127], &length.to_be_bytes()[..]].concat(),
    }
}

/// Where messages go to the host.
pub const MESSAGES: &str = "/primus";

/// Where messages go back.
pub const ECHO: &str = "/primus/echo";

/// A transport with the given configuration, and an echo.
pub fn transport(config: Config) -> TransportHarness {
    let config = Config { echo_path: Some("/echo".to_owned()), ..config };
    TransportHarness::new(WebSocketTransport::new(config).unwrap())
}

/// One session.
pub struct Server {
    transport: Rc<TransportHarness>,
    session: SessionHarness,
}

impl Server {
    /// A session with the default configuration.
    pub fn open() -> Self {
        Self::with(Config::default())
    }

    /// A session for messages.
    pub fn with(config: Config) -> Self {
        Self::at(MESSAGES, config, None)
    }

    /// A session with permessage-deflate as a client offers it.
    pub fn deflating(config: CompressionConfig, offer: &str) -> Self {
        Self::at(MESSAGES, Config { compression: Some(config), ..Config::default() }, Some(offer))
    }

    /// A session at a path, with extensions as a client offers them.
    pub fn at(path: &str, config: Config, extensions: Option<&str>) -> Self {
        Self::of(&Rc::new(transport(config)), path, extensions)
    }

    /// The same, of a transport that serves others, too.
    pub fn of(transport: &Rc<TransportHarness>, path: &str, extensions: Option<&str>) -> Self {
        let request = extensions
            .into_iter()
            .fold(handshake_at(path), |request, extensions| request.with_header("sec-websocket-extensions", extensions));
        Self { transport: Rc::clone(transport), session: transport.open(request) }
    }

    /// The class of frames that the session has told, if it may share them.
    pub fn class(&self) -> Option<FrameClass> {
        match self.session.opening() {
            [testing::Event::Upgrade { .. }, testing::Event::FrameClass(class)] => *class,
            other => panic!("this opens no WebSocket: {other:?}"),
        }
    }

    /// Goes on as another process would from the saved state, if that can be saved now; whether it can.
    pub fn moves(&mut self) -> bool {
        let Some(state) = self.session.save() else { return false };
        self.session = self.transport.restore(&state).expect("what is saved can be restored");
        true
    }

    /// What becomes of a state that no session has saved.
    pub fn restores(&self, state: &[u8]) -> bool {
        self.transport.restore(state).is_some()
    }

    /// The state of the session.
    pub fn saved(&self) -> Option<Vec<u8>> {
        self.session.save()
    }

    /// Receives each frame in a call of its own.
    pub fn receive_all(&mut self, frames: impl IntoIterator<Item = Frame>) -> Vec<Event> {
        frames.into_iter().flat_map(|frame| self.receive(&frame.bytes())).collect()
    }

    /// Receives bytes in one call, and lets the session end where it is about to, as a host does that has nothing to answer.
    /// What went to the client comes first, then the events.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = self.receive_and_wait(bytes);
        if events.last() == Some(&Event::Timer(Duration::ZERO)) {
            events.pop();
            events.extend(self.timeout());
        }
        events
    }

    /// Receives bytes in one call, and no more.
    pub fn receive_and_wait(&mut self, bytes: &[u8]) -> Vec<Event> {
        read(self.session.receive(bytes))
    }

    pub fn send(&mut self, kind: Kind, payload: impl AsRef<[u8]>) -> Vec<Event> {
        read(self.session.send(kind, payload))
    }

    /// The bytes that a message to the client becomes.
    pub fn written(&mut self, kind: Kind, payload: impl AsRef<[u8]>) -> Vec<u8> {
        match &self.session.send(kind, payload)[..] {
            [testing::Event::Out(bytes)] => bytes.clone(),
            other => panic!("nothing but bytes should come: {other:?}"),
        }
    }

    /// A message as all sessions of a class send it.
    pub fn shared(&self, class: FrameClass, kind: Kind, payload: impl AsRef<[u8]>) -> Vec<Event> {
        read(vec![testing::Event::Out(self.transport.frame(class, kind, payload))])
    }

    pub fn close(&mut self, code: Option<u16>, reason: &str) -> Vec<Event> {
        read(self.session.close(code, reason))
    }

    pub fn timeout(&mut self) -> Vec<Event> {
        read(self.session.timeout(TimerId(0)))
    }

    pub fn disconnected(&mut self) -> Vec<Event> {
        read(self.session.disconnected(Carrier::Stream))
    }
}

/// What went to the client comes first.
fn read(events: Vec<testing::Event>) -> Vec<Event> {
    let mut written = Vec::new();
    let mut told = Vec::new();
    for event in events {
        match event {
            testing::Event::Out(bytes) => written.extend(sent(&bytes).into_iter().map(Event::Sent)),
            testing::Event::Message(Kind::Text, bytes) => {
                told.push(Event::Text(String::from_utf8(bytes).expect("a text message is UTF-8")));
            }
            testing::Event::Message(Kind::Binary, bytes) => told.push(Event::Binary(bytes)),
            testing::Event::Alive => told.push(Event::Alive),
            testing::Event::SetTimer(_, after) => told.push(Event::Timer(after)),
            testing::Event::Close(reason) => told.push(Event::Ended(reason)),
            other => panic!("this was not expected: {other:?}"),
        }
    }
    written.into_iter().chain(told).collect()
}

/// The frames that a server wrote, each final and unmasked.
pub fn sent(mut out: &[u8]) -> Vec<Sent> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = out {
        let (length, rest) = match second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            masked @ 128.. => panic!("the server masks: {masked:x}"),
            length => (usize::from(*length), rest),
        };
        let payload = rest[..length].to_vec();
        out = &rest[length..];
        frames.push(match first {
            0x81 => Sent::Text(String::from_utf8(payload).unwrap()),
            0x82 => Sent::Binary(payload),
            0xc1 | 0xc2 => Sent::Deflated(payload),
            0x8a => Sent::Pong(payload),
            0x88 => Sent::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            other => panic!("a server does not send {other:x}"),
        });
    }
    assert!(out.is_empty(), "half a frame was written");
    frames
}

/// The request of RFC 6455, section 1.3.
pub fn handshake() -> Request<'static> {
    handshake_at(MESSAGES)
}

/// The same to another path.
pub fn handshake_at(path: &str) -> Request<'static> {
    Request::new("GET", path)
        .with_header("host", "localhost")
        .with_header("upgrade", "websocket")
        .with_header("connection", "Upgrade")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with_header("sec-websocket-version", "13")
}

/// What comes of a violation that is answered with this code, up to the text of the reason.
#[track_caller]
pub fn assert_fails(events: &[Event], code: u16) {
    match events {
        [.., Event::Sent(Sent::Close(Some(sent))), Event::Ended(DisconnectReason::Protocol { code: told, .. })]
            if code != 1009 =>
        {
            assert_eq!((*sent, *told), (code, code));
        }
        [.., Event::Sent(Sent::Close(Some(1009))), Event::Ended(DisconnectReason::Limit(limit))] if code == 1009 => {
            assert_eq!(limit, "max_message_bytes");
        }
        other => panic!("no failure with {code}: {other:?}"),
    }
}
