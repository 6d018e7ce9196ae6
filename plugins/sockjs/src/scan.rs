//! Where in a text something stands that a JSON string has to escape, looked for in eight bytes at a time.

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the beginning are none of a quotation mark, a backslash and a control character.
#[inline]
pub fn unescaped(bytes: &[u8]) -> usize {
    run(bytes, escaped, |byte| matches!(byte, b'"' | b'\\' | 0..0x20))
}

/// The same, and ASCII.
#[inline]
pub fn unescaped_ascii(bytes: &[u8]) -> usize {
    run(bytes, |word| escaped(word) | (word & HIGH), |byte| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..))
}

/// How many bytes there are before the first that is looked for. `marks` has the high bit of such a byte in a word of eight; above
/// the lowest, it may err.
#[inline]
fn run(bytes: &[u8], marks: impl Fn(u64) -> u64, is_looked_for: impl Fn(u8) -> bool) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return place * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let before = rest.iter().position(|byte| is_looked_for(*byte)).unwrap_or(rest.len());
    words.len() * 8 + before
}

/// The marks of bytes that a JSON string has to escape (RFC 8259, section 7).
#[inline]
fn escaped(word: u64) -> u64 {
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word & HIGH;
    let equal = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    equal(b'"') | equal(b'\\') | below(word, 0x20)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_byte_is_found_that_looking_at_each_finds(
            bytes in prop::collection::vec(prop_oneof![8 => 0x20_u8..0x80, 1 => any::<u8>()], 0..40),
        ) {
            let escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            prop_assert_eq!(unescaped(&bytes), bytes.iter().position(escaped).unwrap_or(bytes.len()));
            let other = |byte: &u8| escaped(byte) || *byte >= 0x80;
            prop_assert_eq!(unescaped_ascii(&bytes), bytes.iter().position(other).unwrap_or(bytes.len()));
        }
    }
}
