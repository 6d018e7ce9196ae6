//! Runs plugins, transports and parsers in memory: no socket, no clock, and yet through the very boundary that a host uses.
//!
//! - [`Bench`] starts plugins in a small host of its own. [`Client`]s connect to it, send and receive; requests, timers, services,
//!   counters and logs are there too.
//! - [`TransportHarness`] drives a transport's sessions with bytes and shows their [`Event`]s.
//! - [`ParserHarness`] leads values through a parser.
//!
//! ```
//! use plugin_api::prelude::*;
//! use plugin_api::testing::{Bench, Fate, json};
//!
//! struct Shout;
//!
//! impl Plugin for Shout {
//!     const NAME: &'static str = "shout";
//!     type Config = NoConfig;
//!
//!     fn start(_config: NoConfig, _host: Host) -> Result<Self, StartError> {
//!         Ok(Shout)
//!     }
//!
//!     fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
//!         registrar.message(|spark, message| match message.decode::<String>() {
//!             Ok(text) => drop(spark.write(&text.to_uppercase())),
//!             Err(error) => tracing::warn!(%error, "not a text"),
//!         });
//!     }
//! }
//!
//! export_plugin!(Shout);
//!
//! # fn main() {
//! let bench = Bench::start::<Shout>(json!({})).unwrap();
//! let ann = bench.connect("/primus?name=ann").unwrap();
//!
//! assert_eq!(ann.send("hello"), Fate::Consumed);
//! assert_eq!(ann.received::<String>(), ["HELLO"]);
//!
//! ann.send(&7);
//! assert_eq!(bench.logs()[0].message, "not a text");
//! # }
//! ```
//!
//! # What the bench does as a host does, and what it does not
//!
//! Hooks run in the order of their priorities, and of the plugins' start and registration where those are equal; a deferred
//! message holds back the later ones of its spark. Everything of the host's own protocol is left out: there are no `primus::`
//! messages, no heartbeats, no limits. Sparks use the first parser that a plugin of the bench brings, else the bench's own, which
//! is plain JSON.
//!
//! The thread that works with the bench is its only shard. What plugins ask of the host on other threads waits until the next
//! call of the bench or of one of its clients. Nothing sleeps: where a future of a plugin or a deferred message is waited for, it
//! is until the plugin answers, with a deadline that a working test never meets.
//!
//! # Panics
//!
//! A plugin that panics, or breaks its contract with the host, fails the test: the call that led to it panics with the report.
#![forbid(unsafe_code)]

mod bench;
mod boundary;
mod client;
mod log;
mod parser;
mod plain_json;
mod plugged;
mod requests;
mod transport;
mod world;

pub use serde_json::json;

pub use self::bench::{Bench, Part, Setup};
pub use self::client::{Client, Fate};
pub use self::log::Log;
pub use self::parser::ParserHarness;
pub use self::transport::{Event, SessionHarness, TransportHarness};
