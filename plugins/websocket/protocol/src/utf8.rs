//! UTF-8 of text messages (RFC 6455, section 8.1), checked as the bytes come.
//!
//! Knows bytes only. A message may be cut anywhere, between fragments or by the network, also inside a character: the
//! check keeps that character's first bytes, and says no at the first byte that cannot continue what came before.

/// The bytes are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUtf8;

/// Checks a text that lies in one piece.
#[inline]
pub fn check(text: &[u8]) -> Result<(), InvalidUtf8> {
    simdutf8::basic::from_utf8(text).map_or(Err(InvalidUtf8), |_| Ok(()))
}

/// The check of a text that comes in pieces.
#[derive(Debug, Default, Clone, Copy)]
pub struct Utf8Check {
    /// The first bytes of a character whose rest has not come.
    cut: [u8; 4],
    /// How many of `cut` are set: at most three.
    length: u8,
}

impl Utf8Check {
    /// Takes the text's next piece.
    ///
    /// # Errors
    /// As soon as no continuation could make the text valid.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.length > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            self.cut[usize::from(self.length)] = byte;
            self.length += 1;
            match std::str::from_utf8(&self.cut[..usize::from(self.length)]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8),
            }
        }
        match simdutf8::compat::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                let cut = &piece[error.valid_up_to()..];
                self.cut[..cut.len()].copy_from_slice(cut);
                self.length = cut.len() as u8;
                Ok(())
            }
            Err(_) => Err(InvalidUtf8),
        }
    }

    /// Takes a piece that is known to be ASCII.
    ///
    /// # Errors
    /// When the text so far ends inside a character.
    pub fn push_ascii(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        if piece.is_empty() { Ok(()) } else { self.finish() }
    }

    /// The text has ended.
    ///
    /// # Errors
    /// When it ends inside a character.
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.length == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the check says to `text` in pieces of one byte: the number of bytes it took before it refused.
    fn refused_at(text: &[u8]) -> Option<usize> {
        let mut check = Utf8Check::default();
        for (at, byte) in text.iter().enumerate() {
            if check.push(std::slice::from_ref(byte)).is_err() {
                return Some(at);
            }
        }
        check.finish().err().map(|_| text.len())
    }

    #[test]
    fn a_text_is_refused_at_the_first_byte_that_cannot_be_right() {
        let cases: [(&[u8], Option<usize>); 15] = [
            ("κόσμε 😀 ﷺ".as_bytes(), None),
            (b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80", Some(6)), // a surrogate
            (b"\xf4\x90\x80\x80", Some(1)),                 // past U+10FFFF
            (b"\xf5\x80", Some(0)),
            (b"\x80", Some(0)),
            (b"a\xbf", Some(1)),
            (b"\xc0\x80", Some(0)),         // overlong
            (b"\xc1\xbf", Some(0)),         // overlong
            (b"\xe0\x80\x80", Some(1)),     // overlong
            (b"\xf0\x8f\xbf\xbf", Some(1)), // overlong
            (b"\xc3\x28", Some(1)),
            (b"\xe2\x82\x28", Some(2)),
            (b"\xf0\x9f\x98\x28", Some(3)),
            (b"\xff", Some(0)),
            (b"ends inside \xe2\x82", Some(14)),
        ];
        for (text, expected) in cases {
            assert_eq!(refused_at(text), expected, "{text:x?}");
        }
    }

    #[test]
    fn ascii_after_half_a_character_is_refused() {
        let mut check = Utf8Check::default();
        check.push(b"\xe2\x82").unwrap();
        assert_eq!(check.push_ascii(b""), Ok(()));
        assert_eq!(check.push_ascii(b"a"), Err(InvalidUtf8));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_verdict_of_the_whole(
            pieces in prop_oneof![
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 0..8),
                "\\PC{0,40}".prop_map(|text| text.into_bytes().chunks(3).map(<[u8]>::to_vec).collect()),
            ],
        ) {
            let whole = pieces.concat();
            let mut check = Utf8Check::default();
            let verdict = pieces
                .iter()
                .try_for_each(|piece| check.push(piece))
                .and_then(|()| check.finish());
            prop_assert_eq!(verdict.is_ok(), std::str::from_utf8(&whole).is_ok());
            prop_assert_eq!(super::check(&whole).is_ok(), verdict.is_ok());
        }
    }
}
