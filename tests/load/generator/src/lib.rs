//! The load generator: one thread, one epoll, frames built in advance, every payload verified.
//!
//! It drives a server that it didn't start, and says what that server's process spent. It knows the dialects that the
//! compared servers speak ([`dialect`], on one [`connection`] or [`over_http`]) and three workloads: [`echo`], [`fan_out`] (with [`light`] clients too) and
//! [`idle`]. It refuses to know servers by name, rounds, tables and charts: those are `cargo xtask bench`'s.
//!
//! So that it isn't what limits a run: requests are prebuilt and only their numbers are patched ([`burst`]), all
//! requests that a turn frees leave in one write, input is parsed in one shared buffer without a copy
//! ([`socket`]), and a payload is verified by one comparison ([`message`]). Its own CPU share is in every report.
//!
//! Start reading at [`echo`].

#![forbid(unsafe_code)]

pub mod burst;
pub mod carrier;
pub mod connection;
pub mod dialect;
pub mod echo;
pub mod fan_out;
pub mod frame;
pub mod http;
pub mod idle;
pub mod latency;
pub mod light;
pub mod message;
pub mod meter;
pub mod over_http;
pub mod process;
pub mod quoted;
pub mod session;
pub mod socket;
