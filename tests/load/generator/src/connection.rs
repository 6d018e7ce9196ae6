//! One client connection: opened blocking, then driven without blocking.
//!
//! Knows the HTTP upgrade (RFC 6455, section 4.1) and the openings of the dialects. Input is read into one buffer that
//! all connections share; a connection keeps only an incomplete tail. Knows nothing of what messages say.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::dialect::{Dialect, Incoming, Role, text_frame};

/// The key and its answer of RFC 6455, section 1.3: no connection needs another, and no SHA-1 is needed here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A server that doesn't answer an opening within this time has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the server is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    /// The path of the request, without a query.
    pub path: String,
    pub dialect: Dialect,
    /// Bytes of a message, before any wrapping.
    pub length: usize,
}

/// The buffer that all connections read into, one after the other.
#[derive(Debug)]
pub struct Scratch(Vec<u8>);

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; 512 * 1024])
    }
}

/// A connection whose protocol has been opened.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    dialect: Dialect,
    length: usize,
    tail: Vec<u8>,
    unsent: Vec<u8>,
}

impl Connection {
    /// Connects, upgrades, goes through the dialect's opening, and sets the socket to non-blocking.
    pub fn open(target: &Target, role: Role) -> Result<Self> {
        let stream =
            std::net::TcpStream::connect(target.address).with_context(|| format!("can't connect to {}", target.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut opening = Opening { stream, input: Vec::new() };
        match target.dialect {
            Dialect::Raw => opening.stream.write_all(&[role.byte()])?,
            Dialect::WebSocket | Dialect::Primus => opening.upgrade(target, role)?,
            Dialect::SocketIo => {
                opening.upgrade(target, role)?;
                opening.expect(target.dialect, b"0{")?;
                opening.stream.write_all(&text_frame(b"40"))?;
                opening.expect(target.dialect, b"40{")?;
            }
        }
        opening.stream.set_read_timeout(None)?;
        opening.stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(opening.stream),
            dialect: target.dialect,
            length: target.length,
            tail: opening.input,
            unsent: Vec::new(),
        })
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

    /// Reads what is there and hands every message to `message`; heartbeats are answered. Says how many messages came.
    ///
    /// # Errors
    /// The server closed or sent what the dialect doesn't know, or `message` refused a message.
    pub fn receive(&mut self, scratch: &mut Scratch, mut message: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        let buffer = &mut scratch.0[..];
        let mut messages = 0;
        loop {
            let held = self.tail.len();
            buffer[..held].copy_from_slice(&self.tail);
            let space = buffer.len() - held;
            let read = match self.stream.read(&mut buffer[held..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("can't read"),
            };
            let input = &buffer[..held + read];
            let mut at = 0;
            while let Some((incoming, taken)) = self.dialect.read(&input[at..], self.length)? {
                match incoming {
                    Incoming::Message(payload) => {
                        message(payload)?;
                        messages += 1;
                    }
                    Incoming::Heartbeat(answer) => self.send(&answer)?,
                    Incoming::Opening(_) => {}
                }
                at += taken;
            }
            self.tail.clear();
            self.tail.extend_from_slice(&input[at..]);
            // A short read of a stream has emptied it: epoll(7) allows to save the read that would say so.
            if read < space {
                return Ok(messages);
            }
        }
    }
}

impl Source for Connection {
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

/// A connection that still blocks, because its protocol isn't open yet.
struct Opening {
    stream: std::net::TcpStream,
    input: Vec<u8>,
}

impl Opening {
    fn upgrade(&mut self, target: &Target, role: Role) -> Result<()> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n",
            target.dialect.target(&target.path, role),
            target.address,
        );
        self.stream.write_all(request.as_bytes())?;
        let end = loop {
            if let Some(at) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(self.input.len() < 64 * 1024, "the response has no end");
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.input[..end]).into_owned();
        ensure!(
            head.starts_with("HTTP/1.1 101 "),
            "the upgrade was refused: {}",
            String::from_utf8_lossy(&self.input).escape_debug()
        );
        ensure!(head.contains(ACCEPT), "the upgrade's answer to the key is wrong");
        self.input.drain(..end);
        Ok(())
    }

    /// Waits for the next part of the opening, which must start with `start`; heartbeats are answered meanwhile.
    fn expect(&mut self, dialect: Dialect, start: &[u8]) -> Result<()> {
        loop {
            let Some((incoming, taken)) = dialect.read(&self.input, 0)? else {
                self.fill()?;
                continue;
            };
            let is_open = match incoming {
                Incoming::Opening(payload) if payload.starts_with(start) => true,
                Incoming::Heartbeat(answer) => {
                    self.stream.write_all(&answer)?;
                    false
                }
                other => bail!("{dialect:?} should have opened, got {other:?}"),
            };
            self.input.drain(..taken);
            if is_open {
                return Ok(());
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        let mut chunk = [0; 4096];
        let read = self.stream.read(&mut chunk).context("no answer to the opening of the connection")?;
        ensure!(read > 0, "closed while the connection was being opened");
        self.input.extend_from_slice(&chunk[..read]);
        Ok(())
    }
}
