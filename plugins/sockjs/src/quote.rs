//! Text as a JSON string in ASCII where it matters: SockJS has servers escape what browsers of its time changed or lost.
//!
//! Beyond what JSON asks for (RFC 8259, section 7), these are U+200C–200F, 2028–202F, 2060–206F, FFF0–FFFF, and everything that
//! UTF-16 writes as a surrogate pair.

use plugin_api::Out;

use crate::scan;

/// Where a JSON string is written to.
pub trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for Out<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// How long the string of a text is likely to be: most of what is escaped are the quotes of JSON inside of JSON.
pub fn expected(text: &[u8]) -> usize {
    text.len() + text.len() / 16 + 8
}

/// Writes UTF-8 text as a JSON string. Bytes that are no UTF-8 go as they are.
#[inline]
pub fn quote(text: &[u8], out: &mut impl Sink) {
    out.put(b"\"");
    let mut plain = 0;
    let mut at = 0;
    loop {
        at += scan::unescaped_ascii(&text[at..]);
        let Some(byte) = text.get(at) else { break };
        let class = CLASSES[usize::from(*byte)];
        let found = if class == PLAIN { None } else { escaped(text, at, class) };
        let Some((code, length)) = found else {
            // The rest of a character, and others beyond ASCII that follow it, are seldom escaped.
            at += 1;
            at += text[at..].iter().take_while(|byte| **byte >= 0x80 && CLASSES[usize::from(**byte)] == PLAIN).count();
            continue;
        };
        out.put(&text[plain..at]);
        write(code, out);
        at += length;
        plain = at;
    }
    out.put(&text[plain..]);
    out.put(b"\"");
}

/// What is to be escaped at `at`, and its length in bytes; `None` where it isn't.
fn escaped(text: &[u8], at: usize, class: u8) -> Option<(u32, usize)> {
    if class == ASCII {
        return Some((text[at].into(), 1));
    }
    let length = usize::from(class);
    let character = std::str::from_utf8(text.get(at..at + length)?).ok()?.chars().next()?;
    let escaped = matches!(
        character as u32,
        0x200c..=0x200f | 0x2028..=0x202f | 0x2060..=0x206f | 0xfff0..=0xffff | 0x10000..
    );
    escaped.then_some((character as u32, length))
}

#[inline]
fn write(code: u32, out: &mut impl Sink) {
    match code {
        0x08 => out.put(b"\\b"),
        0x09 => out.put(b"\\t"),
        0x0a => out.put(b"\\n"),
        0x0c => out.put(b"\\f"),
        0x0d => out.put(b"\\r"),
        0x22 => out.put(b"\\\""),
        0x5c => out.put(b"\\\\"),
        0..0x10000 => unit(code, out),
        _ => {
            let pair = code - 0x10000;
            unit(0xd800 + (pair >> 10), out);
            unit(0xdc00 + (pair & 0x3ff), out);
        }
    }
}

fn unit(unit: u32, out: &mut impl Sink) {
    let digit = |shift: u32| DIGITS[(unit >> shift) as usize & 15];
    out.put(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A byte that never begins anything to be escaped.
const PLAIN: u8 = 0;

/// A byte that is escaped.
const ASCII: u8 = 1;

/// What a byte begins: plain text, an escaped ASCII character, or a character of so many bytes that has to be looked at.
const CLASSES: [u8; 256] = {
    let mut classes = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0..0x20 | b'"' | b'\\' => ASCII,
            0xe2 | 0xef => 3,
            0xf0..=0xf4 => 4,
            _ => PLAIN,
        };
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quote(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_browsers_may_lose_is_escaped_and_nothing_else() {
        assert_eq!(quoted("a/é\u{7f}ā日"), "\"a/é\u{7f}ā日\"");
        assert_eq!(quoted("\"\\\u{8}\t\n\u{c}\r\0\u{1f}"), r#""\"\\\b\t\n\f\r\u0000\u001f""#);
        assert_eq!(quoted("\u{200b}\u{200c}\u{200f}\u{2010}"), "\"\u{200b}\\u200c\\u200f\u{2010}\"");
        assert_eq!(quoted("\u{2028}\u{202f}\u{2060}\u{206f}\u{2070}"), "\"\\u2028\\u202f\\u2060\\u206f\u{2070}\"");
        assert_eq!(quoted("\u{ffef}\u{fff0}\u{fffd}\u{ffff}"), "\"\u{ffef}\\ufff0\\ufffd\\uffff\"");
        assert_eq!(quoted("😀"), r#""\ud83d\ude00""#);
    }

    #[test]
    fn what_is_no_text_is_not_lost() {
        let mut out = Vec::new();
        quote(b"\xe2\x80", &mut out);
        assert_eq!(out, b"\"\xe2\x80\"");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&quoted(&text)).unwrap(), text);
        }
    }
}
