//! The plugin's table in `plugins.toml`.

use schemars::JsonSchema;
use serde::Deserialize;

/// How long and how many acknowledgements are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long a client may take to acknowledge an event, in milliseconds, where the application doesn't say. Default 10,000.
    pub ack_timeout_ms: u64,
    /// How many acknowledgements one client may owe at once; more are refused. Default 1,000.
    pub max_pending_per_spark: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { ack_timeout_ms: 10_000, max_pending_per_spark: 1_000 }
    }
}
