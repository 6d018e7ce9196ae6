//! Names of people and of rooms: what they may be, and when two are the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The longest name of a person, in characters.
pub const MAX_NAME: usize = 24;

/// The longest name of a room, in characters.
pub const MAX_ROOM: usize = 32;

/// A person's name as they write it. Two that differ in case only are the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonName(String);

impl PersonName {
    /// White space is trimmed and collapsed.
    ///
    /// # Errors
    ///
    /// [`Refusal::NameInvalid`]: it is empty, too long, or has invisible signs, with which one could pass for another.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = name.chars().count();
        if length == 0 || length > MAX_NAME || name.chars().any(is_invisible) {
            return Err(Refusal::NameInvalid);
        }
        Ok(Self(name))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is equal for two spellings of the same name.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A room's name: lower case, words joined by dashes, so that it can be said aloud and stand in an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoomName(String);

impl RoomName {
    /// Upper case is lowered, white space becomes a dash.
    ///
    /// # Errors
    ///
    /// [`Refusal::RoomInvalid`]: it is empty, too long, or has other signs than letters, digits, `-`, `_` and `.`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let name = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
        let length = name.chars().count();
        let fits = |sign: char| sign.is_alphanumeric() || matches!(sign, '-' | '_' | '.');
        if length == 0 || length > MAX_ROOM || !name.chars().all(fits) {
            return Err(Refusal::RoomInvalid);
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, zero-width ones, and those that turn the direction of the text after them.
fn is_invisible(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_keeps_their_spelling_and_loses_surplus_space() {
        assert_eq!(PersonName::parse("  Ada \t Lovelace ").unwrap().as_str(), "Ada Lovelace");
        assert_eq!(PersonName::parse("ADA").unwrap().folded(), PersonName::parse("ada").unwrap().folded());
    }

    #[test]
    fn a_name_that_nobody_could_see_or_that_hides_something_is_refused() {
        for text in ["", "  ", "A\u{200b}da", "\u{202e}adA", "a\u{0}b", &"x".repeat(MAX_NAME + 1)] {
            assert_eq!(PersonName::parse(text), Err(Refusal::NameInvalid), "{text:?}");
        }
        assert!(PersonName::parse(&"ä".repeat(MAX_NAME)).is_ok(), "the limit counts characters, not bytes");
    }

    #[test]
    fn a_room_has_one_spelling() {
        assert_eq!(RoomName::parse(" Design  Team ").unwrap().as_str(), "design-team");
        assert_eq!(RoomName::parse("Café_2.0").unwrap().as_str(), "café_2.0");
        for text in ["", "a/b", "what?", "*", &"x".repeat(MAX_ROOM + 1)] {
            assert_eq!(RoomName::parse(text), Err(Refusal::RoomInvalid), "{text:?}");
        }
    }
}
