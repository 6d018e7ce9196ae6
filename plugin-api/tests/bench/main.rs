//! Every kind of registration, from end to end through the boundary, by the bench.
#![forbid(unsafe_code)]

mod connections;
mod errors;
mod generations;
mod messages;
mod protocols;
mod requests;
mod services;
mod timers;
