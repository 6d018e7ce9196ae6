//! WebSocket frames as a client writes and reads them (RFC 6455, section 5.2), no more than the benchmark needs.
//!
//! Out: one masked frame. In: one unmasked, unfragmented frame. Knows nothing of what the payload means.

use std::ops::Range;

/// The opcodes that a benchmarked server may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Text,
    Ping,
    Pong,
}

/// One frame of the server, found at the start of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: Opcode,
    /// Where the payload lies in the input; its end is the frame's end.
    pub payload: Range<usize>,
}

/// What a benchmarked server must not send.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the server masked a frame")]
    Masked,
    #[error("the server closed the connection: code {code}")]
    Closed { code: u16 },
    #[error("frame starts with {0:#04x}: neither a whole text message nor a ping")]
    Unexpected(u8),
}

/// Reads the frame at the start of `input`; `None` if it isn't complete yet.
pub fn read(input: &[u8]) -> Result<Option<Frame>, FrameError> {
    let [first, second, ..] = *input else {
        return Ok(None);
    };
    if second & 0x80 != 0 {
        return Err(FrameError::Masked);
    }
    let (start, length): (usize, usize) = match second {
        126 => match input.get(2..4) {
            Some(bytes) => (4, usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))),
            None => return Ok(None),
        },
        127 => match input.get(2..10).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => (10, u64::from_be_bytes(bytes) as usize),
            None => return Ok(None),
        },
        length => (2, usize::from(length)),
    };
    let Some(payload) = input.get(start..start.saturating_add(length)) else {
        return Ok(None);
    };
    let opcode = match first {
        0x81 => Opcode::Text,
        0x89 => Opcode::Ping,
        0x8a => Opcode::Pong,
        0x88 => {
            let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes(code.try_into().expect("two bytes were taken")));
            return Err(FrameError::Closed { code });
        }
        other => return Err(FrameError::Unexpected(other)),
    };
    Ok(Some(Frame { opcode, payload: start..start + length }))
}

/// Appends one final frame with `payload`, masked by `mask`, and returns where its payload begins in `out`.
pub fn write(opcode: Opcode, mask: [u8; 4], payload: &[u8], out: &mut Vec<u8>) -> usize {
    out.push(match opcode {
        Opcode::Text => 0x81,
        Opcode::Ping => 0x89,
        Opcode::Pong => 0x8a,
    });
    match payload.len() {
        length @ ..126 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The server's side of [`write`]: the same frame without its mask.
    fn unmasked(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let start = write(Opcode::Text, [0; 4], payload, &mut frame);
        frame.drain(start - 4..start);
        frame[1] &= 0x7f;
        frame
    }

    #[test]
    fn a_client_frame_is_masked_as_the_rfc_shows() {
        // RFC 6455, section 5.7: a single-frame masked text message, "Hello".
        let mut frame = Vec::new();
        let start = write(Opcode::Text, [0x37, 0xfa, 0x21, 0x3d], b"Hello", &mut frame);
        assert_eq!(frame, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        assert_eq!(start, 6);
    }

    #[test]
    fn a_close_frame_ends_the_run_with_its_code() {
        assert_eq!(read(&[0x88, 2, 0x03, 0xf5]), Err(FrameError::Closed { code: 1013 }));
        assert_eq!(read(&[0x88, 0]), Err(FrameError::Closed { code: 1005 }));
    }

    #[test]
    fn masked_fragmented_and_binary_frames_of_a_server_are_refused() {
        assert_eq!(read(&[0x81, 0x80]), Err(FrameError::Masked));
        assert_eq!(read(&[0x01, 0]), Err(FrameError::Unexpected(0x01)));
        assert_eq!(read(&[0x82, 0]), Err(FrameError::Unexpected(0x82)));
    }

    proptest! {
        #[test]
        fn a_frame_is_read_when_its_last_byte_is_there_and_not_before(
            length in prop_oneof![0usize..300, 65_530usize..65_540],
            rest in proptest::collection::vec(any::<u8>(), 0..10),
        ) {
            let mut input = unmasked(&vec![b'x'; length]);
            let end = input.len();
            for cut in [0, 1, 2, 3, 5, 9, end / 2, end - 1] {
                if cut < end {
                    prop_assert_eq!(read(&input[..cut]), Ok(None));
                }
            }
            input.extend_from_slice(&rest);
            let frame = read(&input).unwrap().unwrap();
            prop_assert_eq!(frame.opcode, Opcode::Text);
            prop_assert_eq!(frame.payload, end - length..end);
        }
    }
}
