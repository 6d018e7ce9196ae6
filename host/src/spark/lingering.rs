//! Connections whose spark is gone: they are written to the end, then read until the peer closes too.
//!
//! Closing at once while bytes of the peer are unread resets the connection, and the peer may lose the last frames, the close
//! frame that says why among them (RFC 9112, section 9.6, tells the same of HTTP).

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::out::{Flushed, OutBuffer};

/// How long a peer may take to close its side.
const PATIENCE: Duration = Duration::from_secs(3);

/// How much of it is read away before the connection is cut.
const APPETITE: usize = 16 << 20;

/// A connection that ends.
pub struct Lingering {
    stream: TcpStream,
    out: OutBuffer,
    shut: bool,
    eaten: usize,
    until: Instant,
}

impl Lingering {
    /// Takes a spark's connection over.
    pub fn new(stream: TcpStream, out: OutBuffer, now: Instant) -> Self {
        Self { stream, out, shut: false, eaten: 0, until: now + PATIENCE }
    }

    /// The socket, to be watched under another token.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// When it is cut.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Goes on with it; whether it is over.
    pub fn proceed(&mut self, scratch: &mut [u8]) -> bool {
        if !self.shut {
            match self.out.flush(&mut self.stream) {
                Ok(Flushed::Waiting) => {}
                Ok(Flushed::All) => {
                    self.shut = true;
                    if self.stream.shutdown(Shutdown::Write).is_err() {
                        return true;
                    }
                }
                Err(_) => return true,
            }
        }
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return self.shut,
                Ok(count) => {
                    self.eaten += count;
                    if self.eaten > APPETITE {
                        return true;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }
}
