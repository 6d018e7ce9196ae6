//! What a session keeps between two calls: the beginning of a frame, or of a message.
//!
//! Knows how far a frame has come. Whether a frame may come at all is the session's to say, once its header is complete.

use serde::{Deserialize, Serialize};

use crate::error::ProtocolError;
use crate::frame::{End, Header, MAX_CONTROL, MAX_HEADER, Opcode, Parsed};
use crate::mask::{self, Key};
use crate::message::{Assembly, Part, SavedAssembly};

/// A frame or a message of which more is to come.
#[derive(Default)]
pub struct Incomplete {
    /// The frame whose header, or whose control payload, is not complete.
    head: Head,
    /// The data frame whose payload comes.
    body: Option<Body>,
    /// The message that the data frames make up.
    message: Option<Assembly>,
}

impl Incomplete {
    /// The state for another process.
    pub fn save(&self) -> SavedIncomplete {
        let body = self.body.as_ref();
        SavedIncomplete {
            head: self.head.bytes[..self.head.length].to_vec(),
            body: body.map(|body| (body.key.0, body.remaining, body.end == End::Final)),
            message: self.message.as_ref().map(Assembly::save),
        }
    }

    /// From a saved state; `None` where that makes no sense.
    pub fn restore(saved: SavedIncomplete) -> Option<Self> {
        let mut head = Head::default();
        head.bytes.get_mut(..saved.head.len())?.copy_from_slice(&saved.head);
        head.length = saved.head.len();
        // What was taken before was no error.
        Header::parse(&saved.head).ok()?;
        let message = match saved.message {
            Some(message) => Some(Assembly::restore(message)?),
            None => None,
        };
        if saved.body.is_some() && (message.is_none() || head.length > 0) {
            return None;
        }
        let body = saved.body.map(|(key, remaining, is_final)| Body {
            key: Key(key),
            remaining,
            end: if is_final { End::Final } else { End::Open },
        });
        Some(Self { head, body, message })
    }

    /// Whether the connection stands between two messages.
    pub fn is_empty(&self) -> bool {
        self.head.length == 0 && self.body.is_none() && self.message.is_none()
    }

    /// Whether the next bytes are payload of a data frame.
    pub fn is_inside_payload(&self) -> bool {
        self.body.is_some()
    }

    /// The message whose fragments come.
    pub fn message(&self) -> Option<&Assembly> {
        self.message.as_ref()
    }

    /// The bytes up to the end of a header, and of the payload of a control frame.
    pub fn head(&mut self) -> &mut Head {
        &mut self.head
    }

    /// A new message begins.
    pub fn begin(&mut self, message: Assembly) {
        self.message = Some(message);
    }

    /// The payload of a data frame begins.
    pub fn enter(&mut self, header: &Header) {
        self.body = Some(Body { key: header.key, remaining: header.length, end: header.end });
    }

    /// Takes bytes of the data frame's payload, and tells how many.
    ///
    /// # Errors
    /// What is wrong with the message ([`Assembly::push`]).
    pub fn take(&mut self, input: &mut [u8]) -> Result<usize, ProtocolError> {
        let (Some(body), Some(message)) = (&mut self.body, &mut self.message) else {
            return Ok(0);
        };
        let length = usize::try_from(body.remaining).map_or(input.len(), |remaining| remaining.min(input.len()));
        let bytes = &mut input[..length];
        let charset = mask::unmask(bytes, body.key);
        body.key = body.key.after(length);
        body.remaining -= length as u64;
        message.push(&Part { bytes, charset, announced: body.remaining })?;
        Ok(length)
    }

    /// Ends the data frame if its payload is complete, and gives the message if that is, too.
    pub fn end(&mut self) -> Option<Assembly> {
        let body = self.body.take_if(|body| body.remaining == 0)?;
        match body.end {
            End::Open => None,
            End::Final => self.message.take(),
        }
    }
}

/// The same, saved.
#[derive(Serialize, Deserialize)]
pub struct SavedIncomplete {
    #[serde(with = "serde_bytes")]
    head: Vec<u8>,
    /// The key as it applies to the next byte, the bytes still to come, and whether the frame ends its message.
    body: Option<([u8; 4], u64, bool)>,
    message: Option<SavedAssembly>,
}

/// A data frame inside its payload.
struct Body {
    /// As it applies to the next byte.
    key: Key,
    /// How many bytes are still to come.
    remaining: u64,
    end: End,
}

/// The header of a control frame is this long: its length fits in the second byte.
const CONTROL_HEADER: usize = 6;

/// What is collected as one piece: a header, or a whole control frame.
const HEAD: usize = CONTROL_HEADER + MAX_CONTROL;
const _: () = assert!(HEAD >= MAX_HEADER);

/// What has come in one piece.
pub struct Taken {
    /// The header.
    pub header: Header,
    /// Of a control frame the payload, unmasked; of a data frame nothing yet.
    pub payload: Vec<u8>,
}

/// The beginning of a frame.
pub struct Head {
    bytes: [u8; HEAD],
    /// How many of `bytes` have come.
    length: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; HEAD], length: 0 }
    }
}

impl Head {
    /// Takes bytes, tells how many, and gives the header once it is complete: of a control frame together with its payload.
    ///
    /// # Errors
    /// What is wrong with the header ([`Header::parse`]).
    pub fn take(&mut self, input: &[u8]) -> Result<(usize, Option<Taken>), ProtocolError> {
        let mut used = 0;
        loop {
            let needed = match Header::parse(&self.bytes[..self.length])? {
                Parsed::Needs(needed) => needed,
                Parsed::Header(header, size) => {
                    let end = match header.opcode {
                        Opcode::Control(_) => size + header.length as usize,
                        Opcode::Start(_) | Opcode::Continuation => size,
                    };
                    if self.length == end {
                        self.length = 0;
                        let mut payload = self.bytes[size..end].to_vec();
                        mask::unmask(&mut payload, header.key);
                        return Ok((used, Some(Taken { header, payload })));
                    }
                    end
                }
            };
            let length = (needed - self.length).min(input.len() - used);
            if length == 0 {
                return Ok((used, None));
            }
            self.bytes[self.length..self.length + length].copy_from_slice(&input[used..used + length]);
            self.length += length;
            used += length;
        }
    }
}
