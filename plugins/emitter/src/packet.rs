//! The packets of primus-emitter 3: how they are told from other messages, read and written.
//!
//! An event is `{"type": 0, "data": [name, …arguments], "id": 1}`, with `id` only if an acknowledgement is wanted. The
//! acknowledgement is `{"id": 1, "type": 1, "data": […values]}`. Beyond primus-emitter, it may carry an `"error"`: then it is refused.
//!
//! Knows nothing of who handles events and who waits for acknowledgements.

use plugin_api::value::{DecodeError, Encoded, Number, Writer};
use plugin_api::{Kind, Message};
use serde::Deserialize;

const EVENT: i64 = 0;
const ACKNOWLEDGEMENT: i64 = 1;

/// A packet of a client.
#[derive(Debug, PartialEq)]
pub(crate) enum Packet<'a> {
    Event {
        name: &'a str,
        arguments: Vec<Encoded<'a>>,
        /// The number under which the client waits for an acknowledgement.
        id: Option<Number>,
    },
    Acknowledgement {
        id: Number,
        /// The values, an encoded array, or the client's error.
        result: Result<Encoded<'a>, String>,
    },
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "type")]
    kind: i64,
    #[serde(borrow)]
    data: Encoded<'a>,
    id: Option<Number>,
    #[serde(borrow)]
    error: Option<Encoded<'a>>,
}

/// The packet that a message is; `None` for any other message.
pub(crate) fn read<'m>(message: &'m mut Message<'_>) -> Option<Packet<'m>> {
    if !may_be_packet(message) {
        return None;
    }
    let Fields { kind, data, id, error } = message.decode().ok()?;
    match (kind, id) {
        (EVENT, id) => {
            let mut arguments: Vec<Encoded<'m>> = data.decode().ok()?;
            if arguments.is_empty() {
                return None;
            }
            Some(Packet::Event { name: arguments.remove(0).decode().ok()?, arguments, id })
        }
        (ACKNOWLEDGEMENT, Some(id)) if data.is_array() => {
            let refused = |error: Encoded<'_>| error.decode().unwrap_or_else(|_| "the client gives no reason".to_owned());
            Some(Packet::Acknowledgement { id, result: error.map_or(Ok(data), |error| Err(refused(error))) })
        }
        _ => None,
    }
}

/// Whether it is worth parsing a message: packets have the key `type` near their beginning or their end, in whatever order their
/// three or four keys are. Every parser writes it as plain UTF-8.
fn may_be_packet(message: &Message<'_>) -> bool {
    const KEY: &[u8] = b"type";
    const REACH: usize = 64;
    let Some((kind, wire)) = message.wire() else { return true };
    let has_key = |part: &[u8]| part.windows(KEY.len()).any(|place| place == KEY);
    let is_scalar = kind == Kind::Text && wire.first().is_none_or(|first| *first == b'"');
    !is_scalar && (has_key(&wire[..wire.len().min(REACH)]) || has_key(&wire[wire.len().saturating_sub(REACH)..]))
}

/// The encoded array of some encoded values.
pub(crate) fn list(values: &[Encoded<'_>]) -> Vec<u8> {
    let mut list = Vec::new();
    let mut writer = Writer::new(&mut list);
    writer.array(Some(values.len()));
    values.iter().for_each(|value| writer.encoded(*value));
    list
}

/// An encoded event. `arguments` is an encoded array.
///
/// # Errors
///
/// It isn't.
pub(crate) fn event(name: &str, arguments: Encoded<'_>, id: Option<u64>) -> Result<Vec<u8>, DecodeError> {
    let arguments: Vec<Encoded<'_>> = arguments.decode()?;
    let mut packet = Vec::new();
    let mut writer = Writer::new(&mut packet);
    writer.object(Some(if id.is_some() { 3 } else { 2 }));
    writer.str("type");
    writer.i64(EVENT);
    writer.str("data");
    writer.array(Some(1 + arguments.len()));
    writer.str(name);
    arguments.iter().for_each(|argument| writer.encoded(*argument));
    if let Some(id) = id {
        writer.str("id");
        writer.u64(id);
    }
    Ok(packet)
}

/// An encoded acknowledgement: of values, an encoded array, or of an error.
pub(crate) fn acknowledgement(id: Number, result: Result<Encoded<'_>, &str>) -> Vec<u8> {
    let mut packet = Vec::new();
    let mut writer = Writer::new(&mut packet);
    writer.object(Some(if result.is_err() { 4 } else { 3 }));
    writer.str("id");
    writer.number(id);
    writer.str("type");
    writer.i64(ACKNOWLEDGEMENT);
    writer.str("data");
    match result {
        Ok(values) => writer.encoded(values),
        Err(error) => {
            writer.array(Some(0));
            writer.str("error");
            writer.str(error);
        }
    }
    packet
}

/// Whether clients keep an event's name for themselves: they don't deliver such a packet.
pub(crate) fn is_reserved(name: &str) -> bool {
    const EVENTS: [&str; 15] = [
        "close",
        "data",
        "destroy",
        "end",
        "error",
        "offline",
        "online",
        "open",
        "readyStateChange",
        "reconnect",
        "reconnect failed",
        "reconnect scheduled",
        "reconnect timeout",
        "reconnected",
        "timeout",
    ];
    name.starts_with("incoming::") || name.starts_with("outgoing::") || EVENTS.contains(&name)
}
