//! What a message may be at most.

use plugin_api::StartError;
use plugin_api::value::DEPTH_LIMIT;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Fault;

/// A parser's table in `plugins.toml`: what a client's message may be at most. One that is more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The longest message that is decoded, in bytes. Default: 10485760, as the server's `max_message`.
    pub max_message_bytes: usize,
    /// How deep arrays and objects may lie in each other, from 1 to 128: `[[1]]` is 2 deep. Default: 128.
    pub max_depth: usize,
    /// How many values a message may have, those within arrays and objects counted. A program may need fifty bytes of memory for a
    /// value that takes one on the wire. Default: 1000000.
    pub max_values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_message_bytes: 10 * 1024 * 1024, max_depth: DEPTH_LIMIT, max_values: 1_000_000 }
    }
}

impl Limits {
    /// Checks what a configuration says.
    ///
    /// # Errors
    ///
    /// The depth is 0, or more than a value may have anywhere; or no message could pass.
    pub fn checked(self) -> Result<Self, StartError> {
        if !(1..=DEPTH_LIMIT).contains(&self.max_depth) {
            return Err(StartError::new(format!("max_depth is {}, and must be from 1 to {DEPTH_LIMIT}", self.max_depth)));
        }
        if self.max_message_bytes == 0 || self.max_values == 0 {
            return Err(StartError::new("max_message_bytes and max_values must be at least 1"));
        }
        Ok(self)
    }

    /// Refuses a message by its length.
    ///
    /// # Errors
    ///
    /// It is longer than `max_message_bytes`.
    pub fn admit(&self, len: usize) -> Result<(), Fault> {
        if len > self.max_message_bytes { Err(Fault::Length { limit: self.max_message_bytes }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_let_nothing_or_too_much_through_are_refused() {
        let of = |max_depth, max_values, max_message_bytes| Limits { max_message_bytes, max_depth, max_values }.checked();
        assert!(Limits::default().checked().is_ok());
        assert!(of(1, 1, 1).is_ok());
        assert!(of(128, usize::MAX, usize::MAX).is_ok());
        for refused in [of(0, 1, 1), of(129, 1, 1), of(1, 0, 1), of(1, 1, 0)] {
            assert!(refused.is_err());
        }
        assert_eq!(of(129, 1, 1).unwrap_err().to_string(), "max_depth is 129, and must be from 1 to 128");
    }
}
