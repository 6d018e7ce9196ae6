//! Where a message ends: at a line break, or after the length that stands before it.
//!
//! Knows bytes. Knows nothing of sessions, and not what is in a message.

use std::ops::Range;

use plugin_api::Out;

/// How messages are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// Each ends with a line feed; a carriage return before it is not of the message. Empty lines are none.
    #[default]
    Lines,
    /// Each stands behind its length: four bytes, the highest first. An empty one is none.
    Length,
}

/// The bytes of a length.
const HEADER: usize = 4;

/// A message is longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than {limit} bytes")]
pub struct TooLong {
    /// The bytes that it may have.
    pub limit: usize,
}

/// A message and what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where its bytes are.
    pub payload: Range<usize>,
    /// All of its bytes, with what stands around it.
    pub whole: usize,
}

impl Framing {
    /// The first message in `bytes`; `None` where its end is not there yet.
    ///
    /// # Errors
    ///
    /// It is longer than `limit`, as far as can be seen.
    pub fn first(self, bytes: &[u8], limit: usize) -> Result<Option<Frame>, TooLong> {
        let frame = match self {
            Self::Lines => match memchr::memchr(b'\n', bytes) {
                Some(end) => {
                    let returns = usize::from(end > 0 && bytes[end - 1] == b'\r');
                    Some(Frame { payload: 0..end - returns, whole: end + 1 })
                }
                // The last byte may be the carriage return.
                None if bytes.len() > limit + 1 => return Err(TooLong { limit }),
                None => None,
            },
            Self::Length => match length(bytes) {
                Some(length) if length > limit => return Err(TooLong { limit }),
                Some(length) if bytes.len() >= HEADER + length => {
                    Some(Frame { payload: HEADER..HEADER + length, whole: HEADER + length })
                }
                Some(_) | None => None,
            },
        };
        match frame {
            Some(frame) if frame.payload.len() > limit => Err(TooLong { limit }),
            frame => Ok(frame),
        }
    }

    /// Moves on to `tail`, which has the beginning of a message, what `input` has of the same message: the number of bytes, and
    /// whether the message is whole.
    ///
    /// # Errors
    ///
    /// As [`Framing::first`]. `tail` never has more bytes than a message may have with what stands around it.
    pub fn join(self, tail: &mut Vec<u8>, input: &[u8], limit: usize) -> Result<(usize, bool), TooLong> {
        let (taken, whole) = match self {
            Self::Lines => match memchr::memchr(b'\n', input) {
                Some(end) => (end + 1, true),
                None => (input.len(), false),
            },
            Self::Length => {
                let header = HEADER.saturating_sub(tail.len()).min(input.len());
                tail.extend_from_slice(&input[..header]);
                let Some(length) = length(tail) else { return Ok((header, false)) };
                if length > limit {
                    return Err(TooLong { limit });
                }
                let missing = HEADER + length - tail.len();
                let payload = missing.min(input.len() - header);
                tail.extend_from_slice(&input[header..header + payload]);
                return Ok((header + payload, payload == missing));
            }
        };
        // As in `first`: only what is whole has both bytes of its line break.
        if tail.len() + taken > limit + 1 + usize::from(whole) {
            return Err(TooLong { limit });
        }
        tail.extend_from_slice(&input[..taken]);
        Ok((taken, whole))
    }

    /// A message of its own, without line breaks in it.
    pub fn framed(self, mut payload: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Lines => payload.push(b'\n'),
            Self::Length => drop(payload.splice(..0, length_of(&payload))),
        }
        payload
    }

    /// Appends a message. A line break in a line becomes a space: JSON has it between its words only, where that is the same.
    pub fn write(self, payload: &[u8], out: &mut Out<'_>) {
        match self {
            Self::Lines => {
                let start = out.len();
                out.extend_from_slice(payload);
                let written = &mut out.as_mut_slice()[start..];
                let mut from = 0;
                while let Some(at) = memchr::memchr(b'\n', &written[from..]) {
                    from += at;
                    written[from] = b' ';
                }
                out.extend_from_slice(b"\n");
            }
            Self::Length => {
                out.reserve(HEADER + payload.len());
                out.extend_from_slice(&length_of(payload));
                out.extend_from_slice(payload);
            }
        }
    }
}

/// The length that stands in front, once it is whole.
fn length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk::<HEADER>().map(|length| u32::from_be_bytes(*length) as usize)
}

fn length_of(payload: &[u8]) -> [u8; HEADER] {
    u32::try_from(payload.len()).expect("no message has four gigabytes").to_be_bytes()
}
