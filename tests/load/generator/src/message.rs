//! The numbered messages that are sent, and the check that exactly they come back.
//!
//! A message is a JSON string of ASCII, so that every server may treat it as its parser likes:
//! `"`, 8 hex digits of the stream, 8 of the sequence, filler, `"`. Knows nothing of frames.

use std::fmt;

/// The quotes and the two numbers: no message is shorter.
pub const MIN_LENGTH: usize = 18;

/// Where the digits start: behind the opening quote.
pub const DIGITS: usize = 1;

/// Which message it is: the stream (a connection, or a publisher) and its place in that stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    pub stream: u32,
    pub sequence: u32,
}

impl Number {
    /// The sixteen hex digits that stand in a message.
    pub fn digits(self) -> [u8; 16] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let both = u64::from(self.stream) << 32 | u64::from(self.sequence);
        std::array::from_fn(|at| HEX[(both >> (60 - 4 * at)) as usize & 15])
    }
}

/// One message of a fixed length, whose numbers are patched in place.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message of `length` bytes, at least [`MIN_LENGTH`].
    pub fn new(length: usize) -> Self {
        let length = length.max(MIN_LENGTH);
        // Letters with a period that is no power of two: a shifted payload doesn't look like the right one.
        let mut bytes: Vec<u8> = (0..length).map(|at| b'a' + (at % 23) as u8).collect();
        bytes[0] = b'"';
        bytes[length - 1] = b'"';
        Self { bytes }
    }

    /// The message with this number.
    pub fn numbered(&mut self, number: Number) -> &[u8] {
        self.bytes[DIGITS..DIGITS + 16].copy_from_slice(&number.digits());
        &self.bytes
    }

    /// Whether `found` is, byte for byte, the message with this number.
    ///
    /// # Errors
    /// [`Mismatch`], which ends the run: a server that loses, repeats, reorders or alters a message has no figures.
    pub fn check(&mut self, number: Number, found: &[u8]) -> Result<(), Mismatch> {
        if self.numbered(number) == found {
            return Ok(());
        }
        Err(Mismatch { expected: excerpt(&self.bytes), found: excerpt(found), length: found.len() })
    }
}

/// A message that is not the one that was due.
#[derive(Debug, PartialEq, Eq)]
pub struct Mismatch {
    expected: String,
    found: String,
    length: usize,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}…, got {} bytes: {}…", self.expected, self.length, self.found)
    }
}

impl std::error::Error for Mismatch {}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(48)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_json_string_that_carries_its_number() {
        let mut message = Message::new(24);
        let number = Number { stream: 0x1f, sequence: 0xdead_beef };
        assert_eq!(message.numbered(number), b"\"0000001fdeadbeefrstuvw\"");
    }

    #[test]
    fn only_the_due_message_passes() {
        let number = Number { stream: 3, sequence: 7 };
        let next = Number { stream: 3, sequence: 8 };
        let sent = Message::new(64).numbered(number).to_vec();
        let mut message = Message::new(64);
        assert!(message.check(number, &sent).is_ok());
        assert!(message.check(next, &sent).is_err(), "out of order");
        assert!(message.check(number, &sent[..63]).is_err(), "cut short");
        let mut altered = sent;
        altered[40] ^= 1;
        assert!(message.check(number, &altered).is_err(), "altered");
    }
}
