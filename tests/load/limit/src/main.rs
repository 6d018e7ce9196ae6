//! The physical limit of the benchmark: a server without framing, parser or plugins, on bare epoll.
//!
//! The first byte of a connection is its role: `e` gets back what it sends, what a `p` sends goes to every `r`. One
//! read a turn and connection, one write of all that was read: no server on this kernel interface does with less.
//! It refuses to know what a message is.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

/// What one read takes at most: four of the largest benchmarked messages.
const BUFFER: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Unknown,
    Echo,
    Publisher,
    Receiver,
}

struct Connection {
    stream: TcpStream,
    role: Role,
    /// What the socket didn't take: leaves when it is writable again.
    unsent: Vec<u8>,
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    /// By token; a closed one leaves a gap, which the next one fills.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    receivers: Vec<usize>,
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).context("usage: limit PORT")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut server = Server::listen(address)?;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; BUFFER];
    loop {
        if let Err(error) = server.poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            if event.token() == LISTENER {
                server.accept()?;
            } else {
                server.turn(event.token().0, &mut buffer);
            }
        }
    }
}

impl Server {
    fn listen(address: SocketAddr) -> Result<Self> {
        let mut listener = TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { poll, listener, connections: Vec::new(), free: Vec::new(), receivers: Vec::new() })
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("can't accept"),
            };
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or(self.connections.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(index), interest)?;
            let connection = Connection { stream, role: Role::Unknown, unsent: Vec::new() };
            match self.connections.get_mut(index) {
                Some(slot) => *slot = Some(connection),
                None => self.connections.push(Some(connection)),
            }
        }
    }

    /// Serves one connection's event; a connection that fails is dropped.
    fn turn(&mut self, index: usize, buffer: &mut [u8]) {
        if self.serve(index, buffer).is_none() {
            self.receivers.retain(|receiver| *receiver != index);
            if self.connections[index].take().is_some() {
                self.free.push(index);
            }
        }
    }

    fn serve(&mut self, index: usize, buffer: &mut [u8]) -> Option<()> {
        loop {
            let connection = self.connections.get_mut(index)?.as_mut()?;
            connection.flush()?;
            let read = match connection.stream.read(buffer) {
                Ok(0) => return None,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(()),
                Err(_) => return None,
            };
            let mut bytes = &buffer[..read];
            if connection.role == Role::Unknown {
                connection.role = match bytes[0] {
                    b'e' => Role::Echo,
                    b'p' => Role::Publisher,
                    b'r' => Role::Receiver,
                    _ => return None,
                };
                bytes = &bytes[1..];
                if connection.role == Role::Receiver {
                    self.receivers.push(index);
                }
            }
            match connection.role {
                Role::Echo => connection.send(bytes)?,
                Role::Publisher => self.fan_out(bytes),
                Role::Unknown | Role::Receiver => {}
            }
            // A short read of a stream has emptied it: epoll(7).
            if read < buffer.len() {
                return Some(());
            }
        }
    }

    fn fan_out(&mut self, bytes: &[u8]) {
        for index in &self.receivers {
            if let Some(receiver) = &mut self.connections[*index] {
                // A receiver that is gone has an event of its own, which drops it.
                let _ = receiver.send(bytes);
            }
        }
    }
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Some(());
        }
        let written = write(&mut self.stream, bytes)?;
        self.unsent.extend_from_slice(&bytes[written..]);
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        if !self.unsent.is_empty() {
            let written = write(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..written);
        }
        Some(())
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> Option<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return None,
        }
    }
    Some(written)
}
