//! What plugins logged, as the bench keeps it.

use std::fmt;

use tracing::Level;

/// One log record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The plugin that logged; `bench` for the bench itself.
    pub plugin: String,
    /// The level.
    pub level: Level,
    /// The module that logged.
    pub target: String,
    /// The text.
    pub message: String,
    /// The fields by name, as text.
    pub fields: Vec<(String, String)>,
}

impl Log {
    /// A field's text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.level, self.plugin, self.message)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// The level of a number at the boundary.
pub(super) fn level(number: u8) -> Level {
    match number {
        0 | 1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    }
}
