//! From JSON text (RFC 8259) to an encoded value.

use plugin_api::value;
use serde_json::Deserializer;

use crate::surrogates;

/// Why a text is refused.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The transport said that it is text.
    #[error("the message is not UTF-8: {0}")]
    Utf8(#[from] std::str::Utf8Error),
    /// Arrays and objects lie deeper in each other than 127.
    #[error("the message is nested deeper than {DEPTH_LIMIT}")]
    Depth,
    /// It is not one JSON value, or has a number that no float can hold.
    #[error("the message is not JSON: {0}")]
    Syntax(serde_json::Error),
}

/// How deep arrays and objects may lie in each other: what serde_json reads.
pub const DEPTH_LIMIT: usize = 127;

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        // serde_json has no other sign of it, and the tests would see it change.
        if error.to_string().starts_with("recursion limit exceeded") { Self::Depth } else { Self::Syntax(error) }
    }
}

/// Appends the encoding of the value that a text is. After an error nothing is appended.
///
/// # Errors
///
/// See [`DecodeError`].
pub fn text(wire: &[u8], value: &mut Vec<u8>) -> Result<(), DecodeError> {
    let text = std::str::from_utf8(wire)?;
    let start = value.len();
    let Err(error) = parse(text, value) else { return Ok(()) };
    value.truncate(start);
    // serde_json refuses half surrogates. They are rare: whoever sends none doesn't pay for them.
    let Some(repaired) = surrogates::replaced(text) else { return Err(error.into()) };
    parse(&repaired, value).map_err(|error| {
        value.truncate(start);
        error.into()
    })
}

fn parse(text: &str, value: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let mut deserializer = Deserializer::from_str(text);
    value::encode_from(&mut deserializer, value)?;
    deserializer.end()
}

/// The string that a text is, if it is one that begins with `prefix`.
pub fn string(wire: &[u8], prefix: &str) -> Option<String> {
    let written = wire.trim_ascii_start().strip_prefix(b"\"")?;
    let plain = written.iter().zip(prefix.as_bytes()).take_while(|(found, wanted)| found == wanted).count();
    // Where the texts part there may be an escape that stands for the wanted character; anything else is another string.
    if plain < prefix.len() && written.get(plain) != Some(&b'\\') {
        return None;
    }
    serde_json::from_slice(wire).ok().filter(|text: &String| text.starts_with(prefix))
}
