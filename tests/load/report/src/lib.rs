//! What one run of the load generator says: a line of JSON that the generator writes and `cargo xtask bench` reads.
//!
//! Knows the fields and their units. Knows nothing of sockets, servers or tables.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Messages went to and fro for a while.
    Traffic(Traffic),
    /// Connections were opened and left alone.
    Idle(Idle),
}

/// What a stream of messages cost, within the measured window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Messages that arrived at clients, each one verified: echoes, or deliveries of a fan-out.
    pub messages: u64,
    /// Length of the window, seconds.
    pub seconds: f64,
    /// CPU time that the server's process (all its threads, user and kernel) spent in the window, µs a message.
    pub server_cpu_us: f64,
    /// The server's CPU time over the window's length: 1.0 is one core kept busy.
    pub server_share: f64,
    /// The same for the load generator itself.
    pub generator_share: f64,
    /// From the write of a message to the read that brought it back, µs, median.
    pub p50_us: f64,
    /// The same, 99th percentile.
    pub p99_us: f64,
}

impl Traffic {
    /// Verified messages a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds
    }
}

/// What idle connections keep resident in the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// Connections that were opened between the two readings.
    pub connections: u64,
    /// The server's resident set before, bytes.
    pub before: u64,
    /// The server's resident set after, bytes.
    pub after: u64,
}

impl Idle {
    /// Resident bytes a connection.
    pub fn bytes_per_connection(&self) -> f64 {
        (self.after as f64 - self.before as f64) / self.connections as f64
    }
}
