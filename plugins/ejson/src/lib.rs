//! The EJSON parser: JSON text with more kinds of values, as the npm package `ejson` writes and reads it.
//!
//! | value | on the wire | comes back as |
//! | --- | --- | --- |
//! | date | `{"$date":1700000000000}`; `null` outside of JavaScript's range | the same |
//! | byte string | `{"$binary":"AQID"}`, in base64 | the same |
//! | NaN, infinity, -infinity | `{"$InfNaN":0}`, `1`, `-1` | the same |
//! | object that looks like one of these | `{"$escape":{…}}` around it | the same |
//! | regular expression | `{"$regexp":"a","$flags":"g"}`, by clients | an object with these two keys |
//! | value of an application's own type | `{"$type":…,"$value":…}`, by clients | an object with these two keys |
//! | anything else | as JSON has it; see the parser `json` | the same |
//!
//! What has no value of its own here stays an object, and goes out as one (escaped). What npm's does badly and we do otherwise: it
//! writes an invalid date as `{"$date":null}`, which it then reads as 1970; an object with a key `callee` becomes an array.
//!
//! A binary message is refused. What a message may be at most is told in [`tokens::Limits`], which is the plugin's configuration; but
//! arrays and objects nest at most 127 deep, these forms included.
#![forbid(unsafe_code)]

mod decode;
mod encode;
mod special;

use plugin_api::prelude::*;
use plugin_api::{ByteSet, ParseError, Parser};
use tokens::Limits;

/// The plugin.
pub struct EjsonPlugin {
    limits: Limits,
}

impl Plugin for EjsonPlugin {
    const NAME: &'static str = "ejson";
    const DESCRIPTION: &'static str = "messages as JSON text, with dates and bytes";
    type Config = Limits;

    fn start(config: Limits, _host: Host) -> Result<Self, StartError> {
        Ok(Self { limits: config.checked()? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.parser(Ejson { limits: self.limits });
        registrar.client_part(ClientPart::Parser, Self::NAME, include_str!("../client.js"));
    }
}

export_plugin!(EjsonPlugin);

/// The parser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ejson {
    /// What a message may be at most.
    pub limits: Limits,
}

impl Parser for Ejson {
    fn name(&self) -> &str {
        EjsonPlugin::NAME
    }

    fn decode(&self, kind: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        decode::message(kind, wire, &self.limits, value)
            .map_err(|error| ParseError { reason: error.to_string(), limit: error.limit() })
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        encode::value(value, wire).map_err(|error| ParseError::new(error.to_string()))?;
        Ok(Some(Kind::Text))
    }

    fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        match kind {
            Kind::Binary => None,
            Kind::Text => json_text::decode::string(wire, prefix),
        }
    }

    fn string_lead(&self) -> ByteSet {
        // White space may stand before the quotation mark (RFC 8259, section 2).
        ByteSet::of(b"\" \t\n\r")
    }
}

#[cfg(test)]
mod tests;
