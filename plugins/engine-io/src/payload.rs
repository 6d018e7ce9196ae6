//! Payloads: several packets in the body of one request or response.
//!
//! Version 4 separates them by a character. Version 3 writes the length before each: as text in UTF-16 units, which is how its
//! first server counted, or binary in bytes.

use plugin_api::{Kind, Response};

use crate::packet::{Binary, Dialect, Malformed, Outgoing, Packet, Version, base64};

/// Between two packets of version 4.
const SEPARATOR: u8 = 0x1e;

/// Ends the digits of a length in a binary payload of version 3.
const END_OF_LENGTH: u8 = 0xff;

const TEXT: &str = "text/plain; charset=UTF-8";

/// Whether a body is text, by what its request says of it.
pub fn kind_of(content_type: Option<&str>) -> Kind {
    match content_type {
        Some(name) if name.trim().eq_ignore_ascii_case("application/octet-stream") => Kind::Binary,
        _ => Kind::Text,
    }
}

/// Reads the body of a request: each packet with its own bytes.
///
/// # Errors
/// The first thing that is wrong; packets before it were handed out.
pub fn read<'b>(
    version: Version,
    kind: Kind,
    body: &'b [u8],
    mut packet: impl FnMut(Packet, &'b [u8]) -> bool,
) -> Result<(), Malformed> {
    match (version, kind) {
        (Version::Four, Kind::Binary) => Err(Malformed::Payload),
        (Version::Four, Kind::Text) => {
            let text = std::str::from_utf8(body).map_err(|_| Malformed::Payload)?;
            for piece in text.split(char::from(SEPARATOR)).map(str::as_bytes) {
                if !packet(Packet::of_text(version, piece)?, piece) {
                    break;
                }
            }
            Ok(())
        }
        (Version::Three, Kind::Text) => {
            let mut rest = std::str::from_utf8(body).map_err(|_| Malformed::Payload)?;
            if rest.is_empty() {
                return Err(Malformed::Empty);
            }
            while !rest.is_empty() {
                let (length, after) = rest.split_once(':').ok_or(Malformed::Payload)?;
                let (piece, after) = after.split_at(bytes_of_units(after, number(length.as_bytes())?)?);
                rest = after;
                if !packet(Packet::of_text(version, piece.as_bytes())?, piece.as_bytes()) {
                    break;
                }
            }
            Ok(())
        }
        (Version::Three, Kind::Binary) => {
            let mut rest = body;
            if rest.is_empty() {
                return Err(Malformed::Empty);
            }
            while let Some((&kind, after)) = rest.split_first() {
                let end = after.iter().position(|byte| *byte == END_OF_LENGTH).ok_or(Malformed::Payload)?;
                let digits: Vec<u8> = after[..end].iter().map(|digit| digit.wrapping_add(b'0')).collect();
                let (piece, after) = after[end + 1..].split_at_checked(number(&digits)?).ok_or(Malformed::Payload)?;
                rest = after;
                let read = match kind {
                    0 => {
                        std::str::from_utf8(piece).map_err(|_| Malformed::Payload)?;
                        Packet::of_text(version, piece)?
                    }
                    1 => Packet::of_binary(version, piece)?,
                    _ => return Err(Malformed::Payload),
                };
                if !packet(read, piece) {
                    break;
                }
            }
            Ok(())
        }
    }
}

fn number(digits: &[u8]) -> Result<usize, Malformed> {
    if digits.is_empty() || digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::Payload);
    }
    Ok(digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// How many bytes of a text are so many UTF-16 units.
fn bytes_of_units(text: &str, units: usize) -> Result<usize, Malformed> {
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Ok(at);
        }
        left = left.checked_sub(character.len_utf16()).ok_or(Malformed::Payload)?;
    }
    if left == 0 { Ok(text.len()) } else { Err(Malformed::Payload) }
}

/// The answer to the first request: the open packet, as it is.
pub fn opening(dialect: Dialect, open: &[u8]) -> Response {
    let body = match dialect.version {
        Version::Four => open.to_vec(),
        Version::Three => [format!("{}:", units(open)).as_bytes(), open].concat(),
    };
    whole(TEXT, body)
}

/// The answer to a request, with these packets.
pub fn response(dialect: Dialect, packets: &[Outgoing]) -> Response {
    let is_binary = |packet: &Outgoing| matches!(packet, Outgoing::Message(Kind::Binary, _));
    let (content_type, body) = match dialect {
        Dialect { version: Version::Three, binary: Binary::Plain } if packets.iter().any(is_binary) => {
            ("application/octet-stream", packets.iter().fold(Vec::new(), with_binary))
        }
        _ => (TEXT, text(dialect, packets)),
    };
    whole(content_type, body)
}

fn whole(content_type: &str, body: Vec<u8>) -> Response {
    Response::new(200).with_header("content-type", content_type).with_header("cache-control", "no-store").with_body(body)
}

fn text(dialect: Dialect, packets: &[Outgoing]) -> Vec<u8> {
    let mut body = Vec::with_capacity(packets.iter().map(Outgoing::weight).sum());
    for (at, packet) in packets.iter().enumerate() {
        let encoded;
        let (head, data): (&[u8], &[u8]) = match packet {
            Outgoing::Bare(kind) => (std::slice::from_ref(kind), &[]),
            Outgoing::Message(Kind::Text, payload) => (b"4", payload),
            Outgoing::Message(Kind::Binary, payload) => {
                encoded = base64(payload);
                (dialect.base64_prefix().as_bytes(), encoded.as_bytes())
            }
        };
        match dialect.version {
            Version::Four if at > 0 => body.push(SEPARATOR),
            Version::Four => {}
            Version::Three => body.extend(format!("{}:", head.len() + units(data)).into_bytes()),
        }
        body.extend_from_slice(head);
        body.extend_from_slice(data);
    }
    body
}

/// How many UTF-16 units a text is.
fn units(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).encode_utf16().count()
}

fn with_binary(mut body: Vec<u8>, packet: &Outgoing) -> Vec<u8> {
    let (binary, head, data): (u8, u8, &[u8]) = match packet {
        Outgoing::Bare(kind) => (0, *kind, &[]),
        Outgoing::Message(Kind::Text, payload) => (0, b'4', payload),
        Outgoing::Message(Kind::Binary, payload) => (1, 4, payload),
    };
    body.push(binary);
    body.extend((1 + data.len()).to_string().bytes().map(|digit| digit - b'0'));
    body.extend([END_OF_LENGTH, head]);
    body.extend_from_slice(data);
    body
}
