//! The plugin's table in `plugins.toml`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Bounds on rooms, and what clients may do by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many rooms there may be at once. Default 100,000.
    pub max_rooms: usize,
    /// In how many rooms a spark may be at once. Default 256.
    pub max_rooms_per_spark: usize,
    /// How long a room's name may be, in bytes of UTF-8. Default 128.
    pub max_name_bytes: usize,
    /// Which rooms clients may join by themselves (`primus.join`). Default `guarded`.
    pub client_rooms: ClientRooms,
}

/// What clients may do by themselves. Plugins may always do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientRooms {
    /// Nothing: they can't even ask which rooms they are in.
    None,
    /// Join those rooms that the application's guard consents to; none while no plugin offers a guard.
    #[default]
    Guarded,
    /// Join any room.
    Open,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_rooms: 100_000, max_rooms_per_spark: 256, max_name_bytes: 128, client_rooms: ClientRooms::default() }
    }
}
