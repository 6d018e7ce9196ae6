//! What a client asks of its rooms, and what it is answered: `{"primus::rooms": …}`, through the spark's parser.
//!
//! | asked | answered |
//! | --- | --- |
//! | `{"op": "join", "room": "r", "id": 1}` | `{"id": 1, "ok": true}` |
//! | `{"op": "leave", "room": "r", "id": 2}` | `{"id": 2, "ok": true}`, whether it was in it or not |
//! | `{"op": "leaveAll", "id": 3}` | `{"id": 3, "ok": true}` |
//! | `{"op": "rooms", "id": 4}` | `{"id": 4, "ok": true, "rooms": ["r"]}` |
//! | any of them, in vain | `{"id": 5, "error": "why"}` |
//!
//! Knows the form of these messages; what is done about them is the caller's.

use plugin_api::value::{DecodeError, Encoded, Number};
use plugin_api::{Kind, Message};
use serde::{Deserialize, Serialize};

const KEY: &str = "primus::rooms";

/// What a client asks. Its id is whatever number the client chose.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Request<'a> {
    pub(crate) op: Operation,
    pub(crate) room: Option<&'a str>,
    pub(crate) id: Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Operation {
    Join,
    Leave,
    LeaveAll,
    Rooms,
}

/// What it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    id: Number,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Done {
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        rooms: Option<Vec<String>>,
    },
    Refused {
        error: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    #[serde(rename = "primus::rooms")]
    content: T,
}

/// The request that a message is; `None` for any other message. A request that can't be understood is an error.
pub(crate) fn request<'m>(message: &'m mut Message<'_>) -> Option<Result<Request<'m>, DecodeError>> {
    if !may_be_request(message) {
        return None;
    }
    let envelope: Envelope<Encoded<'m>> = message.decode().ok()?;
    Some(envelope.content.decode())
}

/// The message that answers a request.
pub(crate) fn answer(id: Number, result: Result<Option<Vec<String>>, String>) -> impl Serialize {
    let outcome = match result {
        Ok(rooms) => Outcome::Done { ok: true, rooms },
        Err(error) => Outcome::Refused { error },
    };
    Envelope { content: Answer { id, outcome } }
}

/// Whether it is worth parsing a message. Any parser's object begins with one byte, a mark or the length of the key's text, and the
/// key, which every parser writes as plain UTF-8; only in text that a person wrote there may be white space between.
fn may_be_request(message: &Message<'_>) -> bool {
    const AT: usize = 2;
    const WRITTEN_BY_HAND: usize = 32;
    let Some((kind, wire)) = message.wire() else { return true };
    if wire.get(AT..).is_some_and(|rest| rest.starts_with(KEY.as_bytes())) {
        return true;
    }
    let has_space = |head: &[u8]| head.iter().take(AT).any(u8::is_ascii_whitespace);
    kind == Kind::Text
        && has_space(wire)
        && wire[..wire.len().min(WRITTEN_BY_HAND)].windows(KEY.len()).any(|place| place == KEY.as_bytes())
}
