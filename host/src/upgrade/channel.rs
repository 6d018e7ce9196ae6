//! The Unix socket between the process that serves and the one that is to follow it: frames with file descriptors beside them.
//!
//! A frame is a header of twelve bytes (magic, version, kind, the number of descriptors, the body's length) and a body. The
//! descriptors come with the header (SCM_RIGHTS, unix(7)), so that each stays with its frame. Knows no record and no order.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg,
    sendmsg,
};

/// What every frame begins with: the other side is one of ours.
const MAGIC: [u8; 4] = *b"SWBU";

/// The version of the frames and records that this binary writes.
pub const VERSION: u16 = 1;

/// The oldest version that this binary reads. Records grow by fields that have a default.
pub const OLDEST: u16 = 1;

/// The bytes of a header.
const HEADER: usize = 12;

/// The bytes that a body may have: the state of a plugin is the longest.
pub const LONGEST: usize = 256 << 20;

/// The descriptors that go with one frame (SCM_MAX_FD of Linux is 253).
pub const MOST: usize = 250;

/// How long the other side may take to make room.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// How long what the other side has said before its end may take to be read: it is there already.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a frame is. Numbers are never used for another purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The successor is complete.
    Ready = 1,
    /// One side gives up: why, as text.
    Failed = 2,
    /// The listening sockets of the server itself: the first frame, before the successor is complete.
    Listening = 3,
    /// The slots of a shard.
    Slots = 4,
    /// Sparks of a shard, with their connections.
    Sparks = 5,
    /// Sparks of a shard that stay behind, and of whose end the plugins are to be told.
    Left = 6,
    /// What was still to be sent by a shard.
    Letters = 7,
    /// Connections of which no request is under way.
    Fresh = 8,
    /// The state of a plugin.
    Plugin = 9,
    /// Everything has been said.
    Whole = 10,
    /// The successor has made everything its own, except what it names.
    Taken = 11,
    /// The successor may begin.
    Commit = 12,
    /// It begins.
    Serving = 13,
    /// The listening sockets of a plugin's address. They come right after the server's.
    Place = 14,
    /// The hand-over begins.
    Begin = 15,
}

impl Kind {
    fn from_raw(raw: u8) -> Option<Self> {
        use Kind::{
            Begin, Commit, Failed, Fresh, Left, Letters, Listening, Place, Plugin, Ready, Serving, Slots, Sparks, Taken, Whole,
        };
        let all = [
            Ready, Failed, Listening, Slots, Sparks, Left, Letters, Fresh, Plugin, Whole, Taken, Commit, Serving, Place, Begin,
        ];
        all.into_iter().find(|kind| *kind as u8 == raw)
    }
}

/// One frame.
#[derive(Debug)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Its record, encoded.
    pub body: Vec<u8>,
    /// What came with it.
    pub descriptors: Vec<OwnedFd>,
}

/// Why nothing more comes from the other side.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// It has closed, or its process is gone.
    #[error("the other process is gone")]
    Gone,
    /// It says nothing.
    #[error("the other process did not answer in time")]
    Silent,
    /// It speaks another version.
    #[error("the other process speaks version {theirs} of the hand-over; this one speaks {OLDEST} to {VERSION}")]
    Version {
        /// Its version.
        theirs: u16,
    },
    /// It says what makes no sense.
    #[error("the other process said what is no part of a hand-over: {0}")]
    Nonsense(&'static str),
    /// It has given up.
    #[error("{0}")]
    GaveUp(String),
    /// The socket failed.
    #[error("the socket to the other process failed: {0}")]
    Broken(io::Error),
}

impl From<io::Error> for ChannelError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Gone,
            _ => Self::Broken(error),
        }
    }
}

/// One end.
pub struct Channel {
    socket: UnixStream,
    /// Frames of several threads don't mix. Holds why the other side has given up, where that was found while writing.
    writing: Mutex<Option<String>>,
}

impl Channel {
    /// Over one end of a pair.
    ///
    /// # Errors
    ///
    /// The socket takes no time limit.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_write_timeout(Some(TAKEN_WITHIN))?;
        Ok(Self { socket, writing: Mutex::default() })
    }

    /// Writes one frame. `[any]`
    ///
    /// # Errors
    ///
    /// The body or the number of descriptors is over the limit, or the other side is gone or takes nothing; why, if it has said so.
    pub fn send(&self, kind: Kind, body: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        if body.len() > LONGEST {
            return Err(ChannelError::Nonsense("a record is longer than 256 MiB"));
        }
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&VERSION.to_le_bytes());
        header[6] = kind as u8;
        header[7] = u8::try_from(descriptors.len()).map_err(|_| ChannelError::Nonsense("too many descriptors at once"))?;
        header[8..].copy_from_slice(&(body.len() as u32).to_le_bytes());
        let mut reason = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match self.write(&header, body, descriptors) {
            Err(ChannelError::Gone) => {
                if reason.is_none() {
                    *reason = self.last_words();
                }
                Err(reason.clone().map_or(ChannelError::Gone, ChannelError::GaveUp))
            }
            written => written,
        }
    }

    /// Why the other side has given up, which is gone by now.
    fn last_words(&self) -> Option<String> {
        let soon = Instant::now() + LAST_WORDS;
        loop {
            match self.receive(soon) {
                Ok(_) => {}
                Err(ChannelError::GaveUp(reason)) => return Some(reason),
                Err(_) => return None,
            }
        }
    }

    fn write(&self, header: &[u8; HEADER], body: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(ChannelError::Nonsense("too many descriptors at once"));
        }
        let sent = loop {
            match sendmsg(&self.socket, &[IoSlice::new(header)], &mut beside, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                sent => break sent.map_err(io::Error::from)?,
            }
        };
        // The descriptors went with the first byte.
        (&self.socket).write_all(&header[sent..])?;
        (&self.socket).write_all(body)?;
        Ok(())
    }

    /// Waits so long for the other process's end, and says whether it has come. What is said meanwhile stays to be received. `[any]`
    pub fn is_left_within(&self, time: Duration) -> bool {
        let mut watched = [PollFd::new(&self.socket, PollFlags::empty())];
        let time = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        poll(&mut watched, Some(&time)).is_ok_and(|_| watched[0].revents().contains(PollFlags::HUP))
    }

    /// The next frame, whole, if it has come by then.
    ///
    /// # Errors
    ///
    /// Nothing comes, or what comes is no frame of ours.
    pub fn receive(&self, until: Instant) -> Result<Frame, ChannelError> {
        let mut header = [0; HEADER];
        let mut descriptors = Vec::new();
        let mut got = self.receive_beside(&mut header, &mut descriptors, until)?;
        while got < HEADER {
            got += self.read(&mut header[got..], until)?;
        }
        if header[..4] != MAGIC {
            return Err(ChannelError::Nonsense("it is no Switchboard of this kind"));
        }
        let version = u16::from_le_bytes([header[4], header[5]]);
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(ChannelError::Version { theirs: version });
        }
        let kind = Kind::from_raw(header[6]).ok_or(ChannelError::Nonsense("a frame of no known kind"))?;
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        if length > LONGEST {
            return Err(ChannelError::Nonsense("a record is longer than 256 MiB"));
        }
        if descriptors.len() != usize::from(header[7]) {
            return Err(ChannelError::Nonsense("not all descriptors came: is the limit of open files too low?"));
        }
        let mut body = vec![0; length];
        let mut at = 0;
        while at < length {
            at += self.read(&mut body[at..], until)?;
        }
        if kind == Kind::Failed {
            return Err(ChannelError::GaveUp(String::from_utf8_lossy(&body).into_owned()));
        }
        Ok(Frame { kind, body, descriptors })
    }

    /// The next frame, which is to be of this kind.
    ///
    /// # Errors
    ///
    /// As [`Channel::receive`], or it is another.
    pub fn expect(&self, kind: Kind, until: Instant) -> Result<Frame, ChannelError> {
        let frame = self.receive(until)?;
        if frame.kind == kind { Ok(frame) } else { Err(ChannelError::Nonsense("a frame that is not to come now")) }
    }

    /// Tells the other side that it is over. It may be gone already.
    pub fn give_up(&self, reason: &str) {
        let _ = self.send(Kind::Failed, reason.as_bytes(), &[]);
    }

    fn receive_beside(&self, bytes: &mut [u8], beside: &mut Vec<OwnedFd>, until: Instant) -> Result<usize, ChannelError> {
        self.wait_until(until)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut buffer = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match recvmsg(&self.socket, &mut [IoSliceMut::new(bytes)], &mut buffer, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received.map_err(io::Error::from)?,
            }
        };
        for message in buffer.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                beside.extend(descriptors);
            }
        }
        if received.bytes == 0 { Err(ChannelError::Gone) } else { Ok(received.bytes) }
    }

    fn read(&self, bytes: &mut [u8], until: Instant) -> Result<usize, ChannelError> {
        self.wait_until(until)?;
        loop {
            match (&self.socket).read(bytes) {
                Ok(0) => return Err(ChannelError::Gone),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn wait_until(&self, until: Instant) -> Result<(), ChannelError> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ChannelError::Silent);
        }
        Ok(self.socket.set_read_timeout(Some(left))?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    fn pair() -> (Channel, Channel) {
        let (one, other) = UnixStream::pair().unwrap();
        (Channel::new(one).unwrap(), Channel::new(other).unwrap())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// What the other side makes of these bytes.
    fn told(bytes: &[u8]) -> ChannelError {
        let (mut one, other) = UnixStream::pair().unwrap();
        one.write_all(bytes).unwrap();
        drop(one);
        Channel::new(other).unwrap().receive(soon()).unwrap_err()
    }

    #[test]
    fn each_descriptor_comes_with_its_frame() {
        let (one, other) = pair();
        let files: Vec<_> = (0..3).map(|_| tempfile::tempfile().unwrap()).collect();
        let all: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        one.send(Kind::Sparks, b"two", &all[..2]).unwrap();
        one.send(Kind::Letters, b"", &[]).unwrap();
        one.send(Kind::Fresh, &[7; 100_000], &all[2..]).unwrap();
        for (kind, length, count) in [(Kind::Sparks, 3, 2), (Kind::Letters, 0, 0), (Kind::Fresh, 100_000, 1)] {
            let frame = other.receive(soon()).unwrap();
            assert_eq!((frame.kind, frame.body.len(), frame.descriptors.len()), (kind, length, count));
        }
    }

    #[test]
    fn what_is_no_frame_of_ours_is_refused() {
        let frame = |version: u16, kind: u8, descriptors: u8, length: u32| {
            [&MAGIC[..], &version.to_le_bytes(), &[kind, descriptors], &length.to_le_bytes()].concat()
        };
        assert!(matches!(told(b"GET / HTTP/1.1\r\n"), ChannelError::Nonsense(_)));
        assert!(matches!(told(&frame(VERSION + 1, 1, 0, 0)), ChannelError::Version { theirs } if theirs == VERSION + 1));
        assert!(matches!(told(&frame(0, 1, 0, 0)), ChannelError::Version { theirs: 0 }));
        assert!(matches!(told(&frame(VERSION, 99, 0, 0)), ChannelError::Nonsense(_)));
        assert!(matches!(told(&frame(VERSION, 5, 1, 0)), ChannelError::Nonsense(_)));
        assert!(matches!(told(&frame(VERSION, 5, 0, u32::MAX)), ChannelError::Nonsense(_)));
        assert!(matches!(told(&frame(VERSION, 5, 0, 9)), ChannelError::Gone));
        assert!(matches!(told(&frame(VERSION, 1, 0, 0)[..5]), ChannelError::Gone));
        assert!(matches!(told(b""), ChannelError::Gone));
    }

    #[test]
    fn who_says_nothing_is_not_waited_for_without_end() {
        let (one, _other) = pair();
        assert!(matches!(one.receive(Instant::now() + Duration::from_millis(20)), Err(ChannelError::Silent)));
    }

    #[test]
    fn a_reason_to_give_up_reaches_the_other_side() {
        let (one, other) = pair();
        one.give_up("another address");
        assert_eq!(other.expect(Kind::Ready, soon()).unwrap_err().to_string(), "another address");
    }

    #[test]
    fn it_also_reaches_who_still_writes_when_the_other_side_is_gone() {
        let (one, other) = pair();
        one.send(Kind::Ready, b"", &[]).unwrap();
        one.give_up("no room");
        drop(one);
        for _ in 0..2 {
            assert_eq!(other.send(Kind::Letters, b"", &[]).unwrap_err().to_string(), "no room");
        }
        let (one, other) = pair();
        drop(one);
        assert!(matches!(other.send(Kind::Letters, b"", &[]), Err(ChannelError::Gone)));
    }
}
