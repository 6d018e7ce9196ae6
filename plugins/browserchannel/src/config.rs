//! The plugin's table in `plugins.toml`, and what it means once it is checked.

use std::time::Duration;

use plugin_api::StartError;
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin's table in `plugins.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The longest message from a client, in bytes. The server's `max_message` counts, too, for the body that carries it. Default:
    /// 10485760. A longer one ends the session.
    pub max_message_bytes: usize,
    /// What may wait in a session until its client has acknowledged it, in bytes. Default: 16777216. With more, the session ends.
    pub max_pending_bytes: usize,
    /// What may wait in a session for messages before it that are still on their way, in bytes. Default: 1048576. With more, the
    /// session ends.
    pub max_ahead_bytes: usize,
    /// After how many bytes the response that brings messages ends, so that the client opens a new one and browsers forget the
    /// former. Default: 131072. It bounds what a client that doesn't read costs, too.
    pub response_limit_bytes: usize,
    /// After how long a response that is silent gets a `noop`, in milliseconds. Default: 20000.
    pub keepalive_ms: u64,
    /// How long a session lives without a response that brings messages, in milliseconds. Default: 30000.
    pub session_timeout_ms: u64,
    /// How many sessions clients of one address may have at a time. Default: 10000. Those beyond get status 503.
    pub max_sessions_per_address: u32,
    /// Names before the host's own, of which a client takes one for its requests: browsers limit the connections to each host.
    /// `["a", "b"]` sends clients of `example.com` to `a.example.com` or `b.example.com`. Default: none.
    pub host_prefixes: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_bytes: 10 << 20,
            max_pending_bytes: 16 << 20,
            max_ahead_bytes: 1 << 20,
            response_limit_bytes: 128 << 10,
            keepalive_ms: 20_000,
            session_timeout_ms: 30_000,
            max_sessions_per_address: 10_000,
            host_prefixes: Vec::new(),
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
    /// See [`Config::max_ahead_bytes`].
    pub max_ahead: usize,
    /// See [`Config::response_limit_bytes`].
    pub response_limit: usize,
    /// See [`Config::keepalive_ms`].
    pub keepalive: Duration,
    /// See [`Config::session_timeout_ms`].
    pub session_timeout: Duration,
    /// See [`Config::host_prefixes`].
    pub host_prefixes: Vec<String>,
}

impl Settings {
    /// Checks a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let positive = [
            ("max_message_bytes", config.max_message_bytes as u64),
            ("max_pending_bytes", config.max_pending_bytes as u64),
            ("max_ahead_bytes", config.max_ahead_bytes as u64),
            ("response_limit_bytes", config.response_limit_bytes as u64),
            ("keepalive_ms", config.keepalive_ms),
            ("session_timeout_ms", config.session_timeout_ms),
            ("max_sessions_per_address", config.max_sessions_per_address.into()),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(StartError::at(key, "must be more than 0"));
        }
        let is_of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        for (place, prefix) in config.host_prefixes.iter().enumerate() {
            if prefix.is_empty() || !prefix.bytes().all(is_of_a_name) {
                return Err(StartError::at(format!("host_prefixes[{place}]"), "is no part of a host's name"));
            }
        }
        Ok(Self {
            max_message: config.max_message_bytes,
            max_pending: config.max_pending_bytes,
            max_ahead: config.max_ahead_bytes,
            response_limit: config.response_limit_bytes,
            keepalive: Duration::from_millis(config.keepalive_ms),
            session_timeout: Duration::from_millis(config.session_timeout_ms),
            host_prefixes: config.host_prefixes.clone(),
        })
    }
}
