//! One client connection: opened blocking, then driven without blocking.
//!
//! Knows the HTTP upgrade (RFC 6455, section 4.1) and the openings of the dialects. Knows nothing of what messages say.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::dialect::{Dialect, Incoming, Role, Said, text_frame};
use crate::quoted;
use crate::socket::{Scratch, Socket};

/// The key and its answer of RFC 6455, section 1.3: no connection needs another, and no SHA-1 is needed here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A server that doesn't answer an opening within this time has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);

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

/// A connection whose protocol has been opened.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    dialect: Dialect,
    length: usize,
}

impl Connection {
    /// Connects, upgrades, goes through the dialect's opening, and sets the socket to non-blocking.
    pub fn open(target: &Target, role: Role) -> Result<Self> {
        let stream = TcpStream::connect(target.address).with_context(|| format!("can't connect to {}", target.address))?;
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
            Dialect::EngineIo => {
                opening.upgrade(target, role)?;
                opening.expect(target.dialect, b"0{")?;
            }
            Dialect::SockJs => {
                opening.upgrade(target, role)?;
                opening.expect(target.dialect, b"o")?;
            }
            Dialect::EngineIoPolling | Dialect::SockJsStreaming => bail!("HTTP exchanges are not one connection"),
        }
        let socket = Socket::new(opening.stream, opening.input)?;
        Ok(Self { socket, dialect: target.dialect, length: target.length })
    }

    /// Writes as much as the socket takes; the rest is kept and leaves by [`Self::flush`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.socket.send(bytes)
    }

    /// Writes what an earlier [`Self::send`] had to keep.
    pub fn flush(&mut self) -> Result<()> {
        self.socket.flush()
    }

    /// Reads what is there and hands every message to `message`; heartbeats are answered. Says how many messages came.
    ///
    /// # Errors
    /// The server closed or sent what the dialect doesn't know, or `message` refused a message.
    pub fn receive(&mut self, scratch: &mut Scratch, mut message: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        let mut messages = 0;
        while let Some(read) = self.socket.read(scratch)? {
            let mut rest = scratch.input(read);
            while let Some((incoming, taken)) = self.dialect.read(rest, self.length)? {
                match incoming {
                    Incoming::Message(payload) => {
                        message(payload)?;
                        messages += 1;
                    }
                    Incoming::Strings(array) => quoted::read(array, |text| {
                        match Said::of(text) {
                            Said::Message(payload) => {
                                message(payload)?;
                                messages += 1;
                            }
                            Said::Ping(answer) => self.socket.send(&text_frame(&self.dialect.wrap(&answer)))?,
                            Said::Control => {}
                        }
                        anyhow::Ok(())
                    })?,
                    Incoming::Heartbeat(answer) => self.socket.send(&answer)?,
                    Incoming::Opening(_) => {}
                }
                rest = &rest[taken..];
            }
            self.socket.keep(rest);
            if read.is_last {
                break;
            }
        }
        Ok(messages)
    }
}

impl Source for Connection {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        self.socket.register(to, token, interest)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        self.socket.reregister(to, token, interest)
    }

    fn deregister(&mut self, from: &Registry) -> std::io::Result<()> {
        self.socket.deregister(from)
    }
}

/// A connection that still blocks, because its protocol isn't open yet.
struct Opening {
    stream: TcpStream,
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
