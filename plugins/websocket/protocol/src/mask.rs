//! Masking (RFC 6455, section 5.3): what a client sends is XORed with a key of four bytes.
//!
//! Knows bytes and keys. Knows nothing of frames. Written as a plain loop over words, which the compiler turns into vector
//! instructions; a byte is touched once, and the check for ASCII rides along.

/// The masking key of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Key(pub [u8; 4]);

impl Key {
    /// The key as it applies to the payload after its first `done` bytes: a frame may arrive in pieces of any length.
    pub fn after(self, done: usize) -> Key {
        let mut bytes = self.0;
        bytes.rotate_left(done % 4);
        Key(bytes)
    }
}

/// Whether a payload needs the full UTF-8 check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Every byte is below 0x80: valid UTF-8 by that alone.
    Ascii,
    /// At least one byte has its high bit set.
    Unknown,
}

/// Unmasks `payload` in place (or masks it: the operation is its own inverse).
#[inline]
pub fn unmask(payload: &mut [u8], key: Key) -> Charset {
    let word = u64::from(u32::from_ne_bytes(key.0));
    let word = word | word << 32;
    let mut seen = 0;

    // One plain loop: it becomes four words a turn.
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        let plain = u64::from_ne_bytes(*bytes) ^ word;
        *bytes = plain.to_ne_bytes();
        seen |= plain;
    }

    let (half, rest) = rest.as_chunks_mut::<4>();
    for bytes in half {
        let plain = u32::from_ne_bytes(*bytes) ^ word as u32;
        *bytes = plain.to_ne_bytes();
        seen |= u64::from(plain);
    }
    for (byte, key) in rest.iter_mut().zip(key.0) {
        *byte ^= key;
        seen |= u64::from(*byte);
    }

    if seen & 0x8080_8080_8080_8080 == 0 { Charset::Ascii } else { Charset::Unknown }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(payload: &[u8], key: Key) -> Vec<u8> {
        payload.iter().enumerate().map(|(at, byte)| byte ^ key.0[at % 4]).collect()
    }

    #[test]
    fn the_masked_hello_of_the_rfc_reads_hello() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let charset = unmask(&mut payload, Key([0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!((&payload[..], charset), (&b"Hello"[..], Charset::Ascii));
    }

    proptest! {
        #[test]
        fn unmasking_equals_the_byte_by_byte_definition(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            key: [u8; 4],
        ) {
            let expected = naive(&payload, Key(key));
            let mut payload = payload;
            let charset = unmask(&mut payload, Key(key));
            prop_assert_eq!(charset == Charset::Ascii, expected.is_ascii());
            prop_assert_eq!(payload, expected);
        }

        #[test]
        fn one_high_bit_anywhere_is_seen(length in 1_usize..200, at: prop::sample::Index, key: [u8; 4]) {
            let mut payload = vec![b'a'; length];
            payload[at.index(length)] = 0xc3;
            let mut masked = naive(&payload, Key(key));
            prop_assert_eq!(unmask(&mut masked, Key(key)), Charset::Unknown);
        }

        #[test]
        fn a_payload_may_be_unmasked_in_two_pieces(
            payload in proptest::collection::vec(any::<u8>(), 1..200),
            at: prop::sample::Index,
            key: [u8; 4],
        ) {
            let expected = naive(&payload, Key(key));
            let mut payload = payload;
            let cut = at.index(payload.len());
            unmask(&mut payload[..cut], Key(key));
            unmask(&mut payload[cut..], Key(key).after(cut));
            prop_assert_eq!(payload, expected);
        }
    }
}
