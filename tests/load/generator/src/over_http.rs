//! A client whose session HTTP exchanges carry: a connection whose responses bring messages, and one for requests with some.
//!
//! Drives a [`Session`] over two sockets. A receiver, which sends nothing but heartbeats, has the first only.

use std::io::{Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::connection::{PATIENCE, Target};
use crate::dialect::Role;
use crate::http::{Part, Reader};
use crate::session::Session;
use crate::socket::{Scratch, Socket};

/// One client.
#[derive(Debug)]
pub struct OverHttp {
    session: Session,
    address: SocketAddr,
    down: Exchanges,
    up: Option<Exchanges>,
}

/// A connection that carries one exchange after the other.
#[derive(Debug)]
struct Exchanges {
    socket: Socket,
    reader: Reader,
}

impl OverHttp {
    /// Opens a session, and sends its first request for messages.
    pub fn open(target: &Target, role: Role) -> Result<Self> {
        let mut session = Session::new(target.dialect, &target.address.to_string(), &target.path, role);
        let mut stream = connect(target.address)?;
        stream.write_all(&session.opening())?;
        let (mut reader, mut input) = (Reader::default(), Vec::new());
        while !session.is_open() {
            read_part(&mut stream, &mut reader, &mut input, |part| {
                session.polled(&part, |_| anyhow::bail!("a message before the session is open")).map(drop)
            })
            .context("the session is not opened")?;
        }
        let mut down = Exchanges { socket: Socket::new(stream, input)?, reader };
        if let Some(request) = session.poll() {
            down.socket.send(request)?;
        }
        let up = match role {
            Role::Receiver => None,
            Role::Echo | Role::Publisher => {
                let socket = Socket::new(connect(target.address)?, Vec::new())?;
                Some(Exchanges { socket, reader: Reader::default() })
            }
        };
        Ok(Self { session, address: target.address, down, up })
    }

    /// Sends wrapped messages, or keeps them until the request that is under way is answered.
    pub fn send(&mut self, wrapped: &[u8]) -> Result<()> {
        self.session.push(wrapped);
        self.post()
    }

    fn post(&mut self) -> Result<()> {
        let Some(request) = self.session.post() else { return Ok(()) };
        if let Some(up) = &mut self.up {
            return up.socket.send(request);
        }
        // A heartbeat: rare enough to wait for its answer.
        let mut stream = connect(self.address)?;
        stream.write_all(request)?;
        let (mut reader, mut input) = (Reader::default(), Vec::new());
        while self.session.is_posting() {
            read_part(&mut stream, &mut reader, &mut input, |part| self.session.posted(&part))?;
        }
        Ok(())
    }

    /// Writes what sockets didn't take.
    pub fn flush(&mut self) -> Result<()> {
        self.down.socket.flush()?;
        self.up.as_mut().map_or(Ok(()), |up| up.socket.flush())
    }

    /// Closes what a client at rest doesn't have: all but the request that waits for messages.
    pub fn rest(&mut self) -> Result<()> {
        ensure!(!self.session.is_posting(), "what was sent is not answered");
        self.up = None;
        Ok(())
    }

    /// Whether messages were sent whose request is not answered.
    pub fn is_posting(&self) -> bool {
        self.session.is_posting()
    }

    /// Reads what is there, hands every message to `message`, and sends what is to be sent. Says how many messages came.
    pub fn receive(&mut self, scratch: &mut Scratch, mut message: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        let Self { session, down, up, .. } = self;
        let mut messages = 0;
        down.receive(scratch, |part| {
            messages += session.polled(&part, &mut message)?;
            Ok(())
        })?;
        if let Some(request) = session.poll() {
            down.socket.send(request)?;
        }
        if let Some(up) = up.as_mut().filter(|_| session.is_posting()) {
            up.receive(scratch, |part| session.posted(&part))?;
        }
        self.post()?;
        Ok(messages)
    }
}

impl Exchanges {
    fn receive(&mut self, scratch: &mut Scratch, mut take: impl FnMut(Part<'_>) -> Result<()>) -> Result<()> {
        while let Some(read) = self.socket.read(scratch)? {
            let mut rest = scratch.input(read);
            while let Some((part, taken)) = self.reader.read(rest)? {
                take(part)?;
                rest = &rest[taken..];
            }
            self.socket.keep(rest);
            if read.is_last {
                break;
            }
        }
        Ok(())
    }
}

impl Source for OverHttp {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        self.down.socket.register(to, token, interest)?;
        self.up.as_mut().map_or(Ok(()), |up| up.socket.register(to, token, interest))
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        self.down.socket.reregister(to, token, interest)?;
        self.up.as_mut().map_or(Ok(()), |up| up.socket.reregister(to, token, interest))
    }

    fn deregister(&mut self, from: &Registry) -> std::io::Result<()> {
        self.down.socket.deregister(from)?;
        self.up.as_mut().map_or(Ok(()), |up| up.socket.deregister(from))
    }
}

fn connect(address: SocketAddr) -> Result<std::net::TcpStream> {
    let stream = std::net::TcpStream::connect(address).with_context(|| format!("can't connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Waits for the next part of a response on a connection that blocks.
fn read_part(
    stream: &mut std::net::TcpStream,
    reader: &mut Reader,
    input: &mut Vec<u8>,
    take: impl FnOnce(Part<'_>) -> Result<()>,
) -> Result<()> {
    loop {
        if let Some((part, taken)) = reader.read(input)? {
            take(part)?;
            input.drain(..taken);
            return Ok(());
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).context("no answer")?;
        ensure!(read > 0, "the server closed the connection");
        input.extend_from_slice(&chunk[..read]);
    }
}
