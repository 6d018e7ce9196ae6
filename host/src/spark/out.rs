//! What waits to be written to a spark: one buffer for small frames, and shared large ones between such buffers.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use abi_stable::std_types::RVec;
use bytes::Bytes;

/// Frames from this size on are shared by reference; smaller ones are cheaper to copy than to count.
pub const SHARE_FROM: usize = 4096;

/// Bytes that wait, in order: `queue`, then `tail`.
pub struct OutBuffer {
    /// Where sessions append.
    pub tail: RVec<u8>,
    /// How much of the first chunk (of the tail, where the queue is empty) is written.
    written: usize,
    /// Boxed, since few sparks ever have it: an idle one pays a pointer, not a deque.
    #[expect(clippy::box_collection, reason = "an idle spark pays for a pointer only")]
    queue: Option<Box<VecDeque<Bytes>>>,
}

/// What a flush has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing waits any more.
    All,
    /// The socket takes no more now.
    Waiting,
}

impl OutBuffer {
    /// Empty, without memory of its own.
    pub fn new() -> Self {
        Self { tail: RVec::new(), written: 0, queue: None }
    }

    /// The bytes that wait.
    pub fn len(&self) -> usize {
        let queued: usize = self.queue.iter().flat_map(|queue| queue.iter()).map(Bytes::len).sum();
        queued + self.tail.len() - self.written
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.queue.is_none()
    }

    /// The bytes that wait, in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let chunks = self.queue.iter().flat_map(|queue| queue.iter()).map(|chunk| chunk.as_ref());
        let all: Vec<&[u8]> = chunks.chain(std::iter::once(self.tail.as_slice())).collect();
        all.concat().split_off(self.written)
    }

    /// Appends a frame that others share.
    pub fn push_shared(&mut self, frame: &Bytes) {
        if frame.len() < SHARE_FROM {
            self.tail.extend_from_copy_slice(frame);
            return;
        }
        let queue = self.queue.get_or_insert_default();
        if !self.tail.is_empty() {
            let tail = std::mem::replace(&mut self.tail, RVec::new());
            queue.push_back(Bytes::from(tail.into_vec()));
        }
        queue.push_back(frame.clone());
    }

    /// Writes what the socket takes.
    ///
    /// # Errors
    ///
    /// The socket is broken.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<Flushed> {
        while self.queue.is_some() {
            match self.flush_queue(socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Waiting),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while self.written < self.tail.len() {
            match socket.write(&self.tail[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Waiting),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.tail.clear();
        self.written = 0;
        Ok(Flushed::All)
    }

    fn flush_queue(&mut self, socket: &mut impl Write) -> io::Result<()> {
        let Some(queue) = self.queue.as_mut() else { return Ok(()) };
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(queue.len().min(64) + 1);
        let mut skip = self.written;
        for chunk in queue.iter().take(64) {
            slices.push(IoSlice::new(&chunk[skip..]));
            skip = 0;
        }
        if queue.len() <= 64 {
            slices.push(IoSlice::new(&self.tail));
        }
        let mut count = socket.write_vectored(&slices)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = queue.front() {
            let rest = first.len() - self.written;
            if count < rest {
                self.written += count;
                return Ok(());
            }
            count -= rest;
            self.written = 0;
            queue.pop_front();
        }
        self.queue = None;
        self.written = count;
        Ok(())
    }
}

impl Default for OutBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most `step` bytes at a time, and refuses every other time.
    struct Slow {
        step: usize,
        refuse: bool,
        taken: Vec<u8>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.refuse = !self.refuse;
            if self.refuse {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.step);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn small_and_shared_frames_leave_in_the_order_in_which_they_came() {
        for step in [1, 7, 4096, 5000, 1 << 20] {
            let large = Bytes::from(vec![b'L'; SHARE_FROM + 1]);
            let mut out = OutBuffer::new();
            out.tail.extend_from_copy_slice(b"first");
            out.push_shared(&large);
            out.push_shared(&Bytes::from_static(b"small"));
            out.push_shared(&large);
            out.tail.extend_from_copy_slice(b"last");
            let expected = [b"first", &large[..], b"small", &large[..], b"last"].concat();
            assert_eq!(out.len(), expected.len());
            assert!(out.to_vec() == expected);

            let mut socket = Slow { step, refuse: false, taken: Vec::new() };
            while out.flush(&mut socket).unwrap() == Flushed::Waiting {
                assert_eq!(out.len(), expected.len() - socket.taken.len());
                assert!(out.to_vec() == expected[socket.taken.len()..]);
            }
            assert!(out.is_empty());
            assert!(socket.taken == expected, "with steps of {step} bytes");
        }
    }

    #[test]
    fn what_is_appended_between_two_flushes_follows() {
        let mut out = OutBuffer::new();
        let mut socket = Slow { step: 2, refuse: true, taken: Vec::new() };
        out.tail.extend_from_copy_slice(b"abc");
        assert_eq!(out.flush(&mut socket).unwrap(), Flushed::Waiting);
        out.tail.extend_from_copy_slice(b"def");
        while out.flush(&mut socket).unwrap() == Flushed::Waiting {}
        assert_eq!(socket.taken, b"abcdef");
    }
}
