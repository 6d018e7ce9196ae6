//! Why a message is refused, or a value.

use std::borrow::Cow;

use plugin_api::{ParseError, ParseLimit, value};

/// A message is refused: why, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (at byte {offset})")]
pub struct DecodeError {
    /// What is wrong.
    pub fault: Fault,
    /// The byte at which the token begins that is wrong.
    pub offset: usize,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The transport says that it is text.
    #[error("the message is text, and this format is binary")]
    Text,
    /// It ends within a value.
    #[error("the message ends early")]
    Truncated,
    /// It goes on after its value.
    #[error("more bytes follow the value")]
    Trailing,
    /// It is too long.
    #[error("the message is longer than max_message_bytes, which is {limit}")]
    Length {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Arrays and objects lie too deep in each other.
    #[error("the message is nested deeper than max_depth, which is {limit}")]
    Depth {
        /// The limit.
        limit: usize,
    },
    /// It has too many values.
    #[error("the message has more values than max_values, which is {limit}")]
    Values {
        /// The limit.
        limit: usize,
    },
    /// A key is of a type that can't become text.
    #[error("{0} can't be the key of an object")]
    Key(&'static str),
    /// Something that the format doesn't have, or that no value can hold: the text says what was found.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
}

impl Fault {
    /// The error that it is at a byte.
    pub fn at(self, offset: usize) -> DecodeError {
        DecodeError { fault: self, offset }
    }
}

impl From<DecodeError> for ParseError {
    fn from(error: DecodeError) -> Self {
        Self { reason: error.to_string(), limit: error.fault.limit() }
    }
}

impl Fault {
    /// The limit that is passed, where that is what is wrong.
    pub fn limit(&self) -> Option<ParseLimit> {
        match self {
            Self::Length { .. } => Some(ParseLimit::Length),
            Self::Depth { .. } => Some(ParseLimit::Depth),
            Self::Values { .. } => Some(ParseLimit::Values),
            Self::Text | Self::Truncated | Self::Trailing | Self::Key(_) | Self::Malformed(_) => None,
        }
    }
}

/// A value can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It isn't one.
    #[error(transparent)]
    Value(#[from] value::DecodeError),
    /// Its lengths may take more than 32 bits, which is all that the formats have.
    #[error("the value has 4 GiB or more")]
    Length,
}

impl From<EncodeError> for ParseError {
    fn from(error: EncodeError) -> Self {
        Self::new(error.to_string())
    }
}
