//! A parser: JSON. A message that is the text `"poison"` makes it panic when it is decoded, one that is `"maze"` is too deep.

use plugin_api::prelude::*;
use plugin_api::{ByteSet, ParseError, ParseLimit, Parser, value};

struct Json;

impl Plugin for Json {
    const NAME: &'static str = "json";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.parser(Json);
    }
}

export_plugin!(Json);

impl Parser for Json {
    fn name(&self) -> &str {
        "json"
    }

    fn decode(&self, _: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        assert_ne!(wire, b"\"poison\"");
        if wire == b"\"maze\"" {
            return Err(ParseError::over(ParseLimit::Depth, "too deep"));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(wire);
        value::encode_from(&mut deserializer, value).map_err(|error| ParseError::new(error.to_string()))
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
        ByteSet::of(b"\"")
    }
}
