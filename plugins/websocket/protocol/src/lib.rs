//! WebSocket (RFC 6455, RFC 7692) as a sans-IO state machine, for every transport that runs on it.
//!
//! Start reading at `connection`: the way of a message from bytes to whatever takes it. A handshake begins in `handshake`.
//! Knows nothing of sockets and sparks, and nothing of what the messages say: a [`Receiver`] takes them.
#![forbid(unsafe_code)]

mod close;
mod connection;
mod deflate;
mod endpoint;
mod error;
mod extension;
mod frame;
mod handshake;
mod incomplete;
mod mask;
mod message;
mod origin;
mod settings;
mod utf8;

pub use close::CloseCode;
pub use connection::{Connection, Over, Receiver, Replies, TIMER};
pub use deflate::{Context, Parameters, WindowBits};
pub use endpoint::{Endpoint, write_in_place, write_prefixed};
pub use extension::is_token_byte;
pub use handshake::{Acceptance, Refusal, judge};
pub use origin::{NoOrigin, Rule};
pub use settings::{Compression, Settings};
