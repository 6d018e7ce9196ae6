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
    /// How many bytes of messages one response carries; the rest waits for the next request. A longer message is alone in its
    /// response. Default: 1048576.
    pub max_response_bytes: usize,
    /// How many sessions clients of one address may have at a time. Default: 10000. Those beyond get status 503.
    pub max_sessions_per_address: u32,
    /// How long a request waits for messages before it is answered without any, in milliseconds. Default: 25000.
    pub poll_ms: u64,
    /// How long a session lives without a request that waits, in milliseconds. Default: 15000.
    pub disconnect_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_bytes: 10 << 20,
            max_pending_bytes: 16 << 20,
            max_response_bytes: 1 << 20,
            max_sessions_per_address: 10_000,
            poll_ms: 25_000,
            disconnect_ms: 15_000,
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
            ("max_response_bytes", self.max_response_bytes as u64),
            ("max_sessions_per_address", self.max_sessions_per_address.into()),
            ("poll_ms", self.poll_ms),
            ("disconnect_ms", self.disconnect_ms),
        ])?;
        Ok(Limits {
            max_message: self.max_message_bytes,
            max_pending: self.max_pending_bytes,
            // Each request acknowledges what the response before it carried: nothing more is ever kept.
            max_resend: usize::MAX,
            max_response: self.max_response_bytes,
            heartbeat: Duration::from_millis(self.poll_ms),
            disconnect: Duration::from_millis(self.disconnect_ms),
            max_stream: Duration::MAX,
            max_sessions_per_address: self.max_sessions_per_address,
        })
    }
}
