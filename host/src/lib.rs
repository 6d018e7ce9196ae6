//! The lean host.

pub mod config;
pub mod http;
