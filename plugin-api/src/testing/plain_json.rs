//! The bench's own parser, for tests that bring none: JSON without refinements.

use crate::message::Kind;
use crate::parser::{ByteSet, ParseError, Parser};
use crate::value::{self, Value};

/// JSON text. Byte strings become arrays of numbers.
pub(super) struct PlainJson;

impl Parser for PlainJson {
    fn name(&self) -> &str {
        "json"
    }

    fn decode(&self, _: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        let mut deserializer = serde_json::Deserializer::from_slice(wire);
        value::encode_from(&mut deserializer, value)
            .and_then(|()| deserializer.end())
            .map_err(|error| ParseError::new(error.to_string()))
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        let tree: Value = value::decode(value).map_err(|error| ParseError::new(error.to_string()))?;
        serde_json::to_writer(wire, &tree).map_err(|error| ParseError::new(error.to_string()))?;
        Ok(Some(Kind::Text))
    }

    fn decode_string(&self, _: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        serde_json::from_slice(wire).ok().filter(|text: &String| text.starts_with(prefix))
    }

    fn string_lead(&self) -> ByteSet {
        ByteSet::of(b"\" \t\r\n")
    }
}
