//! The MessagePack parser: binary messages, as the npm package `primus-msgpack` (msgpack-lite 0.1.26) writes and reads them.
//!
//! | value | on the wire | comes back as |
//! | --- | --- | --- |
//! | whole number of 32 bits with sign | the shortest integer | integer |
//! | other number up to 2^53, NaN, infinities | float64 | the same number; -0 is 0, as msgpack-lite sends it |
//! | integer beyond 2^53 | int64 or uint64 (JavaScript rounds them) | the same integer |
//! | number of single precision | float32, if it isn't whole | the same number |
//! | text | str; half surrogates, and what else isn't UTF-8, are U+FFFD | the same |
//! | byte string | bin (bin16 from 255 bytes on, as msgpack-lite has it) | the same |
//! | date | extension 0x0d around the number of its milliseconds | the same; an invalid one as `null` |
//! | `undefined`, a function | nil, by the client | `null` |
//!
//! Read besides, since clients send them: msgpack-lite's typed arrays, `ArrayBuffer` and `DataView` (extensions 0x11 to 0x1d: byte
//! strings), its errors (0x01 to 0x06 and 0x0e: objects), regular expressions (0x0a: `[source, flags]`) and boxed values (0x0b,
//! 0x0c, 0x0f: what is in them), and the timestamps of MessagePack's specification (extension -1: dates). Other extensions are
//! refused. Keys that are whole numbers, truth values or nil become text.
//!
//! A text message is refused. What a message may be at most is told in [`tokens::Limits`], which is the plugin's configuration.
#![forbid(unsafe_code)]

mod extension;
mod read;
mod write;

use plugin_api::prelude::*;
use plugin_api::{ByteSet, ParseError, Parser};
use tokens::Limits;

use crate::read::Reader;
use crate::write::MsgpackLite;

/// The plugin.
pub struct MsgpackPlugin {
    limits: Limits,
}

impl Plugin for MsgpackPlugin {
    const NAME: &'static str = "msgpack";
    const DESCRIPTION: &'static str = "messages as MessagePack, with dates and bytes";
    type Config = Limits;

    fn start(config: Limits, _host: Host) -> Result<Self, StartError> {
        Ok(Self { limits: config.checked()? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.parser(Msgpack { limits: self.limits });
        registrar.client_part(ClientPart::Parser, Self::NAME, &tokens::client(include_str!("../client.js")));
    }
}

export_plugin!(MsgpackPlugin);

/// The parser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Msgpack {
    /// What a message may be at most.
    pub limits: Limits,
}

impl Parser for Msgpack {
    fn name(&self) -> &str {
        MsgpackPlugin::NAME
    }

    fn decode(&self, kind: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        Ok(tokens::decode::<Reader<'_>>(kind, wire, &self.limits, value)?)
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        tokens::encode::<MsgpackLite>(value, wire)?;
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
