//! Halves of surrogate pairs in JSON's `\u` escapes: JavaScript's strings may hold them, UTF-8 can't (RFC 8259, section 8.2).

/// U+FFFD as an escape, which is as long as what it replaces.
const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// The text with every escaped half surrogate that has no other half replaced by U+FFFD; `None` if there is none.
///
/// The text needn't be JSON: then it isn't afterwards either.
pub(crate) fn replaced(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut repaired = None::<Vec<u8>>;
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        match (surrogate(bytes, at), surrogate(bytes, at + REPLACEMENT.len())) {
            (Some(Half::High), Some(Half::Low)) => at += 2 * REPLACEMENT.len(),
            (Some(_), _) => {
                let end = at + REPLACEMENT.len();
                repaired.get_or_insert_with(|| bytes.to_vec())[at..end].copy_from_slice(REPLACEMENT);
                at = end;
            }
            // The byte after a backslash belongs to it; it may be a backslash.
            (None, _) => at = bytes.len().min(at + 2),
        }
    }
    repaired.map(|bytes| String::from_utf8(bytes).expect("ASCII in the place of ASCII keeps UTF-8"))
}

#[derive(PartialEq, Eq)]
enum Half {
    High,
    Low,
}

/// Which half of a pair the escape at `at` is, if there is one that is.
fn surrogate(bytes: &[u8], at: usize) -> Option<Half> {
    let digits = bytes.get(at..at + REPLACEMENT.len())?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}
