//! The plugin's table in `plugins.toml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Who may connect. Nobody, by default: there are no credentials that a server comes with.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What browsers show when they ask for a name and a password. Default `Switchboard`.
    pub realm: String,
    /// The users: each name with the hash of its password, as a PHC string of Argon2 (`$argon2id$…`). Default none.
    pub users: BTreeMap<String, String>,
    /// How many passwords are checked at once. A check takes a processor core for some ten milliseconds, and the memory that its
    /// hash names. Default 2.
    pub max_checks: usize,
    /// How many more wait for their check; beyond that, connections are refused with 503. Default 64.
    pub max_waiting: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { realm: "Switchboard".to_owned(), users: BTreeMap::new(), max_checks: 2, max_waiting: 64 }
    }
}
