//! What can be wrong with an encoding, and where.

use std::fmt;

/// Why bytes can't be decoded: what is wrong, at which byte, and at which place of the value.
///
/// One pointer wide, so that a `Result` of the hot path stays small.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: DecodeErrorKind,
    offset: Option<usize>,
    path: String,
}

/// What is wrong with bytes that can't be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end within a value.
    #[error("the value ends early")]
    Truncated,
    /// The bytes aren't the encoding that this module defines; the text says what was found.
    #[error("{0}")]
    Malformed(&'static str),
    /// Arrays and objects lie deeper in each other than [`DEPTH_LIMIT`](super::DEPTH_LIMIT).
    #[error("the value is nested deeper than {}", super::DEPTH_LIMIT)]
    Depth,
    /// More bytes follow the value.
    #[error("more bytes follow the value")]
    Trailing,
    /// The value is well formed, but isn't of the wanted type: what serde says about it.
    #[error("{0}")]
    Mismatch(String),
    /// A parser refused the message's wire bytes: what the parser says about it.
    #[error("{0}")]
    Parser(String),
}

impl DecodeError {
    pub(super) fn at(kind: DecodeErrorKind, offset: usize) -> Self {
        Self(Box::new(Inner { kind, offset: Some(offset), path: String::new() }))
    }

    /// The error of a parser that refuses wire bytes.
    pub fn parser(message: impl Into<String>) -> Self {
        let kind = DecodeErrorKind::Parser(message.into());
        Self(Box::new(Inner { kind, offset: None, path: String::new() }))
    }

    /// The same with the byte of the wire bytes at which the parser stopped.
    #[must_use]
    pub fn with_offset(mut self, offset: usize) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.0.kind
    }

    /// The byte at which it was noticed: of the encoded value, or of the wire bytes if a parser refused them.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// Where in the value, as JavaScript would say it: `data[0].name`. Empty at the top.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    pub(super) fn within_key(mut self, key: &str, offset: usize) -> Self {
        let rest = &self.0.path;
        let dot = if rest.is_empty() || rest.starts_with('[') { "" } else { "." };
        self.0.path = format!("{key}{dot}{rest}");
        self.0.offset.get_or_insert(offset);
        self
    }

    pub(super) fn within_index(mut self, index: usize, offset: usize) -> Self {
        let rest = &self.0.path;
        let dot = if rest.is_empty() || rest.starts_with('[') { "" } else { "." };
        self.0.path = format!("[{index}]{dot}{rest}");
        self.0.offset.get_or_insert(offset);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)?;
        match (self.0.path.as_str(), self.0.offset) {
            ("", None) => Ok(()),
            ("", Some(offset)) => write!(f, " (at byte {offset})"),
            (path, None) => write!(f, " (at {path})"),
            (path, Some(offset)) => write!(f, " (at {path}, byte {offset})"),
        }
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let kind = DecodeErrorKind::Mismatch(message.to_string());
        Self(Box::new(Inner { kind, offset: None, path: String::new() }))
    }
}

/// Why a value can't be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A key of a map is neither text nor a number, a truth value or a plain variant, which become text.
    #[error("{0} can't be the key of an object")]
    Key(&'static str),
    /// An integer is outside of what `i64` and `u64` hold.
    #[error("{0} is outside of the range of 64-bit integers")]
    Integer(String),
    /// A type announced another number of elements than it gave.
    #[error("a length of {announced} was announced, but {given} elements were given")]
    Length {
        /// The number that was announced.
        announced: usize,
        /// The number of elements that came.
        given: usize,
    },
    /// Arrays and objects lie deeper in each other than [`DEPTH_LIMIT`](super::DEPTH_LIMIT).
    #[error("the value is nested deeper than {}", super::DEPTH_LIMIT)]
    Depth,
    /// The type's own `Serialize` refused.
    #[error("{0}")]
    Custom(String),
}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}
