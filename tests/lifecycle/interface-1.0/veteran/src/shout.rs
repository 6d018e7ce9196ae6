//! A parser that knows texts only: on the wire they end with an exclamation mark.

use plugin_api::value::{self, Writer};
use plugin_api::{Kind, ParseError, Parser};

/// The parser.
pub struct Shout;

impl Parser for Shout {
    fn name(&self) -> &str {
        "shout"
    }

    fn decode(&self, _: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        let text = std::str::from_utf8(wire).ok().and_then(|text| text.strip_suffix('!'));
        Writer::new(value).str(text.ok_or_else(|| ParseError("nobody shouts".to_owned()))?);
        Ok(())
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        let text: &str = value::decode(value).map_err(|error| ParseError(error.to_string()))?;
        wire.extend_from_slice(text.as_bytes());
        wire.push(b'!');
        Ok(Some(Kind::Text))
    }

    fn decode_string(&self, _: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        std::str::from_utf8(wire).ok()?.strip_suffix('!').filter(|text| text.starts_with(prefix)).map(str::to_owned)
    }
}
