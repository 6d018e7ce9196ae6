//! Messages with their lengths, in the body of a request or a response: text and bytes alike, with nothing to escape.
//!
//! A body is the number of its first message (8 bytes, big-endian) and frames: a kind (1 byte), a length (4 bytes, big-endian),
//! and so many bytes. An empty body has no messages. What isn't a message ([`OPEN`], [`CLOSE`]) has no number.

use plugin_api::Kind;

/// A message of text.
pub const TEXT: u8 = 0;

/// A message of bytes.
pub const BINARY: u8 = 1;

/// The session's beginning, as JSON. Only from the server.
pub const OPEN: u8 = 16;

/// The session's end, as JSON. Only from the server.
pub const CLOSE: u8 = 17;

/// How long a body's number is.
const NUMBER: usize = 8;

/// How long a frame's kind and length are.
const HEAD: usize = 5;

/// A body that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends within its number or a frame.
    #[error(
        "the body ends in the midst of a frame: a number of 8 bytes, then frames of a kind, 4 bytes of length and the message"
    )]
    Cut,
    /// Numbers begin at 1.
    #[error("the first message has the number 0: numbers begin at 1")]
    Zero,
    /// A kind that no client sends.
    #[error("a frame is of the kind {0}: 0 is text and 1 is bytes")]
    Kind(u8),
    /// Text that is none.
    #[error("a message of text is not UTF-8")]
    Encoding,
}

/// The messages of a client's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages<'a> {
    /// The number of the first one.
    pub first: u64,
    /// They.
    pub messages: Vec<(Kind, &'a [u8])>,
}

impl<'a> Messages<'a> {
    /// Reads a whole body.
    ///
    /// # Errors
    /// The first thing that is wrong: nothing of the body counts.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        if body.is_empty() {
            return Ok(Self { first: 1, messages: Vec::new() });
        }
        let (number, mut rest) = body.split_first_chunk::<NUMBER>().ok_or(Malformed::Cut)?;
        let first = u64::from_be_bytes(*number);
        if first == 0 {
            return Err(Malformed::Zero);
        }
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let (head, after) = rest.split_first_chunk::<HEAD>().ok_or(Malformed::Cut)?;
            let [kind, length @ ..] = *head;
            let length = u32::from_be_bytes(length) as usize;
            let (payload, after) = after.split_at_checked(length).ok_or(Malformed::Cut)?;
            let kind = match kind {
                TEXT if std::str::from_utf8(payload).is_err() => return Err(Malformed::Encoding),
                TEXT => Kind::Text,
                BINARY => Kind::Binary,
                other => return Err(Malformed::Kind(other)),
            };
            messages.push((kind, payload));
            rest = after;
        }
        Ok(Self { first, messages })
    }
}

/// Begins a body: the number of its first message.
pub fn begin(first: u64, body: &mut Vec<u8>) {
    body.extend_from_slice(&first.to_be_bytes());
}

/// Appends a frame.
pub fn write(kind: u8, payload: &[u8], body: &mut Vec<u8>) {
    // The server's `max_message` is far below 4 GiB: a length that does not fit can't come.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    body.push(kind);
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_body_is_said() {
        let body = |kind: u8, payload: &[u8]| {
            let mut body = Vec::new();
            begin(1, &mut body);
            write(kind, payload, &mut body);
            body
        };
        assert_eq!(Messages::read(b"\0\0\0\0\0\0\0"), Err(Malformed::Cut));
        assert_eq!(Messages::read(&[0; 8]), Err(Malformed::Zero));
        assert_eq!(Messages::read(&body(TEXT, b"\xff")), Err(Malformed::Encoding));
        assert_eq!(Messages::read(&body(7, b"")), Err(Malformed::Kind(7)));
        assert_eq!(Messages::read(&body(OPEN, b"{}")), Err(Malformed::Kind(OPEN)));
        let whole = body(BINARY, b"\xff\0");
        for cut in 1..whole.len() {
            let read = Messages::read(&whole[..cut]);
            assert!(read == Err(Malformed::Cut) || cut == NUMBER, "{read:?} of {cut} bytes");
        }
    }

    proptest! {
        #[test]
        fn a_body_is_read_as_it_was_written(first in 1u64.., messages: Vec<Result<String, Vec<u8>>>) {
            let mut body = Vec::new();
            begin(first, &mut body);
            let mut expected = Vec::new();
            for message in &messages {
                match message {
                    Ok(text) => write(TEXT, text.as_bytes(), &mut body),
                    Err(bytes) => write(BINARY, bytes, &mut body),
                }
                expected.push(match message {
                    Ok(text) => (Kind::Text, text.as_bytes()),
                    Err(bytes) => (Kind::Binary, &bytes[..]),
                });
            }
            prop_assert_eq!(Messages::read(&body), Ok(Messages { first, messages: expected }));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(body: Vec<u8>) {
            let _ = Messages::read(&body);
        }
    }
}
