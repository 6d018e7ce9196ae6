//! The parser of BinaryPack: binary messages, as the npm package `binary-pack` writes and reads them. Not MessagePack, of which it is a
//! cousin: other heads for texts, raw bytes besides them, no extensions.
//!
//! | value | on the wire | comes back as |
//! | --- | --- | --- |
//! | whole number of 32 bits, with or without sign | the shortest integer | integer |
//! | other number, NaN, infinities | double | the same number; -0 is 0, as npm's sends it |
//! | integer beyond 32 bits | double: exact up to 2^53 | float |
//! | number of single precision | float, if it isn't whole | the same number |
//! | text | string; half surrogates, and what else isn't UTF-8, are U+FFFD | the same |
//! | byte string | raw | the same |
//! | date | text, as JavaScript's `Date` writes it, in UTC | that text |
//! | `undefined` | nil, by the client | `null` |
//!
//! What npm's does badly and we do otherwise: it writes integers beyond 32 bits as int64 and uint64, which its decoder for Node can't
//! read; it refuses infinities and whole numbers beyond 2^64. We write both as doubles, which it reads. (Its int64 and uint64 are read
//! here.) What can't be helped: its library for browsers counts an astral character as six bytes and then writes four, so
//! that a short text with an emoji is refused here or spoils what follows; and there it reads such a character as garbage.
//!
//! A text message is refused, and so are bytes after the value, which npm's ignores. Keys that are whole numbers, truth values or nil
//! become text. What a message may be at most is told in [`tokens::Limits`], which is the plugin's configuration.
#![forbid(unsafe_code)]

mod date;
mod read;
mod write;

use plugin_api::prelude::*;
use plugin_api::{ByteSet, ParseError, Parser};
use tokens::Limits;

use crate::read::Reader;
use crate::write::BinaryPack;

/// The plugin.
pub struct BinaryPlugin {
    limits: Limits,
}

impl Plugin for BinaryPlugin {
    const NAME: &'static str = "binary";
    const DESCRIPTION: &'static str = "messages as BinaryPack";
    type Config = Limits;

    fn start(config: Limits, _host: Host) -> Result<Self, StartError> {
        Ok(Self { limits: config.checked()? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.parser(Binary { limits: self.limits });
        registrar.client_part(ClientPart::Parser, Self::NAME, &tokens::client(include_str!("../client.js")));
    }
}

export_plugin!(BinaryPlugin);

/// The parser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Binary {
    /// What a message may be at most.
    pub limits: Limits,
}

impl Parser for Binary {
    fn name(&self) -> &str {
        BinaryPlugin::NAME
    }

    fn decode(&self, kind: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        Ok(tokens::decode::<Reader<'_>>(kind, wire, &self.limits, value)?)
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        tokens::encode::<BinaryPack>(value, wire)?;
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
