//! The CBOR parser: binary messages as RFC 8949 has them. Nothing of Primus's; for our own client, and for programs in any language that
//! has a CBOR library.
//!
//! | value | on the wire | comes back as |
//! | --- | --- | --- |
//! | integer | integer, of 64 bits at most | the same (JavaScript rounds beyond 2^53) |
//! | float, NaN, infinities, -0 | the narrowest of half, single and double precision that holds it | the same number |
//! | text | text string; half surrogates are U+FFFD | the same |
//! | byte string | byte string | the same |
//! | date | tag 1 around its seconds: an integer, or a float with milliseconds | the same, up to the year 139000 |
//! | `undefined` | `undefined` (simple value 23) at the top, by the client | `null` |
//!
//! Written are definite lengths and the shortest heads (section 4.1). Read are all well-formed messages (section 3) without
//! these, which no value can hold: integers below -2^63, simple values other than those above, and tags other than 0 and 1 (dates) and
//! 55799 ("this is CBOR"). Keys that are integers, truth values or `null` become text. A text message is refused. What a message may be
//! at most is told in [`tokens::Limits`], which is the plugin's configuration.
#![forbid(unsafe_code)]

mod date;
mod read;
mod write;

use plugin_api::prelude::*;
use plugin_api::{ByteSet, ParseError, Parser};
use tokens::Limits;

use crate::read::Reader;
use crate::write::Rfc8949;

/// The plugin.
pub struct CborPlugin {
    limits: Limits,
}

impl Plugin for CborPlugin {
    const NAME: &'static str = "cbor";
    const DESCRIPTION: &'static str = "messages as CBOR, with dates and bytes";
    type Config = Limits;

    fn start(config: Limits, _host: Host) -> Result<Self, StartError> {
        Ok(Self { limits: config.checked()? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.parser(Cbor { limits: self.limits });
        registrar.client_part(ClientPart::Parser, Self::NAME, &tokens::client(include_str!("../client.js")));
    }
}

export_plugin!(CborPlugin);

/// The parser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cbor {
    /// What a message may be at most.
    pub limits: Limits,
}

impl Parser for Cbor {
    fn name(&self) -> &str {
        CborPlugin::NAME
    }

    fn decode(&self, kind: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        Ok(tokens::decode::<Reader<'_>>(kind, wire, &self.limits, value)?)
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        tokens::encode::<Rfc8949>(value, wire)?;
        Ok(Some(Kind::Binary))
    }

    fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        tokens::string::<Reader<'_>>(kind, wire, prefix)
    }

    fn string_lead(&self) -> ByteSet {
        read::STRING_HEADS
    }
}

#[cfg(test)]
mod tests;
