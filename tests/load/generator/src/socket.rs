//! A TCP connection without blocking: what doesn't fit is kept, what is incomplete is read again.
//!
//! Input is read into one buffer that all connections share; a connection keeps only an incomplete tail. Knows no protocol.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};
use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// The buffer that all connections read into, one after the other.
#[derive(Debug)]
pub struct Scratch(Vec<u8>);

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; 512 * 1024])
    }
}

impl Scratch {
    /// What was read.
    pub fn input(&self, read: Input) -> &[u8] {
        &self.0[..read.length]
    }
}

/// What a read has brought.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    length: usize,
    /// Whether nothing more is there. A short read of a stream has emptied it: epoll(7) allows to save the read that would
    /// say so.
    pub is_last: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    tail: Vec<u8>,
    unsent: Vec<u8>,
}

impl Socket {
    /// Takes over a connection that blocked until now, and what was read of it and not used.
    pub fn new(stream: std::net::TcpStream, tail: Vec<u8>) -> Result<Self> {
        stream.set_read_timeout(None)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream: TcpStream::from_std(stream), tail, unsent: Vec::new() })
    }

    /// Writes as much as the socket takes; the rest is kept and leaves by [`Self::flush`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let written = write(&mut self.stream, bytes)?;
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Writes what an earlier [`Self::send`] had to keep.
    pub fn flush(&mut self) -> Result<()> {
        if !self.unsent.is_empty() {
            let written = write(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..written);
        }
        Ok(())
    }

    /// Reads what is there, behind what was kept; `None`: nothing is. What is not used of it has to be kept again.
    pub fn read(&mut self, scratch: &mut Scratch) -> Result<Option<Input>> {
        let buffer = &mut scratch.0[..];
        let held = self.tail.len();
        buffer[..held].copy_from_slice(&self.tail);
        let space = buffer.len() - held;
        loop {
            match self.stream.read(&mut buffer[held..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => return Ok(Some(Input { length: held + read, is_last: read < space })),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("can't read"),
            }
        }
    }

    /// Keeps what of the last read is to be read again.
    pub fn keep(&mut self, rest: &[u8]) {
        self.tail.clear();
        self.tail.extend_from_slice(rest);
    }
}

impl Source for Socket {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        self.stream.register(to, token, interest)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        self.stream.reregister(to, token, interest)
    }

    fn deregister(&mut self, from: &Registry) -> std::io::Result<()> {
        self.stream.deregister(from)
    }
}

/// Writes until done or until the socket is full, and says how much it took.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("can't write"),
        }
    }
    Ok(written)
}
