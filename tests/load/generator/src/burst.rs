//! Requests that are built before the run: a row of frames in which only the numbers change.
//!
//! One write sends as many of them as a turn has freed. Knows frames and messages, no sockets.

use crate::dialect::Dialect;
use crate::frame::{self, Opcode};
use crate::message::{Message, Number};

/// A row of equal frames, each with a mask of its own.
#[derive(Debug)]
pub struct Burst {
    bytes: Vec<u8>,
    frame: usize,
    /// Where a frame's digits lie, from the frame's start.
    digits: usize,
    /// The mask bytes that lie over the digits, a row of them for each frame; zeros where nothing is masked.
    masks: Vec<[u8; 16]>,
}

impl Burst {
    /// A row of `frames` messages of `length` bytes in this dialect.
    pub fn new(dialect: Dialect, length: usize, frames: usize) -> Self {
        let number = Number { stream: 0, sequence: 0 };
        let payload = dialect.wrap(Message::new(length).numbered(number));
        let digits = dialect.digits();
        let mut bytes = Vec::new();
        let mut masks = Vec::new();
        let mut start = 0;
        for at in 0..frames {
            if dialect.is_framed() {
                // Any mask does, as long as it isn't the same everywhere and isn't zero.
                let mask = (0x9e37_79b9_u32.wrapping_mul(at as u32 + 1) | 1).to_be_bytes();
                start = frame::write(Opcode::Text, mask, &payload, &mut bytes) - at * (bytes.len() / (at + 1));
                masks.push(std::array::from_fn(|digit| mask[(digits + digit) % 4]));
            } else {
                bytes.extend_from_slice(&payload);
                masks.push([0; 16]);
            }
        }
        Self { frame: bytes.len() / frames.max(1), digits: start + digits, bytes, masks }
    }

    /// How many frames fit into one write.
    pub fn capacity(&self) -> usize {
        self.masks.len()
    }

    /// The bytes of `count` messages (at most [`Self::capacity`]) of a stream, numbered on from `first`.
    pub fn numbered(&mut self, first: Number, count: usize) -> &[u8] {
        for at in 0..count {
            let number = Number { sequence: first.sequence.wrapping_add(at as u32), ..first };
            let mask = &self.masks[at];
            let digits = number.digits();
            let place = at * self.frame + self.digits;
            for (to, digit) in self.bytes[place..place + 16].iter_mut().zip(0..) {
                *to = digits[digit] ^ mask[digit];
            }
        }
        &self.bytes[..count * self.frame]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server makes of a masked frame: its payload, and the bytes behind it.
    fn unmask(frame: &[u8]) -> (Vec<u8>, &[u8]) {
        let (start, length) = match frame[1] & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
            length => (2, usize::from(length)),
        };
        let mask = &frame[start..start + 4];
        let payload = &frame[start + 4..start + 4 + length];
        let plain = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
        (plain, &frame[start + 4 + length..])
    }

    #[test]
    fn every_frame_of_a_burst_unmasks_to_its_numbered_message() {
        for dialect in [Dialect::WebSocket, Dialect::Primus, Dialect::SocketIo] {
            for length in [18, 64, 200, 16 * 1024] {
                let mut burst = Burst::new(dialect, length, 4);
                let (before, after) = dialect.wrapping();
                for first in [0, 41] {
                    let number = Number { stream: 9, sequence: first };
                    let mut rest = burst.numbered(number, 3);
                    for sequence in first..first + 3 {
                        let (payload, behind) = unmask(rest);
                        let found = &payload[before.len()..payload.len() - after.len()];
                        let due = Number { stream: 9, sequence };
                        Message::new(length).check(due, found).unwrap();
                        rest = behind;
                    }
                    assert!(rest.is_empty());
                }
            }
        }
    }

    #[test]
    fn raw_bursts_are_the_messages_and_nothing_else() {
        let mut burst = Burst::new(Dialect::Raw, 20, 2);
        let number = Number { stream: 0, sequence: 1 };
        assert_eq!(burst.numbered(number, 2), b"\"0000000000000001rs\"\"0000000000000002rs\"");
    }
}
