//! A message that doesn't lie in one piece of the input: its fragments, or the parts of a long frame, are put together here.
//!
//! Knows kinds, limits and UTF-8. A compressed message is kept as it came until it is whole, and only then inflated: a client that
//! leaves it unfinished has sent what that costs, not a thousandth of it. Knows nothing of frames.

use plugin_api::Kind;
use serde::{Deserialize, Serialize};

use crate::deflate::{InflateError, Inflater};
use crate::error::ProtocolError;
use crate::frame::Coding;
use crate::mask::Charset;
use crate::utf8::Utf8Check;

/// A message in the making.
pub struct Assembly {
    kind: Kind,
    coding: Coding,
    bytes: Vec<u8>,
    /// Of what isn't compressed.
    utf8: Utf8Check,
}

/// The same, saved.
#[derive(Serialize, Deserialize)]
pub struct SavedAssembly {
    kind: Kind,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    #[serde(default)]
    is_deflated: bool,
}

/// A part of a message's payload, unmasked.
pub struct Part<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// What is known of them.
    pub charset: Charset,
    /// How many more bytes the frame has announced. Not to be trusted for an allocation.
    pub announced: u64,
}

impl Assembly {
    /// Before its first part.
    pub fn new(kind: Kind, coding: Coding) -> Self {
        Self { kind, coding, bytes: Vec::new(), utf8: Utf8Check::default() }
    }

    /// The state for another process.
    pub fn save(&self) -> SavedAssembly {
        SavedAssembly { kind: self.kind, bytes: self.bytes.clone(), is_deflated: self.coding == Coding::Deflated }
    }

    /// From a saved state; `None` where that is no beginning of a message.
    pub fn restore(saved: SavedAssembly) -> Option<Self> {
        let coding = if saved.is_deflated { Coding::Deflated } else { Coding::Plain };
        let mut utf8 = Utf8Check::default();
        if (saved.kind, coding) == (Kind::Text, Coding::Plain) {
            utf8.push(&saved.bytes).ok()?;
        }
        Some(Self { kind: saved.kind, coding, bytes: saved.bytes, utf8 })
    }

    /// How it came.
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// How many more bytes of payload there may be, where the message is to have `limit` at most.
    pub fn room(&self, limit: usize) -> u64 {
        room(self.coding, limit).saturating_sub(self.bytes.len() as u64)
    }

    /// Takes the next part of the payload, for which there is [`room`](Self::room).
    ///
    /// # Errors
    /// The text is not UTF-8; of a compressed one that is found at its end.
    pub fn push(&mut self, part: &Part<'_>) -> Result<(), ProtocolError> {
        self.reserve(part);
        self.bytes.extend_from_slice(part.bytes);
        match (self.kind, self.coding, part.charset) {
            (Kind::Binary, ..) | (_, Coding::Deflated, _) => Ok(()),
            (Kind::Text, Coding::Plain, Charset::Ascii) => Ok(self.utf8.push_ascii(part.bytes)?),
            (Kind::Text, Coding::Plain, Charset::Unknown) => Ok(self.utf8.push(part.bytes)?),
        }
    }

    /// The payload of a message that isn't compressed is complete.
    ///
    /// # Errors
    /// The text is not UTF-8.
    pub fn finish(self) -> Result<(Kind, Vec<u8>), ProtocolError> {
        self.utf8.finish()?;
        Ok((self.kind, self.bytes))
    }

    /// The payload of a compressed message is complete.
    ///
    /// # Errors
    /// The text is not UTF-8, the compressed data are damaged, or the message is longer than `limit` bytes: whichever comes first
    /// in the message.
    pub fn inflate(mut self, inflater: &mut Inflater, limit: usize) -> Result<(Kind, Vec<u8>), ProtocolError> {
        self.bytes.extend(Inflater::TAIL);
        let mut message = Vec::new();
        let inflated = inflater.push(&self.bytes, &mut message, limit);
        if self.kind == Kind::Text {
            self.utf8.push(&message)?;
        }
        inflated.map_err(|error| match error {
            InflateError::Damaged => ProtocolError::Deflate,
            InflateError::TooLong => ProtocolError::TooLong,
        })?;
        self.utf8.finish()?;
        Ok((self.kind, message))
    }

    /// Makes room for a part: at least doubles what is held, so that copying stays linear, and takes no more than what was
    /// announced, so that a frame that comes whole ends without spare room. What was announced and hasn't come costs at
    /// most as much as what has.
    fn reserve(&mut self, part: &Part<'_>) {
        let spare = self.bytes.capacity() - self.bytes.len();
        if spare < part.bytes.len() {
            let announced = usize::try_from(part.announced).unwrap_or(usize::MAX);
            let extra = announced.min(self.bytes.len());
            self.bytes.reserve_exact(part.bytes.len().saturating_add(extra));
        }
    }
}

/// How long the payload of a message may be that is to have `limit` bytes at most. What can't be compressed gets longer by it: by as
/// much as zlib's `deflateBound` tells.
pub fn room(coding: Coding, limit: usize) -> u64 {
    let limit = limit as u64;
    match coding {
        Coding::Plain => limit,
        Coding::Deflated => limit.saturating_add(limit >> 3).saturating_add(limit >> 6).saturating_add(64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(assembly: &mut Assembly, bytes: &[u8], announced: u64) {
        assembly.push(&Part { bytes, charset: Charset::Unknown, announced }).unwrap();
    }

    #[test]
    fn what_was_announced_and_has_not_come_takes_little_memory() {
        let mut assembly = Assembly::new(Kind::Binary, Coding::Plain);
        push(&mut assembly, &[0; 100], 1 << 62);
        assert!(assembly.bytes.capacity() <= 200);
        push(&mut assembly, &[0; 1000], 1 << 62);
        assert!(assembly.bytes.capacity() <= 2200);
    }

    #[test]
    fn a_compressed_message_that_is_not_whole_takes_what_has_come() {
        let codecs = crate::deflate::Codecs::new(9);
        let bomb = codecs.deflater(crate::deflate::WindowBits::MAX).message(&[0; 1_000_000]).to_vec();
        let (first, rest) = bomb.split_at(bomb.len() - 1);
        let mut assembly = Assembly::new(Kind::Binary, Coding::Deflated);
        push(&mut assembly, first, 1);
        assert!(assembly.bytes.capacity() <= 2 * bomb.len() && bomb.len() < 2_000, "{}", bomb.len());
        push(&mut assembly, rest, 0);
        let (_, message) = assembly.inflate(&mut codecs.inflater(), 1_000_000).unwrap();
        assert_eq!(message, vec![0; 1_000_000]);
    }

    #[test]
    fn what_can_not_be_compressed_has_room_for_it() {
        let noise: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()).collect();
        let deflated = crate::deflate::Codecs::new(9).deflater(crate::deflate::WindowBits::MAX).message(&noise).len();
        assert!(deflated as u64 <= room(Coding::Deflated, noise.len()));
    }

    #[test]
    fn a_frame_that_comes_in_parts_is_moved_seldom_and_ends_without_spare_room() {
        let mut assembly = Assembly::new(Kind::Binary, Coding::Plain);
        let mut moves = 0;
        for part in 1..=1000 {
            let before = assembly.bytes.capacity();
            push(&mut assembly, &[0; 1000], 1_000_000 - 1000 * part);
            moves += u32::from(assembly.bytes.capacity() != before);
        }
        assert!(moves <= 11, "{moves}");
        assert_eq!(assembly.bytes.capacity(), 1_000_000);
    }
}
