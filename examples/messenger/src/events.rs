//! What travels: the arguments of clients' events, the answers to them, and the server's events. The protocol itself is
//! described in the crate's documentation.

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;
use crate::room::Message;

/// Arguments of `enter`.
#[derive(Debug, Deserialize)]
pub struct Enter {
    /// The name that the person wants.
    pub name: String,
    /// A secret of the page: another connection with it may use the same name.
    pub key: String,
}

/// Arguments of `join` and of `leave`.
#[derive(Debug, Deserialize)]
pub struct InRoom {
    /// The room's name, in any spelling.
    pub room: String,
}

/// Arguments of `message`.
#[derive(Debug, Deserialize)]
pub struct Say {
    /// The room's name.
    pub room: String,
    /// The page's id for the message.
    pub id: String,
    /// The text.
    pub text: String,
}

/// Arguments of `typing`.
#[derive(Debug, Deserialize)]
pub struct Typing {
    /// The room's name.
    pub room: String,
    /// Whether the person types or has stopped.
    pub typing: bool,
}

/// The answer to `enter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entered {
    /// The name under which the person is seen.
    pub name: String,
    /// The room that a newcomer is shown into.
    pub home: String,
    /// What lengths are allowed.
    pub limits: Lengths,
    /// All rooms there are.
    pub rooms: Vec<RoomCount>,
}

/// The longest name, room's name and text, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// Of a person's name.
    pub name: usize,
    /// Of a room's name.
    pub room: usize,
    /// Of a message's text.
    pub text: usize,
}

/// A room and how many are in it. As the event `rooms`: that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomCount {
    /// The room.
    pub room: String,
    /// The number of people; `None` when the room is no more.
    pub members: Option<usize>,
    /// A newer fact has a higher one; older ones that come late are to be ignored.
    pub revision: u64,
}

/// The answer to `join`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// The room's name as it is spelt.
    pub room: String,
    /// The last messages, oldest first.
    pub history: Vec<Message>,
    /// Whether the history begins with the room's first message.
    pub complete: bool,
    /// The people in the room.
    pub members: Vec<String>,
    /// Up to which revision `members` counts.
    pub revision: u64,
}

/// The answer to `message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// The message's id.
    pub id: String,
    /// When it was said.
    pub at: u64,
}

/// The answer to an event that asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Done {}

/// An answer as it is sent: the thing itself, or `{"error": {"code", "message"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer<T> {
    /// What was asked for.
    Granted(T),
    /// Why not.
    Refused {
        /// The reason.
        error: Refusal,
    },
}

impl<T> From<Result<T, Refusal>> for Answer<T> {
    fn from(result: Result<T, Refusal>) -> Self {
        match result {
            Ok(granted) => Self::Granted(granted),
            Err(error) => Self::Refused { error },
        }
    }
}

/// An event of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ServerEvent {
    /// `message`: somebody said something.
    Message {
        /// Where.
        room: String,
        /// What.
        #[serde(flatten)]
        message: Message,
    },
    /// `members`: somebody came or went.
    Members {
        /// Where.
        room: String,
        /// Who.
        name: String,
        /// Whether they are there now.
        present: bool,
        /// See [`RoomCount::revision`].
        revision: u64,
    },
    /// `typing`: somebody began or stopped typing.
    Typing {
        /// Where.
        room: String,
        /// Who.
        name: String,
        /// Which of the two.
        typing: bool,
    },
    /// `rooms`: a room has another number of people, is new, or is no more.
    Rooms(RoomCount),
}

impl ServerEvent {
    /// The event's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Members { .. } => "members",
            Self::Typing { .. } => "typing",
            Self::Rooms(_) => "rooms",
        }
    }
}
