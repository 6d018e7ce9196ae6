//! The parser that does nothing: a text message is a text, a binary message is its bytes. For applications with a format of their
//! own, and for devices that have none.
//!
//! | value | on the wire | comes back as |
//! | --- | --- | --- |
//! | text | a text message, as it is | the same |
//! | byte string | a binary message, as it is | the same |
//! | `null` | nothing is sent | – |
//! | anything else | is refused | – |
//!
//! An application that writes something else to such a client has to put it into text or bytes itself; it is told so. The control
//! messages of Primus are texts like any other. The length of a message is the transport's to limit.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;
use plugin_api::value::{Date, DecodeError, Visit, Writer, walk};
use plugin_api::{ParseError, Parser};

/// The plugin. It has nothing to set.
pub struct RawPlugin;

impl Plugin for RawPlugin {
    const NAME: &'static str = "raw";
    const DESCRIPTION: &'static str = "messages as they are: text, or bytes";
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.parser(Raw);
        registrar.client_part(ClientPart::Parser, Self::NAME, include_str!("../client.js"));
    }
}

export_plugin!(RawPlugin);

/// The parser. Any byte may begin a string, so every short text is compared with the prefix of a control message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Parser for Raw {
    fn name(&self) -> &str {
        RawPlugin::NAME
    }

    fn decode(&self, kind: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        match kind {
            Kind::Text => {
                let text =
                    std::str::from_utf8(wire).map_err(|error| ParseError::new(format!("the message is not UTF-8: {error}")))?;
                Writer::new(value).str(text);
            }
            Kind::Binary => Writer::new(value).bytes(wire),
        }
        Ok(())
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        let start = wire.len();
        let mut copy = Copy { wire, kind: None };
        let walked = walk(value, &mut copy);
        let kind = copy.kind;
        match walked {
            Ok(()) => Ok(kind),
            Err(error) => {
                wire.truncate(start);
                Err(ParseError::new(error.to_string()))
            }
        }
    }

    fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        if kind == Kind::Binary || !wire.starts_with(prefix.as_bytes()) {
            return None;
        }
        std::str::from_utf8(wire).ok().map(str::to_owned)
    }
}

/// A value that isn't carried.
#[derive(Debug, thiserror::Error)]
enum EncodeError {
    #[error(transparent)]
    Value(#[from] DecodeError),
    #[error("a client with the raw parser takes text and byte strings, not {0}")]
    Unsupported(&'static str),
}

/// Copies the one value that there is.
struct Copy<'w> {
    wire: &'w mut Vec<u8>,
    kind: Option<Kind>,
}

macro_rules! refused {
    ($($method:ident($($argument:ty)?), $what:literal;)*) => {
        $(fn $method(&mut self, $(_: $argument)?) -> Result<(), EncodeError> {
            Err(EncodeError::Unsupported($what))
        })*
    };
}

impl Visit for Copy<'_> {
    type Error = EncodeError;

    fn null(&mut self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn str(&mut self, value: &str) -> Result<(), EncodeError> {
        self.wire.extend_from_slice(value.as_bytes());
        self.kind = Some(Kind::Text);
        Ok(())
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        self.wire.extend_from_slice(value);
        self.kind = Some(Kind::Binary);
        Ok(())
    }

    refused! {
        bool(bool), "a truth value";
        i64(i64), "a number";
        u64(u64), "a number";
        f64(f64), "a number";
        date(Date), "a date";
        begin_array(Option<usize>), "an array";
        end_array(), "an array";
        begin_object(Option<usize>), "an object";
        key(&str), "an object";
        end_object(), "an object";
    }
}

#[cfg(test)]
mod tests;
