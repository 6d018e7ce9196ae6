//! The frames of a SockJS server: `o` opens, `h` shows life, `a[…]` brings messages, `c[code,"reason"]` closes.

use plugin_api::Out;

use crate::quote::{self, quote};

/// The session is open.
pub const OPEN: &str = "o";

/// The server is alive.
pub const HEARTBEAT: &str = "h";

/// Why a session, or a carrier of it, is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The code.
    pub code: u16,
    /// The text.
    pub reason: String,
}

impl Closing {
    /// With a text.
    pub fn new(code: u16, reason: &str) -> Self {
        Self { code, reason: reason.to_owned() }
    }

    /// A session ends because the server wants it.
    pub fn normal() -> Self {
        Self::new(1000, "Normal closure")
    }

    /// A second carrier to the client is refused.
    pub fn another_connection() -> Self {
        Self::new(2010, "Another connection still open")
    }

    /// A session ended because its carrier was cut.
    pub fn interrupted() -> Self {
        Self::new(1002, "Connection interrupted")
    }

    /// A parser makes bytes, and SockJS has only text.
    pub fn binary() -> Self {
        Self::new(1003, "SockJS carries text only: use a parser that makes text, as json or ejson")
    }

    /// A client's frame is none.
    pub fn broken_framing() -> Self {
        Self::new(3000, "Broken framing.")
    }

    /// A client's message is too long.
    pub fn too_long() -> Self {
        Self::new(1009, "longer than max_message_bytes")
    }

    /// A client doesn't fetch what waits for it.
    pub fn slow() -> Self {
        Self::new(1013, "reads too slowly")
    }

    /// What a host wants to be said.
    pub fn of(close: &plugin_api::Close) -> Self {
        match close.code {
            Some(code) => Self::new(code, &close.reason),
            None => Self::normal(),
        }
    }

    /// The frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = format!("c[{},", self.code).into_bytes();
        quote(self.reason.as_bytes(), &mut frame);
        frame.push(b']');
        frame
    }
}

/// Messages that wait to be sent: the beginning of a frame.
#[derive(Debug, Default)]
pub struct Pending {
    frame: Vec<u8>,
    /// How long the last frame was: the next one may be alike.
    last: usize,
}

impl Pending {
    /// Adds a message behind the others.
    pub fn push(&mut self, message: &[u8]) {
        // The end of the frame, and of its line, has room, too.
        let more = message.len() + 6;
        self.frame.reserve(if self.frame.is_empty() { more.max(self.last) } else { more });
        self.frame.extend_from_slice(if self.frame.is_empty() { &b"a["[..] } else { b"," });
        quote(message, &mut self.frame);
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.frame.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frame.is_empty()
    }

    /// Takes all of it as one frame; `None` where nothing waits.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        if self.frame.is_empty() {
            return None;
        }
        let mut frame = std::mem::take(&mut self.frame);
        self.last = frame.len() + 2;
        frame.push(b']');
        Some(frame)
    }
}

/// How long the frame of a single message is likely to be.
pub fn expected(payload: &[u8]) -> usize {
    quote::expected(payload) + 3
}

/// Writes the frame of a single message.
#[inline]
pub fn write_message(payload: &[u8], out: &mut Out<'_>) {
    out.extend_from_slice(b"a[");
    quote(payload, out);
    out.extend_from_slice(b"]");
}
