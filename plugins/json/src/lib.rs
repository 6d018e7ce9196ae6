//! The JSON parser: messages as text, as `JSON.stringify` and `JSON.parse` have them. Primus's default.
//!
//! | value | on the wire | comes back as |
//! | --- | --- | --- |
//! | date | ISO 8601 text, as JavaScript's `toISOString`; `null` outside of its range | text |
//! | byte string | `{"type":"Buffer","data":[…]}`, as Node's `Buffer` | such an object |
//! | NaN, infinities | `null` | `null` |
//! | integer beyond 2^53 | all its digits (JavaScript rounds them) | the same integer up to 64 bits |
//! | whole float below 2^53 | without a fraction, as JavaScript's numbers | integer |
//! | text | U+2028 and U+2029 escaped, as Primus does | the same |
//!
//! A binary message is no JSON: it is one byte string, untouched, as with Primus. Half of a surrogate pair, which `JSON.parse`
//! takes and no UTF-8 can hold, is read as U+FFFD. A number that no float can hold (`1e400`) is refused. What a message may be at most
//! is told in [`tokens::Limits`], which is the plugin's configuration; but arrays and objects nest at most 127 deep. The encoded value
//! takes at most 2.25 times the bytes of the text.
#![forbid(unsafe_code)]

use json_text::decode::DecodeError;
use json_text::{decode, encode};
use plugin_api::prelude::*;
use plugin_api::value::Writer;
use plugin_api::{ByteSet, ParseError, ParseLimit, Parser};
use tokens::{Fault, Limits};

mod measure;

/// The plugin.
pub struct JsonPlugin {
    limits: Limits,
}

impl Plugin for JsonPlugin {
    const NAME: &'static str = "json";
    const DESCRIPTION: &'static str = "messages as JSON text";
    type Config = Limits;

    fn start(config: Limits, _host: Host) -> Result<Self, StartError> {
        Ok(Self { limits: config.checked()? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.parser(Json { limits: self.limits });
        registrar.client_part(ClientPart::Parser, Self::NAME, include_str!("../client.js"));
    }
}

export_plugin!(JsonPlugin);

/// The parser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json {
    /// What a message may be at most.
    pub limits: Limits,
}

impl Json {
    fn decode_text(&self, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        self.limits.admit(wire.len()).map_err(refused)?;
        let start = value.len();
        decode::text(wire, value).map_err(|error| match error {
            DecodeError::Depth => ParseError::over(ParseLimit::Depth, error.to_string()),
            DecodeError::Utf8(_) | DecodeError::Syntax(_) => ParseError::new(error.to_string()),
        })?;
        measure::check(wire, &value[start..], &self.limits).map_err(|fault| {
            value.truncate(start);
            refused(fault)
        })
    }
}

fn refused(fault: Fault) -> ParseError {
    ParseError { reason: fault.to_string(), limit: fault.limit() }
}

impl Parser for Json {
    fn name(&self) -> &str {
        JsonPlugin::NAME
    }

    fn decode(&self, kind: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        match kind {
            Kind::Binary => {
                Writer::new(value).bytes(wire);
                Ok(())
            }
            Kind::Text => self.decode_text(wire, value),
        }
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        encode::value(value, wire).map_err(|error| ParseError::new(error.to_string()))?;
        Ok(Some(Kind::Text))
    }

    fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        match kind {
            Kind::Binary => None,
            Kind::Text => decode::string(wire, prefix),
        }
    }

    fn string_lead(&self) -> ByteSet {
        // White space may stand before the quotation mark (RFC 8259, section 2).
        ByteSet::of(b"\" \t\n\r")
    }
}

#[cfg(test)]
mod tests;
