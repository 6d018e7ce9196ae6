//! The plugin's table in `plugins.toml`, and what it means once it is checked.

use std::time::Duration;

use plugin_api::StartError;
use resumable::Limits;
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin's table in `plugins.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The longest message from a client, in bytes. The server's `max_message` counts, too, for the body of a request. Default:
    /// 10485760. A longer one is answered with 413 and closes the session with code 1009.
    pub max_message_bytes: usize,
    /// How many bytes of messages may wait in a session for a response to carry them. Default: 16777216. With more, the session
    /// is closed with code 1013.
    pub max_pending_bytes: usize,
    /// How many bytes of messages that were sent are kept until the client has acknowledged them. Default: 4194304. The oldest
    /// are forgotten first, and the newest never; a client that asks for what is forgotten gets status 410, and its session ends.
    pub max_resend_bytes: usize,
    /// How many sessions clients of one address may have at a time. Default: 10000. Those beyond get status 503.
    pub max_sessions_per_address: u32,
    /// After how long a stream that is silent gets a comment, in milliseconds. Default: 25000.
    pub heartbeat_ms: u64,
    /// How long a session lives without a stream, in milliseconds. Default: 15000.
    pub disconnect_ms: u64,
    /// After how long a stream ends, so that the client opens the next one, in milliseconds. Default: 300000. It is also the time
    /// within which a client that only reads is missed when it is gone without a word.
    pub max_stream_ms: u64,
    /// How long a browser's `EventSource` waits before it opens the next stream, in milliseconds. Default: 1000.
    pub retry_ms: u64,
    /// How many bytes of comment a stream begins with, so that what collects small pieces on the way lets them pass. Default:
    /// 2048.
    pub padding_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_bytes: 10 << 20,
            max_pending_bytes: 16 << 20,
            max_resend_bytes: 4 << 20,
            max_sessions_per_address: 10_000,
            heartbeat_ms: 25_000,
            disconnect_ms: 15_000,
            max_stream_ms: 300_000,
            retry_ms: 1_000,
            padding_bytes: 2_048,
        }
    }
}

impl Config {
    /// What a session may cost.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn limits(&self) -> Result<Limits, StartError> {
        Limits::check([
            ("max_message_bytes", self.max_message_bytes as u64),
            ("max_pending_bytes", self.max_pending_bytes as u64),
            ("max_resend_bytes", self.max_resend_bytes as u64),
            ("max_sessions_per_address", self.max_sessions_per_address.into()),
            ("heartbeat_ms", self.heartbeat_ms),
            ("disconnect_ms", self.disconnect_ms),
            ("max_stream_ms", self.max_stream_ms),
        ])?;
        if self.padding_bytes > 1 << 20 {
            return Err(StartError::at("padding_bytes", "is more than 1048576: each stream begins with as much"));
        }
        Ok(Limits {
            max_message: self.max_message_bytes,
            max_pending: self.max_pending_bytes,
            max_resend: self.max_resend_bytes,
            // What asks for a response that ends after the first event has one with all that waits.
            max_response: 1 << 20,
            heartbeat: Duration::from_millis(self.heartbeat_ms),
            disconnect: Duration::from_millis(self.disconnect_ms),
            max_stream: Duration::from_millis(self.max_stream_ms),
            max_sessions_per_address: self.max_sessions_per_address,
        })
    }
}
