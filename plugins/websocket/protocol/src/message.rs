//! A message that doesn't lie in one piece of the input: its fragments, or the parts of a long frame, are put together here.
//!
//! Knows kinds, limits and UTF-8, and inflates compressed messages as they come, so that neither their compressed bytes nor
//! more than the limit are ever held. Knows nothing of frames.

use plugin_api::Kind;
use serde::{Deserialize, Serialize};

use crate::deflate::{InflateError, Inflater};
use crate::error::ProtocolError;
use crate::mask::Charset;
use crate::utf8::Utf8Check;

/// A message in the making.
pub struct Assembly {
    kind: Kind,
    bytes: Vec<u8>,
    utf8: Utf8Check,
    /// There when the message is compressed.
    inflater: Option<Inflater>,
}

/// The same, saved.
#[derive(Serialize, Deserialize)]
pub struct SavedAssembly {
    kind: Kind,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
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
    /// Of a message that is not compressed.
    pub fn plain(kind: Kind) -> Self {
        Self { kind, bytes: Vec::new(), utf8: Utf8Check::default(), inflater: None }
    }

    /// Of a compressed message.
    pub fn deflated(kind: Kind, inflater: Inflater) -> Self {
        Self { inflater: Some(inflater), ..Self::plain(kind) }
    }

    /// The state for another process; `None` for a compressed message, whose inflater can't be saved at any place.
    pub fn save(&self) -> Option<SavedAssembly> {
        self.inflater.is_none().then(|| SavedAssembly { kind: self.kind, bytes: self.bytes.clone() })
    }

    /// From a saved state; `None` where that is no beginning of a message.
    pub fn restore(saved: SavedAssembly) -> Option<Self> {
        let mut utf8 = Utf8Check::default();
        if saved.kind == Kind::Text {
            utf8.push(&saved.bytes).ok()?;
        }
        Some(Self { kind: saved.kind, bytes: saved.bytes, utf8, inflater: None })
    }

    /// How many bytes of an announced payload fit under `limit`; any number for a compressed message, where only inflating
    /// tells.
    pub fn room(&self, limit: usize) -> u64 {
        match self.inflater {
            None => limit.saturating_sub(self.bytes.len()) as u64,
            Some(_) => u64::MAX,
        }
    }

    /// Takes the next part of the payload.
    ///
    /// # Errors
    /// The text is not UTF-8, the compressed data are damaged, or the message gets longer than `limit` bytes: whichever
    /// comes first in the message, wherever it is cut.
    pub fn push(&mut self, part: &Part<'_>, limit: usize) -> Result<(), ProtocolError> {
        if self.inflater.is_some() {
            return self.inflate(part.bytes, limit);
        }
        self.reserve(part);
        self.bytes.extend_from_slice(part.bytes);
        match (self.kind, part.charset) {
            (Kind::Binary, _) => Ok(()),
            (Kind::Text, Charset::Ascii) => Ok(self.utf8.push_ascii(part.bytes)?),
            (Kind::Text, Charset::Unknown) => Ok(self.utf8.push(part.bytes)?),
        }
    }

    /// The payload is complete: the message, and the inflater that it was lent.
    ///
    /// # Errors
    /// As [`Assembly::push`].
    pub fn finish(mut self, limit: usize) -> Result<(Kind, Vec<u8>, Option<Inflater>), ProtocolError> {
        if self.inflater.is_some() {
            self.inflate(&Inflater::TAIL, limit)?;
        }
        self.utf8.finish()?;
        Ok((self.kind, self.bytes, self.inflater))
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

    fn inflate(&mut self, compressed: &[u8], limit: usize) -> Result<(), ProtocolError> {
        let Some(inflater) = &mut self.inflater else {
            return Ok(());
        };
        let before = self.bytes.len();
        let inflated = inflater.push(compressed, &mut self.bytes, limit);
        if self.kind == Kind::Text {
            // First, so that the verdict is the same wherever the message is cut.
            self.utf8.push(&self.bytes[before..])?;
        }
        inflated.map_err(|error| match error {
            InflateError::Damaged => ProtocolError::Deflate,
            InflateError::TooLong => ProtocolError::TooLong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(assembly: &mut Assembly, bytes: &[u8], announced: u64) {
        assembly.push(&Part { bytes, charset: Charset::Unknown, announced }, usize::MAX).unwrap();
    }

    #[test]
    fn what_was_announced_and_has_not_come_takes_little_memory() {
        let mut assembly = Assembly::plain(Kind::Binary);
        push(&mut assembly, &[0; 100], 1 << 62);
        assert!(assembly.bytes.capacity() <= 200);
        push(&mut assembly, &[0; 1000], 1 << 62);
        assert!(assembly.bytes.capacity() <= 2200);
    }

    #[test]
    fn a_frame_that_comes_in_parts_is_moved_seldom_and_ends_without_spare_room() {
        let mut assembly = Assembly::plain(Kind::Binary);
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
