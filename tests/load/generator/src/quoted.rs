//! Arrays of JSON strings: what SockJS carries messages in, to and fro.
//!
//! Reads what a benchmarked server may write of the messages of [`crate::message`]: strings whose only escapes are quotes and
//! backslashes. Knows nothing of frames.

/// Not such an array.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an array of strings: {0}")]
pub struct NotQuoted(String);

/// Hands out each string of an array, unescaped.
///
/// # Errors
/// [`NotQuoted`], or what `each` says of a string.
pub fn read<E: From<NotQuoted>>(array: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let wrong = || NotQuoted(String::from_utf8_lossy(&array[..array.len().min(80)]).into_owned());
    let inside = array.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).ok_or_else(wrong)?;
    let mut rest = inside;
    let mut text = Vec::new();
    loop {
        rest = rest.strip_prefix(b"\"").ok_or_else(wrong)?;
        text.clear();
        loop {
            let stop = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).ok_or_else(wrong)?;
            text.extend_from_slice(&rest[..stop]);
            if rest[stop] == b'"' {
                rest = &rest[stop + 1..];
                break;
            }
            let escaped = rest.get(stop + 1).filter(|byte| matches!(byte, b'"' | b'\\')).ok_or_else(wrong)?;
            text.push(*escaped);
            rest = &rest[stop + 2..];
        }
        each(&text)?;
        match rest {
            [] => return Ok(()),
            [b',', after @ ..] => rest = after,
            _ => return Err(wrong().into()),
        }
    }
}

/// A text as a JSON string.
pub fn write(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 4);
    quoted.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strings(array: &[u8]) -> Result<Vec<Vec<u8>>, NotQuoted> {
        let mut all = Vec::new();
        read(array, |text| {
            all.push(text.to_vec());
            Ok::<_, NotQuoted>(())
        })?;
        Ok(all)
    }

    #[test]
    fn an_array_gives_its_strings() {
        assert_eq!(strings(br#"["a","\"b\\","" ]"#), Err(NotQuoted(r#"["a","\"b\\","" ]"#.to_owned())));
        assert_eq!(strings(br#"["a","\"b\\",""]"#).unwrap(), [&b"a"[..], b"\"b\\", b""]);
    }

    #[test]
    fn what_is_no_array_of_strings_is_refused() {
        for array in [&b""[..], b"[]", b"[", br#"["a"#, br#"["a""b"]"#, br#"["a",]"#, br#"["\n"]"#, br#"["a\"]"#] {
            assert!(strings(array).is_err(), "{array:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec("[a-c\"\\\\]{0,8}", 1..5)) {
            let quoted: Vec<_> = texts.iter().map(|text| write(text.as_bytes())).collect();
            let array = [b"[", &quoted.join(&b","[..])[..], b"]"].concat();
            let read: Vec<_> = strings(&array).unwrap();
            prop_assert_eq!(read, texts.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        }
    }
}
