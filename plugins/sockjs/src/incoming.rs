//! A client's frame: a JSON array of strings, or a single string. Its messages are unpacked in place.
//!
//! Strings are what JavaScript writes: halves of surrogate pairs become U+FFFD, since UTF-8 has no place for them.

use std::ops::Range;

use crate::scan;

/// The frame is no JSON array of strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is no JSON.
    #[error("Broken JSON encoding.")]
    Encoding,
    /// It is JSON (as far as it was read), but of another kind.
    #[error("Payload expected.")]
    Payload,
}

/// Calls with the place of each message, in order. The bytes there are the message's; others are not what they were.
///
/// `frame` has to be UTF-8, and so the messages are.
///
/// # Errors
/// The frame is broken. `each` may have been called for what came before the fault.
pub fn unpack(frame: &mut [u8], mut each: impl FnMut(Range<usize>)) -> Result<(), Broken> {
    let mut at = blank(frame, 0);
    if frame.get(at) == Some(&b'"') {
        let (message, end) = string(frame, at)?;
        return if blank(frame, end) == frame.len() {
            each(message);
            Ok(())
        } else {
            Err(Broken::Encoding)
        };
    }
    if frame.get(at) != Some(&b'[') {
        let other = matches!(frame.get(at), Some(b'{' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n'));
        return Err(if other { Broken::Payload } else { Broken::Encoding });
    }
    at = blank(frame, at + 1);
    if frame.get(at) == Some(&b']') {
        return if blank(frame, at + 1) == frame.len() { Ok(()) } else { Err(Broken::Encoding) };
    }
    loop {
        let (message, end) = string(frame, at)?;
        each(message);
        at = blank(frame, end);
        match frame.get(at) {
            Some(b',') => at = blank(frame, at + 1),
            Some(b']') if blank(frame, at + 1) == frame.len() => return Ok(()),
            _ => return Err(Broken::Encoding),
        }
    }
}

/// The first place from `at` on that is no white space.
fn blank(frame: &[u8], at: usize) -> usize {
    let rest = frame.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Unpacks the string that begins at `at`; its text, and where its token ends.
fn string(frame: &mut [u8], at: usize) -> Result<(Range<usize>, usize), Broken> {
    match frame.get(at) {
        Some(b'"') => {}
        Some(b'{' | b'[' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => return Err(Broken::Payload),
        _ => return Err(Broken::Encoding),
    }
    let start = at + 1;
    let mut from = start;
    let mut to = start;
    loop {
        let rest = &frame[from..];
        let run = scan::unescaped(rest);
        if run == rest.len() {
            return Err(Broken::Encoding);
        }
        if from != to {
            frame.copy_within(from..from + run, to);
        }
        from += run;
        to += run;
        match frame[from] {
            b'"' => return Ok((start..to, from + 1)),
            b'\\' if let Some(byte) = frame.get(from + 1).and_then(|letter| short_escape(*letter)) => {
                frame[to] = byte;
                from += 2;
                to += 1;
            }
            b'\\' => {
                let (character, used) = escape(&frame[from..])?;
                let mut bytes = [0; 4];
                let text = character.encode_utf8(&mut bytes).as_bytes();
                frame[to..to + text.len()].copy_from_slice(text);
                from += used;
                to += text.len();
            }
            _ => return Err(Broken::Encoding),
        }
    }
}

/// The character that a backslash and this letter stand for, where it is no code unit.
#[inline]
fn short_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 0x8,
        b'f' => 0xc,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// The character that the code units of an escape sequence stand for, and the length of the sequence, which is more than the
/// character's.
fn escape(bytes: &[u8]) -> Result<(char, usize), Broken> {
    let first = unit(bytes).ok_or(Broken::Encoding)?;
    let second = bytes.get(6..).and_then(unit);
    if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (first, second) {
        let code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
        return Ok((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12));
    }
    Ok((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

/// The code unit of a `\u` escape.
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpacked(frame: &str) -> Result<Vec<String>, Broken> {
        let mut bytes = frame.as_bytes().to_vec();
        let mut places = Vec::new();
        unpack(&mut bytes, |place| places.push(place))?;
        Ok(places.into_iter().map(|place| String::from_utf8(bytes[place].to_vec()).unwrap()).collect())
    }

    #[test]
    fn a_frame_is_an_array_of_strings_or_one_string() {
        assert_eq!(unpacked(r#"["a","","b\nc"]"#).unwrap(), ["a", "", "b\nc"]);
        assert_eq!(unpacked(" [ \"a\" ,\r\n\t\"b\" ] ").unwrap(), ["a", "b"]);
        assert_eq!(unpacked(r#""alone""#).unwrap(), ["alone"]);
        assert_eq!(unpacked("[]").unwrap(), [""; 0]);
    }

    #[test]
    fn escapes_are_those_of_json() {
        assert_eq!(unpacked(r#"["\"\\\/\b\f\n\r\t\u00e9\u65E5\ud83d\ude00"]"#).unwrap(), ["\"\\/\u{8}\u{c}\n\r\té日😀"]);
        assert_eq!(unpacked(r#"["\ud83d","\ude00\ud83d","\ud83dx"]"#).unwrap(), ["\u{fffd}", "\u{fffd}\u{fffd}", "\u{fffd}x"]);
    }

    #[test]
    fn what_is_no_array_of_strings_is_broken() {
        let cut = ["", " ", "[", "[\"", "[\"a", "[\"a\"", "[\"a\",", "[\"\\"];
        let wrong = ["[\"a\",]", "[,]", "[\"a\"]x", "[\"a\" \"b\"]", "\"a\" \"b\"", "x", "[x]", "[]]"];
        let no_text = ["[\"\\x\"]", "[\"\\u12\"]", "[\"\\u12g4\"]", "[\"\u{1}\"]", "[\"\n\"]"];
        for frame in cut.into_iter().chain(wrong).chain(no_text) {
            assert_eq!(unpacked(frame), Err(Broken::Encoding), "{frame:?}");
        }
        for frame in ["{}", "1", "-1", "null", "true", "[1]", "[\"a\",null]", "[[\"a\"]]", "[{}]"] {
            assert_eq!(unpacked(frame), Err(Broken::Payload), "{frame:?}");
        }
    }

    proptest! {
        #[test]
        fn any_messages_come_out_of_their_frame(messages in any::<Vec<String>>()) {
            prop_assert_eq!(unpacked(&serde_json::to_string(&messages).unwrap()).unwrap(), messages);
        }

        #[test]
        fn what_our_own_quotes_make_is_read_back(text in any::<String>()) {
            let mut frame = Vec::new();
            crate::quote::quote(text.as_bytes(), &mut frame);
            prop_assert_eq!(unpacked(std::str::from_utf8(&frame).unwrap()).unwrap(), [text]);
        }

        #[test]
        fn any_text_is_judged_as_a_json_parser_does(frame in "[\\[\\]\",a\\\\u0-9 {}n]{0,12}") {
            let array = serde_json::from_str::<Vec<String>>(&frame).ok();
            let single = serde_json::from_str::<String>(&frame).ok().map(|message| vec![message]);
            if let Some(expected) = array.or(single) {
                prop_assert_eq!(unpacked(&frame).unwrap(), expected);
            } else if let Ok(messages) = unpacked(&frame) {
                // Only halves of surrogate pairs are taken that the other parser refuses.
                prop_assert!(messages.concat().contains('\u{fffd}'), "{frame:?} gave {messages:?}");
            }
        }
    }
}
