//! The plugin's table in `plugins.toml`, and what it means once it is checked.

use std::time::Duration;

use plugin_api::StartError;
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin's table in `plugins.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The longest message from a client, in bytes, when it is unpacked. The server's `max_message` counts, too, for what
    /// carries messages: the body of a request; a WebSocket's frame may be twice as long. Default: 10485760. A longer one closes
    /// the session with code 1009.
    pub max_message_bytes: usize,
    /// How many bytes of messages may wait in a session for the client to fetch them. Default: 16777216. With more, the session
    /// is closed with code 1013.
    pub max_pending_bytes: usize,
    /// After how many bytes the response of a streaming carrier ends, so that the client opens a new one and browsers forget
    /// the former. Default: 131072. It bounds what a client that doesn't read costs, too.
    pub response_limit_bytes: usize,
    /// After how long a carrier that is silent gets a heartbeat, in milliseconds. Default: 25000.
    pub heartbeat_ms: u64,
    /// How long a session lives without a carrier, and how long the close of one is told to clients that ask again, in
    /// milliseconds. Default: 5000.
    pub disconnect_ms: u64,
    /// How many sessions clients of one address may have at a time. Default: 10000. Those beyond get status 503.
    pub max_sessions_per_address: u32,
    /// Where the iframe page loads the SockJS client from. Default: the release at cdn.jsdelivr.net that `sockjs-client` itself
    /// names.
    pub client_url: String,
    /// Whether the served client has SockJS among its transports, by streaming responses. Default: false, since others serve it
    /// better.
    pub client: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_bytes: 10 << 20,
            max_pending_bytes: 16 << 20,
            response_limit_bytes: 128 << 10,
            heartbeat_ms: 25_000,
            disconnect_ms: 5_000,
            max_sessions_per_address: 10_000,
            client_url: "https://cdn.jsdelivr.net/npm/sockjs-client@1.6.1/dist/sockjs.min.js".to_owned(),
            client: false,
        }
    }
}

/// A configuration that makes sense.
#[derive(Debug, Clone)]
pub struct Settings {
    /// See [`Config::max_message_bytes`].
    pub max_message: usize,
    /// See [`Config::max_pending_bytes`].
    pub max_pending: usize,
    /// See [`Config::response_limit_bytes`].
    pub response_limit: usize,
    /// See [`Config::heartbeat_ms`].
    pub heartbeat: Duration,
    /// See [`Config::disconnect_ms`].
    pub disconnect: Duration,
    /// See [`Config::max_sessions_per_address`].
    pub max_sessions_per_address: u32,
    /// See [`Config::client_url`].
    pub client_url: String,
}

impl Settings {
    /// Checks a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let positive = [
            ("max_message_bytes", config.max_message_bytes as u64),
            ("max_pending_bytes", config.max_pending_bytes as u64),
            ("response_limit_bytes", config.response_limit_bytes as u64),
            ("heartbeat_ms", config.heartbeat_ms),
            ("disconnect_ms", config.disconnect_ms),
            ("max_sessions_per_address", config.max_sessions_per_address.into()),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(StartError::at(key, "must be more than 0"));
        }
        let web = config.client_url.starts_with("https://") || config.client_url.starts_with("http://");
        if !(web || config.client_url.starts_with('/')) || config.client_url.contains(['"', '<', '>', ' ']) {
            return Err(StartError::at("client_url", "is neither a URL (https://…) nor a path of this server (/…)"));
        }
        Ok(Self {
            max_message: config.max_message_bytes,
            max_pending: config.max_pending_bytes,
            response_limit: config.response_limit_bytes,
            heartbeat: Duration::from_millis(config.heartbeat_ms),
            disconnect: Duration::from_millis(config.disconnect_ms),
            max_sessions_per_address: config.max_sessions_per_address,
            client_url: config.client_url,
        })
    }
}
