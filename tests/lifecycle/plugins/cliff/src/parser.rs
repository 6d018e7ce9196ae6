//! A parser of texts, as they are. Each of its calls comes by the edge.

use plugin_api::value::{self, Writer};
use plugin_api::{Kind, ParseError, Parser};

use crate::Edge;

/// The parser.
pub struct Parsing(pub Edge);

impl Parser for Parsing {
    fn name(&self) -> &str {
        "cliff"
    }

    fn decode(&self, _: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        self.0.pass("decode");
        Writer::new(value).str(std::str::from_utf8(wire).map_err(|error| ParseError::new(error.to_string()))?);
        Ok(())
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        self.0.pass("encode");
        let text: &str = value::decode(value).map_err(|error| ParseError::new(error.to_string()))?;
        wire.extend_from_slice(text.as_bytes());
        Ok(Some(Kind::Text))
    }

    fn decode_string(&self, _: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        self.0.pass("decode_string");
        std::str::from_utf8(wire).ok().filter(|text| text.starts_with(prefix)).map(str::to_owned)
    }
}
