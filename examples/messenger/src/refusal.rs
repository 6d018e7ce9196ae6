//! Why the messenger says no: a code for programs and a sentence for people.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::name::{MAX_NAME, MAX_ROOM};

/// A client asked for something that it can't have. It is told so; nothing else happens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Everything but `enter` needs a name first.
    #[error("Please enter with a name first.")]
    NotEntered,
    /// The connection has entered under another name.
    #[error("You are here already, under another name.")]
    AlreadyEntered,
    /// The name is empty, too long, or has signs that can't be seen.
    #[error("A name has 1 to {MAX_NAME} characters.")]
    NameInvalid,
    /// Somebody else is here under that name.
    #[error("{0} is already here. Please choose another name.")]
    NameTaken(String),
    /// The room's name can't be one.
    #[error("A room’s name has 1 to {MAX_ROOM} letters, digits, dots or dashes.")]
    RoomInvalid,
    /// The person is in as many rooms as one may be.
    #[error("You are in {0} rooms. Please leave one first.")]
    TooManyJoined(usize),
    /// There are as many rooms as there may be, and somebody is in each.
    #[error("There are no more rooms to be had.")]
    TooManyRooms,
    /// Only who is in a room may speak in it.
    #[error("Please join the room first.")]
    NotAMember,
    /// The text is empty or too long.
    #[error("A message has 1 to {0} characters.")]
    TextInvalid(usize),
    /// The message's id is empty, too long, or another person's.
    #[error("This message has an id that it can’t have.")]
    IdInvalid,
}

impl Refusal {
    /// The code by which a program tells refusals apart.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotEntered => "not_entered",
            Self::AlreadyEntered => "already_entered",
            Self::NameInvalid => "name_invalid",
            Self::NameTaken(_) => "name_taken",
            Self::RoomInvalid => "room_invalid",
            Self::TooManyJoined(_) => "too_many_joined",
            Self::TooManyRooms => "too_many_rooms",
            Self::NotAMember => "not_a_member",
            Self::TextInvalid(_) => "text_invalid",
            Self::IdInvalid => "id_invalid",
        }
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut refusal = serializer.serialize_struct("Refusal", 2)?;
        refusal.serialize_field("code", self.code())?;
        refusal.serialize_field("message", &self.to_string())?;
        refusal.end()
    }
}
