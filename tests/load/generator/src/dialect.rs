//! The dialects that the compared servers speak around a message: nothing at all, WebSocket, Primus or Socket.IO on it.
//!
//! A dialect says how a request is addressed, how a message is wrapped, and what an incoming frame is. Knows no socket.

use crate::frame::{self, FrameError, Opcode};

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
    /// A heartbeat; these bytes answer it.
    Heartbeat(Vec<u8>),
    /// A part of the protocol's opening, with its payload.
    Opening(&'a [u8]),
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

/// Heartbeats are rare: their answers may all have one mask.
const MASK: [u8; 4] = *b"mask";

impl Dialect {
    /// What stands before and after a message inside its frame.
    pub fn wrapping(self) -> (&'static str, &'static str) {
        match self {
            Self::Raw | Self::WebSocket | Self::Primus => ("", ""),
            Self::SocketIo => EVENT,
        }
    }

    /// Whether messages travel in WebSocket frames.
    pub fn is_framed(self) -> bool {
        self != Self::Raw
    }

    /// The request target for a role, on a server's path.
    pub fn target(self, path: &str, role: Role) -> String {
        let own = match self {
            Self::Raw | Self::WebSocket | Self::Primus => "",
            Self::SocketIo => "EIO=4&transport=websocket",
        };
        match (own, role.query()) {
            ("", "") => path.to_owned(),
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
        match self {
            Self::Raw | Self::WebSocket => Ok(Incoming::Message(payload)),
            Self::Primus => Ok(match payload.strip_prefix(br#""primus::ping::"#) {
                Some(time) => heartbeat(Opcode::Text, &[br#""primus::pong::"#, time].concat()),
                None if payload.starts_with(br#""primus::"#) => Incoming::Opening(payload),
                None => Incoming::Message(payload),
            }),
            Self::SocketIo => {
                let event = payload.strip_prefix(EVENT.0.as_bytes()).and_then(|rest| rest.strip_suffix(EVENT.1.as_bytes()));
                match (event, payload) {
                    (Some(message), _) => Ok(Incoming::Message(message)),
                    (None, b"2") => Ok(heartbeat(Opcode::Text, b"3")),
                    (None, [b'0', ..] | [b'4', b'0', ..]) => Ok(Incoming::Opening(payload)),
                    (None, other) => {
                        Err(DialectError::Unexpected(String::from_utf8_lossy(&other[..other.len().min(80)]).into_owned()))
                    }
                }
            }
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
    fn the_query_tells_the_role() {
        assert_eq!(Dialect::Primus.target("/primus/", Role::Echo), "/primus/");
        assert_eq!(Dialect::WebSocket.target("/", Role::Receiver), "/?room=bench");
        assert_eq!(
            Dialect::SocketIo.target("/socket.io/", Role::Publisher),
            "/socket.io/?EIO=4&transport=websocket&publish=bench"
        );
    }
}
