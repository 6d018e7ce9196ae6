//! The walk between a binary format and values, which the parsers of such formats share. No plugin.
//!
//! A format says what its bytes are, token by token ([`Tokens`]), and how each piece of a value is written ([`Format`]); what holds
//! for all of them is here: the way through arrays and objects, the [`Limits`], keys that aren't text, messages that end early or
//! late. No length of a message is believed: none reserves memory, each is only a number of tokens that have to come.
//!
//! Knows no format's bytes.
#![forbid(unsafe_code)]

mod cursor;
mod error;
mod limits;
mod read;
mod write;

pub use cursor::Cursor;
pub use error::{DecodeError, EncodeError, Fault};
pub use limits::Limits;
pub use read::{Token, Tokens, date_from_ms, decode, string};
pub use write::{Format, encode};

/// The client part of a binary parser: what such parts share, and the parser's own text behind it.
pub fn client(part: &str) -> String {
    [include_str!("../client.js"), part].join("\n")
}
