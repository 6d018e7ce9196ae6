//! The lean host: it accepts connections, loads plugins, and leads messages between them. It knows no protocol and no policy.
//!
//! Start reading at [`server`] for how it comes up, at [`gateway`] for a request, at [`shard`] for a message, at [`control`] for
//! a plugin's life.

pub mod cli;
pub mod config;
pub mod control;
pub mod demands;
pub mod functions;
pub mod gateway;
pub mod generation;
pub mod heap;
pub mod house;
pub mod http;
pub mod inbox;
pub mod listeners;
pub mod loader;
pub mod lock;
pub mod memory;
pub mod operator;
pub mod order;
pub mod panics;
pub mod parsers;
pub mod primus;
pub mod server;
pub mod shard;
pub mod snapshot;
pub mod spark;
pub mod standing;
pub mod supervisor;
pub mod upgrade;
pub mod watch;
