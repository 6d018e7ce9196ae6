//! What a client is told when a request is not what it has to be: a status and one line.

use plugin_api::Response;
use seats::Full;

use crate::frames::Malformed;
use crate::token::NoRandomness;
use crate::window::Misnumbered;

/// Why a request is refused. The session goes on, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another method than `GET` and `POST`.
    #[error("this path answers GET and POST")]
    Method,
    /// A version of the protocol that is not spoken.
    #[error("the protocol's version {0:?} is not spoken here: it is 1")]
    Version(String),
    /// There is no such session: it is over, or never was, or is carried by something else.
    #[error("there is no such session: it is over, or was never opened")]
    Gone,
    /// The address has as many sessions as it may.
    #[error(transparent)]
    Full(#[from] Full),
    /// The query's `_ack` is no number.
    #[error("`_ack` is {0:?}: it has to be the number of the last message that was received, or 0")]
    Acknowledgement(String),
    /// The client's count of messages can't be right.
    #[error(transparent)]
    Misnumbered(#[from] Misnumbered),
    /// A body that is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Messages before it are missing: to be sent again from the one after `received` on.
    #[error("message {first} came, and {received} is the last that was received: send again what is between")]
    Gap {
        /// The first in the body.
        first: u64,
        /// The last that was received.
        received: u64,
    },
    /// A message is longer than it may be. The session is over.
    #[error("a message of {length} bytes is longer than {limit} (max_message_bytes)")]
    TooLong {
        /// The message's bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Without random numbers there are no sessions.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Version(_) | Self::Acknowledgement(_) | Self::Malformed(_) => 400,
            Self::Method => 405,
            Self::Misnumbered(Misnumbered::NeverSent { .. }) => 400,
            Self::Gap { .. } => 409,
            // What it asks for is not there any more, as the whole session.
            Self::Gone | Self::Misnumbered(Misnumbered::Forgotten { .. }) => 410,
            Self::TooLong { .. } => 413,
            Self::Full(_) | Self::NoRandomness(_) => 503,
        }
    }

    /// The answer: `{"error": "…"}`, and where the session's state is of use, `"received"`.
    pub fn response(&self) -> Response {
        let mut body = serde_json::json!({ "error": self.to_string() });
        if let Self::Gap { received, .. } = self {
            body["received"] = (*received).into();
        }
        let response = Response::new(self.status())
            .with_header("content-type", "application/json")
            .with_header("cache-control", "no-store")
            .with_body(body.to_string());
        match self {
            Self::Method => response.with_header("allow", "GET, POST"),
            _ => response,
        }
    }
}
