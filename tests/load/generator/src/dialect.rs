//! The dialects that the compared servers speak around a message: nothing at all, WebSocket and what is spoken on it, or HTTP.
//!
//! A dialect says how a request is addressed, how a message is wrapped, and what an incoming frame is. Those that are carried
//! by HTTP exchanges are read by [`crate::session`]. Knows no socket.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::frame::{self, FrameError, Opcode};
use crate::message::DIGITS;
use crate::quoted;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// Unframed bytes, after one byte that names the role: what the limit server speaks.
    Raw,
    /// WebSocket text messages.
    #[value(name = "websocket")]
    WebSocket,
    /// Primus with its JSON parser: WebSocket, plus its pings, which are answered.
    Primus,
    /// Engine.IO 4 and Socket.IO 5 on WebSocket: messages are events named `m`.
    SocketIo,
    /// Engine.IO 4 on WebSocket.
    EngineIo,
    /// SockJS 0.3 on WebSocket.
    SockJs,
    /// Engine.IO 4 by polling: one request that waits, and one at a time that brings messages.
    EngineIoPolling,
    /// SockJS 0.3 by XHR streaming: one response that goes on, and one request at a time that brings messages.
    SockJsStreaming,
}

/// What a connection is for. The server is told in the query (or the first raw byte).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Gets its own messages back.
    Echo,
    /// Its messages go to all receivers.
    Publisher,
    /// Gets what the publisher sends.
    Receiver,
}

impl Role {
    /// The query that tells a server this role.
    pub fn query(self) -> &'static str {
        match self {
            Self::Echo => "",
            Self::Publisher => "publish=bench",
            Self::Receiver => "room=bench",
        }
    }

    /// The byte that tells the limit server this role.
    pub fn byte(self) -> u8 {
        match self {
            Self::Echo => b'e',
            Self::Publisher => b'p',
            Self::Receiver => b'r',
        }
    }
}

/// One thing that the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A message: what [`crate::message::Message`] checks.
    Message(&'a [u8]),
    /// Several, as strings of an array: [`quoted::read`] takes them out, and [`Said`] tells what each is.
    Strings(&'a [u8]),
    /// A heartbeat; these bytes answer it.
    Heartbeat(Vec<u8>),
    /// A part of the protocol's opening, with its payload.
    Opening(&'a [u8]),
}

/// What a message is to a client of Primus.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// A message.
    Message(&'a [u8]),
    /// A heartbeat; the message that answers it.
    Ping(Vec<u8>),
    /// Something else that is no message.
    Control,
}

impl<'a> Said<'a> {
    /// What `message` is.
    pub fn of(message: &'a [u8]) -> Self {
        match message.strip_prefix(br#""primus::ping::"#) {
            Some(time) => Self::Ping([br#""primus::pong::"#, time].concat()),
            None if message.starts_with(br#""primus::"#) => Self::Control,
            None => Self::Message(message),
        }
    }
}

/// A frame of the server that the dialect has no meaning for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("not a message of this dialect: {0}")]
    Unexpected(String),
}

const EVENT: (&str, &str) = (r#"42["m","#, "]");

/// Ends each packet but the last in a payload of Engine.IO 4.
pub const SEPARATOR: u8 = 0x1e;

/// Heartbeats are rare: their answers may all have one mask.
const MASK: [u8; 4] = *b"mask";

impl Dialect {
    /// What stands before and after a message inside its frame. By HTTP, that many of them follow one another in a body.
    pub fn wrapping(self) -> (&'static str, &'static str) {
        match self {
            Self::Raw | Self::WebSocket | Self::Primus => ("", ""),
            Self::SocketIo => EVENT,
            Self::EngineIo => ("4", ""),
            Self::SockJs => ("[", "]"),
            Self::EngineIoPolling => ("4", "\x1e"),
            Self::SockJsStreaming => ("", ","),
        }
    }

    /// Whether a message is quoted once more.
    fn quotes(self) -> bool {
        matches!(self, Self::SockJs | Self::SockJsStreaming)
    }

    /// A message as it stands in its frame or in a body.
    pub fn wrap(self, message: &[u8]) -> Vec<u8> {
        let (before, after) = self.wrapping();
        let quoted = self.quotes().then(|| quoted::write(message));
        [before.as_bytes(), quoted.as_deref().unwrap_or(message), after.as_bytes()].concat()
    }

    /// Where the digits of a wrapped message begin.
    pub fn digits(self) -> usize {
        // The quote that is added, and the sign that escapes the message's own.
        let quotes = if self.quotes() { 2 } else { 0 };
        self.wrapping().0.len() + quotes + DIGITS
    }

    /// Whether messages travel in WebSocket frames.
    pub fn is_framed(self) -> bool {
        self != Self::Raw && !self.is_over_http()
    }

    /// Whether messages travel in HTTP exchanges.
    pub fn is_over_http(self) -> bool {
        matches!(self, Self::EngineIoPolling | Self::SockJsStreaming)
    }

    /// The request target for a role, on a server's path. A session that the client names gets a name of its own each time;
    /// by XHR streaming, what is asked of it (`/xhr_send`) has yet to be put between the target's path and query.
    pub fn target(self, path: &str, role: Role) -> String {
        let session = || {
            static LAST: AtomicU32 = AtomicU32::new(0);
            let path = path.trim_end_matches('/');
            format!("{path}/000/{:08x}{:08x}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed))
        };
        let (path, own) = match self {
            Self::Raw | Self::WebSocket | Self::Primus => (path.to_owned(), ""),
            Self::SocketIo | Self::EngineIo => (path.to_owned(), "EIO=4&transport=websocket"),
            Self::EngineIoPolling => (path.to_owned(), "EIO=4&transport=polling"),
            Self::SockJs => (session() + "/websocket", ""),
            Self::SockJsStreaming => (session(), ""),
        };
        match (own, role.query()) {
            ("", "") => path,
            (own, "") => format!("{path}?{own}"),
            ("", role) => format!("{path}?{role}"),
            (own, role) => format!("{path}?{own}&{role}"),
        }
    }

    /// Takes one thing from the start of `input`, and says how many bytes it took; `None` if it isn't complete yet.
    ///
    /// Raw bytes have no frames: there a message is `length` bytes.
    pub fn read(self, input: &[u8], length: usize) -> Result<Option<(Incoming<'_>, usize)>, DialectError> {
        if self == Self::Raw {
            return Ok(input.get(..length).map(|message| (Incoming::Message(message), length)));
        }
        let Some(frame) = frame::read(input)? else {
            return Ok(None);
        };
        let end = frame.payload.end;
        let payload = &input[frame.payload];
        let incoming = match frame.opcode {
            Opcode::Ping => heartbeat(Opcode::Pong, payload),
            Opcode::Pong => Incoming::Opening(payload),
            Opcode::Text => self.text(payload)?,
        };
        Ok(Some((incoming, end)))
    }

    fn text(self, payload: &[u8]) -> Result<Incoming<'_>, DialectError> {
        let strange = || DialectError::Unexpected(String::from_utf8_lossy(&payload[..payload.len().min(80)]).into_owned());
        match self {
            Self::Raw | Self::WebSocket => Ok(Incoming::Message(payload)),
            Self::Primus => Ok(self.said(payload, payload)),
            Self::SocketIo => {
                let event = payload.strip_prefix(EVENT.0.as_bytes()).and_then(|rest| rest.strip_suffix(EVENT.1.as_bytes()));
                match (event, payload) {
                    (Some(message), _) => Ok(Incoming::Message(message)),
                    (None, b"2") => Ok(heartbeat(Opcode::Text, b"3")),
                    (None, [b'0', ..] | [b'4', b'0', ..]) => Ok(Incoming::Opening(payload)),
                    (None, _) => Err(strange()),
                }
            }
            Self::EngineIo => match payload {
                [b'4', message @ ..] => Ok(self.said(message, payload)),
                b"2" => Ok(heartbeat(Opcode::Text, b"3")),
                [b'0', ..] => Ok(Incoming::Opening(payload)),
                _ => Err(strange()),
            },
            Self::SockJs => match payload {
                [b'a', array @ ..] => Ok(Incoming::Strings(array)),
                b"o" | b"h" => Ok(Incoming::Opening(payload)),
                _ => Err(strange()),
            },
            Self::EngineIoPolling | Self::SockJsStreaming => Err(strange()),
        }
    }

    fn said<'a>(self, message: &'a [u8], payload: &'a [u8]) -> Incoming<'a> {
        match Said::of(message) {
            Said::Message(message) => Incoming::Message(message),
            Said::Ping(answer) => heartbeat(Opcode::Text, &self.wrap(&answer)),
            Said::Control => Incoming::Opening(payload),
        }
    }
}

fn heartbeat<'a>(opcode: Opcode, answer: &[u8]) -> Incoming<'a> {
    let mut frame = Vec::new();
    frame::write(opcode, MASK, answer, &mut frame);
    Incoming::Heartbeat(frame)
}

/// One masked text frame: what a protocol's opening is written with.
pub fn text_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::write(Opcode::Text, MASK, payload, &mut frame);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_text(payload: &str) -> Vec<u8> {
        [&[0x81, payload.len() as u8], payload.as_bytes()].concat()
    }

    #[test]
    fn raw_bytes_are_cut_by_length() {
        assert_eq!(Dialect::Raw.read(b"abcd", 3), Ok(Some((Incoming::Message(b"abc"), 3))));
        assert_eq!(Dialect::Raw.read(b"ab", 3), Ok(None));
    }

    #[test]
    fn a_primus_ping_is_answered_by_its_pong_and_is_no_message() {
        let input = server_text(r#""primus::ping::1700""#);
        let answer = text_frame(br#""primus::pong::1700""#);
        assert_eq!(Dialect::Primus.read(&input, 0), Ok(Some((Incoming::Heartbeat(answer), input.len()))));
    }

    #[test]
    fn a_socket_io_event_is_unwrapped_and_its_ping_answered() {
        let input = server_text(r#"42["m","hello"]"#);
        assert_eq!(Dialect::SocketIo.read(&input, 0), Ok(Some((Incoming::Message(br#""hello""#), input.len()))));
        let input = server_text("2");
        assert_eq!(Dialect::SocketIo.read(&input, 0), Ok(Some((Incoming::Heartbeat(text_frame(b"3")), 3))));
        let stranger = server_text(r#"42["other","hello"]"#);
        assert!(Dialect::SocketIo.read(&stranger, 0).is_err());
    }

    #[test]
    fn engine_io_and_sock_js_carry_the_messages_and_heartbeats_of_primus() {
        let input = server_text(r#"4"hello""#);
        assert_eq!(Dialect::EngineIo.read(&input, 0), Ok(Some((Incoming::Message(br#""hello""#), input.len()))));
        let input = server_text(r#"4"primus::ping::17""#);
        let answer = text_frame(br#"4"primus::pong::17""#);
        assert_eq!(Dialect::EngineIo.read(&input, 0), Ok(Some((Incoming::Heartbeat(answer), input.len()))));
        let input = server_text(r#"a["\"hello\""]"#);
        assert_eq!(Dialect::SockJs.read(&input, 0), Ok(Some((Incoming::Strings(br#"["\"hello\""]"#), input.len()))));
        let closed = server_text(r#"c[3000,"Go away!"]"#);
        assert!(Dialect::SockJs.read(&closed, 0).is_err());
        assert!(Dialect::EngineIo.read(&server_text("1"), 0).is_err());
    }

    #[test]
    fn the_digits_of_a_wrapped_message_are_where_they_are_said_to_be() {
        let message = br#""0123456789abcdefxyz""#;
        for (dialect, wrapped) in [
            (Dialect::Raw, r#""0123456789abcdefxyz""#),
            (Dialect::SocketIo, r#"42["m","0123456789abcdefxyz"]"#),
            (Dialect::SockJs, r#"["\"0123456789abcdefxyz\""]"#),
            (Dialect::EngineIoPolling, "4\"0123456789abcdefxyz\"\x1e"),
            (Dialect::SockJsStreaming, r#""\"0123456789abcdefxyz\"","#),
        ] {
            assert_eq!(dialect.wrap(message), wrapped.as_bytes());
            assert_eq!(&wrapped[dialect.digits()..][..16], "0123456789abcdef");
        }
    }

    #[test]
    fn sessions_that_a_client_names_have_names_of_their_own() {
        let [one, other] = [Role::Echo, Role::Echo].map(|role| Dialect::SockJs.target("/primus/", role));
        assert!(one.starts_with("/primus/000/") && one.ends_with("/websocket"), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn the_query_tells_the_role() {
        assert_eq!(Dialect::Primus.target("/primus/", Role::Echo), "/primus/");
        assert_eq!(Dialect::WebSocket.target("/", Role::Receiver), "/?room=bench");
        assert_eq!(
            Dialect::SocketIo.target("/socket.io/", Role::Publisher),
            "/socket.io/?EIO=4&transport=websocket&publish=bench"
        );
    }
}
